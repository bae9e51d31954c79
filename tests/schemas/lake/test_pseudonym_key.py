"""The key of the pseudonyms, held against the lake."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs import clean, erase_landing
from schemas.erasure.__main__ import main as erase
from schemas.lake.lake import open_lake
from schemas.lake.pseudonym_key import lake_fingerprint, pseudonym_key
from schemas.lineage.__main__ import main as lineage
from schemas.privacy.pseudonyms import fingerprint
from schemas.privacy.suppression_list import mark_erased
from schemas.publishing import publish
from schemas.publishing.staging import open_attempt
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import get_settings
from tests.pipeline import run_jobs_here
from tests.schemas.lakes import DAYS, RAW, first_publishes, pass_audit, person, stage, write_day

ANOTHER = "another key of at least 32 characters"


@pytest.fixture
def key_file(var: Path) -> Path:
    """The file of the key that the first call makes."""
    return var / "secrets" / "pseudonym.key"


def test_a_new_lake_gets_a_key_once_that_only_its_owner_reads(key_file: Path) -> None:
    first = pseudonym_key(get_settings())
    assert first == pseudonym_key(get_settings())
    assert len(first) == 64
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_the_first_publish_with_pseudonyms_writes_the_fingerprint() -> None:
    assert lake_fingerprint(open_lake().catalog) is None
    write_day("sessions", DAYS[0])
    found = lake_fingerprint(open_lake().catalog)
    assert found == fingerprint(pseudonym_key(get_settings()))
    assert pseudonym_key(get_settings()).decode() not in str(found)


def test_a_lake_without_fingerprint_gets_one_at_the_next_publish() -> None:
    write_day("sessions", DAYS[0])
    open_lake().catalog.update_namespace_properties("clickwright", removals={"pseudonym-key"})
    assert lake_fingerprint(open_lake().catalog) is None
    write_day("sessions", DAYS[1])
    assert lake_fingerprint(open_lake().catalog) == fingerprint(pseudonym_key(get_settings()))


def run_clean() -> dict[str, Any]:
    run_jobs_here(pytest.MonkeyPatch())
    return clean.main(["--arrived-on", "1998-04-16", "--run", "r"])


COMMANDS: dict[str, Callable[[], object]] = {
    "clean": run_clean,
    "erase": lambda: erase(["--raw-id", RAW[0], "--date", "2026-11-21"]),
    "erase_landing": lambda: erase_landing.main(["--all"]),
    "lineage": lambda: lineage(["events", "--partition", str(DAYS[0]), "--user", RAW[0]]),
    "publish": lambda: publish.main(["--job", "test", "--run", "waiting"]),
}


@pytest.fixture
def filled(deliver_lines: Callable[..., Path]) -> None:
    """A lake with rows and a receipt, a run that waits to be published, and a landing zone."""
    write_day("events", DAYS[0])
    erase(["--raw-id", RAW[2], "--date", "2026-11-21"])
    stage("sessions", DAYS[1], RAW[:2], run="waiting")
    pass_audit("waiting")
    deliver_lines()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("filled")
def test_every_command_refuses_another_key_or_none(command: str, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = key_file.read_text()
    key_file.unlink()
    if command != "publish":  # a process without key may publish rows that hold the lake's pseudonyms
        with pytest.raises(ConfigError, match=r"the key of the pseudonyms is missing.*; put"):
            COMMANDS[command]()
    assert not key_file.exists()
    key_file.write_text(ANOTHER)
    with pytest.raises(ConfigError, match=r"not the key that made the pseudonyms of the lake; .*pseudonym\.key, for"):
        COMMANDS[command]()
    key_file.write_text(f"{kept}\n")
    monkeypatch.setenv("CLICKWRIGHT_PSEUDONYM_KEY", ANOTHER)
    with pytest.raises(ConfigError, match="not the key that made the pseudonyms of the lake; CLICKWRIGHT_PSEUDONYM_KEY"):
        COMMANDS[command]()
    monkeypatch.setenv("CLICKWRIGHT_PSEUDONYM_KEY", "")
    with pytest.raises(ConfigError, match="has 0 bytes instead of at least 32"):
        COMMANDS[command]()
    monkeypatch.delenv("CLICKWRIGHT_PSEUDONYM_KEY")
    COMMANDS[command]()


def test_no_key_is_made_where_someone_was_erased() -> None:
    settings = get_settings()
    pseudonym_key(settings)
    mark_erased(settings, person(RAW[0]), "request")
    settings.pseudonym_key_file.unlink()
    with pytest.raises(ConfigError, match="the lake holds pseudonyms or erased persons"):
        pseudonym_key(settings)


def test_a_catalogue_of_items_does_not_keep_a_key_from_being_made(var: Path) -> None:
    with open_attempt("test", "items", {}) as attempt:
        attempt.write_arrow("items", rows_without_persons(), replaces=("as_of", [DAYS[0]]))
    pass_audit("items")
    publish.main(["--job", "test", "--run", "items"])
    assert lake_fingerprint(open_lake().catalog) is None
    assert pseudonym_key(get_settings())


def test_rows_that_were_built_with_another_key_are_not_published(key_file: Path) -> None:
    """Nothing is published yet, so the lake has no fingerprint; the key changes between build and publish."""
    stage("sessions", DAYS[0], run="waiting")
    pass_audit("waiting")
    key_file.write_text(ANOTHER)
    with pytest.raises(ConfigError, match="not the key that made the pseudonyms"):
        publish.main(["--job", "test", "--run", "waiting"])
    assert lake_fingerprint(open_lake().catalog) is None


def test_of_two_first_publishes_with_two_keys_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines share a new lake, and each has a key of its own."""
    settings = get_settings()
    pseudonym_key(settings)
    other = settings.model_copy(update={"var": settings.var.parent / "other"})
    other = other.model_copy(update={"catalog_uri": settings.catalog})
    pseudonym_key(other)

    won = first_publishes([settings, other])
    assert won in ([True, False] * 4, [False, True] * 4)


def rows_without_persons() -> Any:
    import pyarrow as pa

    from schemas.contract import load_contract

    row = {"as_of": DAYS[0], "item_id": "i1", "title": "A thing"}
    return pa.Table.from_pylist([row], schema=load_contract("items").arrow_schema)


@pytest.fixture
def deliver_lines(var: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a file of one line into the landing zone."""

    def deliver() -> Path:
        path = var / "landing" / "movielens" / "arrived=1998-04-16T15" / "a.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text('{"event_id":"a","type":"rating","user":"' + RAW[0] + '","item":"1","time":"1998-04-16T14:20:05Z"}\n')
        return path

    return deliver
