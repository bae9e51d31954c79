"""The actions of a person on MLflow's pages."""

from playwright.sync_api import Page, TimeoutError, expect

ATTEMPTS = 4


def open_version(page: Page, url: str, model: str, version: str) -> None:
    """Open the page of a version, as often as a person would: MLflow's page sometimes stays empty while the machine is busy."""
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("requestfailed", lambda request: said.append(f"failed: {request.url} {request.failure}"))
    for _ in range(ATTEMPTS):
        page.goto("about:blank")
        page.goto(f"{url}/#/models/{model}/versions/{version}")
        try:
            page.get_by_text("Aliases").first.wait_for()
            return
        except TimeoutError:
            said.append(f"the page shows: {page.locator('body').inner_text()!r}")
    raise AssertionError("MLflow's page stayed empty:\n" + "\n".join(said))


def move_alias(page: Page, url: str, model: str, version: str, alias: str) -> None:
    """Move an alias to a version."""
    open_version(page, url, model, version)
    page.get_by_text("Aliases").first.locator("xpath=following::button[1]").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill(alias)
    dialog.get_by_role("combobox").press("Enter")
    dialog.get_by_role("button", name="Save aliases").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text(f"@ {alias}").first).to_be_visible()
