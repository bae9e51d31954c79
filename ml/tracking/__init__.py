"""Access to MLflow: runs, registry, model packages, checkpoints."""
