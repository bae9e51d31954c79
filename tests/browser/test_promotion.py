"""Promotion through Airflow's pages, and an alias that is moved by hand in MLflow's."""

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from local.stack.airflow_client import RECOMMEND_DAG, TRAIN_DAG, Approval, Run
from tests.browser.airflow_page import AirflowPage
from tests.browser.mlflow_page import move_alias
from tests.browser.stack import APPROVER, HISTORY, YESTERDAY, Stack

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]
TIMEOUT_S = 900
TRAINED = {"train_until": str(HISTORY[2]), "valid_days": 1}
SERVED_ON = YESTERDAY + timedelta(days=1)
CHALLENGER = "3"


def asked(world: Stack, run_id: str) -> Approval:
    """The open question of a run; waits for it."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := world.airflow.approvals(TRAIN_DAG, run_id)):
        assert time.monotonic() < deadline
        assert not world.airflow.run(TRAIN_DAG, run_id).finished, world.airflow.failures(TRAIN_DAG, run_id)
        time.sleep(1)
    return found[0]


def ended(world: Stack, run_id: str) -> dict[str, str | None]:
    """The state of each task of a run that has succeeded."""
    (run,) = world.airflow.wait(TRAIN_DAG, [run_id], timeout_s=TIMEOUT_S)
    assert run.state == "success", world.airflow.failures(TRAIN_DAG, run_id)
    return {task.task_id: task.state for task in world.airflow.tasks(TRAIN_DAG, run_id)}


def first_run(world: Stack) -> Run:
    return next(run for run in world.airflow.runs(TRAIN_DAG) if run.run_type == "manual")


def again(world: Stack) -> Run:
    """Start a run that asks about the first run's models again, without training."""
    training = f"{TRAIN_DAG}.{first_run(world).run_id}"
    return world.airflow.trigger(TRAIN_DAG, conf={**TRAINED, "training": training})


def test_only_approvers_may_answer(world: Stack, admin: AirflowPage, pictures: Path | None) -> None:
    world.airflow.unpause(TRAIN_DAG)
    run = world.airflow.trigger(TRAIN_DAG, conf=TRAINED)
    question = asked(world, run.run_id)
    assert re.fullmatch(rf"Promote \w+, version {CHALLENGER}, to @champion\?", question.subject)
    admin.open_question(TRAIN_DAG, run.run_id, "approve")
    expect(admin.page.get_by_role("row", name="champion: version 1, item_knn")).to_be_visible()
    expect(admin.page.get_by_role("row", name="popularity")).to_be_visible()
    link = admin.page.get_by_role("link", name="the run").get_attribute("href")
    assert str(link).startswith(f"{world.services.mlflow_url}/#/experiments/")
    if pictures:
        admin.picture(pictures / "approval.png")
    admin.answer("Approve")
    expect(admin.page.get_by_text("You do not have permission to perform this action.")).to_be_visible()
    assert world.airflow.approvals(TRAIN_DAG, run.run_id)
    assert world.champion() == "1"


def test_rejection_leaves_the_alias_and_is_recorded(world: Stack, approver: AirflowPage) -> None:
    run = first_run(world)
    approver.open_question(TRAIN_DAG, run.run_id, "approve")
    approver.answer("Reject")
    tasks = ended(world, run.run_id)
    assert (tasks["promote"], tasks["rejected"], tasks["ask_again"]) == ("skipped", "success", "skipped")
    assert world.champion() == "1"
    assert world.tag(CHALLENGER, "clickwright.rejected_by") == APPROVER


def test_champion_that_moved_meanwhile_asks_again(
    world: Stack, approver: AirflowPage, browser: Browser, pictures: Path | None
) -> None:
    trained = len(world.training_runs())
    run = again(world)
    asked(world, run.run_id)
    with browser.new_page(viewport={"width": 1440, "height": 900}, http_credentials=world.mlflow_login) as page:
        move_alias(page, world.services.mlflow_url, world.services.settings.registered_model, "2", "champion")
    assert world.champion() == "2"
    # The next recommendations use the version that was promoted by hand: it has passed the gate.
    world.airflow.unpause(RECOMMEND_DAG)
    world.airflow.trigger(RECOMMEND_DAG)
    world.settle(RECOMMEND_DAG)
    assert world.served_by()[SERVED_ON] == "2"

    approver.open_question(TRAIN_DAG, run.run_id, "approve")
    approver.answer("Approve")
    tasks = ended(world, run.run_id)
    assert (tasks["promote"], tasks["rejected"], tasks["ask_again"]) == ("success", "skipped", "success")
    assert world.champion() == "2"
    question = asked(world, f"{run.run_id}.again")
    assert "champion: version 2, item_knn" in question.body
    assert len(world.training_runs()) == trained


def test_approval_moves_the_alias_and_starts_recommend(world: Stack, approver: AirflowPage) -> None:
    run_id = f"{world.airflow.runs(TRAIN_DAG)[-2].run_id}.again"
    approver.open_question(TRAIN_DAG, run_id, "approve")
    approver.answer("Approve")
    tasks = ended(world, run_id)
    assert (tasks["promote"], tasks["rejected"], tasks["ask_again"]) == ("success", "skipped", "skipped")
    assert world.champion() == CHALLENGER
    world.settle(RECOMMEND_DAG)
    assert world.served_by()[SERVED_ON] == CHALLENGER
