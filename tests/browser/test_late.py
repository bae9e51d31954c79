"""Late events: their days are processed again once, after the day's own run, and the page shows the cause."""

import json
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import expect

from local.stack.airflow_client import DAY_DAG, LATE_DAG
from tests.browser.airflow_page import AirflowPage
from tests.browser.stack import WEEK, Stack, deliver, walk

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]
TIMEOUT_S = 900
TODAY, LATE = WEEK[-1] + timedelta(days=1), WEEK[-2]


def late_line(user: int) -> str:
    """An event of a walker in the evening of a published day."""
    event = json.loads(walk(LATE, user)[0])
    at = datetime.combine(LATE, clock(20), UTC)
    return json.dumps({**event, "id": f"late-{user}", "at": at.isoformat(timespec="milliseconds")})


def done(world: Stack, known: int) -> list[str]:
    """The closing dates that runs for late days published after the first ``known`` commits, in order."""
    commits = world.lake.commits("sessions")
    new = commits[: len(commits) - known]
    return sorted(day for commit in new if str(commit.run).startswith(LATE_DAG) for day in commit.replaced["closed_on"])


def test_day_with_two_late_files_is_reprocessed_once(world: Stack, admin: AirflowPage) -> None:
    airflow = world.airflow
    for dag_id in (DAY_DAG, LATE_DAG):
        airflow.unpause(dag_id)
    world.settle(DAY_DAG, LATE_DAG)
    before, known = {run.run_id for run in airflow.runs(LATE_DAG)}, len(world.lake.commits("sessions"))
    deliver(world.file(TODAY, "one"), [*walk(TODAY, 1), late_line(1)])
    deliver(world.file(TODAY, "two"), [*walk(TODAY, 2), late_line(2)])
    run = airflow.trigger(DAY_DAG, arrived_on=TODAY)
    (ended,) = airflow.wait(DAY_DAG, [run.run_id], timeout_s=TIMEOUT_S)
    assert ended.state == "success", airflow.failures(DAY_DAG, run.run_id)
    world.settle(DAY_DAG, LATE_DAG)

    runs = [run for run in airflow.runs(LATE_DAG) if run.run_id not in before]
    assert {run.state for run in runs} == {"success"}
    # Only sessions that close on the day of the late event or the next day change; today's run already includes it.
    assert done(world, known) == [str(LATE), str(LATE + timedelta(days=1))]

    again = next(run for run in runs if run.partition == str(LATE))
    admin.open(f"/dags/{LATE_DAG}/runs/{quote(again.run_id)}/asset_events")
    expect(admin.page.get_by_role("link", name="late_days", exact=True)).to_be_visible()
    expect(admin.page.get_by_text(f"Partition Key: {LATE}")).to_be_visible()
    source = admin.page.get_by_role("link", name=DAY_DAG, exact=True).get_attribute("href")
    assert f"/runs/{run.run_id}/tasks/late_days" in unquote(str(source))


def test_late_day_waits_for_the_days_own_run(world: Stack) -> None:
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
