"""When and in what order: one folder a workflow. Nothing here is heavier than Airflow and the standard
library."""
