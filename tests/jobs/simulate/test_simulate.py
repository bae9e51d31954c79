"""The simulated world: reproducible by seed, with sessions as planned and defects where the truth lists them."""

import json
from collections import Counter, defaultdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.simulate.behaviour import Events, Kind, cell_day
from jobs.simulate.task import Plan, run_task
from jobs.simulate.world import DAY, MINUTE, Purpose
from schemas.runtime.errors import ConfigError
from schemas.source import load_source
from tests.jobs.simulated import FIRST_DAY, contents, genuine, raw_lines, read, simulate, truth, utc, world

GAP = 30 * MINUTE


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("simulated")
    simulate(root, seed=7)
    return root


def test_same_arguments_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    simulate(tmp_path, seed=7)
    assert contents(tmp_path) == contents(written)
    simulate(tmp_path, seed=7)  # over the existing files
    assert contents(tmp_path) == contents(written)


def test_another_seed_gives_another_world(written: Path, tmp_path: Path) -> None:
    simulate(tmp_path, seed=8)
    assert not set(raw_lines(tmp_path).values()) & set(raw_lines(written).values())


@pytest.mark.slow
def test_rows_do_not_depend_on_the_number_of_tasks(tmp_path: Path) -> None:
    shape = {"events": 15_000, "users": 5000, "days": 2}
    for name, cells in (("small", 1), ("large", 3)):
        simulate(tmp_path / name, cells_a_task=cells, **shape)
    small, large = tmp_path / "small", tmp_path / "large"
    assert len(contents(small / "landing")) > len(contents(large / "landing"))

    def rows(root: Path) -> Counter[tuple[str, bytes]]:
        return Counter((file.split("/")[1], line) for (file, _), line in raw_lines(root).items())

    def tables(root: Path) -> dict[str, list[str]]:
        return {name: sorted(map(str, truth(root, name))) for name in ("impressions", "sessions", "users", "items")}

    assert rows(small) == rows(large)
    assert tables(small) == tables(large)
    worlds = [json.loads((root / "truth" / "world.json").read_text()) for root in (small, large)]
    assert worlds[0].pop("files") > worlds[1].pop("files")
    assert worlds[0].pop("bytes") > worlds[1].pop("bytes")
    assert worlds[0] == worlds[1]


@pytest.mark.slow
def test_processes_write_the_same_bytes(written: Path, tmp_path: Path) -> None:
    simulate(tmp_path, seed=7, processes=2)
    assert contents(tmp_path) == contents(written)


def of_users(days: list[Events]) -> dict[int, list[tuple[int, int, int]]]:
    """(time, day, session) of each user's events, in order of time."""
    users = defaultdict(list)
    for day, events in enumerate(days):
        for user, time, session in zip(events.user.tolist(), events.time.tolist(), events.session.tolist(), strict=True):
            users[user].append((time, day, session))
    return {user: sorted(times) for user, times in users.items()}


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_planned_sessions_follow_the_30_minute_gap(seed: int) -> None:
    small = world(seed=seed, events=20_000, users=300)
    for times in of_users([cell_day(small, day, 0).events for day in range(4)]).values():
        for (before, *session), (after, *next_session) in pairwise(times):
            assert (after - before > GAP) == (session != next_session)


