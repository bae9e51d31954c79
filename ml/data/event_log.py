"""Interactions on disk: collected from Arrow batches, sorted in parts, read through memory maps.

Memory holds one batch, or the events of a 256th of the users, however large the log is. The files are unnamed, so they
disappear with the process, even if it is killed.

Shapes: N events.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.data.catalog import Catalog
from ml.data.interactions import Interactions, spans
from ml.data.public_items import met_by_enough
from schemas.runtime.settings import get_settings

SCATTERED_AT_ONCE = 100_000
PREFIX = 2
"""Users whose ids share this many leading characters are sorted together; pseudonyms are hexadecimal digits."""
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_time", pa.int64()),
        ("event_id", pa.string()),
        ("item_id", pa.string()),
        ("arrived_on", pa.date32()),
    ]
)
"""Columns of the input; times are microseconds since 1970 UTC."""
ORDER = ["user_id", "event_time", "event_id", "item_id"]
"""Sort order. Rows that are equal in all four columns are one event; the earliest arrival counts."""
Column = npt.NDArray[Any]
EventFilter = Callable[[Column, Column], npt.NDArray[np.bool_]]
"""Selects events by their times and days of arrival."""


@dataclass(frozen=True)
class Events:
    """Every interaction of a log, sorted by user, time and event id."""

    user: npt.NDArray[np.int32]
    """Index of the user, ``[N]``, ascending."""
    item: npt.NDArray[np.int32]
    """Index into ``item_ids``, ``[N]``."""
    time: npt.NDArray[np.int64]
    """Microseconds since 1970 UTC, ``[N]``."""
    arrived: npt.NDArray[np.int64]
    """The start of the day of arrival, microseconds, ``[N]``."""
    item_ids: list[str]
    """Ids of all items that occur, in order of first occurrence."""

    def __len__(self) -> int:
        return len(self.user)


def gather(batches: Iterable[pa.RecordBatch]) -> Events:
    """Sort and deduplicate the events of batches of ``SCHEMA``."""
    parts, n = _scattered(batches)
    user, item, time, arrived = (on_disk(n, dtype) for dtype in (np.int32, np.int32, np.int64, np.int64))
    place: dict[str, int] = {}
    rows = users = 0
    for prefix in sorted(parts):
        part = _distinct(parts.pop(prefix).read().sort_by([(column, "ascending") for column in [*ORDER, "arrived_on"]]))
        own = slice(rows, rows + len(part))
        new_user = np.concatenate([[True], _differs(part["user_id"])])
        user[own] = users - 1 + np.cumsum(new_user)
        ids = part["item_id"].combine_chunks().dictionary_encode()
        known = np.array([place.setdefault(item_id, len(place)) for item_id in ids.dictionary.to_pylist()], dtype=np.int32)
        item[own] = known[ids.indices.to_numpy()]
        time[own] = part["event_time"].to_numpy()
        arrived[own] = part["arrived_on"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
        rows, users = own.stop, users + int(new_user.sum())
    return Events(user[:rows], item[:rows], time[:rows], arrived[:rows], list(place))


class _Part:
    """Events on disk: written batch by batch, read once."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(dir=_folder())  # noqa: SIM115  # closed when it is garbage-collected
        self.writer = pa.ipc.new_stream(self.file, SCHEMA)

    def read(self) -> pa.Table:
        self.writer.close()
        self.file.seek(0)
        return pa.ipc.open_stream(self.file).read_all()


def _scattered(batches: Iterable[pa.RecordBatch]) -> tuple[dict[str, _Part], int]:
    """Events grouped by the first characters of the user id, and the number of rows."""
    parts: dict[str, _Part] = {}
    n = 0
    for batch in _larger(batches):
        n += len(batch)
        prefix = pc.utf8_slice_codeunits(batch["user_id"], 0, PREFIX)
        order = pc.sort_indices(prefix)
        batch, prefix = batch.take(order), prefix.take(order)
        ends = [*(np.flatnonzero(_differs(prefix)) + 1).tolist(), len(batch)]
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            if begin < end:
                parts.setdefault(prefix[begin].as_py(), _Part()).writer.write_batch(batch.slice(begin, end - begin))
    return parts, n


