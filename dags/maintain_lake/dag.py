"""
### Look after the lake

**What it does.** Finishes erasure requests that are waiting, and then the upkeep: drops what the contracts
do not keep any longer, writes small files together, expires snapshots that nobody reads any more, removes
files that nothing refers to, and writes the statistics of every table. It may run while days are made,
models are trained and tables are read.

| task | reads | writes |
|---|---|---|
| `erase` | requests | every table with persons in it, receipts under `erasures/`; skipped without a request |
| `forget` | receipts, the landing zone | the landing zone where it is ours to rewrite, the receipts |
| `mark_models` | receipts | a tag of each model version that was trained on somebody who was erased |
| `retention` | contracts | tables: partitions that are too old go |
| `compact` | tables | tables: the same rows in fewer files |
| `expire` | tables | the tables' metadata; tagged snapshots stay |
| `orphans` | the lake's folders | removes files |
| `statistics` | tables | `docs/lake.html` |

**When.** Each day at 04:00 UTC. Ages count back from the day that ended; nothing younger than `keep_days`
is removed, so that no reader and no job loses what it reads. A request for erasure does not wait for that
age, and need not wait for this workflow: `python -m schemas.erasure --from FILE --date DAY`.

**Rerun.** Clear any task: what is done already is not there to be done again.

**When it fails.** The last lines of the failed task's log say what, where and what to do.

- `retention`: refused, as nothing would be left of a table. More often than not the date is wrong, or the
  data are old, such as the demonstration's: leave this workflow paused then, or run
  `python -m schemas.maintenance.retention --allow-empty` by hand.
- `mark_models`: is MLflow up? Then clear the task.
- one that waits: upkeep and erasures of one machine take turns, by the lock `lake/keep.lock`.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule

from dags.common.alerts import run_failed
from dags.common.defaults import DEFAULT_ARGS, RUN
from dags.common.module_operator import ModuleOperator

DATE = ["--date", "{{ data_interval_end | ds }}", "--run", RUN]
AGE = ["--keep-days", "{{ params.keep_days }}"]


def duty(name: str, arguments: list[str], module: str | None = None) -> ModuleOperator:
    """One duty of upkeep; that nobody waits to be erased does not skip it."""
    rule = TriggerRule.NONE_FAILED
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
    tags=["lake", "daily", "upkeep"],
    params={
        "keep_days": Param(
            7,
            type="integer",
            minimum=1,
            title="Days to keep",
            description="Nothing younger is removed: no reader and no job goes on for longer.",
        )
    },
):
    erase = ModuleOperator(task_id="erase", module="schemas.erasure", arguments=["--pending"])
    forget = ModuleOperator(task_id="forget", module="jobs.erase_landing", trigger_rule=TriggerRule.NONE_FAILED)
    mark_models = ModuleOperator(task_id="mark_models", module="ml.mark_erased", trigger_rule=TriggerRule.NONE_FAILED)
    retention, compact = duty("retention", []), duty("compact", [])
    expire = duty("expire", AGE, "expire_snapshots")
    orphans, statistics = duty("orphans", AGE, "orphan_files"), duty("statistics", [], "table_statistics")

    erase >> forget >> mark_models
    erase >> [retention, compact]
    compact >> expire >> orphans >> statistics  # each leaves something to the next
