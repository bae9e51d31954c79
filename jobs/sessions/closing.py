"""The sessions that close on a date, in the two stages of an exchange."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from jobs.cleaning.event_identity import CONTENT_COLUMNS, SAME_EVENT, conflicts, first_arrivals
from jobs.exchange.parquet_writer import write_partitions
from jobs.exchange.tasks import read_rows
from jobs.sessions.lookback import event_time_range
from jobs.sessions.rules import SESSION, closing_date, in_order, summary, with_sessions
from schemas.contract import Contract

EVENTS = "events"


@dataclass(frozen=True)
class Closing:
    """The inputs that all tasks of one sessionizing share."""

    dates: tuple[date, ...]
    gap: timedelta
    files: tuple[str, ...]
    session_events: Contract
    sessions: Contract
    folders: dict[str, Path]

    @property
    def columns(self) -> list[str]:
        made = {"closed_on", "session_id", "position"}
        needed = [name for name in self.session_events.columns if name not in made]
        return [*needed, *(name for name in CONTENT_COLUMNS if name not in needed)]


def read_events(of: Closing, numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """First stage: the events that the closing dates depend on, by user.

    Args:
        of: the closing dates and the files.
        numbers: the numbers of this task's files.
    """
    start, end = event_time_range(of.dates, of.gap)
    for number in numbers:
        for rows in read_rows(of.files[number], of.columns, EVENTS):
            yield EVENTS, rows.filter((pl.col("event_time") >= start) & (pl.col("event_time") < end)), "user_id"


def close_and_write(of: Closing, bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Second stage: write a bucket's sessions that close on the dates, and their events; report copies with other content.

    Args:
        of: the closing dates and the folders.
        bucket: its number.
        frames: the rows of :func:`read_events`.
    """
    events = frames[EVENTS].drop("position", strict=False)  # the rank of an item in its list; here it is that in the session
    rows, sessions = closing_sessions(events, of.dates, of.gap)
    reappeared = conflicts(frames[EVENTS]).join(rows.select(*SAME_EVENT, "closed_on"), on=SAME_EVENT)
    yield {
        "conflicts": reappeared.to_dicts(),
        "sessions": write_partitions(sessions, of.sessions, of.folders["sessions"]),
        "session_events": write_partitions(rows, of.session_events, of.folders["session_events"]),
    }


def closing_sessions(events: pl.DataFrame, dates: Iterable[date], gap: timedelta) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sessions that close on some dates.

    Args:
        events: rows of ``events``, of whole users, at least those within :func:`event_time_range`; copies count once.
        dates: the closing dates.
        gap: the session gap.

    Returns:
        Their events, with ``session_id``, ``position`` and ``closed_on``, and one row for each session; both ordered by user.
    """
    start, end = event_time_range(dates, gap)
    known = events.filter((pl.col("event_time") >= start) & (pl.col("event_time") < end))
    rows = with_sessions(in_order(first_arrivals(known)), gap)
    sessions = summary(rows).with_columns(closed_on=closing_date(pl.col("ended_at"), gap))
    wanted = sessions["closed_on"].is_in(sorted(set(dates)))
    closed = sessions["closed_on"].gather(rows[SESSION]).alias("closed_on")
    chosen = wanted.gather(rows[SESSION])
    return rows.with_columns(closed).filter(chosen).drop(SESSION), sessions.filter(wanted)
