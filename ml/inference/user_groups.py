"""The groups in which users without usable history get the popular items: the segment, and the sources of their events.

People of a shop who have only seen impressions must not get the items that are popular among viewers of another source.
"""

from collections.abc import Iterable, Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from schemas.lake.lake import Lake

SCHEMA = pa.schema([("user_id", pa.string()), ("source", pa.string())])
PAIR = SCHEMA.names


def by_source(users: pa.Table, events: Iterable[pa.RecordBatch]) -> pa.Table:
    """Users, with a ``segment`` that also names the sources of their events if there is more than one source.

    Args:
        users: ``user_id`` and ``segment``.
        events: in ``SCHEMA``, of any kind.

    >>> users = pa.table({"user_id": ["ann", "bob", "cyd"], "segment": ["new", "new", "new"]})
    >>> events = [("ann", "films"), ("bob", "shop"), ("bob", "films"), ("bob", "shop")]
    >>> rows = pa.RecordBatch.from_pylist([dict(zip(PAIR, pair)) for pair in events], schema=SCHEMA)
    >>> by_source(users, [rows])["segment"].to_pylist()
    ['new of films', 'new of films+shop', 'new']
    >>> by_source(users, [rows.slice(0, 1)])["segment"].to_pylist()
    ['new', 'new', 'new']
    """
    parts = [pa.Table.from_batches([batch]).select(PAIR).group_by(PAIR).aggregate([]) for batch in events]
    pairs = pa.concat_tables([SCHEMA.empty_table(), *parts]).group_by(PAIR).aggregate([])
    pairs = pairs.filter(pc.is_valid(pairs["source"])).sort_by([(name, "ascending") for name in PAIR])
    if pc.count_distinct(pairs["source"]).as_py() < 2:
        return users
    lists = pairs.group_by("user_id", use_threads=False).aggregate([("source", "list")])
    names = pc.binary_join(lists["source_list"], "+").take(pc.index_in(users["user_id"], lists["user_id"]))
    groups = pc.coalesce(pc.binary_join_element_wise(users["segment"], names, " of "), users["segment"])
    return users.set_column(users.column_names.index("segment"), "segment", groups)


def sources_of(lake: Lake, served_on: date, snapshot: int) -> Iterator[pa.RecordBatch]:
    """User and source of the events, of any kind, that had arrived before a day.

    Args:
        lake: holds ``session_events``.
        served_on: the day.
        snapshot: id of the snapshot to read.
    """
    yield from lake.batches("session_events", where=f"arrived_on < '{served_on}'", snapshot=snapshot, columns=PAIR)
