"""The small simulated shop of the demonstration, as a second source of the landing zone: ``python -m local.shop``."""
