"""What the models see: interactions, a catalogue and questions, as arrays.

Times are microseconds since 1970 UTC. N interactions, U users, I items, C cases.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

DAY_US = 24 * 3_600_000_000
ROWS_AT_ONCE = 1_000_000
"""Of a log that may be larger than memory."""
ITEM_FIELDS = pa.schema(
    [("item_id", pa.string()), ("title", pa.string()), ("categories", pa.list_(pa.string())), ("text", pa.string())]
)
"""What a catalogue is made from."""
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


@dataclass(frozen=True)
class Catalog:
    """The items that a model can recommend; an index into these lists is an item's index everywhere."""

    item_ids: list[str]
    titles: list[str]
    categories: list[list[str]]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def index(self) -> dict[str, int]:
        return {item: i for i, item in enumerate(self.item_ids)}

    @cached_property
    def described(self) -> bool:
        """Whether anything is known of the items beside their ids."""
        return any(self.titles) or any(self.categories) or any(self.texts)

    @cached_property
    def text_embeddings(self) -> npt.NDArray[np.float32]:
        """Sentence embeddings, L2-normalised: ``[I, E]``. What is encoded is the text, or title and categories without one.

        A catalogue without any words has embeddings of zero, ``[I, 1]``.
        """
        if not self.described:
            return np.zeros((len(self), 1), dtype=np.float32)
        from ml.text.encoder import encode

        rows = zip(self.titles, self.categories, self.texts, strict=True)
        return encode([text or ". ".join([title, ", ".join(categories)]) for title, categories, text in rows])

    @cached_property
    def category_names(self) -> list[str]:
        return sorted({name for row in self.categories for name in row})

    @cached_property
    def category_matrix(self) -> npt.NDArray[np.float32]:
        """Which item is in which category, 0 or 1: ``[I, categories]``, in the order of their names."""
        column = {name: j for j, name in enumerate(self.category_names)}
        matrix = np.zeros((len(self), len(column)), dtype=np.float32)
        for i, row in enumerate(self.categories):
            matrix[i, [column[name] for name in row]] = 1.0
        return matrix


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


def spans(n: int) -> Iterator[slice]:
    """Rows from 0 to ``n``, some at a time."""
    return (slice(first, min(first + ROWS_AT_ONCE, n)) for first in range(0, n, ROWS_AT_ONCE))


def microseconds(day: date) -> int:
    """The start of a UTC day, microseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def day_of(moment: int) -> date:
    """The UTC day of a moment, microseconds since 1970."""
    return datetime.fromtimestamp(moment / 1e6, UTC).date()


def catalog_from(items: pa.Table, met: Iterable[str]) -> Catalog:
    """The catalogue of the rows of ``items`` and of whatever other item was met, sorted by item id.

    Args:
        items: ``item_id``, ``title``, ``categories``, ``text``; one row an item.
        met: ids of items.
    """
    rows: dict[str, tuple[str, list[str], str]] = {
        row["item_id"]: (row["title"] or "", row["categories"] or [], row["text"] or "") for row in items.to_pylist()
    }
    for item in met:
        rows.setdefault(item, ("", [], ""))
    ids = sorted(rows)
    return Catalog(ids, [rows[i][0] for i in ids], [rows[i][1] for i in ids], [rows[i][2] for i in ids])
