"""The engines: each a program of its own, which needs its own libraries alone."""
