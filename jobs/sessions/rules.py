"""The rules of sessions, applied to the ordered events of whole users: no Spark, one pass over sorted columns.

1. A gap longer than the allowed one starts a new session; a gap of exactly that length does not.
2. A chain of activity that crosses more than one UTC midnight is cut at every midnight after the first one it crosses.
3. A session belongs to the UTC date on which it closes: its last event plus the gap.
4. ``session_id`` depends only on the user and the first event, which its id and its source name.
"""

import hashlib
from collections.abc import Iterable
from datetime import timedelta

import numpy as np
import polars as pl

ORDER = ["user_id", "event_time", "event_id"]
"""The order of events. If two sources use the same id at the same moment, ``source`` decides, where that column exists."""
ID_DIGITS = 32
SESSION = "_session"


def source_of(columns: Iterable[str]) -> list[str]:
    """The column of the source, where there is one: a user may have the same event id in two sources."""
    return [name for name in columns if name == "source"]


def in_order(events: pl.DataFrame) -> pl.DataFrame:
    """The events sorted by :data:`ORDER`, and by source if they have that column.

    User and moment are combined into one number, which is sorted. Logs arrive nearly in this order, so a stable sort is cheap.
    Ids are compared only among events of one user at one moment.

    >>> log = pl.DataFrame({"user_id": ["b", "a", "a"], "event_time": [1, 2, 2], "event_id": ["x", "z", "y"]})
    >>> in_order(log.with_columns(pl.col("event_time").cast(pl.Datetime("us"))))["event_id"].to_list()
    ['y', 'z', 'x']
    """
    if events.is_empty():
        return events
    source = source_of(events.columns)
    users = events["user_id"].cast(pl.Categorical)
    known = users.unique()
    codes = known.to_physical().gather(known.cast(pl.String).arg_sort()).to_numpy()
    ranks = np.zeros(codes.max() + 1, np.uint64)
    ranks[codes] = np.arange(len(known))
    times = events["event_time"].to_physical().to_numpy()
    first, span = times.min(), int(times.max()) - int(times.min()) + 1
    if span * len(known) >= 2**64:
        return events.sort([*ORDER, *source])
    moments = ranks[users.to_physical().to_numpy()] * np.uint64(span) + (times - first).astype(np.uint64)
    order = moments.argsort(kind="stable")
    moments, ids = moments[order], events["event_id"].gather(order)
    disorder = (moments[1:] == moments[:-1]) & (ids[1:] <= ids[:-1]).to_numpy()
    if disorder.any():
        mixed = np.flatnonzero(np.isin(moments, moments[1:][disorder]))
        rows = events[order[mixed]].select("event_id", *source).with_columns(moment=pl.Series(moments[mixed]))
        order[mixed] = order[mixed[rows.select(pl.arg_sort_by("moment", "event_id", *source)).to_series().to_numpy()]]
    return events[order]


