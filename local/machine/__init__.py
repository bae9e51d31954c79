"""The needs of an installation, and the files that it leaves on its machine."""
