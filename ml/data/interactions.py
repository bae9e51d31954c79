"""What the models see: interactions, a catalogue and questions, as arrays.

Times are microseconds since 1970 UTC. N interactions, U users, I items, C cases.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

DAY_US = 24 * 3_600_000_000
ROWS_AT_ONCE = 1_000_000
"""Of a log that may be larger than memory."""
IGNORED_EVENTS = ("impression", "search")
"""Event types that say what was shown or typed, not what was liked."""


@dataclass(frozen=True)
class Interactions:
    """Who met which item when; sorted by (user, time, event id)."""

    n_users: int
    n_items: int
    """Of the catalogue."""
    user_index: npt.NDArray[np.int32]
    """``[N]``, ascending."""
    item_index: npt.NDArray[np.int32]
    """``[N]``; below 0 is an item that the catalogue does not hold, a number of its own for each."""
    time: npt.NDArray[np.int64]
    """``[N]``, microseconds; where ``timed`` is false, just an order."""
    arrived: npt.NDArray[np.int64]
    """``[N]``, the start of the day on which the event arrived, microseconds."""
    timed: bool = True

    COLUMNS: ClassVar[dict[str, Any]] = {
        "user_index": np.int32,
        "item_index": np.int32,
        "time": np.int64,
        "arrived": np.int64,
    }
    """What has a value for every interaction, with its type."""

    def __len__(self) -> int:
        return len(self.item_index)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each user's rows begin, ``[U + 1]``."""
        return np.searchsorted(self.user_index, np.arange(self.n_users + 1)).astype(np.int64)

    @cached_property
    def met(self) -> npt.NDArray[np.int64]:
        """How often each item of the catalogue was met, ``[I]``."""
        counts = np.zeros(self.n_items, dtype=np.int64)
        for rows in spans(len(self)):
            items = self.item_index[rows]
            counts += np.bincount(items[items >= 0], minlength=self.n_items)
        return counts

    def histories(self) -> list[npt.NDArray[np.int32]]:
        """Each user's item indices, oldest first: U arrays."""
        return [self.item_index[a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]

    def times(self) -> list[npt.NDArray[np.int64]] | None:
        """Each user's times, oldest first: U arrays; None where only the order is known."""
        if not self.timed:
            return None
        return [self.time[a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]


def spans(n: int) -> Iterator[slice]:
    """Rows from 0 to ``n``, some at a time."""
    return (slice(first, min(first + ROWS_AT_ONCE, n)) for first in range(0, n, ROWS_AT_ONCE))


def microseconds(day: date) -> int:
    """The start of a UTC day, microseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def day_of(moment: int) -> date:
    """The UTC day of a moment, microseconds since 1970."""
    return datetime.fromtimestamp(moment / 1e6, UTC).date()
