"""The landing zone: the files of an arrival day, and the errors if they are missing."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from jobs import arrivals
from jobs.landing.files import arrival_files, expect_arrival
from schemas.runtime.errors import ClickwrightError, NothingToDo, Refused
from schemas.source import load_source

D = date(1998, 4, 16)


def deliver(root: Path, source: str, hour: str, name: str = "part-000.jsonl") -> Path:
    path = root / source / f"arrived={hour}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    return path


def test_arrival_day_lasts_from_grace_hour_to_grace_hour(tmp_path: Path) -> None:
    for hour in ("1998-04-16T00", "1998-04-16T01", "1998-04-17T00", "1998-04-17T01"):
        deliver(tmp_path, "s", hour)
    files = arrival_files(tmp_path, "s", "s", D)
    assert [file.relative for file in files] == [
        "s/arrived=1998-04-16T01/part-000.jsonl",
        "s/arrived=1998-04-17T00/part-000.jsonl",
    ]
    assert files[0].arrived_at == datetime(1998, 4, 16, 2, tzinfo=UTC)


def test_temporary_files_are_ignored(tmp_path: Path) -> None:
    deliver(tmp_path, "s", "1998-04-16T01", "_part-000.jsonl.tmp")
    deliver(tmp_path, "s", "1998-04-16T01", ".part-001.jsonl")
    assert arrival_files(tmp_path, "s", "s", D) == []


@pytest.mark.parametrize(
    "name",
    [
        "a.jsonl.tmp",
        "a.jsonl.crc",
        "_SUCCESS",
        "a.PART",
        "a.parquet.inprogress.3f",
        "a.jsonl._COPYING_",
        "a.jsonl~",
        "b.tmp/a.jsonl",
    ],
)
def test_files_being_written_and_checksums_are_left_alone(tmp_path: Path, name: str) -> None:
    deliver(tmp_path, "s", "1998-04-16T01", "date=1998-04-16/shard=1/a.jsonl")
    deliver(tmp_path, "s", "1998-04-16T01", name)
    assert [file.relative for file in arrival_files(tmp_path, "s", "s", D)] == [
        "s/arrived=1998-04-16T01/date=1998-04-16/shard=1/a.jsonl"
    ]


def test_missing_day_error(tmp_path: Path) -> None:
    with pytest.raises(ClickwrightError, match=r"movielens has no files for 1998-04-16; expected in .*T01.*; deliver"):
        expect_arrival(tmp_path, [load_source("movielens")], D)


def test_day_before_the_first_arrival_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path, "movielens", "1998-04-18T00")  # the last hour of the 17th
    with pytest.raises(Refused, match=r"1998-04-16 is before the first arrival of source movielens, 1998-04-17; in .*; begin"):
        expect_arrival(tmp_path, [load_source("movielens")], D)
    with pytest.raises(ClickwrightError, match="deliver them"):
        expect_arrival(tmp_path, [load_source("movielens")], date(1998, 4, 18))


def test_nothing_to_do_outside_the_lifetime_of_a_source(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="no source delivers on 2026-11-20"):
        expect_arrival(tmp_path, [load_source("movielens")], date(2026, 11, 20))


def test_command_lists_a_day(var: Path) -> None:
    deliver(var / "landing", "movielens", "1998-04-16T05")
    assert arrivals.main(["--arrived-on", "1998-04-16"])["files"] == 1


def test_unfinished_day_is_refused(var: Path) -> None:
    deliver(var / "landing", "movielens", "1998-04-16T05")
    with pytest.raises(Refused, match=r"1998-04-16 is not over; it ends at 1998-04-17 01:00 UTC"):
        arrivals.main(["--arrived-on", "1998-04-16", "--by", "1998-04-17T00:59:59+00:00"])
    assert arrivals.main(["--arrived-on", "1998-04-16", "--by", "1998-04-17T01:00:00+00:00"])["files"] == 1
