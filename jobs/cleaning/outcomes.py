"""Decide the outcome of each valid line of an arrival: event, duplicate or reject. All lines of a user are decided together.

Every rule first finds suspects with vectorised operations and then examines only those, because good logs have few.
"""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from jobs.cleaning.candidates import WHO_AND_WHAT
from jobs.cleaning.event_identity import CONTENT_COLUMNS, SAME_EVENT
from jobs.cleaning.reject_reasons import LineReason
from schemas.outcomes import Outcome
from schemas.runtime.settings import Settings

AS_THEY_ARRIVED = ["arrived_at", "source_file", "line_number"]
ROW = "_row"


@dataclass(frozen=True)
class Limits:
    """The settings that decide about outcomes, without the other settings, some of which are secret."""

    near_duplicate_seconds: float
    """The same behaviour of a user repeated within this time is a duplicate."""
    robot_events_per_day: int
    """A user with more events in a UTC day is treated as a bot."""
    robot_chain: timedelta
    """A user active for longer than this, without a pause longer than ``gap``, is treated as a bot."""
    gap: timedelta
    """The session gap."""

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits of some settings."""
        return cls(settings.near_duplicate_seconds, settings.robot_events_per_day, settings.robot_chain, settings.session_gap)


def decide(
    candidates: pl.DataFrame,
    *,
    near_duplicate_seconds: float,
    robot_events_per_day: int,
    robot_chain: timedelta,
    gap: timedelta,
) -> pl.DataFrame:
    """Give every valid candidate its ``outcome``, and its ``reason`` if it is rejected.

    Args:
        candidates: rows of ``events``; of each user that occurs, all lines of the arrival.
        near_duplicate_seconds: the same behaviour of a user repeated within this time is a duplicate.
        robot_events_per_day: a user with more events in a UTC day is treated as a bot.
        robot_chain: a user active for longer than this, without a pause longer than ``gap``, is treated as a bot.
        gap: the session gap.
    """
    frame = candidates.with_row_index(ROW).with_columns(outcome=pl.lit(str(Outcome.EVENT)), reason=pl.lit(None, pl.String))
    frame = _set(frame, *same_ids(frame))
    frame = _set(frame, {}, runaways(frame, robot_events_per_day), LineReason.ROBOT_TOO_MANY)
    frame = _set(frame, {}, endless(frame, robot_chain, gap), LineReason.ROBOT_ENDLESS)
    near = near_duplicates(frame, near_duplicate_seconds)
    return _set(frame, {Outcome.NEAR_DUPLICATE: near}).drop(ROW)


def _set(
    frame: pl.DataFrame, outcomes: dict[Outcome, pl.Series], rejects: pl.Series | None = None, reason: str | None = None
) -> pl.DataFrame:
    """Set the outcome of the given row numbers; rejects get a reason too."""
    for outcome, rows in outcomes.items():
        if len(rows):
            frame = frame.with_columns(
                outcome=pl.when(pl.col(ROW).is_in(rows.implode())).then(pl.lit(str(outcome))).otherwise("outcome")
            )
    if rejects is not None and len(rejects):
        hit = pl.col(ROW).is_in(rejects.implode())
        frame = frame.with_columns(
            outcome=pl.when(hit).then(pl.lit(str(Outcome.REJECT))).otherwise("outcome"),
            reason=pl.when(hit).then(pl.lit(str(reason))).otherwise("reason"),
        )
    return frame


def same_ids(frame: pl.DataFrame) -> tuple[dict[Outcome, pl.Series], pl.Series, str]:
    """Among a user's lines with the same event id the first to arrive counts; equal content is a duplicate, other a conflict.

    Another user's or source's event with the same id is another event: a stranger who guesses ids silences nobody.
    """
    same_id = frame.select(pl.col("event_id").hash(seed=0) ^ pl.col("user_id").hash(seed=1)).to_series()
    suspects = frame.filter(same_id.is_duplicated())
    if suspects.is_empty():
        return {}, pl.Series([], dtype=pl.UInt32), LineReason.ID_CONFLICT
    suspects = suspects.sort(*SAME_EVENT, *AS_THEY_ARRIVED)
    again = suspects.select(pl.int_range(pl.len()).over(SAME_EVENT) > 0).to_series()
    same = suspects.select(
        pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).first().over(SAME_EVENT)) for c in WHO_AND_WHAT)
    ).to_series()
    return (
        {Outcome.EXACT_DUPLICATE: suspects.filter(again & same)[ROW]},
        suspects.filter(again & ~same)[ROW],
        LineReason.ID_CONFLICT,
    )


def runaways(frame: pl.DataFrame, cap: int) -> pl.Series:
    """The row numbers of events of users who have too many events in a UTC day for a person.

    Args:
        frame: rows of ``events`` with ``outcome`` and row numbers; only those that are still events count.
        cap: the most events of a person in a UTC day.
    """
    events = frame.filter(pl.col("outcome") == Outcome.EVENT)
    days = events.group_by("user_id", "event_date").len().filter(pl.col("len") > cap)
    if days.is_empty():
        return pl.Series([], dtype=pl.UInt32)
    return events.join(days, on=["user_id", "event_date"], how="semi")[ROW]


def endless(frame: pl.DataFrame, longest: timedelta, gap: timedelta) -> pl.Series:
    """The row numbers of events in chains (no pause longer than ``gap``) that last too long for a person.

    Args:
        frame: as for :func:`runaways`.
        longest: the longest chain of a person.
        gap: the longest pause within a chain.
    """
    events = frame.filter(pl.col("outcome") == Outcome.EVENT).select(ROW, "user_id", "event_time")
    span = events.group_by("user_id").agg(pl.col("event_time").max() - pl.col("event_time").min())
    candidates = span.filter(pl.col("event_time") > longest)
    if candidates.is_empty():
        return pl.Series([], dtype=pl.UInt32)
    events = events.join(candidates, on="user_id", how="semi").sort("user_id", "event_time")
    pause = pl.col("event_time").diff()
    starts = (pl.col("user_id") != pl.col("user_id").shift()).fill_null(True) | (pause > gap)
    events = events.with_columns(_chain=starts.cum_sum())
    length = pl.col("event_time").last().over("_chain") - pl.col("event_time").first().over("_chain")
    return events.filter(length > longest)[ROW]


def near_duplicates(frame: pl.DataFrame, seconds: float) -> pl.Series:
    """The row numbers of events that repeat the user's previous event, under another id, within some seconds.

    Args:
        frame: as for :func:`runaways`; events without an item are never near duplicates.
        seconds: the longest time between the two.
    """
    same = ["user_id", "event_date", *(name for name in CONTENT_COLUMNS if name != "event_time")]
    events = frame.filter((pl.col("outcome") == Outcome.EVENT) & pl.col("item_id").is_not_null())
    if events.is_empty():
        return pl.Series([], dtype=pl.UInt32)
    digest = events.select(pl.struct(same).hash(seed=0)).to_series().alias("_same")
    in_time = ["event_time", "event_id", "source"]
    order = events.select(ROW, *in_time, digest).sort("_same", *in_time)
    close = (order["_same"] == order["_same"].shift()) & (order["event_time"].diff() <= timedelta(seconds=seconds))
    close = close.fill_null(False)
    if not close.any():
        return pl.Series([], dtype=pl.UInt32)
    # Different behaviours may have the same digest, so suspects are compared in full.
    digests = order.filter(close)["_same"].unique()
    suspects = events.filter(digest.is_in(digests.implode())).sort(*same, *in_time)
    alike = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift()) for c in same)
    within = pl.col("event_time").diff() <= timedelta(seconds=seconds)
    return suspects.filter((alike & within & (pl.int_range(pl.len()) > 0)).fill_null(False))[ROW]
