"""Evaluation queries made from interactions: about the next event, or about all events in a window."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ml.data.catalog import Catalog
from ml.data.interactions import DAY_US, Interactions


@dataclass(frozen=True)
class Cases:
    """Queries with their answers: given a user's history, which items came next?

    One row is one right item. A query has one right item (the next event) or several (a window of time).
    """

    user: npt.NDArray[np.int64]
    """Index of the user, ``[C]``; meaningful only for equality."""
    query: npt.NDArray[np.int64]
    """Query that a row belongs to, ``[C]``, ascending; rows of one query share user and history."""
    target: npt.NDArray[np.int32]
    """The right item, ``[C]``; below 0 if the catalogue does not hold it, so that no model can find it."""
    histories: list[npt.NDArray[np.int32]]
    """Per row the user's items strictly before, oldest first."""
    times: list[npt.NDArray[np.int64]] | None
    """Times of these items, microseconds; None if only the order is known."""

    def __len__(self) -> int:
        return len(self.target)

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """First row of each query, ``[Q]``."""
        return np.unique(self.query, return_index=True)[1].astype(np.int64)

    def take(self, chosen: npt.NDArray[np.int64]) -> "Cases":
        """Some of the rows."""
        return Cases(
            self.user[chosen],
            self.query[chosen],
            self.target[chosen],
            [self.histories[i] for i in chosen],
            None if self.times is None else [self.times[i] for i in chosen],
        )

    def sample(self, n: int) -> "Cases":
        """The rows of at most ``n`` evenly spread queries, for quick tuning."""
        queries = np.unique(self.query)
        chosen = queries[np.linspace(0, len(queries) - 1, min(n, len(queries)), dtype=np.int64)]
        return self.take(np.flatnonzero(np.isin(self.query, chosen)))

    def translated(self, mapping: npt.NDArray[np.int32]) -> "Cases":
        """The same queries in another catalogue's indices; ``mapping[i]`` is item i's other index, or -1."""
        mapped = [mapping[history] for history in self.histories]
        histories = [items[items >= 0] for items in mapped]
        times = None
        if self.times is not None:
            times = [moments[items >= 0] for items, moments in zip(mapped, self.times, strict=True)]
        target = np.where(self.target >= 0, mapping[np.maximum(self.target, 0)], -1).astype(np.int32)
        return Cases(self.user, self.query, target, histories, times)


