"""Recipes compared on one split: ``python -m ml.benchmark``."""
