"""Clickwright on one machine: the services, the demonstration data, and the demonstration."""
