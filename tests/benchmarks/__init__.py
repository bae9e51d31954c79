"""Clickwright and other engines on one job: ``make bench``. Run by hand, not by the tests."""
