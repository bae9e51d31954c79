"""
### Process a day again: rebuild it after late events or late files

**What it does.** Rebuilds one published day that is out of date. This happens when an arrival brings events of earlier
days, when a landing file arrives after its day was read, or when a day that its audit refused is repaired after later
days were published. The task
`late_days` of `behaviour_day` finds such days and adds each one as a partition to the asset `late_days`; each partition
starts one run of this workflow. The partition of the run is the day. *Asset events* shows the run that reported it.

| task | reads | writes |
|---|---|---|
| `days_at_work` | Airflow | nothing; waits until no run of `behaviour_day` is running or queued, three hours at most |
| `late_files` | the landing zone, `landing_files` | nothing; skips `clean` when every file of the day was read |
| `late_sessions`, `late_profiles` | the commit history of the tables | nothing; skip work that another run has already done |
| `clean` | the landing zone | `events`, `rejects`, `landing_files` of that one day, if it has files that were not read |
| `sessionize` | `events` | `sessions`, `session_events`, `conflicts` of that one day |
| `profiles` | `events`, `items` | `profiles` as of that one day |

A late event does not change the profiles as of the day it happened: those profiles contain only events that had arrived
by then. Recommendations stay as they were served. Events of late files can change other days too; the next run of
`behaviour_day` reports those.

**Rerun.** Clear the run, or trigger one by hand with `day`. A day that is not late is skipped, so a day is processed once,
however many files or runs reported it. Airflow drops the late days that are reported while this workflow is paused; the
next run of `behaviour_day` reports all days that are still late.

**When it fails.** The last lines of the failed task's log give the error, its place and the remedy. The published rows of
the day are unchanged, and the next run of `behaviour_day` reports the day again.
"""

from datetime import timedelta

from airflow.sdk import DAG, PartitionedAssetTimetable, TriggerRule

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
    description="Rebuild a published day after late events or late files",
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=LATE_DAYS),
    max_active_runs=1,  # of several runs for one day, the first rebuilds it and the others skip it
    default_args=DEFAULT_ARGS,
    on_failure_callback=run_failed,
    tags=["behaviour", "late", "spark"],
    params={"day": optional_date("Day", "For a manual run: the day to process again. Empty when late events started the run.")},
):
    days_at_work = RunsEnded(task_id="days_at_work", of=["behaviour_day"], timeout=timedelta(hours=3))
    late_files = ModuleOperator(task_id="late_files", module="jobs.late_days", arguments=["--arrived-on", DAY])
    clean = spark_tables(
        "clean", ["--arrived-on", DAY], tooltip="the day's files, read again", writes=["events", "rejects", "landing_files"]
    )
    late_sessions, late_profiles = (
        ModuleOperator(
            task_id=f"late_{table}",
            module="jobs.late_days",
            arguments=[option, DAY],
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,  # without late files, `clean` is skipped
        )
        for table, option in (("sessions", "--closed-on"), ("profiles", "--as-of"))
    )
    sessionize = spark_tables(
        "sessionize",
        ["--from", DAY, "--to", DAY],
        tooltip="the sessions that close on the day",
        writes=["sessions", "session_events", "conflicts"],
    )
    profiles = spark_tables("profiles", ["--as-of", DAY], tooltip="interests as of the day", writes=["profiles"])

    days_at_work >> [late_files, late_sessions, late_profiles]
    late_files >> clean >> [late_sessions, late_profiles]
    late_sessions >> sessionize
    late_profiles >> profiles
