"""Defects of real logs, planted on purpose: each line is recorded with its kind and its expected outcome.

No genuine event is lost: defective lines are invented twins of genuine ones, and a late event only arrives later.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jobs.simulate.behaviour import Events, Kind
from jobs.simulate.lines import ROBOT_AGENT, event_lines, item_name, to_json, user_name
from jobs.simulate.world import DAY, HOUR, MINUTE, SECOND, TWIN, Purpose, World
from schemas.outcomes import Defect, Outcome

MEAN_LAG, LONGEST_LAG = 20 * SECOND, 2 * MINUTE
LATE_HOUR, MOST_LATE_DAYS, TOO_LATE_DAYS = 6, 3, 8  # late events arrive in a batch at six
CALM = (2 * HOUR, 22 * HOUR)  # away from midnight the outcome of a planted line is certain
ROBOT_LINES, ROBOTS = 500, 400  # lines of one bot on a day, and number of bots, at most
ROBOT_SHARE = 0.25  # lines of bots, relative to the other defects
RUNAWAY_OPENS, RUNAWAY_LASTS = 3 * HOUR, 18 * HOUR


# Lines of each kind, relative to all defects. Bots, the runaway user and late events have arguments of their own.
SHARES = {
    Defect.EXACT_DUPLICATE: 0.30,
    Defect.NEAR_DUPLICATE: 0.15,
    Defect.BROKEN_JSON: 0.15,
    Defect.NOT_UTF8: 0.03,
    Defect.MISSING_USER: 0.12,
    Defect.IMPOSSIBLE_TIME: 0.10,
    Defect.BAD_VALUE: 0.05,
    Defect.UNKNOWN_TYPE: 0.04,
    Defect.TOO_LATE: 0.03,
    Defect.ID_CONFLICT: 0.03,
}


class Line(NamedTuple):
    """A line to write. ``arrives`` is an hour since 1970; ``copy`` is 1 for a line that must follow its original; ``kind`` is
    None for a genuine line that is not late.
    """

    arrives: int
    time: int
    event_id: int
    copy: int
    text: bytes
    kind: Defect | None = None
    outcome: Outcome = Outcome.EVENT
    reasons: tuple[str, ...] = ()


Event = dict[str, Any]
Spoil = tuple[Callable[[Event, int], Event], tuple[str, ...]]
UNREADABLE_TIME, IN_THE_FUTURE = ("event_time.unreadable",), ("lag_seconds.range",)
# For each kind its defects, used in turn, and the reasons for which such lines must be rejected.
SPOILT: dict[Defect, tuple[Spoil, ...]] = {
    Defect.MISSING_USER: (
        (lambda event, time: {**event, "user": None}, ("user_id.required",)),
        (lambda event, time: {**event, "user": ""}, ("user_id.required",)),
        (lambda event, time: {**event, "user": "   "}, ("user_id.required",)),
        (lambda event, time: {k: v for k, v in event.items() if k != "user"}, ("user_id.required",)),
    ),
    Defect.IMPOSSIBLE_TIME: (
        (lambda event, time: {**event, "at": "1970-01-01T00:00:00.000Z"}, ("event_time.range",)),
        (lambda event, time: {**event, "at": "9999-12-31T23:59:59.000Z"}, IN_THE_FUTURE),
        (lambda event, time: {**event, "at": "yesterday"}, UNREADABLE_TIME),
        (lambda event, time: {**event, "at": f"{event['at'][:4]}-02-30T10:00:00.000Z"}, UNREADABLE_TIME),
        (lambda event, time: {**event, "at": utc(time + 10 * DAY)}, IN_THE_FUTURE),
        (lambda event, time: {**event, "at": None}, ("event_time.required",)),
    ),
    Defect.BAD_VALUE: (
        (lambda event, time: {**event, "amount": -1}, ("value.range",)),
        (lambda event, time: {**event, "amount": 10**12}, ("value.range",)),
        (lambda event, time: {**event, "amount": "cheap"}, ("value.unreadable",)),
    ),
    Defect.UNKNOWN_TYPE: (
        (lambda event, time: {**event, "action": "wink"}, ("event_type.unknown",)),
        (lambda event, time: {**event, "action": None}, ("event_type.required",)),
    ),
    Defect.TOO_LATE: ((lambda event, time: {**event, "at": utc(time - TOO_LATE_DAYS * DAY)}, ("days_late.range",)),),
}


def utc(time: int) -> str:
    """A time in milliseconds since 1970 as ISO text.

    >>> utc(0)
    '1970-01-01T00:00:00.000Z'
    """
    return f"{np.datetime64(time, 'ms')}Z"


def arrival_day(hours: np.ndarray | int) -> Any:
    """The arrival day, in days since 1970, of hours since 1970: a day lasts from 01:00 to 01:00.

    >>> arrival_day(24), arrival_day(25)
    (0, 1)
    """
    return (hours - 1) // 24


def arrivals(world: World, day: int, cell: int, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """The hour in which each event arrives, and how many days late it is; no event arrives after the last day.

    Args:
        world: the world.
        day: number of the day, from 0.
        cell: number of the cell.
        events: the cell's events of that day.
    """
    rng = world.rng(Purpose.DIRT, day, cell, 0)
    n = len(events)
    lag = np.minimum(rng.exponential(MEAN_LAG, n), LONGEST_LAG).astype(np.int64)
    late = np.where(rng.random(n) < world.late, rng.integers(1, MOST_LATE_DAYS + 1, n), 0)
    happened = events.time // DAY
    late[happened + late > world.midnight(world.days - 1) // DAY] = 0
    return np.where(late > 0, (happened + late) * 24 + LATE_HOUR, (events.time + lag) // HOUR), late


def cell_lines(world: World, day: int, cell: int, events: Events) -> list[Line]:
    """All lines of a cell: its events, some of them late, and the defects.

    Args:
        world: the world.
        day: number of the day, from 0.
        cell: number of the cell.
        events: the cell's events of that day.
    """
    arrives, late = arrivals(world, day, cell, events)
    texts = event_lines(world, events)
    kinds = [Defect.LATE if days else None for days in late.tolist()]
    genuine = list(
        map(
            Line, arrives.tolist(), events.time.tolist(), events.event_id.tolist(), [0] * len(texts),
            map(str.encode, texts), kinds,
        )
    )  # fmt: skip
    return genuine + _dirt(world, day, cell, events, genuine)


def _dirt(world: World, day: int, cell: int, events: Events, genuine: list[Line]) -> list[Line]:
    """Defective twins of genuine lines that have an item and are not late; each line has at most one twin."""
    rng = world.rng(Purpose.DIRT, day, cell, 1)
    on_time = np.array([line.kind is None for line in genuine], bool)
    calm = (events.time % DAY >= CALM[0]) & (events.time % DAY < CALM[1])
    stock = iter(rng.permutation(np.flatnonzero(on_time & calm & (events.item >= 0))).tolist())
    twins = world.event_ids(day, events.user, events.number | TWIN)
    planted = []
    for kind in Defect:  # also those without a share, as each draws one number
        for i in range(int(world.dirt * SHARES.get(kind, 0.0) * len(genuine) + rng.random())):
            if (base := next(stock, None)) is not None:
                planted.append(_plant(kind, i, genuine[base], int(twins[base])))
    return planted


def _plant(kind: Defect, i: int, base: Line, twin_id: int) -> Line:
    """The ``i``-th line of a kind, made from a genuine one."""
    event: Event = json.loads(base.text)
    twin = {**event, "id": f"{twin_id:016x}"}
    spoilt = base._replace(event_id=twin_id, kind=kind, outcome=Outcome.REJECT)
    match kind:
        case Defect.EXACT_DUPLICATE:
            later = base.arrives + (i % 3 == 2)  # two of three come in the same hour
            arrives = later if arrival_day(later) == arrival_day(base.arrives) else base.arrives
            return base._replace(arrives=arrives, copy=1, kind=kind, outcome=Outcome.EXACT_DUPLICATE)
        case Defect.NEAR_DUPLICATE:
            time = base.time + SECOND
            text = to_json({**twin, "at": utc(time)}).encode()
            return spoilt._replace(time=time, text=text, outcome=Outcome.NEAR_DUPLICATE)
        case Defect.ID_CONFLICT:
            text = to_json({**event, "item": f"{event['item']}x"}).encode()
            return base._replace(copy=1, text=text, kind=kind, outcome=Outcome.REJECT, reasons=("event_id.conflict",))
        case Defect.BROKEN_JSON:
            return spoilt._replace(text=_cut(twin, i).encode(), reasons=("line.not_json",))
        case Defect.NOT_UTF8:
            text = to_json(twin).encode().replace(b'"agent":"', b'"agent":"\xff\xfe')
            return spoilt._replace(text=text, reasons=("line.not_utf8",))
        case _:
            spoil, reasons = SPOILT[kind][i % len(SPOILT[kind])]
            return spoilt._replace(text=to_json(spoil(twin, base.time)).encode(), reasons=reasons)


def _cut(event: Event, i: int) -> str:
    """A truncated line, cut in turn inside the user's id, after it, inside the time, or before the last brace."""
    text = to_json(event)
    user = text.index(event["user"])
    where = (user + 14, user + len(event["user"]), text.index(event["at"]) + 7, len(text) - 1)
    return text[: where[i % len(where)]]


