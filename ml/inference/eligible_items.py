"""The eligible items of a day and their statistics, the same for every user."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.data.interactions import microseconds
from ml.data.public_items import met_by_enough
from ml.reasons.sentences import RECENT_DAYS, Titles


@dataclass(frozen=True)
class EligibleItems:
    """The model's I items on a day."""

    item_ids: Sequence[str]
    titles: Titles
    offered: npt.NDArray[np.bool_]
    """Whether the catalogue holds the item, or without a catalogue enough people have met it, ``[I]``; other items are neither
    recommended nor named."""
    highest_rating: float
    """The highest rating that any user gave; 0 without ratings."""
    recent_of: Mapping[str, npt.NDArray[np.int64]]
    """By segment: number of people who interacted with each item in the last 30 days, ``[I]``."""


class Tally:
    """Statistics of all events, accumulated part by part; all events of a user are in one part."""

    def __init__(self, item_ids: Sequence[str], served_on: date, count_people: bool = False) -> None:
        """
        Args:
            item_ids: of the model, in its order.
            served_on: the day.
            count_people: whether to count the people who ever met each item.
        """
        self.people = np.zeros(len(item_ids), dtype=np.int64) if count_people else None
        self.item_ids = pa.array(item_ids, pa.string())
        self.since = microseconds(served_on - timedelta(days=RECENT_DAYS))
        self.recent = np.zeros(len(item_ids), dtype=np.int64)
        self.recent_of: dict[str, npt.NDArray[np.int64]] = {}
        self.highest_rating = 0.0

    def add(self, events: pa.Table, users: pa.Table) -> None:
        """Count the people who interacted with each item in the last 30 days, and update the highest rating.

        Args:
            events: of some users.
            users: ``user_id`` and ``segment`` of these users.
        """
        if self.people is not None:
            everybody = events.group_by(["user_id", "item_id"]).aggregate([])
            self.people += self._counted(self._index(everybody["item_id"]))
        late = events.filter(pc.greater_equal(events["event_time"].cast("int64"), self.since))
        people = late.group_by(["user_id", "item_id"]).aggregate([])
        index = self._index(people["item_id"])
        self.recent += self._counted(index)
        segment = users["segment"].take(pc.index_in(people["user_id"], users["user_id"]))
        for name in pc.unique(segment).drop_null().to_pylist():
            of_segment = pc.fill_null(pc.equal(segment, name), False).to_numpy()
            self.recent_of[name] = self.recent_of.get(name, 0) + self._counted(index[of_segment])
        rating = pc.max(events["value"].filter(pc.equal(events["event_type"], "rating"))).as_py()
        self.highest_rating = max(self.highest_rating, rating or 0.0)

    def _index(self, items: pa.ChunkedArray) -> npt.NDArray[np.integer[Any]]:
        return np.asarray(pc.fill_null(pc.index_in(items, self.item_ids), -1).to_numpy())

    def _counted(self, index: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        return np.bincount(index[index >= 0], minlength=len(self.recent)).astype(np.int64)


def offer_of(
    catalogue: pa.Table | None, parts: Iterable[tuple[pa.Table, pa.Table]], item_ids: Sequence[str], served_on: date
) -> EligibleItems:
    """The eligible items of a day.

    Args:
        catalogue: ``item_id``, ``title``, ``categories``; None: items that enough people met, with their ids as titles.
        parts: all known events, and their users with segments; each user is in one part.
        item_ids: of the model, in its order.
        served_on: the day.
    """
    tally = Tally(item_ids, served_on, count_people=catalogue is None)
    for events, users in parts:
        tally.add(events, users)
    if tally.people is not None:
        public = [item_ids[index] for index in np.flatnonzero(met_by_enough(tally.people)).tolist()]
        catalogue = pa.table({"item_id": public, "title": public, "categories": pa.nulls(len(public))})
    assert catalogue is not None
    place = {item: index for index, item in enumerate(item_ids)}
    titles, categories = [""] * len(item_ids), [[""][:0] for _ in item_ids]
    offered = np.zeros(len(item_ids), dtype=bool)
    for row in catalogue.to_pylist():
        index = place.get(row["item_id"])
        if index is not None:
            titles[index], categories[index], offered[index] = row["title"], list(row["categories"] or ()), True
    return EligibleItems(item_ids, Titles(titles, categories, tally.recent), offered, tally.highest_rating, tally.recent_of)
