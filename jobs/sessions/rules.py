"""The rules of sessions, on the events of whole users in order: no Spark, one pass over sorted columns.

1. A gap longer than the allowed one starts a new session; exactly that long does not.
2. A chain of activity that crosses more than one UTC midnight is cut at every midnight after the first one it crosses.
3. A session belongs to the UTC date on which it closes: its last event plus the gap.
4. ``session_id`` depends on the user and the first event alone.
"""

import hashlib
from datetime import timedelta

import numpy as np
import polars as pl

ORDER = ["user_id", "event_time", "event_id"]
"""Of a user's events. Sources may use the same id in the same moment: then ``source`` decides, where there is one."""
ID_DIGITS = 32
SESSION = "_session"


def in_order(events: pl.DataFrame) -> pl.DataFrame:
    """The events sorted by :data:`ORDER`, and by source where events have one.

    User and moment together become one number, and the order of that is found once. Logs come in order of time, and the events
    of one moment mostly in order of their ids: what is in order already costs little.
    """
    if events.is_empty():
        return events
    source = [name for name in ("source",) if name in events.columns]
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
        The frame with ``session_id`` (string), ``position`` (i32, from 0) and ``_session``, which counts sessions from 0.
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
    # The second UTC date of a chain stays with the first; from the third on each is cut off.
    cut = (pl.col("day") != pl.col("day").shift()) & ((pl.col("day") - chain_day) >= timedelta(days=2))
    rows = rows.with_columns(starts=pl.col("new_chain") | cut.fill_null(False))
    first_row = pl.when("starts").then("row").forward_fill()
    rows = rows.select("starts", position=pl.col("row") - first_row, session=pl.col("starts").cum_sum().cast(pl.Int32) - 1)
    names = session_ids(events.filter(rows["starts"]))
    return events.with_columns(
        session_id=names.gather(rows["session"]), position=rows["position"], **{SESSION: rows["session"]}
    )


def session_ids(first_events: pl.DataFrame) -> pl.Series:
    """Rule 4: half of a SHA-256 over the user and the id of the first event."""
    said = first_events.select(
        pl.concat_str(pl.col("user_id").cast(pl.String), "event_id", separator="\x1f", ignore_nulls=True)
    ).to_series()
    return pl.Series([hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS] for text in said], dtype=pl.String)


def summary(in_sessions: pl.DataFrame) -> pl.DataFrame:
    """One row a session.

    Args:
        in_sessions: as :func:`with_sessions` gives them: the rows of a session stand together, in order.

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
    """Rule 3."""
    return (last_event + gap).dt.date()
