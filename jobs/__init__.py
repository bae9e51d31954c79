"""Spark jobs: one module a job, a pure transformation of frames and a short ``main``."""
