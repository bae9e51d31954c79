"""Data for one training, cut by global time as of a moment, or leaving each user's last item out."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.cases import next_event_cases, window_cases
from ml.data import IGNORED_EVENTS, Cases, Catalog, Interactions, catalog_from, interactions, microseconds


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


def known_before(events: pd.DataFrame, moment: date, arrived_before: date) -> pd.DataFrame:
    """The events that happened before ``moment`` and had arrived before ``arrived_before`` (both 00:00 UTC)."""
    return events[(events["event_time"] < microseconds(moment)) & (events["arrived_on"] < arrived_before)]


def by_time(events: pd.DataFrame, items: pd.DataFrame, train_until: date, valid_days: int, ask: str = "next") -> Split:
    """Cut by global time: nothing that happened or arrived at or after ``train_until`` reaches a fit.

    Args:
        events: ``user_id``, ``event_id``, ``event_time`` (int64 microseconds), ``item_id``, ``value``, ``arrived_on``.
        items: the catalogue as known before ``train_until``.
        ask: ``next``, what comes next after what a user met up to then, or ``window``, what comes in all the days of the window
            for one list that is made before it.
    """
    valid_from = train_until - timedelta(days=valid_days)
    before = known_before(events, train_until, train_until)
    catalog = catalog_from(items, before)
    refit = interactions(before, catalog)
    cases = {"next": next_event_cases, "window": window_cases}[ask]
    return Split(
        catalog=catalog,
        fit=interactions(known_before(events, valid_from, train_until), catalog),
        # A history may have arrived in one piece, after it happened: what is chosen by knows all that may be fitted on.
        validation=cases(refit, microseconds(valid_from), known_by=microseconds(train_until)),
        refit=refit,
        test=cases(interactions(events, catalog), microseconds(train_until)),
    )


def leave_one_out(events: Interactions, catalog: Catalog) -> Split:
    """Each user's last item is the test, the one before it the validation; users with fewer than three only train.

    So papers cut. It flatters: the future of other users is in the fit.
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
    changed = {name: getattr(events, name)[kept] for name in ("user_index", "item_index", "time", "value", "arrived")}
    return replace(events, **changed)


def _last(events: Interactions, length: npt.NDArray[np.int64], back: int) -> Cases:
    """For every user with three events or more the event ``back`` from the end, asked with what came before it."""
    users = np.flatnonzero(length >= 3)
    places = events.starts[1:][users] - back
    begins = events.starts[:-1][users]
    spans = [slice(a, b) for a, b in zip(begins, places, strict=True)]
    return Cases(
        user=users,
        question=np.arange(len(users)),
        target=events.item_index[places],
        histories=[events.item_index[span] for span in spans],
        times=[events.time[span] for span in spans] if events.timed else None,
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
    return by_time(events, items, date.fromisoformat(pinned["train_until"]), pinned["valid_days"])


def read_events(lake: Any, snapshot: int | None) -> pd.DataFrame:
    """The interactions in ``session_events``: one row an event that names an item and is more than a display."""
    columns = ["user_id", "event_id", "event_time", "event_type", "item_id", "value", "arrived_on"]
    table = lake.arrow("session_events", snapshot=snapshot, columns=columns)
    frame: pd.DataFrame = table.set_column(
        table.schema.get_field_index("event_time"), "event_time", table["event_time"].cast("int64")
    ).to_pandas()
    kept = frame["item_id"].notna() & ~frame["event_type"].isin(IGNORED_EVENTS)
    return frame[kept].drop(columns="event_type").reset_index(drop=True)
