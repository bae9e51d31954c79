"""Late events in the real Airflow: exactly the affected days are processed again, once each, and none is forgotten."""

import json
import time
from datetime import date, timedelta
from typing import Any

import pytest

from jobs.late_days import late_days
from local.stack.__main__ import Services
from local.stack.airflow_client import DAY_DAG, LATE_DAG, AirflowClient, Run
from schemas.lake.lake import Lake, open_lake
from schemas.lake.rewrite import rewrite_data_files
from tests.jobs.conftest import line
from tests.jobs.test_items_and_profiles import ALIEN
from tests.local.test_refused_day import deliver

pytestmark = [pytest.mark.slow, pytest.mark.airflow, pytest.mark.timeout(1500)]
FIRST = date(1998, 4, 16)
DAYS = [FIRST + timedelta(days=i) for i in range(5)]
TIMEOUT_S = 600


def event(name: str, day: date, clock: str) -> str:
    return line(event_id=name, item=name, time=f"{day}T{clock}Z")


def run_day(airflow: AirflowClient, day: date) -> None:
    run = airflow.trigger(DAY_DAG, arrived_on=day)
    (ended,) = airflow.wait(DAY_DAG, [run.run_id], timeout_s=TIMEOUT_S)
    assert ended.state == "success", airflow.failures(DAY_DAG, run.run_id)


def again(airflow: AirflowClient, count: int) -> list[Run]:
    """The runs for late days, once there are ``count`` of them and all have ended."""
    deadline = time.monotonic() + TIMEOUT_S
    while len(runs := airflow.runs(LATE_DAG)) < count or not all(run.finished for run in runs):
        assert time.monotonic() < deadline, runs
        time.sleep(1)
    return runs


def made(lake: Lake) -> dict[str, int]:
    """The snapshot of each day's sessions."""
    return {day: commit.snapshot_id for day, commit in lake.current_commits("sessions").items()}


def sizes(lake: Lake) -> dict[date, list[int]]:
    rows = lake.arrow("sessions").sort_by([("started_at", "ascending")]).to_pylist()
    return {day: [row["n_events"] for row in rows if row["closed_on"] == day] for day in {row["closed_on"] for row in rows}}


def tasks_done(airflow: AirflowClient, run: Run) -> set[str]:
    return {task.task_id for task in airflow.tasks(run.dag_id, run.run_id) if task.state == "success"}


def test_late_events_reprocess_the_days_that_they_change(live: Services, airflow: AirflowClient) -> None:
    landing, lake = live.settings.landing_dir, open_lake(live.settings)

    def arrive(day: date, *lines: str, file: str = "part-000") -> None:
        deliver(landing, "movielens", list(lines), hour=f"{day}T15", name=file)

    deliver(landing, "movielens-items", [json.dumps(ALIEN)])
    for number, day in enumerate(DAYS[:2]):
        arrive(day, event(f"a{number}", day, "09:00:00"), event(f"b{number}", day, "09:10:00"))
    arrive(DAYS[2], event("a2", DAYS[2], "09:00:00"), event("late", FIRST, "09:05:00"))
    arrive(DAYS[2], event("late too", FIRST, "09:07:00"), file="part-001")
    for number in (3, 4):
        arrive(DAYS[number], event(f"a{number}", DAYS[number], "09:00:00"))
    airflow.wait_for_dags([DAY_DAG, LATE_DAG])
    airflow.unpause(DAY_DAG)
    assert airflow.is_paused(LATE_DAG)

    run_day(airflow, DAYS[0])
    run_day(airflow, DAYS[1])
    assert late_days(lake) == []
    rewrite_data_files(lake, "events", [], "maintenance", "maintenance", {}, forget=True)  # as an erasure commits
    before = made(lake)
    run_day(airflow, DAYS[2])  # reports two days; the workflow is paused, so Airflow drops them
    assert late_days(lake) == DAYS[:2]
    assert sizes(lake)[FIRST] == [2]
    assert airflow.runs(LATE_DAG) == []

    airflow.unpause(LATE_DAG)
    run_day(airflow, DAYS[3])  # reports them again
    runs = again(airflow, 2)
    assert sorted(str(run.partition) for run in runs) == [str(day) for day in DAYS[:2]]
    assert {run.state for run in runs} == {"success"}
    assert all("sessionize.publish" in tasks_done(airflow, run) for run in runs)
    assert late_days(lake) == []
    assert sizes(lake) == {DAYS[0]: [4], DAYS[1]: [2], DAYS[2]: [1], DAYS[3]: [1]}
    after = made(lake)
    changed = {day for day in before if before[day] != after[day]}
    assert changed == {str(day) for day in DAYS[:2]}

    told_again: dict[str, Any] = {"day": str(FIRST)}
    run = airflow.trigger(LATE_DAG, conf=told_again)
    (ended,) = airflow.wait(LATE_DAG, [run.run_id], timeout_s=TIMEOUT_S)
    assert ended.state == "success"
    assert tasks_done(airflow, ended) == {"days_at_work"}  # already done: the rest is skipped
    assert made(lake) == after

    arrive(FIRST, event("late file", FIRST, "09:12:00"), file="part-007")  # its day was read long ago
    run_day(airflow, DAYS[4])
    reread = again(airflow, 4)[-1]
    assert (reread.state, reread.partition) == ("success", str(FIRST))
    assert {"clean.publish", "sessionize.publish", "profiles.publish"} <= tasks_done(airflow, reread)
    assert sizes(lake)[FIRST] == [5]
