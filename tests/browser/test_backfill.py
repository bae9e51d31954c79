"""A backfill from the dialog in Airflow's pages, with refused days and their repair."""

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import pytest
from playwright.sync_api import expect

from local.stack.airflow_client import DAY_DAG, GRACE, LATE_DAG, RECOMMEND_DAG, AirflowClient, Run
from tests.browser.airflow_page import ALL, ERRORED, AirflowPage
from tests.browser.kills import KILLS
from tests.browser.stack import HISTORY, WEEK, YESTERDAY, Stack, deliver

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]
TIMEOUT_S = 1500
CLEARED, RETRIED = WEEK[1], WEEK[3]
"""Two days with a file of unreadable lines: one is repaired and cleared, one is repaired and backfilled again."""


def week(airflow: AirflowClient) -> list[Run]:
    return airflow.runs(DAY_DAG, WEEK[0], WEEK[-1])


def broken(world: Stack, day: date) -> Path:
    return world.file(day, "broken")


def states(world: Stack) -> dict[str, str]:
    """The final state of each day of the week, by its date."""
    world.settle(DAY_DAG, LATE_DAG, RECOMMEND_DAG)
    return {str(run.interval_start)[:10]: run.state for run in week(world.airflow)}


def test_future_range_starts_nothing(world: Stack, admin: AirflowPage) -> None:
    tomorrow = YESTERDAY + timedelta(days=2)
    dialog = admin.backfill_dialog(DAY_DAG, tomorrow, tomorrow + timedelta(days=4))
    assert admin.announced(dialog) == "No runs matching selected criteria."
    expect(dialog.get_by_role("button", name="Run Backfill")).to_be_disabled()


def test_backfill_of_five_days_during_a_scheduled_run(world: Stack, admin: AirflowPage, pictures: Path | None) -> None:
    airflow = world.airflow
    for day in (CLEARED, RETRIED):
        deliver(broken(world, day), ["{"] * 3000)
    for dag_id in (LATE_DAG, RECOMMEND_DAG):
        airflow.unpause(dag_id)
    dialog = admin.backfill_dialog(DAY_DAG, WEEK[0], WEEK[-1])
    assert admin.announced(dialog) == "5 runs will be triggered."
    if pictures:
        admin.picture(pictures / "backfill.png")
    admin.run_backfill(dialog)  # also unpauses the workflow, which starts the run of yesterday
    assert states(world) == {str(day): "failed" if day in (CLEARED, RETRIED) else "success" for day in WEEK}
    scheduled = airflow.runs(DAY_DAG, YESTERDAY, YESTERDAY)
    assert [(run.run_type, run.state) for run in scheduled] == [("scheduled", "success")]
    # The champion is the first version; recommendations are made once, for the day after the newest profiles.
    assert world.served_by() == {YESTERDAY + timedelta(days=1): "1"}
    assert len(world.lake.commits("recommendations")) == 1


def test_refused_day_shows_its_reason_in_the_log(world: Stack, admin: AirflowPage, pictures: Path | None) -> None:
    (refused,) = world.airflow.runs(DAY_DAG, CLEARED, CLEARED)
    admin.open(f"/dags/{DAY_DAG}")
    if pictures:
        admin.picture(pictures / "refused.png")
    admin.open_task(DAY_DAG, refused.run_id, "clean.audit")
    expect(admin.page.get_by_text("audit failed: rejects [arrived_on=").first).to_be_visible()
    expect(admin.page.get_by_text("the number of rows must be at most 20 % of records").first).to_be_visible()
    events = world.lake.partitions("events", "arrived_on")
    assert set(events) == {*HISTORY, *WEEK, YESTERDAY} - {CLEARED, RETRIED}


def test_clearing_a_repaired_day_completes_it(world: Stack, admin: AirflowPage) -> None:
    (refused,) = world.airflow.runs(DAY_DAG, CLEARED, CLEARED)
    broken(world, CLEARED).unlink()
    admin.clear_task(DAY_DAG, refused.run_id, "clean.build")
    assert states(world)[str(CLEARED)] == "success"


def test_missing_and_errored_runs_only_the_failed_day(world: Stack, admin: AirflowPage) -> None:
    before = {run.run_id: run.started_at for run in week(world.airflow)}
    broken(world, RETRIED).unlink()
    dialog = admin.backfill_dialog(DAY_DAG, WEEK[0], WEEK[-1], ERRORED)
    assert admin.announced(dialog) == "1 run will be triggered."
    admin.run_backfill(dialog)
    assert set(states(world).values()) == {"success"}
    after = {run.run_id: run.started_at for run in week(world.airflow)}
    assert [run_id for run_id in before if before[run_id] != after[run_id]] == [f"backfill__{ends(RETRIED)}"]
    assert world.differs() == []


def ends(day: date) -> str:
    return (datetime.combine(day, clock.min, UTC) + GRACE + timedelta(days=1)).isoformat()


def test_rerun_of_all_days_survives_kills(world: Stack, admin: AirflowPage, pictures: Path | None) -> None:
    before = {run.run_id: run.started_at for run in week(world.airflow)}
    dialog = admin.backfill_dialog(DAY_DAG, WEEK[0], WEEK[-1], ALL)
    assert admin.announced(dialog) == "5 runs will be triggered."
    admin.run_backfill(dialog)
    second = admin.backfill_dialog(DAY_DAG, WEEK[2], WEEK[3], ALL)
    assert admin.announced(second) == "No runs matching selected criteria."  # they are running already
    expect(second.get_by_role("button", name="Run Backfill")).to_be_disabled()
    for kill in KILLS:
        time.sleep(20)
        assert any(not run.finished for run in week(world.airflow)), f"all runs ended before {kill.__name__}"
        kill(world)
    assert set(states(world).values()) == {"success"}
    after = {run.run_id: run.started_at for run in week(world.airflow)}
    assert after.keys() == before.keys()
    assert all(after[run_id] != before[run_id] for run_id in before)
    assert world.differs() == []
    if pictures:
        admin.open(f"/dags/{DAY_DAG}")
        admin.picture(pictures / "grid.png")


def test_overlapping_backfill_changes_no_row(world: Stack, admin: AirflowPage) -> None:
    admin.run_backfill(admin.backfill_dialog(DAY_DAG, WEEK[3], WEEK[4], ALL))
    assert set(states(world).values()) == {"success"}
    assert world.differs() == []
    assert len(world.lake.commits("recommendations")) == 1


def test_day_before_the_first_arrival_is_refused(world: Stack, admin: AirflowPage) -> None:
    day = HISTORY[0] - timedelta(days=1)
    dialog = admin.backfill_dialog(DAY_DAG, day, day)
    admin.run_backfill(dialog)
    run, *_ = world.airflow.runs(DAY_DAG, day, day)
    (ended,) = world.airflow.wait(DAY_DAG, [run.run_id], timeout_s=TIMEOUT_S)
    assert ended.state == "failed"
    admin.open_task(DAY_DAG, run.run_id, "arrivals")
    expect(admin.page.get_by_text(f"{day} is before the first arrival of source simulated, {HISTORY[0]}").first).to_be_visible()
