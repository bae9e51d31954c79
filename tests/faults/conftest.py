"""Servers for the tests that need them, and the counts of survived faults, printed at the end."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.servers import ObjectStore, Postgres, seaweed
from tests.faults.servers import postgres as running_postgres
from tests.ml.conftest import walk_lake  # noqa: F401  # a fixture

COUNTS = pytest.StashKey[Counter[str]]()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Counter[str]:
    """A counter that sums over all tests and is printed at the end."""
    return request.config.stash.setdefault(COUNTS, Counter())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = terminalreporter.config.stash.get(COUNTS, Counter())
    if counts:
        terminalreporter.section("faults")
        for what, number in sorted(counts.items()):
            terminalreporter.write_line(f"{number:>8,} {what}")


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for one test."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def catalog(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Postgres | None:
    """The catalog of the test's lake: None for a SQLite file, or a PostgreSQL server."""
    if request.param == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", server.uri)
    return server


@pytest.fixture(scope="session")
def seaweed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with seaweed(tmp_path_factory.mktemp("seaweed") / "server") as store:
        yield store


@pytest.fixture
def object_store(seaweed_server: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ObjectStore:
    """An object store, with the settings of a lake in a separate folder of it."""
    for name, value in seaweed_server.settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CLICKWRIGHT_OBJECT_STORE", f"{seaweed_server.settings()['CLICKWRIGHT_OBJECT_STORE']}/{tmp_path.name}")
    return seaweed_server
