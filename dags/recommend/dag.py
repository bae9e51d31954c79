"""
### Tomorrow's recommendations and ad copy

**What it does.** When a day of profiles was published, or the champion moved, waits until no run of
`behaviour_day` or `reprocess_day` is running or queued (an hour at most), and asks whether anything has changed:
are there recommendations for the day after the newest profiles, by the present `@champion`? If so it ends at once.
If not, it recommends for every user, and writes ad copy for some of them. Both tables are built, audited and
published. So a backfill of many days makes recommendations once, for its newest day.

**Reads** `profiles`, `session_events`, `items`, and the model behind the alias `@champion`. **Writes**
`recommendations` (user, rank, item, score, reason, model version) and `creatives` (headline, text, where it
came from, the checks it passed).

**Rerun.** Trigger it by hand: it does what is due. To make a day's recommendations again, clear
`recommend.build` with what is downstream; the rows of that day are replaced. A build that was killed and is
tried again makes only what it had not finished. `CLICKWRIGHT_RECOMMEND_ON=spark` makes it on a cluster.

**When it fails.** The last lines of the failed task's log say what, where and what to do.

- `due`: MLflow does not answer. (Without a champion nothing is due, which is no failure.)
- `*.audit`: the rows break the contract; the message names the rule and the Data Docs page. The published
  table is as it was. Mend what made them, then clear the group's `build` with what is downstream.
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
    """Go on, or skip the rest; the answer's reason is in the log."""
    print(answer["why"])
    return bool(answer["due"])


with DAG(
    dag_id="recommend",
    description="Recommendations and ad copy for the day after the newest profiles, by the present champion",
    doc_md=__doc__,
    schedule=PROFILES | CHAMPION,
    catchup=False,
    max_active_runs=1,  # one after the other, so that the second of two sees what the first has done
    default_args={**DEFAULT_ARGS, "owner": "machine-learning"},
    on_failure_callback=run_failed,
    tags=["recommender", "advertising", "gpu"],
):
    days = RunsEnded(task_id="days_at_work", of=["behaviour_day", "reprocess_day"], timeout=timedelta(hours=1))
    due = ModuleOperator(task_id="due", module="ml.recommend_due", trigger_rule=TriggerRule.NONE_FAILED)  # an hour is enough
    recommend = model_tables("recommend", SERVED_ON, tooltip="ten items for every user", writes=["recommendations"])
    copywriter = model_tables("copywriter", SERVED_ON, tooltip="headline and reason for some of them", writes=["creatives"])

    days >> due >> something_is_due(due.output) >> recommend >> copywriter
