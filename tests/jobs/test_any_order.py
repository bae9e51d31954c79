"""Days in any order, overlapping, repeated, concurrent, with retries and late data: same rows as one pass over the log.

The lake is real; the stages of an exchange run in this process, without Spark.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.cleaning.commit_notes import CONTENT_DIGEST, TOUCHED, date_ranges
from jobs.exchange.parquet_writer import content, write_partitions
from jobs.late_days import late_profiles, late_sessions
from jobs.sessionize import stage_sessions
from schemas.contract import load_contract
from schemas.lake.filters import equals
from schemas.lake.lake import Lake, open_lake
from schemas.lake.snapshots import inputs_for, tag_snapshots
from schemas.publishing.staging import Manifest, open_attempt, read_manifest
from schemas.runtime.settings import get_settings
from tests.jobs import oracle
from tests.jobs.oracle import Event
from tests.jobs.test_sessionize import GAP, D, at, log_of, logs
from tests.pipeline import exchange_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FIRST, LAST = date(2026, 11, 16), date(2026, 11, 22)
DAYS = [FIRST + timedelta(days=i) for i in range((LAST - FIRST).days + 1)]
Arrivals = dict[date, list[Event]]


@contextmanager
def empty_state(folder: Path) -> Iterator[Lake]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKWRIGHT_VAR", str(folder))
        yield open_lake(get_settings())


def clean_day(lake: Lake, arrived_on: date, events: list[Event]) -> None:
    """Publish an arrival as ``jobs.clean`` would."""
    contract = load_contract("events")
    nothing = dict.fromkeys(contract.columns)
    came = {"source": "s", "source_file": "f", "arrived_on": arrived_on, "event_type": "view", "item_id": "i"}
    rows = [
        {**nothing, **event._asdict(), **came, "event_date": event.event_time.date(), "line_number": number}
        for number, event in enumerate(events, 1)
    ]
    frame = pl.DataFrame(rows, schema=contract.polars_schema)
    folder = lake.folder / "data" / "events" / f"{arrived_on}-{len(lake.commits('events'))}"
    files = write_partitions(frame, contract, folder)
    before = lake.partitions("events", "event_date", where=equals("arrived_on", arrived_on))
    touched = {TOUCHED: date_ranges([*before, *frame["event_date"]]), CONTENT_DIGEST: f"{len(frame)}:{content(frame):016x}"}
    what = properties(f"clean {arrived_on} {folder.name}") | {"notes": json.dumps(touched, default=str)}
    lake.replace("events", "arrived_on", {arrived_on: files}, what, {})


def properties(manifest: str) -> dict[str, Any]:
    return {"run": "r", "job": "j", "manifest": manifest}


class Run:
    """Sessionizing a day, in its own run or because it is late: it reads on creation and publishes on request."""

    def __init__(self, lake: Lake, day: date, name: str, as_of: Sequence[str] = ()) -> None:
        self.lake = lake
        snapshot = inputs_for(lake, ["events"], as_of)["events"]
        with open_attempt("sessionize", name, {"events": snapshot}) as attempt:
            stage_sessions(exchange_here, attempt, lake, snapshot, [day])
        self.manifest: Manifest = read_manifest("sessionize", name)

    def publish(self) -> None:
        for name, table in self.manifest.tables.items():
            files: dict[Any, list[str]] = {date.fromisoformat(value): [] for value in table.values}
            for file in table.files:
                files[date.fromisoformat(file.value)].append(file.path)
            what = properties(f"{self.manifest.digest} {name}")
            self.lake.replace(name, table.field, files, what, self.manifest.inputs)


def expected(arrivals: Arrivals) -> list[tuple[Any, ...]]:
    """(closing date, session's first event, position, event, first arrival) of one pass over the whole log."""
    first: dict[Event, date] = {}
    for day in sorted(arrivals):
        for event in arrivals[day]:
            first.setdefault(event, day)
    rows = []
    for session in oracle.sessions(list(first), GAP):
        closed = oracle.closed_on(session, GAP)
        if closed <= LAST:
            rows += [(closed, session[0].event_id, i, e.event_id, first[e]) for i, e in enumerate(session)]
    return sorted(rows)


def found(lake: Lake) -> list[tuple[Any, ...]]:
    rows = pl.DataFrame(lake.arrow("session_events")).sort("session_id", "position")
    begins = pl.col("event_id").first().over("session_id").alias("begins")
    return sorted(rows.select("closed_on", begins, "position", "event_id", "arrived_on").rows())


@st.composite
def worlds(draw: Any) -> tuple[Arrivals, list[date], list[int], list[int]]:
    """A log spread over arrivals, some events arriving twice, and an order of runs with each day at least once.

    Also how many runs overlap, and how many late days are reprocessed between them.
    """
    log = draw(logs)
    arrivals: Arrivals = {day: [] for day in DAYS}
    for event in log:
        late = draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3]))
        again = draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]))
        for delay in {late, late + again}:
            arrivals[min(event.event_time.date() + timedelta(days=delay), LAST)].append(event)
    order = draw(st.permutations(DAYS)) + draw(st.lists(st.sampled_from(DAYS), max_size=2))
    counts = st.lists(st.integers(0, 2), min_size=len(order), max_size=len(order))
    return arrivals, order, draw(counts), draw(counts)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
