"""The lake: tables, commits, snapshots, schema changes, files."""
