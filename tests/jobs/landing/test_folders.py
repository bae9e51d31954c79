"""Whatever lies in the landing zone: each entry is read, or is a reject with a reason, and costs no other file a line."""

import json
import os
import socket
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import arrivals, clean, erase_landing, items
from jobs.landing.folders import hour_of, tell_strays
from schemas.erasure.__main__ import main as erase
from schemas.lake.lake import open_lake
from schemas.runtime.errors import NothingToDo
from schemas.runtime.local_files import escaped_name
from tests.jobs.conftest import DAY, line
from tests.pipeline import run_job, run_jobs_here

pytestmark = pytest.mark.slow

HOUR, LINES = "arrived=1998-04-16T15", 40


@pytest.fixture
def hour(var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an hour with one file of sound lines."""
    run_jobs_here(monkeypatch)
    folder = var / "landing" / "movielens" / HOUR
    folder.mkdir(parents=True)
    (folder / "good.jsonl").write_text("".join(f"{line(event_id=f'e{i}', item=str(i))}\n" for i in range(LINES)))
    return folder


def rejected(hour: Path) -> dict[str, list[str]]:
    """Clean, check and publish the day: the rejected lines by file, after their count is compared with the lines read."""
    run_job("clean", DAY, "r")
    lake = open_lake()
    rejects = lake.arrow("rejects").to_pylist()
    landed = {row["source_file"]: row["lines"] for row in lake.arrow("landing_files").to_pylist()}
    assert lake.arrow("events").num_rows + len(rejects) == sum(landed.values())
    assert lake.arrow("events").num_rows == LINES
    return {row["source_file"].rpartition("/")[2]: row["reasons"] for row in rejects}


def odd(name: str | bytes) -> str:
    return os.fsdecode(name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"part-\xff\xfe.jsonl", r"part-\xff\xfe.jsonl"),
        ("part\nINFO forged=1.jsonl", r"part\nINFO forged=1.jsonl"),
        ("part\x1b[2J.jsonl", r"part\x1b[2J.jsonl"),
        ("a\\nb.jsonl", r"a\\nb.jsonl"),
        ("\u202egpj.jsonl", r"\u202egpj.jsonl"),
    ],
)
def test_file_with_an_odd_name_is_a_reject(hour: Path, name: str | bytes, shown: str) -> None:
    (hour / odd(name)).write_text(line() + "\n")
    assert rejected(hour) == {shown: ["file.bad_name"]}


@pytest.mark.parametrize(
    "name", ['it\'s "quoted".jsonl', "a b%20c#?&;$(id).jsonl", "<script>alert(1).jsonl", "café 日本.jsonl"]
)
def test_file_with_a_printable_name_is_read(hour: Path, name: str) -> None:
    (hour / "good.jsonl").rename(hour / name)
    assert rejected(hour) == {}
    (landed,) = open_lake().arrow("landing_files").to_pylist()
    assert landed["source_file"] == f"movielens/{HOUR}/{name}"


def test_what_is_not_a_file_is_a_reject(hour: Path) -> None:
    os.mkfifo(hour / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(hour)  # the path of a socket is short
        listening.bind("socket.jsonl")
        os.chdir(before)
        (hour / "nothing.jsonl").symlink_to("missing.jsonl")
        (hour / "circle.jsonl").symlink_to("circle.jsonl")
        (hour / "device.jsonl").symlink_to("/dev/zero")
        names = ["pipe.jsonl", "socket.jsonl", "nothing.jsonl", "circle.jsonl"]
        expected = {name: ["file.not_a_file"] for name in names} | {"device.jsonl": ["file.outside"]}
        assert rejected(hour) == expected


def test_link_that_leads_out_is_a_reject_and_one_inside_is_read(hour: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("secret\n")
    (hour / "out.jsonl").symlink_to(tmp_path / "secret.jsonl")
    elsewhere = hour.parent / "arrived=1998-04-16T14"
    elsewhere.mkdir()
    (hour / "good.jsonl").rename(elsewhere / "late.jsonl")
    (hour / "in.jsonl").symlink_to("../arrived=1998-04-16T14/_late.jsonl")
    (elsewhere / "late.jsonl").rename(elsewhere / "_late.jsonl")
    assert rejected(hour) == {"out.jsonl": ["file.outside"]}


def test_hour_that_is_a_link_out_of_the_landing_zone(hour: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a.jsonl").write_text(line(event_id="theirs") + "\n")
    (hour.parent / "arrived=1998-04-16T16").symlink_to(tmp_path / "theirs")
    assert rejected(hour) == {"a.jsonl": ["file.outside"]}


def test_landing_zone_may_itself_be_a_link(hour: Path, var: Path) -> None:
    (var / "landing").rename(var / "elsewhere")
    (var / "landing").symlink_to(var / "elsewhere")
    assert rejected(hour) == {}


def test_empty_files_have_no_lines(hour: Path) -> None:
    for name in ("empty.jsonl", "empty.jsonl.gz", "empty.jsonl.zst"):
        (hour / name).touch()
    assert rejected(hour) == {}
    assert open_lake().arrow("landing_files").num_rows == 4


def test_strays_are_told_and_cost_nothing(hour: Path, var: Path) -> None:
    source = hour.parent
    for name in ("arrived=1998-04-17", "arrived=1998-4-6T7", "arrived=", "notes"):
        (source / name).mkdir()
    (source / "directly.jsonl").write_text(line() + "\n")
    (source / "arrived=1998-04-16T17").write_text("a file with a folder's name")
    (source / "arrived=1998-04-16T18").symlink_to("arrived=1998-04-16T18")
    found = tell_strays(var / "landing", ["movielens"])
    assert [name.removeprefix("movielens/") for name in found] == [
        "arrived=", "arrived=1998-04-16T17", "arrived=1998-04-16T18", "arrived=1998-04-17", "arrived=1998-4-6T7",
        "directly.jsonl", "notes",
    ]  # fmt: skip
    assert rejected(hour) == {}
    assert arrivals.main(["--arrived-on", str(DAY)])["files"] == 1


def test_catalogue_with_strays_and_what_is_not_a_file(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    catalogue = var / "landing" / "movielens-items"
    folder = catalogue / HOUR
    folder.mkdir(parents=True)
    (folder / "items.jsonl").write_text(json.dumps({"item": "1", "title": "One"}) + "\n")
    (catalogue / "arrived=1998-04-17").mkdir()
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    (folder / odd(b"\xff.jsonl")).write_text("{}\n")
    found = items.main(["--as-of", str(DAY), "--run", "r"])
    assert {name: n for name, n in found["refused_items"].items() if name.startswith("file.")} == {
        "file.bad_name": 1,
        "file.not_a_file": 1,
    }


def test_erasure_searches_a_landing_zone_with_strays(hour: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run_job("clean", DAY, "r")
    (hour.parent / "arrived=1998-04-17").mkdir()
    (hour / "sub").mkdir()
    os.mkfifo(hour / "pipe.jsonl")
    (hour / odd(b"\xff.jsonl")).write_text(line() + "\n")
    (tmp_path / "ids.txt").write_text("shopper-0001@shop.example\n")
    erase(["--from", str(tmp_path / "ids.txt"), "--date", str(DAY + timedelta(days=1))])
    monkeypatch.setenv("CLICKWRIGHT_LANDING_IS_OURS", "true")
    assert erase_landing.main(["--all"])["lines_blanked"] == LINES + 1
    with pytest.raises(NothingToDo):
        erase_landing.main([])


def test_folder_that_cannot_be_listed_is_named(hour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Path.iterdir

    def refuse(path: Path) -> Any:
        if path == hour:
            raise PermissionError(13, "Permission denied")  # the superuser, who runs tests, never gets it
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(Exception, match=r"cannot be listed \(Permission denied\); .*T15; make it readable"):
        clean.main(["--arrived-on", str(DAY), "--run", "r"])


def test_hour_of_a_folder() -> None:
    assert hour_of("arrived=1998-04-16T24") is None
    assert hour_of("arrived=1998-04-16T15 ") is None
    assert escaped_name(odd(b"a\xffb")) == r"a\xffb"
    assert date(1998, 4, 16) == DAY
