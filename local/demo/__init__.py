"""The demonstration: ``python -m local.demo``, which ``make demo`` runs."""