def next_event_cases(events: Interactions, start: int, end: int | None = None, known_by: int = 0) -> Cases:
    """One query for every event from ``start`` up to ``end``, with its user's history.

    An event whose item the user has already seen is skipped, since seen items are not recommended again. A history holds only
    events that had arrived by the day of the query; the time of arrival within a day is not recorded.

    Args:
        events: all interactions, including those before ``start``.
        start: first moment, microseconds since 1970.
        end: first moment after the queries, microseconds; None for no limit.
        known_by: events that arrived on days starting before this (microseconds) are known to every query.

    >>> times, day = np.array([1, 2, 3, 4]), np.zeros(4, np.int64)
    >>> events = Interactions(1, 3, np.zeros(4, np.int32), np.array([0, 2, 0, 1]), times, day)
    >>> cases = next_event_cases(events, start=2)
    >>> cases.target.tolist(), [history.tolist() for history in cases.histories]
    ([2, 1], [[0], [0, 2, 0]])
    """
    found = _Queries()
    for u, (first, last) in enumerate(zip(events.starts[:-1], events.starts[1:], strict=True)):
        items, moments = events.item_index[first:last], events.time[first:last]
        begin = int(np.searchsorted(moments, start))
        stop = len(items) if end is None else int(np.searchsorted(moments, end))
        if begin == stop:
            continue
        past = _Past(items, moments, events.arrived[first:last])
        met = set(items[:begin].tolist())
        for position in range(begin, stop):
            item, moment = int(items[position]), int(moments[position])
            if item not in met:
                found.ask(u, [item], *past.before(moment, max(moment // DAY_US * DAY_US, known_by - DAY_US)))
            met.add(item)
    return found.cases(events.timed)


def window_cases(events: Interactions, start: int, end: int | None = None, known_by: int = 0) -> Cases:
    """One query per user: which new items came from ``start`` up to ``end``?

    This tests a list that is made once for a whole window, from the events that had arrived by then. Users without a new item
    in the window have no query.

    Args:
        events: all interactions, including those before ``start``.
        start: begin of the window, microseconds since 1970.
        end: first moment after the window, microseconds; None for no limit.
        known_by: as for :func:`next_event_cases`.

    >>> day = np.array([0, 1, 1, 1], dtype=np.int64) * DAY_US
    >>> events = Interactions(1, 3, np.zeros(4, np.int32), np.array([0, 2, 0, 1]), day, day)
    >>> cases = window_cases(events, start=DAY_US)
    >>> cases.query.tolist(), cases.target.tolist(), cases.histories[0].tolist()
    ([0, 0], [2, 1], [0])
    """
    found = _Queries()
    for u, (first, last) in enumerate(zip(events.starts[:-1], events.starts[1:], strict=True)):
        items, moments = events.item_index[first:last], events.time[first:last]
        begin = int(np.searchsorted(moments, start))
        stop = len(items) if end is None else int(np.searchsorted(moments, end))
        met = set(items[:begin].tolist())
        new = [item for item in dict.fromkeys(items[begin:stop].tolist()) if item not in met]
        if new:
            past = _Past(items, moments, events.arrived[first:last])
            found.ask(u, new, *past.before(start, max(start, known_by) - DAY_US))
    return found.cases(events.timed)


class _Past:
    """One user's events with items that the catalogue holds."""

    def __init__(self, items: npt.NDArray[np.int32], times: npt.NDArray[np.int64], arrived: npt.NDArray[np.int64]) -> None:
        known = items >= 0
        self.items, self.times, self.arrived = (
            (items, times, arrived) if known.all() else (items[known], times[known], arrived[known])
        )

    def before(self, moment: int, arrival_day: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Items and times before a moment that had arrived by the end of a day; views if no event was late.

        Args:
            moment: microseconds since 1970.
            arrival_day: start of the last day of arrival that counts, microseconds.
        """
        stop = int(np.searchsorted(self.times, moment))
        items, times, in_time = self.items[:stop], self.times[:stop], self.arrived[:stop] <= arrival_day
        return (items, times) if in_time.all() else (items[in_time], times[in_time])


class _Queries:
    """Collects queries into cases."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []
        self.histories: list[npt.NDArray[np.int32]] = []
        self.times: list[npt.NDArray[np.int64]] = []
        self.asked = 0

    def ask(self, user: int, targets: list[int], items: npt.NDArray[np.int32], times: npt.NDArray[np.int64]) -> None:
        """Add one query.

        Args:
            user: index of the user.
            targets: the right items.
            items: the user's history, oldest first.
            times: of the history, microseconds.
        """
        for target in targets:
            self.rows.append((user, self.asked, target))
            self.histories.append(items)
            self.times.append(times)
        self.asked += 1

    def cases(self, timed: bool) -> Cases:
        user, query, target = np.array(self.rows, dtype=np.int64).reshape(-1, 3).T
        return Cases(user, query, target.astype(np.int32), self.histories, self.times if timed else None)


def in_vocabulary(item_ids: list[str], catalog: Catalog, cases: Cases) -> tuple[Catalog, Cases]:
    """The catalogue and the queries in the indices of a model that was fitted on other items.

    Items that the model does not know are dropped from histories, and get the target -1.

    Args:
        item_ids: the model's items in index order.
        catalog: the catalogue that ``cases`` refers to.
        cases: queries to translate.
    """
    known = [catalog.index.get(item) for item in item_ids]
    other = Catalog(
        item_ids,
        ["" if i is None else catalog.titles[i] for i in known],
        [[] if i is None else catalog.categories[i] for i in known],
        ["" if i is None else catalog.texts[i] for i in known],
    )
    mapping = np.array([other.index.get(item, -1) for item in catalog.item_ids], dtype=np.int32)
    return other, cases.translated(mapping)
