"""
### Tomorrow's recommendations and ad copy

**What it does.** Starts when a day of `profiles` is published or the champion changes. It waits, for at most an hour,
until no run of `behaviour_day` or `reprocess_day` is running or queued. Then it checks whether the current `@champion`
has already served the day after the newest profiles. If so, the run ends. If not, it recommends items to every user and
writes ad copy for some of them. Both tables are built, audited and published. A backfill of many days therefore produces
recommendations once, for its newest day.

**Reads** `profiles`, `session_events`, `items`, and the model behind the alias `@champion`. **Writes**
`recommendations` (user, rank, item, score, reason, model version) and `creatives` (headline, text, origin, checks
passed).

**Rerun.** Trigger it by hand: it does only the work that is due. To replace the recommendations of a day, clear
`recommend.build` with its downstream tasks. A build that was killed continues with its unfinished shards when it is
retried. `CLICKWRIGHT_RECOMMEND_ON=spark` runs the build on a cluster.

**When it fails.** The last lines of the failed task's log give the error, its place and the remedy.

- `due`: MLflow does not answer. (Without a champion nothing is due; that is not a failure.)
- `*.audit`: the rows violate the contract. The message names the rule and the Data Docs page; the published table is
  unchanged. Fix the cause, then clear the group's `build` with its downstream tasks.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, TriggerRule, task

from dags.common.alerts import run_failed
from dags.common.assets import CHAMPION, PROFILES
from dags.common.defaults import DEFAULT_ARGS
from dags.common.module_operator import ModuleOperator
from dags.common.sensors import RunsEnded
from dags.common.write_audit_publish import model_tables

SERVED_ON = ["--served-on", "{{ ti.xcom_pull(task_ids='due')['served_on'] }}"]


@task.short_circuit
def something_is_due(answer: Any) -> bool:
    """Skip the rest of the run when nothing is due; print the reason to the log."""
    print(answer["why"])
    return bool(answer["due"])


with DAG(
    dag_id="recommend",
    description="Recommendations and ad copy for the day after the newest profiles, by the current champion",
    doc_md=__doc__,
    schedule=PROFILES | CHAMPION,
    catchup=False,
    max_active_runs=1,  # one at a time, so that a second run sees the result of the first
    default_args={**DEFAULT_ARGS, "owner": "machine-learning"},
    on_failure_callback=run_failed,
    tags=["recommender", "advertising", "gpu"],
):
    days = RunsEnded(task_id="days_at_work", of=["behaviour_day", "reprocess_day"], timeout=timedelta(hours=1))
    # `due` runs also when `days_at_work` timed out.
    due = ModuleOperator(task_id="due", module="ml.recommend_due", trigger_rule=TriggerRule.NONE_FAILED)
    recommend = model_tables("recommend", SERVED_ON, tooltip="ten items for every user", writes=["recommendations"])
    copywriter = model_tables("copywriter", SERVED_ON, tooltip="headline and reason for some of them", writes=["creatives"])

    days >> due >> something_is_due(due.output) >> recommend >> copywriter
