"""Pseudonyms, personal columns, the suppression list, requests for erasure."""
