"""
### A late day: sessions and profiles done again because newer events change them

**What it does.** An arrival can bring events of days that are published already; and a day that was refused, mended and
published after the days that follow it changes their profiles. The task `late_days` of `behaviour_day` finds which days these
are, and adds each as a partition to the asset `late_days`; each partition starts one run here. The run's partition is the
day; *Asset events* shows which run told of it.

| task | reads | writes |
|---|---|---|
| `days_at_work` | Airflow | nothing; waits until no run of `behaviour_day` is running or queued, three hours at most |
| `late_sessions`, `late_profiles` | the commits of the tables | nothing; skip what another run has done since |
| `sessionize` | `events` | `sessions`, `session_events`, `conflicts` of that one day |
| `profiles` | `events`, `items` | `profiles` as of that one day |

A late event does not change the profiles of the day that it happened on: they say what had arrived by then. Recommendations
stay as they were served.

**Rerun.** Clear the run, or trigger one by hand with `day`: what is not late is skipped, so a day is done once, however many
files or runs told of it. While this workflow is paused Airflow drops what it is told; the next run of `behaviour_day` tells of
all days again that are still late.

**When it fails.** The last lines of the failed task's log say what, where and what to do. The day's rows are as they were
before; the next run of `behaviour_day` tells of the day again.
"""

from datetime import timedelta

from airflow.sdk import DAG, PartitionedAssetTimetable

from dags.common.alerts import run_failed
from dags.common.assets import LATE_DAYS
from dags.common.defaults import DEFAULT_ARGS
from dags.common.module_operator import ModuleOperator
from dags.common.params import optional_date
from dags.common.sensors import RunsEnded
from dags.common.write_audit_publish import spark_tables

DAY = "{{ dag_run.partition_key or params.day }}"

with DAG(
    dag_id="reprocess_day",
    description="A published day that newer events change: its sessions and profiles are done again",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=LATE_DAYS),
    max_active_runs=1,  # several runs for one day: the first does it, the others find it done
    default_args=DEFAULT_ARGS,
    on_failure_callback=run_failed,
    tags=["behaviour", "late", "spark"],
    params={
        "day": optional_date("Day", "For a run by hand: the day that is done again. Empty when late events started the run.")
    },
):
    days_at_work = RunsEnded(task_id="days_at_work", of=["behaviour_day"], timeout=timedelta(hours=3))
    late_sessions = ModuleOperator(task_id="late_sessions", module="jobs.late_days", arguments=["--closed-on", DAY])
    late_profiles = ModuleOperator(task_id="late_profiles", module="jobs.late_days", arguments=["--as-of", DAY])
    sessionize = spark_tables(
        "sessionize",
        ["--from", DAY, "--to", DAY],
        tooltip="the sessions that close on the day",
        writes=["sessions", "session_events", "conflicts"],
    )
    profiles = spark_tables("profiles", ["--as-of", DAY], tooltip="interests as of the day", writes=["profiles"])

    days_at_work >> [late_sessions, late_profiles]
    late_sessions >> sessionize
    late_profiles >> profiles
