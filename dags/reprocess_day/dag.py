"""
### A late day: sessions done again because events arrived late

**What it does.** An arrival can bring events of days that are published already. The task `late_days` of
`behaviour_day` finds which days these change, and adds each as a partition to the asset `late_days`; each
partition starts one run here. The run's partition is the day; *Asset events* shows which run told of it.

| task | reads | writes |
|---|---|---|
| `day_at_work` | Airflow | nothing; waits until the day's own run of `behaviour_day` has ended |
| `still_late` | the commits of `events` and `sessions` | nothing; skips the run when another has done the day since |
| `sessionize` | `events` | `sessions`, `session_events`, `conflicts` of that one day |

Profiles and recommendations of the day stay as they are: they say what was known by then.

**Rerun.** Clear the run, or trigger one by hand with `closed_on`: a day that is not late is skipped, so a day
is done once, however many files or runs told of it. While this workflow is paused Airflow drops what it is
told; the next run of `behaviour_day` tells of all days again that are still late.

**When it fails.** The last lines of the failed task's log say what, where and what to do. The day's sessions
are as they were before; the next run of `behaviour_day` tells of the day again.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param, PartitionedAssetTimetable

from dags.common.alarms import run_failed
from dags.common.assets import LATE_DAYS
from dags.common.defaults import DEFAULT_ARGS
from dags.common.module_operator import ModuleOperator
from dags.common.waits import RunsEnded
from dags.common.write_audit_publish import spark_tables

CLOSED_ON = "{{ dag_run.partition_key or params.closed_on }}"

with DAG(
    dag_id="reprocess_day",
    description="A published day whose sessions late events change: its sessions are done again",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=LATE_DAYS),
    max_active_runs=1,  # several runs for one day: the first does it, the others find it done
    default_args=DEFAULT_ARGS,
    on_failure_callback=run_failed,
    tags=["behaviour", "late", "spark"],
    params={
        "closed_on": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Closing date",
            description="For a run by hand: the day whose sessions are done again. Empty when late events started the run.",
        )
    },
):
    day_at_work = RunsEnded(task_id="day_at_work", of=["behaviour_day"], arrival_day=CLOSED_ON, timeout=timedelta(hours=3))
    still_late = ModuleOperator(task_id="still_late", module="jobs.late", arguments=["--closed-on", CLOSED_ON])
    sessionize = spark_tables(
        "sessionize",
        ["--from", CLOSED_ON, "--to", CLOSED_ON],
        tooltip="the sessions that close on the day",
        writes=["sessions", "session_events", "conflicts"],
    )

    day_at_work >> still_late >> sessionize
