"""Days in any order, overlapping, twice, at the same time, with retries and late data: the rows of one pass over the whole log.

The lake is the real one; what Spark would move goes from stage to stage in this process.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.sessionize import dates_to_close, stage_sessions
from jobs.write import write_partitions
from schemas.contract import load_contract
from schemas.lake import Lake, open_lake
from schemas.settings import get_settings
from schemas.staging import Manifest, open_attempt, read_manifest
from schemas.tags import inputs_for, tag_snapshots
from tests.jobs import oracle
from tests.jobs.here import exchange_here
from tests.jobs.oracle import Event
from tests.jobs.test_sessionize import GAP, D, at, log_of, logs

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
    """What ``jobs.clean`` publishes of an arrival."""
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
    lake.replace("events", "arrived_on", {arrived_on: files}, properties(f"clean {arrived_on} {folder.name}"), {})


def properties(manifest: str) -> dict[str, Any]:
    return {"run": "r", "job": "j", "manifest": manifest}


class Run:
    """A day's sessionising: reads when it is made, publishes when it is told to."""

    def __init__(self, lake: Lake, day: date, name: str, as_of: Sequence[str] = ()) -> None:
        self.lake = lake
        snapshot = inputs_for(lake, ["events"], as_of)["events"]
        dates = dates_to_close(lake, snapshot, day, day, late=True)
        with open_attempt("sessionize", name, {"events": snapshot}) as attempt:
            stage_sessions(exchange_here, attempt, lake, snapshot, dates)
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
def worlds(draw: Any) -> tuple[Arrivals, list[date], list[int]]:
    """A log spread over arrivals, some events arriving twice; an order of runs, each day at least once; which overlap."""
    log = draw(logs)
    arrivals: Arrivals = {day: [] for day in DAYS}
    for event in log:
        late = draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3]))
        again = draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]))
        for delay in {late, late + again}:
            arrivals[min(event.event_time.date() + timedelta(days=delay), LAST)].append(event)
    order = draw(st.permutations(DAYS)) + draw(st.lists(st.sampled_from(DAYS), max_size=2))
    return arrivals, order, draw(st.lists(st.integers(0, 2), min_size=len(order), max_size=len(order)))


@given(world=worlds())
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_days_in_any_order_overlapping_and_twice_give_what_one_pass_gives(
    tmp_path_factory: pytest.TempPathFactory, world: tuple[Arrivals, list[date], list[int]]
) -> None:
    arrivals, order, waits = world
    with empty_state(tmp_path_factory.mktemp("state")) as lake:
        waiting: list[Run] = []
        for i, (day, wait) in enumerate(zip(order, waits, strict=True)):
            clean_day(lake, day, arrivals[day])
            waiting.append(Run(lake, day, f"{i}"))
            if wait == 2:
                waiting.append(Run(lake, day, f"{i} again"))  # a retry, while the first try is still about to publish
            while len(waiting) > wait:  # up to two runs have read and not yet published
                waiting.pop(-1 if wait else 0).publish()
        for run in waiting:
            run.publish()
        assert found(lake) == expected(arrivals)


def test_a_day_reads_its_look_back_and_nothing_else(tmp_path: Path) -> None:
    log = {day: log_of(datetime.combine(day, time(12), at("00:00").tzinfo), user=f"{day} ") for day in DAYS}
    with empty_state(tmp_path) as lake:
        for day, events in log.items():
            clean_day(lake, day, events)
        assert len(lake.files("events")) == len(DAYS)
        run = Run(lake, D, "r")
        figures = {"conflicts": 0, "closing_dates": 3, "look_back_dates": 6, "files_read": 6}
        assert {name: run.manifest.notes[name] for name in figures} == figures
        assert run.manifest.notes["reads"] == {"events": "event_date >= '2026-11-17' and event_date <= '2026-11-22'"}
        with open_attempt("sessionize", "one", {}) as attempt:
            stage_sessions(exchange_here, attempt, lake, lake.snapshot("events"), [D])
        figures = {"conflicts": 0, "closing_dates": 1, "look_back_dates": 4, "files_read": 4}
        assert {name: attempt.notes[name] for name in figures} == figures


def test_an_event_that_comes_back_with_other_content_is_named_with_both(tmp_path: Path) -> None:
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


def test_a_day_as_of_a_tag_is_what_it_was_then_and_does_not_undo_what_came_after(tmp_path: Path) -> None:
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
