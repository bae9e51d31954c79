"""Erasure: remove a person from every table, snapshot and file of the lake, and keep the person from coming back.

Every step is idempotent: after a kill, run the same command again.
"""
