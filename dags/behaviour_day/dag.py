"""
### One day of behaviour: from raw logs to sessions and profiles

**What it does.** Takes what arrived on one day (the run's data interval: from 01:00 UTC to the next 01:00,
so that what comes in seconds after midnight is not late), and brings the tables up to that day. Every table
is built, audited and published; a reader never sees a row that was not audited.

| group | reads | writes |
|---|---|---|
| `clean` | the landing zone | `events`, `rejects`, `landing_files` |
| `items` | the landing zone | `items`; skipped on a day without a new catalogue |
| `sessionize` | `events` | `sessions`, `session_events`; `conflicts` (an id that came back with other content) |
| `late_days` | commits of the tables | nothing; tells the asset `late_days` of days to be done again |
| `profiles` | `events`, `items` | `profiles`; updates the asset `profiles`, which starts `recommend` |

Events that arrived late, and days that were mended, change days that are published: the asset `late_days` gets each such
day as a partition, and `reprocess_day` does its sessions or profiles again. A day on which no source was alive is skipped.
Lines read = events + rejects + duplicates, on every run.

**Rerun.** Clear the run, or any task with what is downstream of it, or run a *backfill* over any days: the
same rows come out in any order, at any parallelism, and nothing is doubled. A trigger by hand takes the day
before its logical date's 01:00. The dates of a backfill are arrival days, both ends included.

**A history load.** Trigger one day with `history_since`: all that arrived on that day is then history, its
lateness does not count, and sessions are closed from that date on.

**When it fails.** The last lines of the failed task's log say what, where and what to do.

- `arrivals`: files are missing or cannot be read: deliver them, clear the task. Or the day is not over yet, or is
  before anything arrived, which no waiting mends.
- `*.audit`: the rows break the contract; the message names the rule, what was seen, and the Data Docs page.
  The published table is as it was. Mend the data or the contract, then clear the group's `build` with what
  is downstream.
- anything else was already tried again with growing pauses: see the log, clear the task.

A failed task raises an alarm, and so does a day that is not published by 04:00 UTC of the next day; `CLICKWRIGHT_ALARMS`
says who is told. A day that is backfilled, or triggered by hand after its hour, is marked as having missed its deadline
too, but nobody is told.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, TriggerRule
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from dags.behaviour_day.params import PARAMS
from dags.common.alerts import day_late, run_failed
from dags.common.assets import LATE_DAYS, PROFILES
from dags.common.defaults import ARRIVED_ON, DEFAULT_ARGS
from dags.common.module_operator import ModuleOperator
from dags.common.partitions_operator import PartitionsOperator
from dags.common.write_audit_publish import spark_tables

BEGUN = "--by={{ dag_run.start_date.isoformat() }}"
HISTORY = "{{ '--history-since=' ~ params.history_since if params.history_since else '' }}"
FIRST_CLOSING_DAY = "{{ params.history_since or (data_interval_start | ds) }}"
WRITES = {
    "clean": ["events", "rejects", "landing_files"],
    "items": ["items"],
    "sessionize": ["sessions", "session_events", "conflicts"],
    "profiles": ["profiles"],
}
PUBLISHED_WITHIN = timedelta(hours=3)  # of the end of the day, which is 24 hours after the run's logical date

with DAG(
    dag_id="behaviour_day",
    description="One arrival day: clean, sessionise, items and profiles, each audited before it is published",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 1 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=4,
    default_args=DEFAULT_ARGS,
    on_failure_callback=run_failed,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=timedelta(hours=24) + PUBLISHED_WITHIN,
        callback=SyncCallback(day_late, kwargs={"tables": [table for tables in WRITES.values() for table in tables]}),
    ),
    tags=["behaviour", "daily", "spark"],
    params=PARAMS,
):
    arrivals = ModuleOperator(
        task_id="arrivals", module="jobs.arrivals", arguments=["--arrived-on", ARRIVED_ON, BEGUN, HISTORY]
    )
    clean = spark_tables("clean", ["--arrived-on", ARRIVED_ON, HISTORY], tooltip="events and rejects", writes=WRITES["clean"])
    items = spark_tables("items", ["--as-of", ARRIVED_ON], tooltip="products and ads", writes=WRITES["items"])
    sessionize = spark_tables(
        "sessionize",
        ["--from", FIRST_CLOSING_DAY, "--to", ARRIVED_ON],
        tooltip="sessions that closed",
        writes=WRITES["sessionize"],
    )
    late_days = PartitionsOperator(
        task_id="late_days",
        module="jobs.late_days",
        asset=LATE_DAYS,
        listed="late_days",
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,  # what one table of the day lacks does not silence the others
    )
    profiles = spark_tables(
        "profiles",
        ["--as-of", ARRIVED_ON],
        tooltip="interests of every user",
        writes=WRITES["profiles"],
        outlets=[PROFILES],
        # A day without a new catalogue skips `items`: the one before it holds.
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )

    arrivals >> [clean, items]
    clean >> [sessionize, profiles]
    [sessionize, profiles] >> late_days
    items >> profiles  # interests are written in the items' categories and words
