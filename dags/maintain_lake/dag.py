"""
### Maintain the lake

**What it does.** Completes pending erasure requests, then runs the maintenance tasks: it drops partitions beyond the
retention period of their contract, compacts small files, expires old snapshots, removes orphan files, and writes
statistics of every table. It is safe to run while jobs write, models train and readers read.

| task | reads | writes |
|---|---|---|
| `erase` | erasure requests | every table with personal data, receipts under `erasures/`; skipped without a request |
| `forget` | receipts, the landing zone | the receipts, and the landing zone if Clickwright may rewrite it |
| `mark_models` | receipts | a tag on each model version that was trained on data of an erased person |
| `retention` | contracts | tables: drops partitions that are too old |
| `compact` | tables | tables: the same rows in fewer files |
| `expire` | tables | the metadata of the tables; tagged snapshots stay |
| `orphans` | the folders of the lake | removes files that no table refers to |
| `statistics` | tables | `docs/lake.html` |
| `records` | audits, staging records, logs, reports | removes those that have not changed for `CLICKWRIGHT_RECORD_DAYS` days |

**When.** Daily at 04:00 UTC. Ages count back from the day that ended. Nothing younger than `keep_days` is removed, so no
reader and no job loses files that it still reads. An erasure request does not wait for that age, and it does not need
this workflow: run `python -m schemas.erasure --from FILE --date DAY`.

**Rerun.** Clear any task: finished work is not repeated.

**When it fails.** The last lines of the failed task's log give the error, its place and the remedy.

- Every task works on each table on its own. The message names the tables that were left as they were, and why; the others
  are done.
- `retention`: refused because a table would become empty. Usually the date is wrong, or the data are old, as in the
  demonstration: then leave this workflow paused, or run `python -m schemas.maintenance.retention --table TABLE
  --allow-empty` by hand. A table that seldom gets rows may rightly become empty.
- `forget`: lines of a request found nobody, neither in the lake nor in the landing zone (exit code 4). The erasure is
  done; the receipt names the lines. The id is probably misspelt: make the request again with the id of the source. A
  cleared task is skipped.
- `mark_models`: check that MLflow is running, then clear the task.
- A task that waits: maintenance and erasures on one machine run one at a time; the lock is `lake/keep.lock`.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule

from dags.common.alerts import run_failed
from dags.common.defaults import DEFAULT_ARGS, RUN
from dags.common.module_operator import ModuleOperator

DATE = ["--date", "{{ data_interval_end | ds }}", "--run", RUN]
AGE = ["--keep-days", "{{ params.keep_days }}"]


def maintenance_task(name: str, arguments: list[str], module: str | None = None) -> ModuleOperator:
    """One maintenance task.

    Args:
        name: the task id.
        arguments: the arguments of the command, besides the date and the run.
        module: the module under `schemas.maintenance`, if its name is not the task id.
    """
    rule = TriggerRule.NONE_FAILED  # runs also when `erase` is skipped for lack of requests
    return ModuleOperator(
        task_id=name, module=f"schemas.maintenance.{module or name}", arguments=[*DATE, *arguments], trigger_rule=rule
    )


with DAG(
    dag_id="maintain_lake",
    description="Erasures, retention, compaction, expiry of snapshots, orphan files, statistics",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 4 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=run_failed,
    tags=["lake", "daily", "maintenance"],
    params={
        "keep_days": Param(
            7,
            type="integer",
            minimum=1,
            title="Days to keep",
            description="Nothing younger is removed; no reader and no job may run longer than this.",
        )
    },
):
    erase = ModuleOperator(task_id="erase", module="schemas.erasure", arguments=["--pending", "--landing-follows"])
    forget = ModuleOperator(task_id="forget", module="jobs.erase_landing", trigger_rule=TriggerRule.NONE_FAILED)
    # `forget` also fails to report an id that found nobody; the models of the others are marked all the same.
    mark_models = ModuleOperator(task_id="mark_models", module="ml.mark_erased", trigger_rule=TriggerRule.ALL_DONE)
    retention, compact = maintenance_task("retention", []), maintenance_task("compact", [])
    records = maintenance_task("records", [], "record_retention")
    expire = maintenance_task("expire", AGE, "expire_snapshots")
    orphans = maintenance_task("orphans", AGE, "orphan_files")
    statistics = maintenance_task("statistics", [], "table_statistics")

    erase >> forget >> mark_models
    erase >> [retention, compact, records]
    compact >> expire >> orphans >> statistics  # each prepares work for the next
