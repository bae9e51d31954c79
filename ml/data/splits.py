"""Data for one training, cut by global time or by leaving out each user's last item."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.data.cases import Cases, next_event_cases, window_cases
from ml.data.catalog import ITEM_FIELDS, Catalog, catalog_from
from ml.data.event_log import SCHEMA, EventFilter, Events, cut, everything, gather, items_met
from ml.data.interactions import Interactions, interactions_of, microseconds
from ml.data.pinned_data import PinnedData


@dataclass(frozen=True)
class Split:
    """Data for one training: ``fit`` and ``validation`` for decisions, ``refit`` and ``test`` for the report."""

    catalog: Catalog
    fit: Interactions
    """Events before the validation window."""
    validation: Cases
    refit: Interactions
    """Events before ``train_until``."""
    test: Cases


def by_time(
    events: Events, items: pa.Table, train_until: date, valid_days: int, ask: str = "next", least: int | None = None
) -> Split:
    """Cut by global time: no event that happened or arrived at or after ``train_until`` reaches a fit.

    Args:
        events: all events, including the days of the test.
        items: the catalogue as known before ``train_until``, with the columns ``ITEM_FIELDS``.
        train_until: first day of the test (00:00 UTC).
        valid_days: length of the validation window, which ends there.
        ask: ``next`` for one query per event, or ``window`` for one query per user about the whole window.
        least: people who must have met an item that ``items`` lacks; default: the setting.
    """
    valid_from = train_until - timedelta(days=valid_days)
    known = before(train_until, train_until)
    catalog = catalog_from(items, items_met(events, known, least))
    refit = cut(events, known, catalog, inside=True)
    cases = {"next": next_event_cases, "window": window_cases}[ask]
    return Split(
        catalog=catalog,
        fit=cut(events, before(valid_from, train_until), catalog, inside=True),
        # A history may be delivered at once, long after it happened; so validation may use every event that a fit may use.
        validation=cases(refit, microseconds(valid_from), known_by=microseconds(train_until)),
        refit=refit,
        test=cases(cut(events, everything, catalog), microseconds(train_until)),
    )


def before(moment: date, arrival: date) -> EventFilter:
    """Selects events that happened before ``moment`` and arrived before ``arrival``.

    Args:
        moment: day whose start (00:00 UTC) bounds the event's time.
        arrival: day whose start bounds the event's arrival.

    >>> keep, third = before(date(1970, 1, 3), date(1970, 1, 3)), microseconds(date(1970, 1, 3))
    >>> keep(np.array([0, 0, third]), np.array([0, third, third]))
    array([ True, False, False])
    """
    until, known_by = microseconds(moment), microseconds(arrival)
    return lambda time, arrived: (time < until) & (arrived < known_by)


def leave_one_out(events: Interactions, catalog: Catalog) -> Split:
    """Each user's last event is the test, the one before it the validation; users with fewer than three only train.

    Papers often cut this way. The results are too good, because the fit contains the future of other users.

    Args:
        events: interactions, of which only the order within users counts.
        catalog: the catalogue of their items.

    >>> log = Interactions(1, 4, np.zeros(4, np.int32), np.array([3, 0, 2, 1]), np.arange(4), np.zeros(4))
    >>> split = leave_one_out(log, Catalog(list("abcd"), [""] * 4, [[]] * 4, [""] * 4))
    >>> split.fit.item_index.tolist(), split.validation.target.tolist(), split.test.target.tolist()
    ([3, 0], [2], [1])
    """
    length = np.diff(events.starts)
    from_end = np.repeat(events.starts[1:], length) - np.arange(len(events))  # 1 is a user's last event
    enough = np.repeat(length, length) >= 3
    return Split(
        catalog=catalog,
        fit=_rows(events, ~enough | (from_end > 2)),
        validation=_last(events, length, 2),
        refit=_rows(events, ~enough | (from_end > 1)),
        test=_last(events, length, 1),
    )


def _rows(events: Interactions, kept: npt.NDArray[np.bool_]) -> Interactions:
    changed = {name: getattr(events, name)[kept] for name in Interactions.COLUMNS}
    return replace(events, **changed)


def _last(events: Interactions, length: npt.NDArray[np.int64], back: int) -> Cases:
    """One query per user with at least three events: the event ``back`` from the end, given those before it."""
    users = np.flatnonzero(length >= 3)
    places = events.starts[1:][users] - back
    begins = events.starts[:-1][users]
    spans = [slice(a, b) for a, b in zip(begins, places, strict=True)]
    return Cases(
        user=users,
        query=np.arange(len(users)),
        target=events.item_index[places],
        histories=[events.item_index[span] for span in spans],
        times=[events.time[span] for span in spans] if events.timed else None,
    )


def read_split(lake: Any, pinned: PinnedData) -> Split:
    """The split of a pinned training.

    Args:
        lake: from ``schemas.lake.lake.open_lake``.
        pinned: the record that ``ml.pin`` wrote: ``snapshots``, ``train_until``, ``valid_days``, ``items_as_of``.
    """
    items = ITEM_FIELDS.empty_table()
    if pinned.items_as_of:
        where, snapshot = f"as_of = '{pinned.items_as_of}'", pinned.snapshots["items"]
        items = lake.arrow("items", where=where, snapshot=snapshot, columns=ITEM_FIELDS.names)
    events = gather(read_events(lake, pinned.snapshots["session_events"]))
    return by_time(events, items, pinned.train_until, pinned.valid_days)


def read_events(lake: Any, snapshot: int | None) -> Iterator[pa.RecordBatch]:
    """The interactions in ``session_events``: see :func:`interactions_of`.

    Args:
        lake: from ``schemas.lake.lake.open_lake``.
        snapshot: Iceberg snapshot id; None for the current one.
    """
    for batch in lake.batches("session_events", snapshot=snapshot, columns=[*SCHEMA.names, "event_type"]):
        yield interactions_of(batch).select(SCHEMA.names).cast(SCHEMA)
