"""Spark jobs: one module for each job, with pure transformations of frames and a short ``main``."""
