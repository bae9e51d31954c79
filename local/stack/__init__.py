"""Airflow and MLflow on one machine: ``python -m local.stack up|down|status``."""
