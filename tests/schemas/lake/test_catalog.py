"""Catalog errors: retryable failures, invalid settings, and a lost catalog."""

from pathlib import Path

import pytest
from pyiceberg.exceptions import CommitFailedException, ValidationException

from schemas.lake.catalog import CatalogBusy, commit_with_retry
from schemas.lake.lake import Lake, open_lake
from schemas.publishing import publish
from schemas.runtime.errors import ClickwrightError, ConfigError
from tests.schemas.conftest import Stage
from tests.schemas.lakes import pass_audit

JOB = ["--job", "sessionize", "--run", "r"]


def published(stage_sessions: Stage) -> Lake:
    stage_sessions(2)
    pass_audit("r", "sessionize")
    publish.main(JOB)
    return open_lake()


def test_an_unreachable_database_is_retryable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", "postgresql://lake:s3cret@127.0.0.1:9/lake")
    with pytest.raises(ClickwrightError, match=r"the catalog cannot be used \(.*\); at .*127\.0\.0\.1:9/lake; ") as error:
        open_lake()
    assert error.value.exit_code == 1
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("address", ["nonsense", "nosuchdatabase://127.0.0.1/lake"])
def test_an_invalid_uri_is_a_configuration_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", address)
    with pytest.raises(ConfigError, match="the catalog URI is invalid"):
        open_lake()


def test_a_lost_catalog_is_not_replaced_by_an_empty_one(stage_sessions: Stage, var: Path) -> None:
    before = published(stage_sessions)
    catalog = var / "lake" / "catalog.db"
    catalog.rename(var / "away.db")
    for reads in (open_lake, lambda: before.exists("sessions"), lambda: before.arrow("sessions")):
        with pytest.raises(ClickwrightError, match=r"the catalog (is missing|cannot be used)"):
            reads()
        before.catalog.engine.dispose()  # as in a process that connects anew
    assert not catalog.exists()  # an empty database and its journal would damage the catalog that is put back
    with pytest.raises(ClickwrightError, match=r"put the catalog of .* back"):
        publish.main(JOB)
    (var / "away.db").replace(catalog)
    publish.main(JOB)
    assert open_lake().arrow("sessions").num_rows == 2


def test_a_file_that_is_not_a_database_is_a_one_line_error(stage_sessions: Stage, var: Path) -> None:
    published(stage_sessions)
    (var / "lake" / "catalog.db").write_bytes(b"something else" * 1000)
    with pytest.raises(ClickwrightError, match="the catalog cannot be used"):
        open_lake()


def test_a_busy_catalog_is_an_error_after_a_timeout(stage_sessions: Stage, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    monkeypatch.setattr("schemas.lake.catalog.BUSY_SECONDS", 0)
    lake = published(stage_sessions)
    with sqlite3.connect(var / "lake" / "catalog.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CatalogBusy, match=r"the catalog is busy .*; run the same command again"):
            lake.exists("sessions")
        other.rollback()
    assert lake.exists("sessions")


@pytest.mark.parametrize("raised", [CommitFailedException, ValidationException])
def test_a_lost_commit_is_retried(raised: type[Exception]) -> None:
    tries: list[int] = []

    def attempt() -> str:
        tries.append(len(tries))
        if len(tries) < 3:
            raise raised("another writer was first")
        return "committed"

    assert commit_with_retry(attempt, "table sessions", "run this again") == "committed"
    assert tries == [0, 1, 2]


def test_other_errors_of_a_commit_are_not_retried() -> None:
    with pytest.raises(ZeroDivisionError):
        commit_with_retry(lambda: 1 // 0, "table sessions", "run this again")
