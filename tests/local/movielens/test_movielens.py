"""The landing zone of the demonstration: complete, reproducible by seed, and with exactly the recorded defects."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from local.demo.verify_defects import read_planted, verify
from local.movielens import dataset
from local.movielens.__main__ import main
from local.movielens.defects import LATE_FOR_HISTORY, LINES, plant, records
from local.movielens.landing_lines import Line, Placed, arrival_day, compress, iso, place, write_new
from schemas.outcomes import Defect, Outcome
from schemas.runtime.errors import ClickwrightError, ConfigError

DAYS = [dataset.FIRST_DAY + timedelta(days=i) for i in range(7)]


@pytest.fixture(scope="module")
def built() -> tuple[dict[str, bytes], list[dict[str, Any]], Counter[str]]:
    return dataset.build(dataset.wheel_folder(), seed=7)


@pytest.fixture(scope="module")
def lines(built: tuple[dict[str, bytes], list[dict[str, Any]], Counter[str]]) -> dict[tuple[str, int], str]:
    """Every line of the landing zone by file and line number."""
    return {
        (name, number): line
        for name, content in built[0].items()
        for number, line in enumerate(gzip.decompress(content).decode().splitlines(), 1)
    }


def arrived(name: str) -> datetime:
    return datetime.strptime(name.split("arrived=")[1][:13], "%Y-%m-%dT%H").replace(tzinfo=UTC)


@pytest.mark.slow
def test_ratings_are_complete_without_duplicates(built: Any, lines: dict[tuple[str, int], str]) -> None:
    spoilt = {(d["file"], d["line"]) for d in built[1] if d["kind"] != Defect.LATE}
    clean = [json.loads(line) for at, line in lines.items() if at not in spoilt and "items" not in at[0]]
    expected = [dataset.to_event(rating) for rating in dataset.read_ratings(dataset.wheel_folder())]
    assert len(expected) == 100_000
    key = lambda event: event["event_id"]  # noqa: E731
    assert sorted(clean, key=key) == sorted(expected, key=key)


def test_history_arrives_in_one_dump_before_the_first_day(lines: dict[tuple[str, int], str]) -> None:
    history = [json.loads(line) for at, line in lines.items() if "movielens/arrived=1998-04-16T00" in at[0]]
    times = [event["time"] for event in history]
    assert len(history) == 97_722 - LATE_FOR_HISTORY
    assert min(times)[:10] == dataset.HISTORY_SINCE.isoformat()
    assert max(times) < "1998-04-16T00:00:00Z"
    assert arrival_day(datetime(1998, 4, 16, 0, tzinfo=UTC)) == dataset.HISTORY_ARRIVAL


def test_ordinary_lines_arrive_in_their_hour_or_the_next(built: Any, lines: dict[tuple[str, int], str]) -> None:
    planted = {(d["file"], d["line"]) for d in built[1]}
    early = 0
    for at, line in lines.items():
        if at in planted or "items" in at[0] or arrived(at[0]) == datetime(1998, 4, 16, 0, tzinfo=UTC):
            continue
        event = json.loads(line)
        happened = datetime.fromisoformat(event["time"])
        wait = arrived(at[0]) - happened.replace(minute=0, second=0)
        began = arrived(at[0]) == datetime(1998, 4, 16, 1, tzinfo=UTC)
        assert wait == timedelta(hours=0 if event["device"] == "app" else 1) or began
        early += happened.date() > arrival_day(arrived(at[0]))
    assert early > 0  # the app's first hour of a day belongs to the arrival day before


def test_defect_counts_match_their_kinds(built: Any) -> None:
    assert Counter(d["kind"] for d in built[1]) == {kind.value: count for kind, count in LINES.items()}
    assert {date.fromisoformat(d["arrived_on"]) for d in built[1]} == set(DAYS)


def test_first_two_days_show_every_kind(built: Any) -> None:
    early = Counter(d["kind"] for d in built[1] if d["arrived_on"] <= str(dataset.SHORT_LAST_DAY))
    assert set(early) == {kind.value for kind in LINES}
    late = [d for d in built[1] if d["kind"] == Defect.LATE and d["arrived_on"] <= str(dataset.SHORT_LAST_DAY)]
    assert len(late) == LATE_FOR_HISTORY


def test_later_files_are_withheld_not_refused(tmp_path: Path) -> None:
    names = [f"movielens/arrived=1998-04-{day}T02/part-000.jsonl.gz" for day in (16, 17, 18)]
    files = {name: compress(["{}"]) for name in names}
    assert write_new(tmp_path, files, ["movielens"], until=date(1998, 4, 16)) == 1
    assert write_new(tmp_path, files, ["movielens"]) == 2
    assert write_new(tmp_path, files, ["movielens"], until=date(1998, 4, 16)) == 0


def test_rejects_stay_below_the_audit_limit(built: Any) -> None:
    refused = Counter(d["arrived_on"] for d in built[1] if d["expected"] == Outcome.REJECT)
    assert all(refused[day] < 0.15 * built[2][day] for day in refused)


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        (Defect.MISSING_USER, lambda e, d: not str(e.get("user") or "").strip()),
        (Defect.ROBOT, lambda e, d: "Bot" in e["agent"] and "robot" in e["user"]),
        (Defect.UNKNOWN_TYPE, lambda e, d: e["type"] != "rating"),
        (Defect.BAD_VALUE, lambda e, d: e["rating"] not in {1, 2, 3, 4, 5}),
        (Defect.LATE, lambda e, d: 1 <= days_late(e, d) <= 3),
        (Defect.TOO_LATE, lambda e, d: days_late(e, d) >= 5),
    ],
)
def test_planted_lines_match_their_kind(
    built: Any,
    lines: dict[tuple[str, int], str],
    kind: Defect,
    holds: Callable[[dict[str, Any], dict[str, Any]], bool],
) -> None:
    found = [d for d in built[1] if d["kind"] == kind]
    assert len(found) == LINES[kind]
    assert all(holds(json.loads(lines[d["file"], d["line"]]), d) for d in found)


def days_late(event: dict[str, Any], planted: dict[str, Any]) -> int:
    return (date.fromisoformat(planted["arrived_on"]) - date.fromisoformat(event["time"][:10])).days


def test_broken_lines_are_invalid_json_some_cut_inside_the_user(built: Any, lines: Any) -> None:
    broken = [lines[d["file"], d["line"]] for d in built[1] if d["kind"] == Defect.BROKEN_JSON]
    for line in broken:
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)
    assert any(line.count("@") == 0 and "ml100k-user-" in line for line in broken)


def test_duplicates_repeat_their_originals(built: Any, lines: Any) -> None:
    for d in built[1]:
        if d["kind"] not in (Defect.EXACT_DUPLICATE, Defect.NEAR_DUPLICATE):
            continue
        copy, first = lines[d["file"], d["line"]], lines[d["original"]["file"], d["original"]["line"]]
        assert arrival_day(arrived(d["file"])) == arrival_day(arrived(d["original"]["file"]))
        if d["kind"] == Defect.EXACT_DUPLICATE:
            assert copy == first
        else:
            one, two = json.loads(first), json.loads(copy)
            assert one["event_id"] != two["event_id"]
            assert datetime.fromisoformat(two["time"]) - datetime.fromisoformat(one["time"]) == timedelta(seconds=1)
            assert {k: one[k] for k in ("user", "item", "rating")} == {k: two[k] for k in ("user", "item", "rating")}


def test_same_seed_gives_same_lines() -> None:
    clean = [dataset.to_line(rating) for rating in dataset.read_ratings(dataset.wheel_folder())[97_722:]]

    def planted(seed: int) -> list[str]:
        return [line.render() for line in plant(clean, DAYS, dataset.ROBOT_DAY, random.Random(seed))]

    assert planted(7) == planted(7) != planted(8)
    assert compress(["a"]) == compress(["a"])


def test_titles_start_with_their_article() -> None:
    titles = {t["item_id"]: t for t in dataset.read_titles(dataset.wheel_folder())}
    assert len(titles) == 1682
    assert titles["1"] == {
        "item_id": "1",
        "title": "Toy Story",
        "year": 1995,
        "categories": ["Animation", "Children's", "Comedy"],
    }
    assert titles["1005"]["title"] == "La Double vie de Véronique (The Double Life of Veronique)"
    assert titles["267"]["year"] is None
    assert titles["1373"]["categories"] == []


def test_landing_zone_is_written_once(tmp_path: Path) -> None:
    files = {"movielens/arrived=1998-04-16T01/part-000.jsonl.gz": compress(["{}"])}
    assert write_new(tmp_path, files, ["movielens"]) == 1
    assert write_new(tmp_path, files, ["movielens"]) == 0
    with pytest.raises(ConfigError, match="make clean"):
        write_new(tmp_path, {name: compress(["[]"]) for name in files}, ["movielens"])
    assert write_new(tmp_path, files, ["movielens"]) == 0


def test_record_is_outside_the_landing_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = dataset.to_line(dataset.read_ratings(dataset.wheel_folder())[-1])
    built: tuple[dict[str, bytes], list[Any], Counter[str]] = (
        {"movielens/arrived=1998-04-16T01/part-000.jsonl.gz": compress([line.render()])},
        [],
        Counter({"1998-04-16": 1}),
    )
    monkeypatch.setattr("local.movielens.__main__.build", lambda folder, seed: built)
    result = main(["--landing", str(tmp_path / "landing")])
    assert result["files_written"] == 1
    assert json.loads((tmp_path / "landing-truth" / "planted.json").read_text())["defects"] == []
    assert not list((tmp_path / "landing").rglob("planted.json"))


def test_busy_hour_is_spread_over_files_in_order() -> None:
    start = datetime(1998, 4, 16, 10, tzinfo=UTC)
    some = [Line(start + timedelta(seconds=i), start, {"event_id": str(i), "time": iso(start)}) for i in range(130)]
    placed = place("shop", reversed(some), lines_a_part=60)
    assert Counter(p.file for p in placed) == {
        f"shop/arrived=1998-04-16T10/part-00{i}.jsonl.gz": n for i, n in enumerate((44, 43, 43))
    }
    assert [p.line.event["event_id"] for p in placed[:4]] == ["0", "1", "2", "3"]
    assert [p.number for p in placed[:4]] == [1, 1, 1, 2]


# Looking planted lines up in the tables


def planted_lines() -> list[dict[str, Any]]:
    at = datetime(1998, 4, 16, 10, tzinfo=UTC)
    first = Line(at, at, {"event_id": "a"})
    return records(
        [
            Placed(first, "f", 1),
            Placed(Line(at, at, {"event_id": "a"}, kind=Defect.EXACT_DUPLICATE, copy_of="a"), "f", 2),
            Placed(Line(at, at, {"event_id": "b"}, kind=Defect.ROBOT), "f", 3),
            Placed(Line(at, at, {"event_id": "c"}, kind=Defect.LATE), "f", 4),
        ]
    )


def tables(events: dict[int, int | None], rejects: dict[int, list[str]]) -> tuple[pa.Table, pa.Table]:
    return (
        pa.table({"source_file": ["f"] * len(events), "line_number": list(events), "days_late": list(events.values())}),
        pa.table({"source_file": ["f"] * len(rejects), "line_number": list(rejects), "reasons": list(rejects.values())}),
    )


@pytest.mark.parametrize(
    ("events", "rejects", "found"),
    [
        ({1: 0, 4: 2}, {3: ["robot.declared"]}, {"exact_duplicate": 1, "robot": 1, "late": 1}),
        ({2: 0, 4: 1}, {3: ["robot.declared"]}, {"exact_duplicate": 1, "robot": 1, "late": 1}),
        ({1: 0, 2: 0, 3: 0, 4: 0}, {9: ["x"]}, {"exact_duplicate": 0, "robot": 0, "late": 0}),
        ({1: 0, 4: None}, {2: ["x"], 3: ["x"]}, {"exact_duplicate": 0, "robot": 1, "late": 0}),
        ({9: 0}, {9: ["x"]}, {"exact_duplicate": 0, "robot": 0, "late": 0}),
    ],
)
def test_defect_is_found_only_with_its_expected_outcome(
    events: dict[int, int | None], rejects: dict[int, list[str]], found: dict[str, int]
) -> None:
    findings = {f.kind: f for f in verify(planted_lines(), *tables(events, rejects))}
    assert {kind: findings[kind].found for kind in found} == found
    assert all(f.complete == (not f.missed) for f in findings.values())


def test_findings_serialise_with_their_reasons() -> None:
    findings = verify(planted_lines(), *tables({1: 0}, {3: ["robot.declared", "x"]}))
    told = json.loads(json.dumps([asdict(finding) for finding in findings]))
    (robot,) = [finding for finding in told if finding["kind"] == "robot"]
    assert robot["reasons"] == {"robot.declared": 1, "x": 1}


def test_missing_record_is_reported_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ClickwrightError, match="make demo"):
        read_planted(tmp_path / "planted.json")
