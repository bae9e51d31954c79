"""The three tasks that write a table: build, audit, publish.

*Build* writes rows to a staging area that no reader sees. *Audit* checks them against the table's contract with Great
Expectations; if it refuses them, the audit task fails and its message gives the reason. *Publish* replaces the partitions
in one atomic commit, with audited rows only. Each task finds the output of the previous one by the names of the job and
the run.
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
    """The tasks that build, audit and publish the tables of ``jobs.<job>``.

    Args:
        job: the name of the job's module, and of the group.
        arguments: the arguments of the build.
        tooltip: a few words for the Airflow UI.
        writes: the tables that the job writes; alerts name them.
        outlets: the assets that publishing updates.
        trigger_rule: when the build may start.
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
    """Like `spark_tables`, for ``ml.<job>``: its build runs in the GPU pool and on the GPU queue.

    Args:
        job: the name of the job's module, and of the group.
        arguments: the arguments of the build.
        tooltip: a few words for the Airflow UI.
        writes: the tables that the job writes; alerts name them.
        outlets: the assets that publishing updates.
    """
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
