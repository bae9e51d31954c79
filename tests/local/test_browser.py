"""A short test of Airflow's pages in a browser; `make test-browser` runs the long ones."""

from datetime import date

import pytest
from playwright.sync_api import Browser, expect

from local.stack.__main__ import Services
from local.stack.airflow_client import AirflowClient
from local.stack.configuration import USER, password
from tests.browser.airflow_page import AirflowPage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FIRST, LAST = date(2024, 5, 1), date(2024, 5, 2)


@pytest.fixture
def person(live: Services, browser: Browser) -> AirflowPage:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    return AirflowPage(page, live.airflow_url, USER, password(live.settings))


def test_behaviour_day_shows_its_docs_and_deadline(airflow: AirflowClient, person: AirflowPage) -> None:
    airflow.wait_for_dags(["behaviour_day"])
    person.open("/dags/behaviour_day")
    expect(person.page.get_by_text("1 deadline")).to_be_visible()
    person.page.get_by_role("button", name="Dag Docs").click()
    expect(person.page.get_by_role("dialog")).to_contain_text("When it fails.")


def test_backfill_dialog_runs_two_days(airflow: AirflowClient, person: AirflowPage) -> None:
    airflow.wait_for_dags(["daily"])
    dialog = person.backfill_dialog("daily", FIRST, LAST)
    assert person.announced(dialog) == "2 runs will be triggered."
    person.run_backfill(dialog)
    ended = airflow.wait("daily", [run.run_id for run in airflow.runs("daily", FIRST, LAST)], timeout_s=120)
    assert {run.state for run in ended} == {"success"}
    person.open("/dags/daily/backfills")
    expect(person.page.get_by_text("2024-05-02").first).to_be_visible()
    dialog = person.backfill_dialog("daily", FIRST, LAST)
    assert person.announced(dialog) == "No runs matching selected criteria."
