"""From any row back to the files it came from: ``python -m schemas.lineage``."""
