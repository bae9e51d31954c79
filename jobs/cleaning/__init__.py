"""Cleaning: candidates, identity, outcomes, rejects, and the accounting of a run."""
