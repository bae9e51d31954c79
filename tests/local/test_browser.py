"""Short tests of Airflow's and MLflow's pages in a browser; `make test-browser` runs the long ones."""

from datetime import date

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Browser, Error, HttpCredentials, expect

from local.stack.__main__ import Services
from local.stack.airflow_client import AirflowClient
from local.stack.configuration import USER, password
from schemas.runtime.mlflow_rest import LOCAL_USER, local_credentials, local_password
from tests.browser.airflow_page import AirflowPage
from tests.browser.mlflow_page import move_alias

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


def test_mlflow_asks_for_a_password_and_an_alias_is_moved_by_clicks(
    live: Services, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_credentials(live.settings).items():
        monkeypatch.setenv(name, value)
    client = MlflowClient(live.mlflow_url, registry_uri=live.mlflow_url)  # other tests set a registry of their own
    client.create_registered_model("clicked")
    run = client.create_run("0").info
    for _ in range(2):
        client.create_model_version("clicked", f"{run.artifact_uri}/model", run_id=run.run_id)
    login = HttpCredentials(username=LOCAL_USER, password=local_password(live.settings))
    with browser.new_page(viewport={"width": 1440, "height": 900}, http_credentials=login) as page:
        move_alias(page, live.mlflow_url, "clicked", "2", "champion")
    assert str(client.get_model_version_by_alias("clicked", "champion").version) == "2"
    # Nobody answers the login dialog.
    with browser.new_page() as stranger, pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        stranger.goto(live.mlflow_url)
