"""Benchmarks of recipes on public files and on simulated worlds."""
