"""The stack behind the pages, once with SQLite and once with PostgreSQL as Airflow's metadata database."""

from __future__ import annotations  # types of fixtures are imported where they are made: every run of pytest reads this file

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.airflow_page import AirflowPage
    from tests.browser.stack import Stack


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack; all tests with the same database share it, in the order of their files."""
    from tests.browser.stack import stack
    from tests.faults.servers import postgres

    root = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        with stack(root) as found:
            yield found
    else:
        with postgres() as server, stack(root, server.uri) as found:
            yield found


@pytest.fixture
def admin(world: Stack, browser: Browser) -> Iterator[AirflowPage]:
    """An admin who is not an approver."""
    yield from signed_in(browser, world, "admin")


@pytest.fixture
def approver(world: Stack, browser: Browser) -> Iterator[AirflowPage]:
    from tests.browser.stack import APPROVER

    yield from signed_in(browser, world, APPROVER)


def signed_in(browser: Browser, world: Stack, user: str) -> Iterator[AirflowPage]:
    from tests.browser.airflow_page import AirflowPage

    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        yield AirflowPage(context.new_page(), *world.sign_in(user))


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """The folder of the documentation's screenshots, from the variable PICTURES; None if unset."""
    return Path(os.environ["PICTURES"]) if os.environ.get("PICTURES") else None