World = tuple[Arrivals, list[date], list[int], list[int]]


@given(world=worlds())
@settings(max_examples=2, suppress_health_check=SLOW)
def test_days_in_any_order_match_one_pass(tmp_path_factory: pytest.TempPathFactory, world: World) -> None:
    check_any_order(tmp_path_factory, world)


@pytest.mark.faults
@given(world=worlds())
@settings(max_examples=20, suppress_health_check=SLOW)
def test_many_orders_of_days_match_one_pass(tmp_path_factory: pytest.TempPathFactory, world: World) -> None:
    check_any_order(tmp_path_factory, world)


def check_any_order(tmp_path_factory: pytest.TempPathFactory, world: World) -> None:
    arrivals, order, waits, breaks = world
    with empty_state(tmp_path_factory.mktemp("state")) as lake:
        waiting: list[Run] = []
        told = dict[date, None]()
        for i, (day, wait, pause) in enumerate(zip(order, waits, breaks, strict=True)):
            clean_day(lake, day, arrivals[day])
            waiting.append(Run(lake, day, f"{i}"))
            if wait == 2:
                waiting.append(Run(lake, day, f"{i} again"))  # a retry, before the first attempt publishes
            while len(waiting) > wait:  # up to two runs have read and not yet published
                waiting.pop(-1 if wait else 0).publish()
                told |= dict.fromkeys(late_sessions(lake))
            for late in list(told)[:pause]:
                del told[late]
                waiting.append(Run(lake, late, f"{i} {late} again"))
        for run in waiting:
            run.publish()
            told |= dict.fromkeys(late_sessions(lake))
        for late in told:
            if late in late_sessions(lake):
                Run(lake, late, f"{late} at last").publish()
        assert late_sessions(lake) == []
        assert found(lake) == expected(arrivals)


def test_late_events_make_published_days_late(tmp_path: Path) -> None:
    with empty_state(tmp_path) as lake:
        for day in DAYS[:5]:
            clean_day(lake, day, log_of(datetime.combine(day, time(12), at("00:00").tzinfo), user=f"{day} "))
            Run(lake, day, f"{day}").publish()
        assert late_sessions(lake) == []
        late = log_of(datetime.combine(DAYS[2], time(9), at("00:00").tzinfo), user="late")
        clean_day(lake, DAYS[5], late)
        assert late_sessions(lake) == DAYS[2:5]  # DAYS[5] is published by its own run
        clean_day(lake, DAYS[5], [])  # corrected: the late event is gone, which changes the same days
        assert late_sessions(lake) == DAYS[2:5]
        Run(lake, DAYS[5], "own").publish()
        for day in DAYS[2:5]:
            Run(lake, day, f"{day} again").publish()
            assert day not in late_sessions(lake)
        assert late_sessions(lake) == []


def publish_profiles(lake: Lake, as_of: date) -> None:
    """Publish empty profiles of a day, made from the current events."""
    lake.replace("profiles", "as_of", {as_of: []}, properties(f"{as_of}"), inputs_for(lake, ["events"], ()))


def test_profiles_are_late_after_an_earlier_arrival_changes(tmp_path: Path) -> None:
    log = {day: log_of(datetime.combine(day, time(12), at("00:00").tzinfo), user=f"{day} ") for day in DAYS}
    with empty_state(tmp_path) as lake:
        for day in DAYS[:4]:
            if day != DAYS[1]:  # as if its audit had refused it
                clean_day(lake, day, log[day])
                publish_profiles(lake, day)
        assert late_profiles(lake) == []
        clean_day(lake, DAYS[1], log[DAYS[1]])  # corrected
        assert late_profiles(lake) == DAYS[2:4]
        for day in DAYS[1:4]:
            publish_profiles(lake, day)
        assert late_profiles(lake) == []
        clean_day(lake, DAYS[2], [])
        assert late_profiles(lake) == DAYS[2:4]


