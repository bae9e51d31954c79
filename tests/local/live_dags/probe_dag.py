"""Workflows for the tests of the services."""

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator, Context, CronDataIntervalTimetable, Param
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from dags.common.alerts import day_late, run_failed
from dags.common.defaults import DEFAULT_ARGS
from dags.common.module_operator import ModuleOperator
from dags.train_recommender.approval import DeadlineApproval

SOON = {**DEFAULT_ARGS, "retries": 1, "retry_delay": timedelta(seconds=1), "execution_timeout": timedelta(minutes=5)}


def due(reference: object, after: timedelta) -> DeadlineAlert:
    return DeadlineAlert(reference=reference, interval=after, callback=SyncCallback(day_late, kwargs={"tables": ["probes"]}))


def probe(task_id: str, *arguments: str, **kwargs: object) -> ModuleOperator:
    return ModuleOperator(task_id=task_id, module="tests.dags.probe", arguments=arguments, **kwargs)


class Deferred(BaseOperator):
    """A task that is deferred for some seconds."""

    def execute(self, context: Context) -> None:
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=6)), method_name="resumed")

    def resumed(self, context: Context, event: object) -> None: ...


with DAG(
    "probe",
    schedule=None,
    default_args=SOON,
    on_failure_callback=run_failed,
    params={"response_hours": 1.0, "file": Param(type="string")},
):
    once = probe("once", "once", "--file", "{{ params.file }}")
    ask = DeadlineApproval(
        task_id="ask",
        subject="Go on?",
        body="{{ ti.xcom_pull(task_ids='once') }}",
        asked_by="once",
        approved="go_on",
        rejected="stop",
    )
    once >> ask >> [probe("go_on", "succeed", pool="gpu", queue="gpu"), probe("stop", "succeed")]
    probe("refuse", "refuse") >> probe("after_refusal", "succeed")
    probe("nothing", "nothing") >> probe("after_nothing", "succeed")

with DAG("sleeper", schedule=None, default_args=SOON, params={"file": Param(type="string")}):
    probe("sleep", "sleep", "--file", "{{ params.file }}")

with DAG(
    "daily",
    schedule=CronDataIntervalTimetable("0 1 * * *", timezone="UTC"),
    catchup=False,
    default_args=SOON,
    deadline=due(DeadlineReference.DAGRUN_LOGICAL_DATE, timedelta(hours=27)),
):
    probe("day", "succeed")

with DAG("late", schedule=None, default_args=SOON, deadline=due(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(seconds=2))):
    BashOperator(task_id="sleep", bash_command="sleep 10")

with DAG("killed", schedule=None, default_args=SOON, on_failure_callback=run_failed, params={"file": Param(type="string")}):
    probe("sleep", "sleep", "--file", "{{ params.file }}", retries=0, writes=["probes"])

with DAG("gpu", schedule=None, default_args=SOON):
    Deferred(task_id="deferred", pool="gpu", queue="gpu", priority_weight=9)
    for number in range(3):
        BashOperator(task_id=f"at_work_{number}", bash_command="sleep 2", pool="gpu", queue="gpu")
