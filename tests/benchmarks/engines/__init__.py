"""The engines: each a program of its own, started with an input and an output folder, and in need of its own libraries alone."""
