"""One recipe trained on pinned data."""