def test_world_contains_the_edge_cases_of_sessions() -> None:
    users = of_users([Events.join([cell_day(world(), day, cell).events for cell in range(3)]) for day in range(4)])
    pairs = [(a, b) for times in users.values() for a, b in pairwise(times)]
    together = [(a[0], b[0]) for a, b in pairs if a[1:] == b[1:]]
    assert sum(b - a == GAP for a, b in together) > 5
    assert sum(b == a for a, b in together) > 1000
    assert sum(a // DAY != b // DAY for a, b in together) > 10
    assert sum(len({(day, session) for _, day, session in times}) > 1 for times in users.values()) > 1000


@pytest.mark.parametrize(("events", "users", "days"), [(200_000, 5000, 4), (100_000, 400, 14), (50_000, 20_000, 7)])
def test_number_of_events_is_about_the_requested_one(events: int, users: int, days: int) -> None:
    asked = world(events=events, users=users, days=days)
    made = sum(len(cell_day(asked, day, cell).events) for day in range(days) for cell in range(asked.cells))
    assert made == pytest.approx(events, rel=0.12)


def test_every_purpose_day_and_cell_has_its_own_random_stream() -> None:
    streams = [(purpose, day, cell) for purpose in (Purpose.BEHAVIOUR, Purpose.DIRT) for day in range(9) for cell in range(9)]
    drawn = {tuple(world(seed=seed).rng(*stream).random(2)) for seed in (7, 8) for stream in streams}
    assert len(drawn) == 2 * len(streams)


def test_task_of_a_billion_events_is_independent(tmp_path: Path) -> None:
    """A task needs no results of other tasks, and no more memory than its own block."""
    billion = world(events=10**9, users=16_000_000, items=100_000, days=7)
    plan = Plan(billion, tmp_path / "landing", tmp_path / "truth", "parquet", cells_a_task=1)
    assert len(plan.tasks()) == 7 * 7813
    figures = run_task(plan, day=5, block=7000)
    assert figures["lines"] == pytest.approx(10**9 / 7 / 7813, rel=0.2)
    users = set(read(tmp_path / "landing")["user_id"].to_pylist())
    assert users <= {f"shopper-{number:010d}@sim.example" for number in range(7000 * 2048, 7001 * 2048)}


def test_event_ids_are_unique() -> None:
    ids = np.concatenate([cell_day(world(), day, cell).events.event_id for day in range(4) for cell in range(3)])
    assert len(np.unique(ids)) == len(ids)


def test_interests_drift_and_keep_their_spread() -> None:
    people = world().people(0)
    first, later = people.interest_on(0), people.interest_on(60)
    alike = [(first[i] @ later[i]) / np.linalg.norm(first[i]) / np.linalg.norm(later[i]) for i in range(len(first))]
    order = np.argsort(people.drift)
    assert np.mean(np.array(alike)[order[:200]]) > 0.9 > 0.2 > np.mean(np.array(alike)[order[-200:]])
    assert later.std() == pytest.approx(first.std(), rel=0.02)


def test_users_have_no_events_before_joining(written: Path) -> None:
    joined = {row["user_id"]: row["joined_on"].isoformat() for row in truth(written, "users")}
    assert len(set(joined.values())) == 4
    for row in truth(written, "sessions"):
        assert row["started_at"].date().isoformat() >= joined[row["user_id"]]


def test_items_are_in_the_catalogue_before_they_are_shown(written: Path) -> None:
    arrived = {
        json.loads(line)["item"]: file.split("=")[1][:10] for (file, _), line in raw_lines(written, "simulated-items").items()
    }
    assert len(arrived) == 300
    assert Counter(arrived.values()) == {"2026-01-05": 240, "2026-01-06": 20, "2026-01-07": 20, "2026-01-08": 20}
    shown = [event for event in genuine(written) if "item" in event]
    assert all(arrived[event["item"]] <= utc(event["at"])[:10] for event in shown)


def test_catalogue_does_not_reveal_quality(written: Path) -> None:
    items = [json.loads(line) for line in raw_lines(written, "simulated-items").values()]
    assert {frozenset(item) for item in items} == {frozenset({"item", "name", "about", "tags", "brand", "price", "picture"})}
    assert len({item["about"] for item in items}) > 280
    assert sum("Advertisement" in item["tags"] for item in items) == sum(row["is_ad"] for row in truth(written, "items")) == 24
    topics = {row["item_id"]: row["topic"] for row in truth(written, "items")}
    assert all(topics[item["item"]] in item["tags"] for item in items)


def test_every_key_of_a_line_is_mapped(written: Path) -> None:
    source = load_source("simulated")
    assert source.items is not None
    keys = {key for event in genuine(written) for key in event}
    assert keys == {str(column.path) for column in source.columns.values()} | {"agent"}
    assert {kind.name.lower() for kind in Kind} == set(source.event_types)


def test_every_planted_line_matches_the_truth(written: Path) -> None:
    lines, planted = raw_lines(written), truth(written, "planted")
    dirt = {(row["file"], row["line"]) for row in planted if row["kind"] != "late"}
    clean = {json.loads(line)["id"]: line for place, line in lines.items() if place not in dirt}
    behaviours = {behaviour(json.loads(line)) for line in clean.values()}

    def holds(kind: str, line: bytes, event_id: str) -> bool:
        if kind in ("broken_json", "not_utf8"):
            with pytest.raises(ValueError, match=r"utf-8|Expecting|Unterminated|Invalid|delimiter"):
                json.loads(line)
            return True
        event: dict[str, Any] = json.loads(line)
        if kind not in ("exact_duplicate", "id_conflict", "late"):
            assert event_id == event["id"] not in clean
        return {
            "exact_duplicate": lambda: line == clean[event_id],
            "near_duplicate": lambda: behaviour(event, seconds=-1) in behaviours,
            "id_conflict": lambda: line != clean[event_id],
            "missing_user": lambda: not (event.get("user") or "").strip(),
            "impossible_time": lambda: not f"{event['at']}".startswith("2026-01-0"),
            "bad_value": lambda: event["amount"] in (-1, 10**12, "cheap"),
            "unknown_type": lambda: event["action"] in ("wink", None),
            "too_late": lambda: event["at"] < "2026-01-01",
            "robot": lambda: "Bot" in event["agent"],
            "late": lambda: event_id in clean,
        }[kind]()

    assert [row for row in planted if not holds(row["kind"], lines[row["file"], row["line"]], row["event_id"])] == []
    assert {row["kind"] for row in planted} == {
        "exact_duplicate", "near_duplicate", "broken_json", "not_utf8", "missing_user", "impossible_time", "bad_value",
        "unknown_type", "too_late", "id_conflict", "robot", "late",
    }  # fmt: skip


def behaviour(event: dict[str, Any], seconds: int = 0) -> tuple[Any, ...]:
    """User, event type, item and time of an event, shifted by some seconds."""
    at = np.datetime64(utc(event["at"].replace("Z", "+00:00"))) + np.timedelta64(seconds, "s")
    return at, *(event.get(name) for name in ("user", "action", "item", "amount", "text"))


def test_shares_of_defects_and_late_events(written: Path) -> None:
    kinds = Counter(row["kind"] for row in truth(written, "planted"))
    events = len(genuine(written))
    late, robots = kinds.pop("late"), kinds.pop("robot")
    assert sum(kinds.values()) == pytest.approx(0.1 * events, abs=4 * len(kinds))
    assert robots == pytest.approx(0.025 * events, rel=0.15)
    # Events of the last day cannot be late, earlier ones only by the days that remain: 3 + 2 + 1 of 3 times 4, so half.
    assert late == pytest.approx(0.05 * events / 2, rel=0.4)


def test_accounting_adds_up_to_the_lines(written: Path) -> None:
    known = json.loads((written / "truth" / "world.json").read_text())
    assert list(known["arrivals"]) == [(FIRST_DAY + timedelta(days=i)).isoformat() for i in range(4)]
    for day in known["arrivals"].values():
        assert day["lines_read"] == day["events"] + day["rejects"] + day["duplicates"]
    assert sum(day["lines_read"] for day in known["arrivals"].values()) == known["lines"] == len(raw_lines(written))
    assert sum(day["events"] for day in known["arrivals"].values()) == sum(known["events_by_type"].values())
    assert sum(day["late_events"] for day in known["arrivals"].values()) == known["planted"]["late"]


def test_parquet_holds_the_genuine_events(written: Path, tmp_path: Path) -> None:
    simulate(tmp_path, seed=7, format="parquet", dirt=None, late=None)
    table = read(tmp_path / "landing" / "simulated-parquet")
    assert table.schema.names == ["event_id", "user_id", "event_type", "event_time", "item_id"]

    of_columns = {
        (r["event_id"], r["user_id"], r["event_type"], r["event_time"].isoformat(timespec="milliseconds")[:-6], r["item_id"])
        for r in table.to_pylist()
    }
    assert of_columns == {(e["id"], e["user"], e["action"], utc(e["at"]), e.get("item")) for e in genuine(written)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"users": 5}, "6000 events are too many for 5 users in 4 days; .*raise --users to"),
        ({"items": 3}, "--items must be 200 to"),
        ({"first_day": "1989-12-31"}, "--first-day must be 1990-01-02 to"),
        ({"dirt": 0.7}, "--dirt must be 0 to 0.5"),
        ({"format": "parquet"}, "format parquet contains only genuine events"),
        ({"runaway": 100}, "within the bot limit"),
    ],
)
def test_invalid_arguments(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        simulate(tmp_path, **changes)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["events", "users", "items", "days", "cells_a_task", "processes"])
def test_counts_must_be_positive(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        simulate(tmp_path, **{name: 0})
    assert "0 is less than 1" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [{"events": 1}, {"events": 30, "users": 1, "days": 2}, {"events": 20, "days": 1}])
def test_smallest_worlds(tmp_path: Path, changes: dict[str, int]) -> None:
    made = simulate(tmp_path, **changes)
    assert made["lines"] == len(raw_lines(tmp_path))
    assert len(raw_lines(tmp_path, "simulated-items")) == 300


def test_truth_inside_the_landing_zone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="outside the landing zone"):
        simulate(tmp_path, truth=tmp_path / "landing" / "truth")


def test_folder_of_another_world_is_an_error(tmp_path: Path) -> None:
    simulate(tmp_path, events=500, users=20)
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match="holds files of another world"):
        simulate(tmp_path, events=501, users=20)
    assert contents(tmp_path) == before


def test_world_without_truth_has_the_same_lines(written: Path, tmp_path: Path) -> None:
    simulate(tmp_path, seed=7, truth="none")
    assert contents(tmp_path / "landing") == contents(written / "landing")
    assert not (tmp_path / "truth").exists()
