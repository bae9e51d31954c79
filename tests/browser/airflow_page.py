"""The actions of a person on Airflow's pages."""

from datetime import date
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 60_000
MISSING, ERRORED, ALL = "Missing Runs", "Missing and Errored Runs", "All Runs"


class AirflowPage:
    """A signed-in user of Airflow's pages."""

    def __init__(self, page: Page, url: str, user: str, password: str) -> None:
        self.page = page
        self.url = url
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{url}/auth/login?next=%2F")
        page.locator("input[name=username]").fill(user)
        page.locator("input[name=password]").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda where: "auth/login" not in where)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")

    def picture(self, path: Path) -> None:
        self.page.wait_for_timeout(5000)  # until the page has loaded and its animations have ended
        self.page.screenshot(path=path)

    # Backfills

    def backfill_dialog(self, dag_id: str, first: date, last: date, reprocess: str = MISSING, at_once: int = 2) -> Locator:
        """The backfill dialog, filled in; the days have no time, as in the date picker."""
        self.open(f"/dags/{dag_id}")
        self.page.get_by_role("button", name="Trigger").first.click()
        dialog = self.page.get_by_role("dialog").filter(has_text=dag_id)
        dialog.get_by_text("Backfill", exact=True).click()
        for label, day in (("From", first), ("To", last)):
            dialog.get_by_text("Select date and time").first.click()
            field = self.page.get_by_role("textbox", name=label)
            field.fill(f"{day:%Y/%m/%d}")
            field.press("Enter")
            dialog.get_by_text("Date Range").click()
            expect(field).to_be_hidden()
        dialog.get_by_text(reprocess, exact=True).click()
        dialog.locator("input[name=max_active_runs]").fill(str(at_once))
        return dialog

    def announced(self, dialog: Locator) -> str:
        """The dialog's text about the runs that it would start."""
        found = dialog.get_by_text("will be triggered").or_(dialog.get_by_text("No runs"))
        expect(found).to_be_visible()
        return found.inner_text()

    def run_backfill(self, dialog: Locator) -> None:
        dialog.get_by_role("button", name="Run Backfill").click()
        expect(dialog).to_be_hidden()

    # One task of a run

    def open_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Open the task's page, which shows the log of its last try."""
        self.open(f"/dags/{dag_id}/runs/{quote(run_id)}/tasks/{task_id}")

    def clear_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task and its downstream tasks, as the dialog proposes."""
        self.open_task(dag_id, run_id, task_id)
        self.page.get_by_role("button", name="Clear").first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Confirm").click()
        expect(dialog).to_be_hidden()

    # Approvals

    def open_question(self, dag_id: str, run_id: str, task_id: str) -> None:
        self.open(f"/dags/{dag_id}/runs/{quote(run_id)}/tasks/{task_id}/required_actions")

    def answer(self, answer: str) -> None:
        self.page.get_by_role("button", name=answer).click()
