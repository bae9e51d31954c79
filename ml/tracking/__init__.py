"""Everything that speaks to MLflow: runs, registry, model packages, checkpoints."""
