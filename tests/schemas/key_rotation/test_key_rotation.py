"""Rotating the key of the pseudonyms: the lake is computed again in a new state folder."""

import json
import shutil
import stat
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs import sessionize
from schemas.erasure.__main__ import main as erase
from schemas.key_rotation.__main__ import main as rotate_key
from schemas.lake.lake import open_lake
from schemas.privacy.pseudonyms import first_name, pseudonym
from schemas.runtime.errors import ClickwrightError, ConfigError, Refused
from schemas.runtime.settings import get_settings
from tests.jobs.test_items_and_profiles import ALIEN, HEAT
from tests.pipeline import check_and_publish, run_job, run_jobs_here

DAYS = [date(1998, 4, 16), date(1998, 4, 17)]
PEOPLE = [f"shopper-{n:04d}@shop.example" for n in range(4)]
ERASED = PEOPLE[0]


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two days of four persons in a landing zone outside the state folder."""
    folder = tmp_path / "landing"
    monkeypatch.setenv("CLICKWRIGHT_LANDING", str(folder))
    for day in DAYS:
        path = folder / "movielens" / f"arrived={day}T15" / "a.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f"{line(person, day, item)}\n" for person in PEOPLE for item in ("1", "2")) + '{"broken\n')
    catalogue = folder / "movielens-items" / f"arrived={DAYS[0]}T03" / "items.jsonl"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text("\n".join(map(json.dumps, (ALIEN, HEAT))))
    run_jobs_here(monkeypatch)
    return folder


def line(person: str, day: date, item: str) -> str:
    event = {"event_id": f"{person[:12]}-{day}-{item}", "type": "rating", "user": person, "item": item, "rating": 3}
    return json.dumps(
        {**event, "time": f"{day}T10:0{item}:00Z", "device": "web", "agent": "Mozilla/4.04", "surface": "catalogue"}
    )


def fill() -> None:
    """Compute both days."""
    for day in DAYS:
        run_job("clean", day, f"run-{day}")
    run_job("items", DAYS[0], "run")
    sessionize.main(["--from", str(DAYS[0]), "--to", str(DAYS[1]), "--run", "run"])
    check_and_publish("sessionize", "run")
    run_job("profiles", DAYS[1], "run")


def rows_by_first_name(table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    """Rows of a table, with the pseudonyms that the oldest key gives; sorted."""
    key = get_settings().pseudonym_secret()
    rows = pl.DataFrame(open_lake().arrow(table, columns=["user_id", *columns]))
    rows = rows.with_columns(user_id=pl.Series([first_name(key, user) for user in rows["user_id"]]))
    return sorted(rows.rows())


TABLES = {
    "events": ["event_id", "event_type", "event_time", "item_id", "value", "arrived_on"],
    "sessions": ["closed_on", "started_at", "ended_at", "n_events", "n_items", "first_event_id", "last_event_id"],
    "session_events": ["event_id", "position", "closed_on"],
    "profiles": ["as_of", "n_events", "first_seen", "last_seen", "value_sum", "segment"],
}


def contents() -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows_by_first_name(table, columns) for table, columns in TABLES.items()}


def user_ids() -> set[str]:
    return {row["user_id"] for row in open_lake().arrow("events").to_pylist()}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_lake_under_a_rotated_key_differs_by_names_only(
    landing: Path, tmp_path: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erased person, who is still in the landing zone, does not come back."""
    fill()
    erase(["--raw-id", ERASED, "--date", "1998-04-18"])
    before, users = contents(), user_ids()
    assert len(users) == 3
    assert rotate_key(["--into", str(tmp_path / "second")])["erased_persons"] == 1
    monkeypatch.setenv("CLICKWRIGHT_VAR", str(tmp_path / "second"))
    fill()
    assert contents() == before
    assert len(user_ids()) == 3
    assert not user_ids() & users
    assert {"person.erased"} <= {reason for row in open_lake().arrow("rejects").to_pylist() for reason in row["reasons"]}


@pytest.mark.slow
def test_persons_who_were_erased_under_several_keys_stay_erased(
    landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job("clean", DAYS[0], "r")
    for n, folder in enumerate(("second", "third")):
        erase(["--raw-id", PEOPLE[n], "--date", "1998-04-18"])
        rotate_key(["--into", str(tmp_path / folder)])
        monkeypatch.setenv("CLICKWRIGHT_VAR", str(tmp_path / folder))
        run_job("clean", DAYS[0], "r")
        assert user_ids() == {pseudonym(get_settings().pseudonym_secret(), person) for person in PEOPLE[n + 1 :]}


@pytest.mark.slow
def test_the_old_state_stays_and_the_new_key_is_private(landing: Path, tmp_path: Path, var: Path) -> None:
    run_job("clean", DAYS[0], "r")
    old = (var / "secrets" / "pseudonym.key").read_text()
    first, again = (rotate_key(["--into", str(tmp_path / "new")]) for _ in range(2))
    assert first == again
    assert (var / "secrets" / "pseudonym.key").read_text() == old
    fresh = Path(first["key"])
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    assert pseudonym(fresh.read_bytes(), PEOPLE[1]) != pseudonym(old.encode(), PEOPLE[1])
    run_job("clean", DAYS[0], "goes on")  # the old lake is still in use


@pytest.mark.slow
def test_the_old_lake_refuses_the_rotated_key(landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_job("clean", DAYS[0], "r")
    catalog = get_settings().catalog
    rotate_key(["--into", str(tmp_path / "new")])
    monkeypatch.setenv("CLICKWRIGHT_VAR", str(tmp_path / "new"))
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", catalog)  # the operator forgot to name a new catalog
    with pytest.raises(ConfigError, match="not the key that made the pseudonyms of the lake"):
        run_job("clean", DAYS[1], "r2")


@pytest.mark.slow
def test_a_rotation_that_would_lose_rows_or_persons_is_refused(landing: Path, tmp_path: Path, var: Path) -> None:
    run_job("clean", DAYS[0], "r")
    (var / "erasures").mkdir()
    request = var / "erasures" / "1.request.json"
    request.touch()
    with pytest.raises(ClickwrightError, match="an erasure is not finished"):
        rotate_key(["--into", str(tmp_path / "new")])
    request.unlink()
    with pytest.raises(ConfigError, match="the folder holds a lake already"):
        rotate_key(["--into", str(var)])
    shutil.rmtree(landing / "movielens" / f"arrived={DAYS[0]}T15")
    with pytest.raises(Refused, match=r"1 landing files .* are gone, such as movielens/arrived=1998-04-16T15/a\.jsonl"):
        rotate_key(["--into", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()
    assert len(rotate_key(["--into", str(tmp_path / "new"), "--allow-missing-files"])["lost_files"]) == 1