def test_restoring_the_same_rows_makes_no_day_late(tmp_path: Path) -> None:
    log = log_of(datetime.combine(DAYS[0], time(12), at("00:00").tzinfo))
    with empty_state(tmp_path) as lake:
        clean_day(lake, DAYS[0], log)
        Run(lake, DAYS[0], "own").publish()
        publish_profiles(lake, DAYS[0])
        clean_day(lake, DAYS[0], log)
        assert (late_sessions(lake), late_profiles(lake)) == ([], [])
        clean_day(lake, DAYS[0], [])
        assert (late_sessions(lake), late_profiles(lake)) == ([DAYS[0]], [DAYS[0]])
        clean_day(lake, DAYS[0], log)  # restored, but differs from the version in between
        assert (late_sessions(lake), late_profiles(lake)) == ([DAYS[0]], [DAYS[0]])


def test_late_event_near_midnight_changes_three_days_later(tmp_path: Path) -> None:
    sleepless = log_of(*[at("00:05") + timedelta(minutes=20 * i) for i in range(2 * 72)])  # to 23:45 of the next day
    late = Event("u", at("23:45", 19), "late")
    arrivals: Arrivals = {D: sleepless[:72], D + timedelta(days=1): sleepless[72:], D + timedelta(days=2): []}
    closes = D + timedelta(days=2)
    with empty_state(tmp_path) as lake:
        for day, events in arrivals.items():
            clean_day(lake, day, events)
            Run(lake, day, f"{day}").publish()
        arrivals[D + timedelta(days=3)] = [late]
        clean_day(lake, D + timedelta(days=3), [late])
        assert closes in late_sessions(lake)
        for day in late_sessions(lake):
            Run(lake, day, f"{day} again").publish()
        rows = [row for row in expected(arrivals) if row[0] <= closes]
        assert [row for row in rows if row[0] == closes]
        assert found(lake) == rows


def test_day_reads_only_its_look_back(tmp_path: Path) -> None:
    log = {day: log_of(datetime.combine(day, time(12), at("00:00").tzinfo), user=f"{day} ") for day in DAYS}
    with empty_state(tmp_path) as lake:
        for day, events in log.items():
            clean_day(lake, day, events)
        assert len(lake.files("events")) == len(DAYS)
        with open_attempt("sessionize", "one", {}) as attempt:
            stage_sessions(exchange_here, attempt, lake, lake.snapshot("events"), [D])
        figures = {"conflicts": 0, "closing_dates": 1, "look_back_dates": 4, "files_read": 4}
        assert {name: attempt.notes[name] for name in figures} == figures


def test_conflict_records_both_contents(tmp_path: Path) -> None:
    (first,) = log_of(at("09:00"), user="u")
    later, same = first._replace(event_time=at("09:05")), first
    with empty_state(tmp_path) as lake:
        for day, event in ((D + timedelta(days=2), same), (D + timedelta(days=1), later), (D, first)):  # the latest ran first
            clean_day(lake, day, [event])
        Run(lake, D, "r").publish()
        assert [row[3:] for row in found(lake)] == [("u0", D)]
        (conflict,) = lake.arrow("conflicts").to_pylist()
        assert (conflict["closed_on"], conflict["event_id"], conflict["arrived_on"]) == (D, "u0", D + timedelta(days=1))
        assert (conflict["kept"]["event_time"], conflict["refused"]["event_time"]) == (first.event_time, later.event_time)
        assert (conflict["kept"]["arrived_on"], conflict["kept"]["line_number"]) == (D, 1)


def test_day_as_of_a_tag_does_not_undo_later_arrivals(tmp_path: Path) -> None:
    early, late = log_of(at("09:00"), user="early"), log_of(at("10:00"), user="late")
    with empty_state(tmp_path) as lake:
        clean_day(lake, D, early)
        tag_snapshots(lake, "then", {"events": int(lake.snapshot("events") or 0)})
        clean_day(lake, D + timedelta(days=1), late)
        Run(lake, D, "now").publish()
        then = Run(lake, D, "then", as_of=["then"])
        assert [table.rows for table in then.manifest.tables.values()] == [1, 1, 0]
        then.publish()
        assert len(found(lake)) == 2