def machine_lines(world: World, day: int) -> list[Line]:
    """The lines of bots, and on the middle day those of the runaway user. All of them view one item after the other.

    Args:
        world: the world; its ``dirt`` decides how many bots there are.
        day: number of the day, from 0.
    """
    rng = world.rng(Purpose.MACHINES, day)
    midnight, lines = world.midnight(day), []
    wanted = int(world.dirt * ROBOT_SHARE * world.events / world.days + 0.5)
    wanted = min(wanted, ROBOT_LINES * ROBOTS)  # one task writes them all
    for robot in range(-(-wanted // ROBOT_LINES)):
        times = midnight + CALM[0] + robot * 37 * MINUTE % (19 * HOUR) + 700 * np.arange(min(wanted, ROBOT_LINES))
        wanted -= ROBOT_LINES
        number = world.users + 1 + robot
        lines += _opened(world, day, number, times, rng, ROBOT_AGENT, Defect.ROBOT, "robot.declared")
    if world.runaway and day == world.days // 2:
        times = midnight + RUNAWAY_OPENS + np.arange(world.runaway) * RUNAWAY_LASTS // world.runaway
        agent = "Mozilla/5.0 (X11; Linux x86_64)"
        lines += _opened(world, day, world.users, times, rng, agent, Defect.RUNAWAY, "robot.too_many_events")
    return lines


def _opened(
    world: World, day: int, user: int, times: np.ndarray, rng: np.random.Generator, agent: str, kind: Defect, reason: str
) -> list[Line]:
    items = rng.integers(0, world.items_on(day), len(times)).tolist()
    ids = world.event_ids(day, np.full(len(times), user), np.arange(len(times))).tolist()
    lines = []
    for event_id, time, item in zip(ids, times.tolist(), items, strict=True):
        event = {"id": f"{event_id:016x}", "user": user_name(user), "action": Kind.VIEW.name.lower(), "at": utc(time)}
        event |= {"device": "desktop", "country": "DE", "agent": agent, "page": "category"}
        event["item"] = item_name(item, bool(world.catalogue.is_ad[item]))
        lines.append(Line(time // HOUR, time, event_id, 0, to_json(event).encode(), kind, Outcome.REJECT, (reason,)))
    return lines
