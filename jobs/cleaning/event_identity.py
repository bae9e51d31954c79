"""Identity of events: which lines are copies of one event, which copy counts, and which copies contradict each other."""

import polars as pl

SAME_EVENT = ["user_id", "source", "event_id"]
"""Rows that are equal in these columns are copies of one event. Ids of other users and sources are other ids."""

CONTENT_COLUMNS = ["event_type", "event_time", "item_id", "value", "text", "surface", "position"]
"""The content of a user's event: copies are equal in these columns."""

ALWAYS_IN_DIGESTS = ["event_type", "event_time", "item_id", "value", "text"]
"""The content that is part of every digest; the other columns of the content are part of it where they have a value."""


def content_of(columns: list[str]) -> pl.Expr:
    """The text from which the id of an event without one is made.

    A column that an event leaves empty does not change it, so that ids made before a source mapped the column stay.

    Args:
        columns: columns that precede the content, such as the source and the user.

    >>> rows = pl.DataFrame({"u": "ann", **dict.fromkeys(ALWAYS_IN_DIGESTS, "x"), "surface": ["home", None], "position": None})
    >>> rows.select(content_of(["u"]).str.replace_all("\x1f", "|", literal=True)).to_series().to_list()
    ['ann|x|x|x|x|x|surface=home', 'ann|x|x|x|x|x']
    """
    always = [pl.col(name).cast(pl.String).fill_null("") for name in [*columns, *ALWAYS_IN_DIGESTS]]
    others = [name for name in CONTENT_COLUMNS if name not in ALWAYS_IN_DIGESTS]
    said = [pl.concat_str(pl.lit(f"{name}="), pl.col(name).cast(pl.String)) for name in others]
    return pl.concat_str(*always, *said, separator="\x1f", ignore_nulls=True)


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
