"""Plants typical defects of real logs into a landing zone; each is recorded with its file and line.

The lines and the seed determine everything. The record of the planted defects lies outside the landing zone, so that no job
reads it.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from local.movielens.landing_lines import HOUR, Line, Placed, arrival_day, iso
from schemas.outcomes import Defect

ROBOT_USER = "ml100k-user-robot-1@movielens.example"
ROBOT_AGENT = "ExampleBot/1.0 (+http://bot.example/)"
FAR = timedelta(days=8)


# Planted lines of each kind.
LINES = {
    Defect.EXACT_DUPLICATE: 12,
    Defect.NEAR_DUPLICATE: 8,
    Defect.BROKEN_JSON: 8,
    Defect.MISSING_USER: 6,
    Defect.IMPOSSIBLE_TIME: 8,
    Defect.BAD_VALUE: 4,
    Defect.UNKNOWN_TYPE: 3,
    Defect.TOO_LATE: 1,
    Defect.ROBOT: 90,
    Defect.LATE: 13,
}
LATE_FOR_HISTORY = 3
"""So many of the late lines are of the last day of the history and arrive on the first day, whose arrival so changes a day that
is published for certain, even if the daily arrivals are processed side by side."""


# How to damage a line for each of these kinds; the variants are used in turn.
SPOILT: dict[Defect, tuple[Callable[[dict[str, Any], datetime], dict[str, Any]], ...]] = {
    Defect.MISSING_USER: (
        lambda event, at: {**event, "user": None},
        lambda event, at: {**event, "user": ""},
        lambda event, at: {**event, "user": "   "},
        lambda event, at: {name: value for name, value in event.items() if name != "user"},
    ),
    Defect.IMPOSSIBLE_TIME: (
        lambda event, at: {**event, "time": "1970-01-01T00:00:00Z"},
        lambda event, at: {**event, "time": "9999-12-31T23:59:59Z"},
        lambda event, at: {**event, "time": "yesterday"},
        lambda event, at: {**event, "time": "1998-02-30T10:00:00Z"},
        lambda event, at: {**event, "time": iso(at + FAR)},
        lambda event, at: {**event, "time": ""},
        lambda event, at: {**event, "time": None},
        lambda event, at: {**event, "time": iso(at + timedelta(hours=30))},
    ),
    Defect.BAD_VALUE: (
        lambda event, at: {**event, "rating": -1},
        lambda event, at: {**event, "rating": 1e12},
        lambda event, at: {**event, "rating": "five"},
        lambda event, at: {**event, "rating": -3},
    ),
    Defect.UNKNOWN_TYPE: (
        lambda event, at: {**event, "type": "wink"},
        lambda event, at: {**event, "type": "RATE!"},
        lambda event, at: {**event, "type": None},
    ),
    Defect.TOO_LATE: (lambda event, at: {**event, "time": iso(at - FAR)},),
}


def plant(lines: Sequence[Line], days: Sequence[date], robot_day: date, rng: random.Random) -> list[Line]:
    """Plant every kind of defect into daily arrivals.

    Real lines are kept: a defect damages a copy of a real line under a new id, and late events only arrive later.

    Args:
        lines: the clean lines of the arrivals.
        days: their arrival days, in order.
        robot_day: the day of the bot; it needs many lines, so that the bot stays a small part of them.
        rng: the only source of randomness.

    Returns:
        All lines, with ``kind`` set on the planted ones and ``copy_of`` on the duplicates among them.
    """
    stock: dict[date, list[Line]] = defaultdict(list)
    for line in lines:
        if 2 <= line.at.hour < 22 and line.at.minute < 59:  # away from midnight, the outcome of a defect is unambiguous
            stock[line.at.date()].append(line)
    for day in days:
        rng.shuffle(stock[day])

    some = _deal(stock, days[-4:-1], LINES[Defect.LATE] - LATE_FOR_HISTORY)
    late = [_late(line, days[-1], i) for i, line in enumerate(some)]
    moved = {line.event["event_id"] for line in late}
    planted = list(late)
    for i, line in enumerate(_deal(stock, days, LINES[Defect.EXACT_DUPLICATE])):
        planted.append(_again(line, i))
    for line in _deal(stock, days, LINES[Defect.NEAR_DUPLICATE]):
        at = line.at + timedelta(seconds=1)
        event = {**line.event, "event_id": _new_id(rng), "time": iso(at)}
        planted.append(replace(line, at=at, event=event, kind=Defect.NEAR_DUPLICATE, copy_of=line.event["event_id"]))
    for i, line in enumerate(_deal(stock, days, LINES[Defect.BROKEN_JSON])):
        planted.append(_cut(_twin(line, rng), i))
    for kind, ways in SPOILT.items():
        for i, line in enumerate(_deal(stock, days, LINES[kind])):
            twin = _twin(line, rng)
            planted.append(replace(twin, event=ways[i % len(ways)](twin.event, twin.at), kind=kind))
    robot = _robot(robot_day, [line.event for line in lines], rng)
    return [line for line in lines if line.event["event_id"] not in moved] + planted + robot


def late_for(lines: Sequence[Line], day: date, rng: random.Random) -> list[Line]:
    """Some lines of the last day of the history, away from midnight, as late lines of the day after.

    Args:
        lines: the lines of the history.
        day: its last day.
        rng: the only source of randomness.
    """
    some = [line for line in lines if line.at.date() == day and 2 <= line.at.hour < 22]
    return [_late(line, day + timedelta(days=1), i) for i, line in enumerate(rng.sample(some, LATE_FOR_HISTORY))]


def _deal(stock: dict[date, list[Line]], days: Sequence[date], count: int) -> list[Line]:
    """Clean lines, each used once, taken from the days in turn, starting with the day that has most."""
    order = sorted(days, key=lambda day: (-len(stock[day]), day))
    return [stock[order[i % len(order)]].pop() for i in range(count)]


def _new_id(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _twin(line: Line, rng: random.Random) -> Line:
    return replace(line, event={**line.event, "event_id": _new_id(rng)})


def _late(line: Line, day: date, i: int) -> Line:
    """A phone without a network delivers on a later day."""
    return replace(line, arrives=datetime.combine(day, time(12 + i % 6), UTC), kind=Defect.LATE)


def _again(line: Line, i: int) -> Line:
    """Two of three copies arrive in the same hour, the third an hour later if that is the same arrival day."""
    later = line.arrives + HOUR
    same_day = arrival_day(later) == arrival_day(line.arrives)
    arrives = later if i % 3 == 2 and same_day else line.arrives
    return replace(line, arrives=arrives, kind=Defect.EXACT_DUPLICATE, copy_of=line.event["event_id"])


def _cut(line: Line, i: int) -> Line:
    """A truncated line, in turn: inside the user id, after it, inside the time, before the last brace."""
    text = line.render()
    user = str(line.event["user"])
    where = (
        text.index(user) + len("ml100k-user-") + 6,
        text.index(user) + len(user),
        text.index(str(line.event["time"])) + 7,
        len(text) - 1,
    )
    return replace(line, text=text[: where[i % len(where)]], kind=Defect.BROKEN_JSON)


def _robot(day: date, events: Sequence[dict[str, Any]], rng: random.Random) -> list[Line]:
    start = datetime.combine(day, time(10, 15), UTC)
    items = sorted({str(event["item"]) for event in events})
    lines = []
    for i, item in enumerate(rng.sample(items, LINES[Defect.ROBOT])):
        at = start + timedelta(seconds=i * 60 // LINES[Defect.ROBOT])
        event = {**events[0], "event_id": _new_id(rng), "user": ROBOT_USER, "item": item, "rating": 1 + i % 5}
        event |= {"time": iso(at), "device": "web", "agent": ROBOT_AGENT}
        lines.append(Line(at, start.replace(minute=0) + HOUR, event, kind=Defect.ROBOT))
    return lines


def records(placed: Iterable[Placed]) -> list[dict[str, Any]]:
    """The planted defects in the form of ``planted.json``; line numbers count from 1."""
    placed = list(placed)
    genuine = {
        str(p.line.event["event_id"]): {"file": p.file, "line": p.number} for p in placed if p.line.kind in (None, Defect.LATE)
    }
    found = []
    for p in placed:
        if p.line.kind is None:
            continue
        kind = Defect(p.line.kind)
        entry = {
            "kind": kind.value,
            "what": kind.description,
            "expected": kind.expected.value,
            "arrived_on": arrival_day(p.line.arrives).isoformat(),
            "file": p.file,
            "line": p.number,
            "event_id": p.line.event["event_id"],
        }
        if p.line.copy_of:
            entry["original"] = genuine[p.line.copy_of]
        found.append(entry)
    return found
