"""Lineage: trace rows back to the landing files they came from, with ``python -m schemas.lineage``."""
