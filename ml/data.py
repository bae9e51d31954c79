"""What the models see: interactions and a catalogue as arrays, split by global time, as of a moment.

Times are microseconds since 1970 UTC. N interactions, U users, I items, C cases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

IGNORED_EVENTS = ("impression", "search")
"""Event types that say what was shown or typed, not what was liked."""


@dataclass(frozen=True)
class Interactions:
    """Who met which item when; sorted by (user, time, event id)."""

    users: npt.NDArray[np.str_]
    """User ids, ``[U]``."""
    items: npt.NDArray[np.str_]
    """Item ids, ``[I]``: the catalogue's, in its order."""
    user_index: npt.NDArray[np.int32]
    """``[N]``."""
    item_index: npt.NDArray[np.int32]
    """``[N]``; -1 is an item that the catalogue does not hold."""
    time: npt.NDArray[np.int64]
    """``[N]``, microseconds."""
    value: npt.NDArray[np.float64]
    """``[N]``, NaN where the event has none."""

    def __len__(self) -> int:
        return len(self.item_index)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each user's rows begin, ``[U + 1]``."""
        return np.searchsorted(self.user_index, np.arange(len(self.users) + 1)).astype(np.int64)

    def histories(self) -> list[npt.NDArray[np.int32]]:
        """Each user's item indices, oldest first: U arrays."""
        return [self.item_index[a:b] for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]

    def times(self) -> list[npt.NDArray[np.int64]]:
        """Each user's times, oldest first: U arrays."""
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
    def text_embeddings(self) -> npt.NDArray[np.float32]:
        """Sentence embeddings, L2-normalised: ``[I, E]``. What is encoded is the text, or title and categories without one."""
        from ml.text import encode

        rows = zip(self.titles, self.categories, self.texts, strict=True)
        return encode([text or ". ".join([title, ", ".join(categories)]) for title, categories, text in rows])

    @cached_property
    def category_matrix(self) -> npt.NDArray[np.float32]:
        """Which item is in which category, 0 or 1: ``[I, categories]``."""
        names = sorted({name for row in self.categories for name in row})
        column = {name: j for j, name in enumerate(names)}
        matrix = np.zeros((len(self), len(names)), dtype=np.float32)
        for i, row in enumerate(self.categories):
            matrix[i, [column[name] for name in row]] = 1.0
        return matrix


@dataclass(frozen=True)
class Cases:
    """Next-event questions: given what a user had met before, which item came next?"""

    user: npt.NDArray[np.int64]
    """Which user asks, ``[C]``; only equality means anything."""
    target: npt.NDArray[np.int32]
    """The item that came, ``[C]``; -1 is one that the catalogue does not hold, which no model can find."""
    histories: list[npt.NDArray[np.int32]]
    """The user's items strictly before, oldest first."""
    times: list[npt.NDArray[np.int64]]
    """The times of those, microseconds."""

    def __len__(self) -> int:
        return len(self.target)

    def sample(self, n: int) -> "Cases":
        """At most ``n`` of the cases, evenly spread: what is tuned on them is tuned quickly."""
        chosen = np.linspace(0, len(self) - 1, min(n, len(self)), dtype=np.int64)
        return Cases(
            self.user[chosen],
            self.target[chosen],
            [self.histories[i] for i in chosen],
            [self.times[i] for i in chosen],
        )

    def translated(self, mapping: npt.NDArray[np.int32]) -> "Cases":
        """The same questions in another catalogue's indices; ``mapping[i]`` is the other index, -1 for none."""
        histories, times = [], []
        for history, time in zip(self.histories, self.times, strict=True):
            mapped = mapping[history]
            histories.append(mapped[mapped >= 0])
            times.append(time[mapped >= 0])
        target = np.where(self.target >= 0, mapping[self.target], -1).astype(np.int32)
        return Cases(self.user, target, histories, times)


@dataclass(frozen=True)
class Split:
    """Data for one training: ``fit`` then ``validation`` to decide, ``refit`` then ``test`` to report."""

    catalog: Catalog
    fit: Interactions
    """Events before the validation window."""
    validation: Cases
    refit: Interactions
    """Events before ``train_until``."""
    test: Cases


