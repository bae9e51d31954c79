"""Identity of events: which lines are copies of one event, which copy counts, and which copies contradict each other."""

import polars as pl

SAME_EVENT = ["user_id", "source", "event_id"]
"""Rows that are equal in these columns are copies of one event. Ids of other users and sources are other ids."""

CONTENT_COLUMNS = ["event_type", "event_time", "item_id", "value", "text"]
"""The content of a user's event."""


def first_arrivals(events: pl.DataFrame) -> pl.DataFrame:
    """Each event once: of copies in several arrivals the first arrival counts, regardless of the order of the runs.

    Args:
        events: rows of ``events``, of whole users; within one arrival an event occurs once.

    >>> rows = {"user_id": ["u", "u"], "source": ["s", "s"], "event_id": ["e", "e"], "arrived_on": [17, 16]}
    >>> first_arrivals(pl.DataFrame(rows))["arrived_on"].to_list()
    [16]
    """
    suspects = events.select(SAME_EVENT).is_duplicated()
    if not suspects.any():
        return events
    copies = events.filter(suspects).sort("arrived_on").unique(SAME_EVENT, keep="first")
    return pl.concat([events.filter(~suspects), copies])


def conflicts(events: pl.DataFrame) -> pl.DataFrame:
    """The copies whose content differs from that of the first arrival.

    Args:
        events: as for :func:`first_arrivals`.

    Returns:
        ``user_id``, ``source``, ``event_id``, ``arrived_on``, and ``kept_on``, the arrival of the first copy.
    """
    copies = events.filter(events.select(SAME_EVENT).is_duplicated()).sort(*SAME_EVENT, "arrived_on")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).first().over(SAME_EVENT)) for name in CONTENT_COLUMNS)
    kept_on = pl.col("arrived_on").first().over(SAME_EVENT)
    marked = copies.with_columns(kept_on=kept_on, _differs=differs).filter("_differs")
    return marked.select(*SAME_EVENT, "arrived_on", "kept_on")
