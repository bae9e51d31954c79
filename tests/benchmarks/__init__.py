"""Clickwright and its peers on one job: ``make bench``. Measured by hand, not by the tests."""
