"""Evaluation of a fitted model on a split: measures, slices, plots."""
