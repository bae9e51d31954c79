"""Events of a day's users up to that day: read from the lake, and as arrays by user."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.data.interactions import interactions_of, microseconds
from ml.reasons.sentences import History
from schemas.contract import load_contract
from schemas.lake.lake import Lake

EVENT_COLUMNS = ["user_id", "event_time", "event_id", "event_type", "item_id", "value"]
EVENT_SCHEMA = pa.schema([load_contract("session_events").arrow_schema.field(name) for name in EVENT_COLUMNS])


@dataclass(frozen=True)
class UserHistories:
    """N events of U users, grouped by user, oldest first."""

    starts: npt.NDArray[np.int64]
    """Where each user's events begin, ``[U + 1]``."""
    items: npt.NDArray[np.int32]
    """Index of the item in the model, -1 if the model does not know it, ``[N]``."""
    times: npt.NDArray[np.int64]
    """Microseconds since 1970 UTC, ``[N]``."""
    event_types: npt.NDArray[np.object_]
    """Event types, ``[N]``."""
    values: npt.NDArray[np.float64]
    """Such as the rating; NaN without a value, ``[N]``."""

    def of(self, user: int) -> tuple[History, npt.NDArray[np.int64]]:
        """A user's events with items that the model knows, and the times of these events."""
        own = slice(int(self.starts[user]), int(self.starts[user + 1]))
        known = self.items[own] >= 0
        history = History(self.items[own][known], list(self.event_types[own][known]), self.values[own][known])
        return history, self.times[own][known]


def known_events(lake: Lake, served_on: date, snapshot: int) -> Iterator[pa.RecordBatch]:
    """Interactions that happened and arrived before a day, in ``EVENT_COLUMNS``; see :func:`interactions_of`.

    Args:
        lake: holds ``session_events``.
        served_on: the day.
        snapshot: id of the snapshot to read.
    """
    where = f"arrived_on < '{served_on}'"
    columns = [*EVENT_COLUMNS, "arrived_on"]
    for batch in lake.batches("session_events", where=where, snapshot=snapshot, columns=columns):
        before = pc.less(batch["event_time"].cast("int64"), microseconds(served_on))
        yield interactions_of(batch.filter(before)).select(EVENT_COLUMNS)


def behaviour(events: pa.Table, users: Sequence[Any] | pa.Array, item_ids: Sequence[str]) -> UserHistories:
    """Events as arrays by user, without events of other users.

    Args:
        events: in ``EVENT_COLUMNS``.
        users: their ids, sorted.
        item_ids: of the model, in its order.
    """
    user = pc.index_in(events["user_id"], pa.array(users, pa.string()))
    events = events.append_column("user", user).filter(pc.is_valid(user))
    events = events.sort_by([("user", "ascending"), ("event_time", "ascending"), ("event_id", "ascending")])
    items = pc.fill_null(pc.index_in(events["item_id"], pa.array(item_ids, pa.string())), -1)
    by_user = events["user"].to_numpy().astype(np.int64)
    return UserHistories(
        starts=np.searchsorted(by_user, np.arange(len(users) + 1)).astype(np.int64),
        items=items.to_numpy().astype(np.int32),
        times=events["event_time"].cast("int64").to_numpy(),
        event_types=events["event_type"].to_numpy(zero_copy_only=False),
        values=pc.fill_null(events["value"], float("nan")).to_numpy(),
    )
