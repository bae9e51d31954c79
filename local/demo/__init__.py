"""The demonstration: ``python -m local.demo``, what ``make demo`` runs."""
