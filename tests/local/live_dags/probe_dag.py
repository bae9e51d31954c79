"""A workflow that does what the tests of the services ask for."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from dags.common.module_operator import ModuleOperator
from dags.train_recommender.approval import DeadlineApproval

SOON = {"retries": 1, "retry_delay": timedelta(seconds=1), "execution_timeout": timedelta(minutes=5)}


def probe(task_id: str, *arguments: str, **kwargs: object) -> ModuleOperator:
    return ModuleOperator(task_id=task_id, module="tests.dags.probe", arguments=arguments, **kwargs)


with DAG("probe", schedule=None, default_args=SOON, params={"response_hours": 1.0, "file": Param(type="string")}):
    once = probe("once", "once", "--file", "{{ params.file }}")
    ask = DeadlineApproval(task_id="ask", subject="Go on?", body="{{ ti.xcom_pull(task_ids='once') }}")
    once >> ask >> probe("go_on", "succeed", pool="gpu", queue="gpu")
    probe("refuse", "refuse") >> probe("after_refusal", "succeed")
    probe("nothing", "nothing") >> probe("after_nothing", "succeed")

with DAG("sleeper", schedule=None, default_args=SOON, params={"file": Param(type="string")}):
    probe("sleep", "sleep", "--file", "{{ params.file }}")

with DAG("daily", schedule=CronDataIntervalTimetable("0 1 * * *", timezone="UTC"), catchup=False, default_args=SOON):
    probe("day", "succeed")