def with_sessions(events: pl.DataFrame, gap: timedelta) -> pl.DataFrame:
    """Rules 1, 2 and 4.

    Args:
        events: at least ``user_id``, ``event_time`` and ``event_id``; all events of each user, sorted by these three.
        gap: a longer pause starts a new session.

    Returns:
        The frame with ``session_id`` (string), ``position`` (i32, from 0) and ``_session``, the session's number from 0.

    >>> from datetime import datetime
    >>> times = [datetime(1998, 4, 16, 9, minute) for minute in (0, 30)] + [datetime(1998, 4, 16, 10, 1)]
    >>> log = pl.DataFrame({"user_id": ["ann"] * 3, "event_time": times, "event_id": ["1", "2", "3"]})
    >>> with_sessions(log, timedelta(minutes=30))["_session"].to_list()
    [0, 0, 1]
    """
    time = pl.col("event_time").cast(pl.Datetime("us")).to_physical()
    day = pl.col("event_time").dt.date()
    new_user = pl.col("user_id").ne_missing(pl.col("user_id").shift())
    rows = events.select(
        day=day,
        row=pl.int_range(pl.len(), dtype=pl.Int32),
        new_chain=(new_user | (time.diff() > gap // timedelta(microseconds=1)).fill_null(True)),
    ).with_columns(new_chain=pl.col("new_chain") | (pl.col("row") == 0))
    chain_day = pl.when("new_chain").then("day").forward_fill()
    # The second UTC date of a chain stays with the first; from the third date on each starts a session.
    cut = (pl.col("day") != pl.col("day").shift()) & ((pl.col("day") - chain_day) >= timedelta(days=2))
    rows = rows.with_columns(starts=pl.col("new_chain") | cut.fill_null(False))
    first_row = pl.when("starts").then("row").forward_fill()
    rows = rows.select("starts", position=pl.col("row") - first_row, session=pl.col("starts").cum_sum().cast(pl.Int32) - 1)
    names = session_ids(events.filter(rows["starts"]))
    return events.with_columns(
        session_id=names.gather(rows["session"]), position=rows["position"], **{SESSION: rows["session"]}
    )


def session_ids(first_events: pl.DataFrame) -> pl.Series:
    """Rule 4: the first half of a SHA-256 over the user, the id of the first event, and its source, if that is a column."""
    name = [pl.col("user_id").cast(pl.String), pl.col("event_id"), *source_of(first_events.columns)]
    said = first_events.select(pl.concat_str(name, separator="\x1f", ignore_nulls=True)).to_series()
    return pl.Series([hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS] for text in said], dtype=pl.String)


def summary(in_sessions: pl.DataFrame) -> pl.DataFrame:
    """One row for each session.

    Args:
        in_sessions: the result of :func:`with_sessions`: the rows of a session are consecutive and in order.

    Returns:
        ``user_id``, ``session_id``, ``started_at``, ``ended_at``, ``n_events``, ``n_items`` (distinct), ``first_event_id``,
        ``last_event_id``, ``duration_s``.
    """
    new = in_sessions["session_id"].ne_missing(in_sessions["session_id"].shift())
    starts = new.arg_true() if len(in_sessions) else pl.Series([], dtype=pl.UInt32)
    ends = pl.concat([starts[1:].cast(pl.Int64), pl.Series([len(in_sessions)], dtype=pl.Int64)]) - 1 if len(starts) else starts
    number = (new.cum_sum() - 1).alias("session").cast(pl.Int32)
    item = pl.col("item_id") if "item_id" in in_sessions.columns else pl.lit(None, pl.String).alias("item_id")
    met = in_sessions.select(number, item).drop_nulls().unique().group_by("session").len()
    first, last = in_sessions[starts], in_sessions[ends]
    sessions = first.select("user_id", "session_id", started_at="event_time", first_event_id="event_id").with_columns(
        last.select(ended_at="event_time", last_event_id="event_id"),
        n_events=(ends - starts + 1).cast(pl.Int32),
        session=pl.int_range(pl.len(), dtype=pl.Int32),
    )
    sessions = sessions.join(met, on="session", how="left", maintain_order="left")
    seconds = (pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds() / 1e6
    return sessions.with_columns(n_items=pl.col("len").fill_null(0).cast(pl.Int32), duration_s=seconds).drop("len", "session")


def closing_date(last_event: pl.Expr, gap: timedelta) -> pl.Expr:
    """Rule 3, as an expression.

    Args:
        last_event: the time of the session's last event, UTC.
        gap: the session gap.

    >>> from datetime import datetime
    >>> last = pl.DataFrame({"ended_at": [datetime(1998, 4, 16, 23, 29), datetime(1998, 4, 16, 23, 30)]})
    >>> [day.day for day in last.select(closing_date(pl.col("ended_at"), timedelta(minutes=30))).to_series()]
    [16, 17]
    """
    return (last_event + gap).dt.date()
