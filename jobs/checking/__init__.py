"""Trying a mapping on a file before anything is written: the outcomes of its lines, and what to do next."""
