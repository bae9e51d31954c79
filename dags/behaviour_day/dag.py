"""
### One day of behaviour: from raw logs to sessions and profiles

**What it does.** Processes the log lines that arrived on one day and brings the tables up to that day. The arrival day is
the run's data interval, from 01:00 UTC to 01:00 UTC of the next day; the extra hour keeps lines that arrive just after
midnight from counting as late. Every table is built, audited and published, so readers only see audited rows.

| group | reads | writes |
|---|---|---|
| `clean` | the landing zone | `events`, `rejects`, `landing_files` |
| `items` | the landing zone | `items`; skipped on a day without a new catalogue |
| `sessionize` | `events` | `sessions`, `session_events`; `conflicts` (an event id that returned with different content) |
| `late_days` | the commit history of the tables | no table; updates the asset `late_days` with the days to process again |
| `profiles` | `events`, `items` | `profiles`; updates the asset `profiles`, which starts `recommend` |

Events that arrive late, and days that are repaired, change days that are already published. So do landing files that
arrive after their day was read. Each such day becomes a partition of the asset `late_days`, and `reprocess_day` rebuilds
it. A day on which no source is active is skipped. Every run keeps the balance: records = events + rejects + duplicates.

**Rerun.** Clear the run, clear a task together with its downstream tasks, or start a *backfill* over any range of days.
A rerun replaces the same rows: the order and the parallelism do not matter, and no row is written twice. A manual run
processes the last arrival day that had ended by its logical date. The dates of a backfill are arrival days, both ends
included. A rerun never deletes rows whose landing files are gone: it is refused with the list of the files. To accept the
loss, run the day with `allow_missing_files`.

**Load history.** Trigger one day with `history_since`: all lines that arrived on that day are treated as history, their
lateness is ignored, and sessions are closed from that date on, or from the first event if that is later. A date before
the earliest event time of the contract (1990) is refused by `clean.build`.

**When it fails.** The last lines of the failed task's log give the error, its place and the remedy.

- `arrivals`: files are missing or unreadable: deliver them, then clear the task. Or the day is not over yet: clear
  the run after it has ended. Or the day precedes the first delivery: waiting will not help. Or the day was published from
  files that are gone now: its rows stay as they are.
- `*.audit`: the rows violate the contract. The message names the rule, the observed value and the Data Docs page; the
  published table is unchanged. Fix the data or the contract, then clear the group's `build` with its downstream tasks.
- Any other task has already been retried with increasing delays: read its log, then clear it.

**Alerts.** A failed task sends an alert, and so does a scheduled day that is not published by 04:00 UTC of the next day;
`CLICKWRIGHT_ALARMS` selects the channels. A backfilled day, or a day that is triggered by hand after its deadline, is
also marked as having missed the deadline, but sends no alert.
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
ALLOW_MISSING = "{{ '--allow-missing-files' if params.allow_missing_files else '' }}"
FIRST_CLOSING_DAY = "{{ params.history_since or (data_interval_start | ds) }}"
WRITES = {
    "clean": ["events", "rejects", "landing_files"],
    "items": ["items"],
    "sessionize": ["sessions", "session_events", "conflicts"],
    "profiles": ["profiles"],
}
PUBLISHED_WITHIN = timedelta(hours=3)  # after the end of the day, which is 24 hours after the run's logical date

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
        task_id="arrivals", module="jobs.arrivals", arguments=["--arrived-on", ARRIVED_ON, BEGUN, HISTORY, ALLOW_MISSING]
    )
    clean = spark_tables(
        "clean", ["--arrived-on", ARRIVED_ON, HISTORY, ALLOW_MISSING], tooltip="events and rejects", writes=WRITES["clean"]
    )
    items = spark_tables("items", ["--as-of", ARRIVED_ON, ALLOW_MISSING], tooltip="products and ads", writes=WRITES["items"])
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
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,  # one failed table must not hide the others
    )
    profiles = spark_tables(
        "profiles",
        ["--as-of", ARRIVED_ON],
        tooltip="interests of every user",
        writes=WRITES["profiles"],
        outlets=[PROFILES],
        # A day without a new catalogue skips `items`: the previous catalogue stays valid.
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )

    arrivals >> [clean, items]
    clean >> [sessionize, profiles]
    [sessionize, profiles] >> late_days
    items >> profiles  # profiles use the categories and terms of the items
