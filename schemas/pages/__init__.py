"""HTML pages of the tables."""
