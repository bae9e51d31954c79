"""Interactions of users with items, as arrays.

Times are microseconds since 1970 UTC. N interactions, U users, I items.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

DAY_US = 24 * 3_600_000_000
ROWS_AT_ONCE = 1_000_000
"""Rows to process at a time, since a log may be larger than memory."""
IGNORED_EVENTS = ("impression", "search")
"""Event types that show no preference: an item was displayed, a query was typed."""


def interactions_of(events: pa.RecordBatch) -> pa.RecordBatch:
    """The events that count as interactions, in training and in serving: with an item, except ``IGNORED_EVENTS``.

    Args:
        events: with the columns ``event_type`` and ``item_id``.

    >>> events = {"event_type": ["view", "impression", "search", "like"], "item_id": ["a", "b", None, "c"]}
    >>> interactions_of(pa.RecordBatch.from_pydict(events))["item_id"].to_pylist()
    ['a', 'c']
    """
    ignored = pc.is_in(events["event_type"], pa.array(IGNORED_EVENTS))
    return events.filter(pc.and_(pc.is_valid(events["item_id"]), pc.invert(ignored)))


@dataclass(frozen=True)
class Interactions:
    """Which user interacted with which item at which time; sorted by (user, time, event id).

    >>> log = Interactions(2, 3, np.array([0, 0, 1]), np.array([2, 0, -1]), np.array([5, 8, 6]), np.zeros(3))
    >>> log.starts.tolist(), log.item_counts.tolist()
    ([0, 2, 3], [1, 0, 1])
    >>> [history.tolist() for history in log.histories()]
    [[2, 0], [-1]]
    """

    n_users: int
    n_items: int
    """Items in the catalogue."""
    user_index: npt.NDArray[np.int32]
    """``[N]``, ascending."""
    item_index: npt.NDArray[np.int32]
    """``[N]``; each item outside the catalogue has its own number below 0."""
    time: npt.NDArray[np.int64]
    """``[N]``, microseconds; if ``timed`` is false, only the order counts."""
    arrived: npt.NDArray[np.int64]
    """``[N]``, start of the day of arrival, microseconds."""
    timed: bool = True

    COLUMNS: ClassVar[dict[str, Any]] = {
        "user_index": np.int32,
        "item_index": np.int32,
        "time": np.int64,
        "arrived": np.int64,
    }
    """The arrays with one value per interaction, and their types."""

    def __len__(self) -> int:
        return len(self.item_index)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """First row of each user, and N: ``[U + 1]``."""
        return np.searchsorted(self.user_index, np.arange(self.n_users + 1)).astype(np.int64)

    @cached_property
    def item_counts(self) -> npt.NDArray[np.int64]:
        """Number of interactions with each item of the catalogue, ``[I]``."""
        counts = np.zeros(self.n_items, dtype=np.int64)
        for rows in spans(len(self)):
            items = self.item_index[rows]
            counts += np.bincount(items[items >= 0], minlength=self.n_items)
        return counts

    def histories(self) -> list[npt.NDArray[np.int32]]:
        """Each user's item indices, oldest first: U arrays."""
        return [self.item_index[a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]

    def times(self) -> list[npt.NDArray[np.int64]] | None:
        """Each user's times, oldest first: U arrays; None if only the order is known."""
        if not self.timed:
            return None
        return [self.time[a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]


def spans(n: int) -> Iterator[slice]:
    """Slices that cover the rows from 0 to ``n``.

    >>> list(spans(1_500_000))
    [slice(0, 1000000, None), slice(1000000, 1500000, None)]
    """
    return (slice(first, min(first + ROWS_AT_ONCE, n)) for first in range(0, n, ROWS_AT_ONCE))


def microseconds(day: date) -> int:
    """The start of a UTC day, in microseconds since 1970.

    >>> microseconds(date(1970, 1, 2))
    86400000000
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def day_of(moment: int) -> date:
    """The UTC day of a moment in microseconds since 1970.

    >>> day_of(86_400_000_000)
    datetime.date(1970, 1, 2)
    """
    return datetime.fromtimestamp(moment / 1e6, UTC).date()
