"""Questions for an evaluation, made from interactions: what came next, or what came in a window?"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ml.data.catalog import Catalog
from ml.data.interactions import DAY_US, Interactions


@dataclass(frozen=True)
class Cases:
    """Questions with their answers: given what a user had met before, which items came?

    One row is one right item. A question has one of them (which item comes next?) or several (which come in a window?).
    """

    user: npt.NDArray[np.int64]
    """Which user asks, ``[C]``; only equality means anything."""
    question: npt.NDArray[np.int64]
    """Which question a row answers, ``[C]``, ascending; rows of one question share user and history."""
    target: npt.NDArray[np.int32]
    """The item that came, ``[C]``; below 0 is one that the catalogue does not hold, which no model can find."""
    histories: list[npt.NDArray[np.int32]]
    """The user's items strictly before, oldest first."""
    times: list[npt.NDArray[np.int64]] | None
    """The times of those, microseconds; None where only the order is known."""

    def __len__(self) -> int:
        return len(self.target)

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """Where the rows of each question begin, ``[Q]``."""
        return np.unique(self.question, return_index=True)[1].astype(np.int64)

    def take(self, chosen: npt.NDArray[np.int64]) -> "Cases":
        """Some of the rows."""
        return Cases(
            self.user[chosen],
            self.question[chosen],
            self.target[chosen],
            [self.histories[i] for i in chosen],
            None if self.times is None else [self.times[i] for i in chosen],
        )

    def sample(self, n: int) -> "Cases":
        """The rows of at most ``n`` of the questions, evenly spread: what is tuned on them is tuned quickly."""
        questions = np.unique(self.question)
        chosen = questions[np.linspace(0, len(questions) - 1, min(n, len(questions)), dtype=np.int64)]
        return self.take(np.flatnonzero(np.isin(self.question, chosen)))

    def translated(self, mapping: npt.NDArray[np.int32]) -> "Cases":
        """The same questions in another catalogue's indices; ``mapping[i]`` is the other index, -1 for none."""
        mapped = [mapping[history] for history in self.histories]
        histories = [items[items >= 0] for items in mapped]
        times = None
        if self.times is not None:
            times = [moments[items >= 0] for items, moments in zip(mapped, self.times, strict=True)]
        target = np.where(self.target >= 0, mapping[np.maximum(self.target, 0)], -1).astype(np.int32)
        return Cases(self.user, self.question, target, histories, times)


def next_event_cases(events: Interactions, start: int, end: int | None = None, known_by: int = 0) -> Cases:
    """Every event from ``start`` up to ``end`` (microseconds) as a question of its own, with what its user met before it.

    An event whose item its user already met is no question: what was met is not recommended again. What had not arrived on the
    day of the question was not known then, and is not in the history; when on a day something arrived is not recorded.

    Args:
        known_by: what arrived on a day that starts before this (microseconds) counts as known to every question.
    """
    found = _Questions()
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
    """One question a user: which new items came from ``start`` up to ``end`` (microseconds), after what had arrived by then?

    That is what a list that is made once for a whole window is asked. Users who met nothing new in it have no question.

    Args:
        known_by: as for :func:`next_event_cases`.
    """
    found = _Questions()
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
    """What one user did with items that the catalogue holds."""

    def __init__(self, items: npt.NDArray[np.int32], times: npt.NDArray[np.int64], arrived: npt.NDArray[np.int64]) -> None:
        known = items >= 0
        self.items, self.times, self.arrived = (
            (items, times, arrived) if known.all() else (items[known], times[known], arrived[known])
        )

    def before(self, moment: int, arrival_day: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Items and times before a moment that had arrived by the end of a day: views where nothing came late."""
        stop = int(np.searchsorted(self.times, moment))
        items, times, in_time = self.items[:stop], self.times[:stop], self.arrived[:stop] <= arrival_day
        return (items, times) if in_time.all() else (items[in_time], times[in_time])


class _Questions:
    """Cases in the making."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []
        self.histories: list[npt.NDArray[np.int32]] = []
        self.times: list[npt.NDArray[np.int64]] = []
        self.asked = 0

    def ask(self, user: int, targets: list[int], items: npt.NDArray[np.int32], times: npt.NDArray[np.int64]) -> None:
        for target in targets:
            self.rows.append((user, self.asked, target))
            self.histories.append(items)
            self.times.append(times)
        self.asked += 1

    def cases(self, timed: bool) -> Cases:
        user, question, target = np.array(self.rows, dtype=np.int64).reshape(-1, 3).T
        return Cases(user, question, target.astype(np.int32), self.histories, self.times if timed else None)


def in_vocabulary(item_ids: list[str], catalog: Catalog, cases: Cases) -> tuple[Catalog, Cases]:
    """The catalogue and the questions in the indices of a model that was fitted on other items; unknown ones fall out."""
    known = [catalog.index.get(item) for item in item_ids]
    other = Catalog(
        item_ids,
        ["" if i is None else catalog.titles[i] for i in known],
        [[] if i is None else catalog.categories[i] for i in known],
        ["" if i is None else catalog.texts[i] for i in known],
    )
    mapping = np.array([other.index.get(item, -1) for item in catalog.item_ids], dtype=np.int32)
    return other, cases.translated(mapping)
