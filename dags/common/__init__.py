"""Shared parts of the workflows: assets, alerts, defaults, operators, and the build-audit-publish groups."""
