"""The three tasks that every table is written by: build, audit, publish.

*Build* writes rows where no reader looks. *Audit* holds them to the table's contract, with Great
Expectations; when it refuses, it fails as a task of its own, with the reason in its message. *Publish*
replaces the partitions in one atomic commit, of audited rows only. Each finds what the one before left by
the job's and the run's name.
"""

from collections.abc import Sequence
from datetime import timedelta

from airflow.sdk import Asset, BaseOperator, TaskGroup, TriggerRule

from dags.common.defaults import GPU_POOL, GPU_QUEUE, RUN
from dags.common.module_operator import ModuleOperator
from dags.common.spark_operator import SparkJobOperator


def spark_tables(
    job: str,
    arguments: Sequence[str],
    *,
    tooltip: str,
    writes: Sequence[str] = (),
    outlets: Sequence[Asset] = (),
    trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS,
) -> TaskGroup:
    """The group of tasks for the tables that ``jobs.<job>`` writes; ``trigger_rule`` says when its build may start.

    An alarm about any of them names the tables that it ``writes``.
    """
    with TaskGroup(job, tooltip=tooltip) as group:
        build = SparkJobOperator(
            task_id="build", job=job, arguments=[*arguments, "--run", RUN], writes=writes, trigger_rule=trigger_rule
        )
        _audited(job, build, writes, outlets)
    return group


def model_tables(
    job: str, arguments: Sequence[str], *, tooltip: str, writes: Sequence[str] = (), outlets: Sequence[Asset] = ()
) -> TaskGroup:
    """As `spark_tables`, for the tables that ``ml.<job>`` writes: a GPU's work, where there is one."""
    with TaskGroup(job, tooltip=tooltip) as group:
        build = ModuleOperator(
            task_id="build",
            module=f"ml.{job}",
            arguments=[*arguments, "--run", RUN],
            writes=writes,
            pool=GPU_POOL,
            queue=GPU_QUEUE,
            execution_timeout=timedelta(hours=4),
        )
        _audited(job, build, writes, outlets)
    return group


def _audited(job: str, build: BaseOperator, writes: Sequence[str], outlets: Sequence[Asset]) -> None:
    which = ["--job", job, "--run", RUN]
    audit = ModuleOperator(task_id="audit", module="schemas.publishing.audit", arguments=which, writes=writes)
    publish = ModuleOperator(
        task_id="publish", module="schemas.publishing.publish", arguments=which, writes=writes, outlets=list(outlets)
    )
    build >> audit >> publish
