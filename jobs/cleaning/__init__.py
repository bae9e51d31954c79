"""What becomes of a line: candidates, identity, outcomes, rejects, and the accounts of a run."""