def _larger(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches that are large enough to be grouped."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= SCATTERED_AT_ONCE:
            yield pa.concat_batches(held)
            held.clear()
    if held:
        yield pa.concat_batches(held)


def _distinct(rows: pa.Table) -> pa.Table:
    """Sorted rows without those that equal the row before."""
    new = np.logical_or.reduce([_differs(rows[column]) for column in ORDER])
    return rows.filter(pa.array(np.concatenate([[True], new])))


def _differs(column: Any) -> npt.NDArray[np.bool_]:
    """Whether each value except the first differs from the one before it."""
    return np.asarray(pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False))


def cut(events: Events, keep: EventFilter, catalog: Catalog, *, inside: bool = False) -> Interactions:
    """The selected events with the catalogue's item indices; each item outside it has its own number below 0.

    Args:
        events: the whole log.
        keep: selects events by time and day of arrival.
        catalog: defines the item indices.
        inside: whether to leave out events with items outside the catalogue; models are fitted on the others only.
    """
    places = (catalog.index.get(item_id) for item_id in events.item_ids)
    index = np.array([-1 - code if place is None else place for code, place in enumerate(places)], dtype=np.int32)

    def chosen(rows: slice) -> npt.NDArray[np.bool_]:
        kept = keep(events.time[rows], events.arrived[rows])
        return kept & (index[events.item[rows]] >= 0) if inside else kept

    n = sum(int(chosen(rows).sum()) for rows in spans(len(events)))
    found: dict[str, Any] = {name: on_disk(n, dtype) for name, dtype in Interactions.COLUMNS.items()}
    done, user, last = 0, -1, -1
    for rows in spans(len(events)):
        kept = chosen(rows)
        who = events.user[rows][kept]
        if not len(who):
            continue
        own = slice(done, done + len(who))
        found["user_index"][own] = user + np.cumsum(np.diff(who, prepend=last) != 0)
        found["item_index"][own] = index[events.item[rows][kept]]
        found["time"][own] = events.time[rows][kept]
        found["arrived"][own] = events.arrived[rows][kept]
        done, user, last = own.stop, int(found["user_index"][own.stop - 1]), int(who[-1])
    return Interactions(n_users=user + 1, n_items=len(catalog), **found)


def items_met(events: Events, keep: EventFilter, least: int | None = None) -> list[str]:
    """Ids of the items that enough people met in the selected events, see :mod:`ml.data.public_items`.

    Args:
        events: the whole log.
        keep: selects events by time and day of arrival.
        least: number of people that is enough; default: the setting.
    """
    enough = met_by_enough(people_by_item(events, keep), least)
    return [events.item_ids[code] for code in np.flatnonzero(enough)]


def people_by_item(events: Events, keep: EventFilter) -> npt.NDArray[np.int64]:
    """Number of people who met each item of ``events.item_ids`` in the selected events.

    Args:
        events: the whole log.
        keep: selects events by time and day of arrival.
    """
    people = np.zeros(len(events.item_ids), dtype=np.int64)
    last = np.full(len(events.item_ids), -1, dtype=np.int64)  # the last user who met each item; users are in order
    for rows in spans(len(events)):
        kept = keep(events.time[rows], events.arrived[rows])
        pairs = np.unique(np.stack([events.user[rows][kept], events.item[rows][kept]]), axis=1)
        user, item = pairs.astype(np.int64)
        new = last[item] != user
        people += np.bincount(item[new], minlength=len(people))
        last[item] = user  # pairs are sorted by user, so the last one stays
    return people


def everything(time: Column, arrived: Column) -> npt.NDArray[np.bool_]:
    """Selects all events.

    Args:
        time, arrived: ``[N]``, microseconds.

    >>> everything(np.array([5, 9]), np.array([0, 0]))
    array([ True,  True])
    """
    return np.ones(len(time), dtype=np.bool_)


def on_disk(n: int, dtype: Any) -> Column:
    """An uninitialised array in an unnamed file, which is freed together with the array.

    The disk's space is reserved at once: a full disk raises an error here. Without it, the first write to a page that the disk
    has no space for ends the process with SIGBUS, as if memory had run out.

    Args:
        n: number of elements.
        dtype: NumPy type of an element.
    """
    if n == 0:
        return np.empty(0, dtype=dtype)
    with tempfile.TemporaryFile(dir=_folder()) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n * np.dtype(dtype).itemsize)
        return np.asarray(np.memmap(file, dtype=dtype, mode="w+", shape=(n,)))


def _folder() -> str:
    folder = get_settings().var / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
