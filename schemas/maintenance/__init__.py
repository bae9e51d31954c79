"""Upkeep of the lake, one module a duty; safe to run while jobs write and read.

What is removed is older than an age that is an argument: snapshots that nobody reads any more, files that no snapshot refers
to, what was staged and never published. Tagged snapshots stay.
"""
