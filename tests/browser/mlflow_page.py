"""The actions of a person on MLflow's pages."""

from playwright.sync_api import Page, expect


def move_alias(page: Page, url: str, model: str, version: str, alias: str) -> None:
    """Move an alias to a version."""
    page.goto(f"{url}/#/models/{model}/versions/{version}")
    page.get_by_text("Aliases").first.locator("xpath=following::button[1]").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill(alias)
    dialog.get_by_role("combobox").press("Enter")
    dialog.get_by_role("button", name="Save aliases").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text(f"@ {alias}").first).to_be_visible()
