"""Erasure: a person who asks for it goes from every table, snapshot and file of the lake, and does not come back.

The steps are such that any of them can be done twice: whoever is killed runs the same command again, and gets the same end.
"""
