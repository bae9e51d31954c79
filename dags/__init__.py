"""The Airflow workflows, one folder each. A DAG file imports only Airflow and the standard library."""
