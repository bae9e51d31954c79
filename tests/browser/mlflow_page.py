"""The actions of a person on MLflow's pages."""

import contextlib

from playwright.sync_api import Page, TimeoutError, expect


def move_alias(page: Page, url: str, model: str, version: str, alias: str) -> None:
    """Move an alias to a version."""
    page.goto(f"{url}/#/models/{model}/versions/{version}")
    aliases = page.get_by_text("Aliases").first
    with contextlib.suppress(TimeoutError):
        aliases.wait_for()
    if not aliases.is_visible():  # MLflow's page sometimes stays empty while the machine is busy
        page.reload()
    aliases.locator("xpath=following::button[1]").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill(alias)
    dialog.get_by_role("combobox").press("Enter")
    dialog.get_by_role("button", name="Save aliases").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text(f"@ {alias}").first).to_be_visible()
