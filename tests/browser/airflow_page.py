"""What people click in Airflow's pages."""

from datetime import date
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 60_000
MISSING, ERRORED, ALL = "Missing Runs", "Missing and Errored Runs", "All Runs"


class AirflowPage:
    """A person at Airflow's pages, signed in."""

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
        self.page.wait_for_timeout(5000)  # what is loaded is there, and what moves has come to rest
        self.page.screenshot(path=path)

    # Backfills

    def backfill_dialog(self, dag_id: str, first: date, last: date, reprocess: str = MISSING, at_once: int = 2) -> Locator:
        """The dialog, filled in; the days are picked as a person does, without a time."""
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
        """What the dialog says of the runs that it would start."""
        found = dialog.get_by_text("will be triggered").or_(dialog.get_by_text("No runs"))
        expect(found).to_be_visible()
        return found.inner_text()

    def run_backfill(self, dialog: Locator) -> None:
        dialog.get_by_role("button", name="Run Backfill").click()
        expect(dialog).to_be_hidden()

    # One task of a run

    def open_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """The task's page, which shows the log of its last try."""
        self.open(f"/dags/{dag_id}/runs/{quote(run_id)}/tasks/{task_id}")

    def clear_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task, and what is downstream of it, as the dialog proposes."""
        self.open_task(dag_id, run_id, task_id)
        self.page.get_by_role("button", name="Clear").first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Confirm").click()
        expect(dialog).to_be_hidden()

    # A question to a person

    def open_question(self, dag_id: str, run_id: str, task_id: str) -> None:
        self.open(f"/dags/{dag_id}/runs/{quote(run_id)}/tasks/{task_id}/required_actions")

    def answer(self, answer: str) -> None:
        self.page.get_by_role("button", name=answer).click()
