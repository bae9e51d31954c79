"""Maintenance of the lake, with one module per task. It is safe to run while jobs write and read.

It removes replaced snapshots, files that no snapshot refers to, and staged rows that were never published, once they are older
than a given age. Tagged snapshots stay.
"""
