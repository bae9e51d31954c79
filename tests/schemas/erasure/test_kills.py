"""A killed erasure leaves consistent tables, and a repeated command finishes it."""

import random
import time
from pathlib import Path

import pytest

from schemas.erasure.receipt import read_receipt, receipts
from schemas.lake.lake import open_lake, row_counts
from schemas.runtime.settings import get_settings
from tests.schemas.erasure.search import search
from tests.schemas.lakes import DAYS, FIELD, person, stage, write_day
from tests.schemas.processes import erase_from, start

pytestmark = pytest.mark.slow

TABLES = ("events", "rejects", "session_events")
MOST_ROUNDS = 40


def people(n: int) -> list[str]:
    return [f"person-{i:02d}@people.example" for i in range(n)]


def erase_under_fire(raw: str, folder: Path, kills: int, rng: random.Random, seconds: float) -> tuple[int, float]:
    """Erase a person; kill the process at random times and run it again.

    Returns:
        The number of kills; and the time limit of a kill in seconds, which halves when the process ends earlier.
    """
    asked, killed = folder / "asked.txt", 0
    asked.write_text(raw)
    for _ in range(MOST_ROUNDS):
        process = start(erase_from, str(asked))
        if killed < kills:
            process.join(rng.uniform(0, seconds))
            if process.is_alive():
                process.kill()
                killed += 1
            else:
                seconds /= 2
        process.join(280)
        if process.exitcode == 0:
            return killed, seconds
        for table, rows in row_counts(open_lake(), TABLES).items():  # consistent between two runs, too
            assert open_lake().arrow(table).num_rows == rows
    raise AssertionError("the erasure does not end")


def under_fire(var: Path, tmp_path: Path, persons: int, kills: int, seed: int) -> tuple[int, int]:
    """Erase one person after the other with random kills; returns the numbers of kills and of bytes searched."""
    everybody, rng = people(persons), random.Random(seed)
    for table in TABLES:
        for day in DAYS[:2]:
            write_day(table, day, everybody)
    stage("events", DAYS[2], everybody, run="waiting")
    lake = open_lake()
    lake.tag("session_events", int(lake.snapshot("session_events") or 0), "train-1")
    before = {table: lake.arrow(table).to_pylist() for table in TABLES}
    began = time.monotonic()
    assert erase_under_fire(everybody[0], tmp_path, 0, rng, 0)[0] == 0
    seconds = time.monotonic() - began
    killed, gone = 0, everybody[:1]
    for raw in everybody[1:]:
        if killed < kills:
            more, seconds = erase_under_fire(raw, tmp_path, min(4, kills - killed), rng, seconds)
            killed += more
            gone.append(raw)
    assert killed == kills
    found, looked = search(var, [text for raw in gone for text in (raw, person(raw))])
    assert found == []
    for table, rows in before.items():
        left = [row for row in rows if not any(person(raw) in str(row) for raw in gone)]
        assert sorted(map(str, lake.arrow(table).to_pylist())) == sorted(map(str, left))
    for path in receipts(get_settings()):
        told = read_receipt(path)
        assert {table: found.rows for table, found in told.tables.items()} == dict.fromkeys(TABLES, 2)
    assert len(receipts(get_settings())) == len(gone)
    assert not list((var / "erasures").glob("*.json"))
    return killed, looked


def test_a_few_kills(var: Path, tmp_path: Path) -> None:
    assert set(TABLES) <= set(FIELD)
    under_fire(var, tmp_path, persons=15, kills=5, seed=7)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_fifty_kills(var: Path, tmp_path: Path) -> None:
    killed, looked = under_fire(var, tmp_path, persons=120, kills=50, seed=11)
    print(f"{killed} kills, {looked:,} bytes searched")