def microseconds(day: date) -> int:
    """The start of a UTC day, microseconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def interactions(events: pd.DataFrame, catalog: Catalog) -> Interactions:
    """Arrays of a frame of events.

    Args:
        events: ``user_id``, ``event_id``, ``event_time`` (int64 microseconds), ``item_id``, ``value``.
    """
    events = events.sort_values(["user_id", "event_time", "event_id"], kind="stable")
    users, user_index = np.unique(events["user_id"].to_numpy(dtype=str), return_inverse=True)
    return Interactions(
        users=users,
        items=np.array(catalog.item_ids, dtype=str),
        user_index=user_index.astype(np.int32),
        item_index=np.array([catalog.index.get(item, -1) for item in events["item_id"]], dtype=np.int32),
        time=events["event_time"].to_numpy(dtype=np.int64),
        value=events["value"].to_numpy(dtype=np.float64),
    )


def known_before(events: pd.DataFrame, moment: date, arrived_before: date) -> pd.DataFrame:
    """The events that happened before ``moment`` and had arrived before ``arrived_before`` (both 00:00 UTC)."""
    return events[(events["event_time"] < microseconds(moment)) & (events["arrived_on"] < arrived_before)]


def cases_from(events: Interactions, start: int, end: int | None = None) -> Cases:
    """Every event from ``start`` up to ``end`` (microseconds) as a question, with what its user met strictly before it.

    An event whose item its user already met is no question: what was met is not recommended again.
    """
    user: list[int] = []
    target: list[int] = []
    histories, times = [], []
    for u, (first, last) in enumerate(zip(events.starts[:-1], events.starts[1:], strict=True)):
        items, moments = events.item_index[first:last], events.time[first:last]
        known = items >= 0
        begin = int(np.searchsorted(moments, start))
        stop = len(items) if end is None else int(np.searchsorted(moments, end))
        met = set(items[:begin].tolist())
        for position in range(begin, stop):
            item = int(items[position])
            if item < 0 or item not in met:
                user.append(u)
                target.append(item)
                before = int(np.searchsorted(moments, moments[position]))  # what comes at the same moment is not known yet
                histories.append(items[:before][known[:before]])
                times.append(moments[:before][known[:before]])
            met.add(item)
    return Cases(np.array(user, dtype=np.int64), np.array(target, dtype=np.int32), histories, times)


def catalog_from(items: pd.DataFrame, events: pd.DataFrame) -> Catalog:
    """The catalogue of the rows of ``items`` and of whatever item ``events`` mention beside, sorted by item id.

    Args:
        items: ``item_id``, ``title``, ``categories``, ``text``; one row an item.
        events: ``item_id``.
    """
    rows: dict[str, tuple[str, list[str], str]] = {
        item: (title or "", list(categories) if categories is not None else [], text or "")
        for item, title, categories, text in zip(
            items["item_id"], items["title"], items["categories"], items["text"], strict=True
        )
    }
    for item in events["item_id"].unique():
        rows.setdefault(item, ("", [], ""))
    ids = sorted(rows)
    return Catalog(ids, [rows[i][0] for i in ids], [rows[i][1] for i in ids], [rows[i][2] for i in ids])


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


def split(events: pd.DataFrame, items: pd.DataFrame, train_until: date, valid_days: int) -> Split:
    """Cut by global time: nothing that happened or arrived at or after ``train_until`` reaches a fit.

    Args:
        events: ``user_id``, ``event_id``, ``event_time`` (int64 microseconds), ``item_id``, ``value``, ``arrived_on``.
        items: the catalogue as known before ``train_until``.
    """
    valid_from = train_until - timedelta(days=valid_days)
    before = known_before(events, train_until, train_until)
    catalog = catalog_from(items, before)
    refit = interactions(before, catalog)
    return Split(
        catalog=catalog,
        fit=interactions(known_before(events, valid_from, train_until), catalog),
        validation=cases_from(refit, microseconds(valid_from)),
        refit=refit,
        test=cases_from(interactions(events, catalog), microseconds(train_until)),
    )


def read_split(lake: Any, pinned: dict[str, Any]) -> Split:
    """The split of a pinned training.

    Args:
        lake: what ``schemas.lake.open_lake`` returns.
        pinned: what ``ml.pin`` wrote: ``snapshots``, ``train_until``, ``valid_days``, ``items_as_of``.
    """
    events = read_events(lake, pinned["snapshots"]["session_events"])
    items = (
        lake.arrow(
            "items",
            where=f"as_of = '{pinned['items_as_of']}'",
            snapshot=pinned["snapshots"]["items"],
            columns=["item_id", "title", "categories", "text"],
        ).to_pandas()
        if pinned["items_as_of"]
        else pd.DataFrame({"item_id": [], "title": [], "categories": [], "text": []})
    )
    return split(events, items, date.fromisoformat(pinned["train_until"]), pinned["valid_days"])


def read_events(lake: Any, snapshot: int | None) -> pd.DataFrame:
    """The interactions in ``session_events``: one row an event that names an item and is more than a display."""
    columns = ["user_id", "event_id", "event_time", "event_type", "item_id", "value", "arrived_on"]
    table = lake.arrow("session_events", snapshot=snapshot, columns=columns)
    frame: pd.DataFrame = table.set_column(
        table.schema.get_field_index("event_time"), "event_time", table["event_time"].cast("int64")
    ).to_pandas()
    kept = frame["item_id"].notna() & ~frame["event_type"].isin(IGNORED_EVENTS)
    return frame[kept].drop(columns="event_type").reset_index(drop=True)


def padded(rows: Sequence[npt.NDArray[Any]], width: int, fill: int) -> npt.NDArray[np.int64]:
    """The last ``width`` values of each row, filled up on the right: ``[len(rows), width]``."""
    out = np.full((len(rows), width), fill, dtype=np.int64)
    for i, row in enumerate(rows):
        tail = row[-width:]
        out[i, : len(tail)] = tail
    return out
