"""Late events: the days that they change are done again, once, after the day's own run, and the page says why."""

import json
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from local.airflow_client import Run
from local.drive import DAY_DAG, LATE_DAG
from tests.browser.airflow_page import AirflowPage
from tests.browser.stack import WEEK, Stack, deliver, walk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]
TIMEOUT_S = 900
TODAY, LATE = WEEK[-1] + timedelta(days=1), WEEK[-2]


def late_line(user: int) -> str:
    """Something that a walker did in the evening of a day that is published."""
    event = json.loads(walk(LATE, user)[0])
    at = datetime.combine(LATE, clock(20), UTC)
    return json.dumps({**event, "id": f"late-{user}", "at": at.isoformat(timespec="milliseconds")})


def new_runs(world: Stack, known: set[str]) -> list[Run]:
    """The runs that do days again and were not there before, when all of them have ended."""
    world.settle(DAY_DAG, LATE_DAG)
    return [run for run in world.airflow.runs(LATE_DAG) if run.run_id not in known]


def test_a_day_that_two_files_change_is_done_again_once(world: Stack, admin: AirflowPage) -> None:
    airflow = world.airflow
    for dag_id in (DAY_DAG, LATE_DAG):
        airflow.unpause(dag_id)
    known = {run.run_id for run in airflow.runs(LATE_DAG)}
    before = world.lake.current_commits("sessions")
    deliver(world.file(TODAY, "one"), [*walk(TODAY, 1), late_line(1)])
    deliver(world.file(TODAY, "two"), [*walk(TODAY, 2), late_line(2)])
    run = airflow.trigger(DAY_DAG, arrived_on=TODAY)
    (ended,) = airflow.wait(DAY_DAG, [run.run_id], timeout_s=TIMEOUT_S)
    assert ended.state == "success", airflow.failures(DAY_DAG, run.run_id)

    runs = new_runs(world, known)
    assert {run.state for run in runs} == {"success"}
    told = [str(run.partition) for run in runs]
    assert str(LATE) in told
    assert len(told) == len(set(told))
    after = world.lake.current_commits("sessions")
    assert {day for day in before if before[day].snapshot_id != after[day].snapshot_id} == set(told)

    (again,) = [run for run in runs if run.partition == str(LATE)]
    admin.open(f"/dags/{LATE_DAG}/runs/{quote(again.run_id)}/asset_events")
    expect(admin.page.get_by_text("late_days").first).to_be_visible()
    expect(admin.page.get_by_text(str(LATE)).first).to_be_visible()
    expect(admin.page.get_by_text(run.run_id).first).to_be_visible()


def test_a_late_day_waits_for_the_days_own_run(world: Stack) -> None:
    airflow = world.airflow
    (own,) = airflow.runs(DAY_DAG, LATE, LATE)
    airflow.clear(DAY_DAG, own.run_id)
    again = airflow.trigger(LATE_DAG, conf={"day": str(LATE)})
    (ended,) = airflow.wait(LATE_DAG, [again.run_id], timeout_s=TIMEOUT_S)
    assert ended.state == "success"
    (own,) = airflow.wait(DAY_DAG, [own.run_id], timeout_s=TIMEOUT_S)
    assert own.state == "success"
    began = {task.task_id: task.started_at for task in airflow.tasks(LATE_DAG, again.run_id)}["late_sessions"]
    assert began is not None
    assert own.ended_at is not None
    assert began >= own.ended_at
