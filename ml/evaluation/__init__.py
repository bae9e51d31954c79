"""Evaluation of a fitted model on a split: metrics, slices, plots."""
