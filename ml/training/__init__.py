"""Training of one recipe on pinned data."""
