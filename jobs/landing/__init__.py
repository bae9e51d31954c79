"""The landing zone: the files of an arrival day, and their readers."""
