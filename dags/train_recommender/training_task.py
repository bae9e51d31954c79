"""The task that trains recipes."""

from datetime import timedelta

from dags.common.defaults import GPU_POOL, GPU_QUEUE
from dags.common.module_operator import ModuleOperator


def fit(task_id: str, training: str, recipes: str, priority: int) -> ModuleOperator:
    """A training task: one MLflow run for each recipe; finished runs are kept.

    Args:
        task_id: the task's id.
        training: the name of the training (templated).
        recipes: the names of the recipes, comma-separated.
        priority: of two tasks that wait for a slot, the one with the higher number comes first.
    """
    return ModuleOperator(
        task_id=task_id,
        module="ml.train",
        arguments=["--run", training, "--recipes", recipes],
        pool=GPU_POOL,
        queue=GPU_QUEUE,
        execution_timeout=timedelta(hours=12),
        priority_weight=priority,
    )
