"""What may be recommended on a day, and what is said of it: the same for every user."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.data.interactions import microseconds
from ml.reasons.sentences import RECENT_DAYS, Titles


@dataclass(frozen=True)
class Offer:
    """The model's I items on a day."""

    item_ids: Sequence[str]
    titles: Titles
    offered: npt.NDArray[np.bool_]
    """Which items the catalogue holds, ``[I]``; no other is recommended."""
    highest_rating: float
    """The highest rating that anybody gave; 0 where there is none."""
    recent_of: Mapping[str, npt.NDArray[np.int64]]
    """How many people of a segment met each item of late, ``[I]``."""


class Tally:
    """What all events together say, gathered part by part; a part holds whole users."""

    def __init__(self, item_ids: Sequence[str], served_on: date) -> None:
        self.item_ids = pa.array(item_ids, pa.string())
        self.since = microseconds(served_on - timedelta(days=RECENT_DAYS))
        self.recent = np.zeros(len(item_ids), dtype=np.int64)
        self.recent_of: dict[str, npt.NDArray[np.int64]] = {}
        self.highest_rating = 0.0

    def add(self, events: pa.Table, users: pa.Table) -> None:
        """Count the people who met each item of late, and look for a higher rating."""
        late = events.filter(pc.greater_equal(events["event_time"].cast("int64"), self.since))
        people = late.group_by(["user_id", "item_id"]).aggregate([])
        index = pc.fill_null(pc.index_in(people["item_id"], self.item_ids), -1).to_numpy()
        self.recent += self._counted(index)
        segment = users["segment"].take(pc.index_in(people["user_id"], users["user_id"]))
        for name in pc.unique(segment).drop_null().to_pylist():
            of_segment = pc.fill_null(pc.equal(segment, name), False).to_numpy()
            self.recent_of[name] = self.recent_of.get(name, 0) + self._counted(index[of_segment])
        rating = pc.max(events["value"].filter(pc.equal(events["event_type"], "rating"))).as_py()
        self.highest_rating = max(self.highest_rating, rating or 0.0)

    def _counted(self, index: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        return np.bincount(index[index >= 0], minlength=len(self.recent)).astype(np.int64)


def offer_of(
    catalogue: pa.Table | None, parts: Iterable[tuple[pa.Table, pa.Table]], item_ids: Sequence[str], served_on: date
) -> Offer:
    """The offer of a day.

    Args:
        catalogue: ``item_id``, ``title``, ``categories``; where there is none, an item is called by its id, and offered.
        parts: all known events, and the users of these with their segments; each user is in one part.
        item_ids: of the model, in its order.
        served_on: the day.
    """
    tally = Tally(item_ids, served_on)
    for events, users in parts:
        tally.add(events, users)
    if catalogue is None:
        catalogue = pa.table({"item_id": item_ids, "title": item_ids, "categories": pa.nulls(len(item_ids))})
    place = {item: index for index, item in enumerate(item_ids)}
    titles, categories = [""] * len(item_ids), [[""][:0] for _ in item_ids]
    offered = np.zeros(len(item_ids), dtype=bool)
    for row in catalogue.to_pylist():
        index = place.get(row["item_id"])
        if index is not None:
            titles[index], categories[index], offered[index] = row["title"], list(row["categories"] or ()), True
    return Offer(item_ids, Titles(titles, categories, tally.recent), offered, tally.highest_rating, tally.recent_of)
