"""Pseudonyms, personal columns, the suppression list and erasure requests."""
