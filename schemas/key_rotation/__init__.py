"""Rotation of the key of the pseudonyms: a new state folder, into which the lake is computed again."""
