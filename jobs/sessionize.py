"""Sessionise: events of a user in order of (event_time, event_id) become sessions, exactly, for any range of closing dates.

1. A gap longer than 30 minutes (``CLICKWRIGHT_SESSION_GAP_MINUTES``) starts a new session; exactly 30 minutes does not.
2. A chain of activity that crosses more than one UTC midnight is cut at every midnight after the first one it crosses.
3. A session belongs to the UTC date on which it closes: its last event plus the gap.
4. ``session_id`` depends on the user and the first event alone.
5. A closing date follows from the events of the two days before it, of its own day, and of one gap before these.

``python -m jobs.sessionize --from 1998-04-16 --to 1998-04-16``
"""

import argparse
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.spark import plan_for, read_table, spark_session, stage
from schemas.cli import day, log, run_command, run_id_default
from schemas.lake import Lake, open_lake
from schemas.settings import get_settings
from schemas.staging import open_attempt
from schemas.where import between, one_of

DEFAULT_GAP = timedelta(minutes=30)
LOOK_BACK = timedelta(days=2)  # besides one gap; see rule 2: more cannot change what closes on a day
ID_DIGITS = 32


def sessionize(events: DataFrame, gap: timedelta = DEFAULT_GAP) -> DataFrame:
    """Give every event its session: rules 1, 2 and 4.

    One exchange by user and one sort; the frame's other columns pass through unread.

    Args:
        events: at least ``user_id``, ``event_time`` (timestamp) and ``event_id`` (unique).
        gap: a longer pause starts a new session.

    Returns:
        The frame with ``session_id`` (string) and ``position`` (int, from 0).
    """
    in_order = Window.partitionBy("user_id").orderBy("event_time", "event_id")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    micros = F.unix_micros("event_time")
    pause = micros - F.lag(micros).over(in_order)
    new_chain = pause.isNull() | (pause > round(gap.total_seconds() * 1e6))
    this_day = F.to_date("event_time")
    chain_day = F.last(F.when(F.col("_new_chain"), this_day), ignorenulls=True).over(so_far)
    new_day = this_day != F.lag(this_day).over(in_order)
    # The second UTC date of a chain stays with the first; from the third on each is cut off.
    cut = new_day & (F.date_diff(this_day, F.col("_chain_day")) >= 2)
    new_session = F.col("_new_chain") | F.coalesce(cut, F.lit(False))
    first_id = F.last(F.when(F.col("_new_session"), F.col("event_id")), ignorenulls=True).over(so_far)
    first_row = F.last(F.when(F.col("_new_session"), F.col("_row")), ignorenulls=True).over(so_far)
    return (
        events.withColumns({"_new_chain": new_chain, "_row": F.row_number().over(in_order)})
        .withColumn("_chain_day", chain_day)
        .withColumn("_new_session", new_session)
        .withColumns({"_first_id": first_id, "_first_row": first_row})
        .withColumn("session_id", F.left(F.sha2(F.concat_ws("\x1f", "user_id", "_first_id"), 256), F.lit(ID_DIGITS)))
        .withColumn("position", (F.col("_row") - F.col("_first_row")).cast("int"))
        .drop("_new_chain", "_row", "_chain_day", "_new_session", "_first_id", "_first_row")
    )


def summarize(session_events: DataFrame) -> DataFrame:
    """One row a session.

    Args:
        session_events: as :func:`sessionize` gives them; ``item_id`` is counted when there.

    Returns:
        ``user_id``, ``session_id``, ``started_at``, ``ended_at``, ``duration_s``, ``n_events``, ``n_items``,
        ``first_event_id``, ``last_event_id``.
    """
    item = F.col("item_id") if "item_id" in session_events.columns else F.lit(None).cast("string")
    seconds = (F.unix_micros("ended_at") - F.unix_micros("started_at")) / F.lit(1e6)
    return (
        session_events.groupBy("user_id", "session_id")
        .agg(
            F.min("event_time").alias("started_at"),
            F.max("event_time").alias("ended_at"),
            F.count("*").cast("int").alias("n_events"),
            F.count_distinct(item).cast("int").alias("n_items"),
            F.min_by("event_id", "position").alias("first_event_id"),
            F.max_by("event_id", "position").alias("last_event_id"),
        )
        .withColumn("duration_s", seconds)
    )


def first_arrivals(events: DataFrame) -> DataFrame:
    """Each event once: of copies in several arrivals the first counts, whatever the order of the runs."""
    copies = Window.partitionBy("user_id", "source", "event_id").orderBy("arrived_on", "source_file", "line_number")
    return events.withColumn("_copy", F.row_number().over(copies)).where("_copy = 1").drop("_copy")


def closing_sessions(events: DataFrame, dates: Iterable[date], gap: timedelta) -> DataFrame:
    """The session events of the sessions that close on some dates: rules 3 and 5.

    Args:
        events: rows of ``events`` that hold at least what :func:`look_back` names.
        dates: the closing dates.
        gap: as in :func:`sessionize`.
    """
    wanted = sorted(set(dates))
    midnight = datetime.combine(wanted[0], time.min, UTC)
    start, end = midnight - LOOK_BACK - gap, datetime.combine(wanted[-1], time.min, UTC) + timedelta(days=1)
    known = events.where((F.col("event_time") >= F.lit(start)) & (F.col("event_time") < F.lit(end)))
    in_sessions = sessionize(first_arrivals(known), gap)
    of_session = Window.partitionBy("user_id", "session_id")
    closed_on = closing_date(F.max("event_time").over(of_session), gap)
    return in_sessions.withColumn("closed_on", closed_on).where(F.col("closed_on").isin(wanted))


def closing_date(last_event: Column, gap: timedelta) -> Column:
    """Rule 3: the UTC date of the last event plus the gap."""
    return F.to_date(F.timestamp_micros(F.unix_micros(last_event) + F.lit(round(gap.total_seconds() * 1e6))))


def _by_day(rows: DataFrame) -> DataFrame:
    """One file a closing date, users side by side, so that whoever reads a user's rows reads few row groups."""
    return rows.repartition("closed_on").sortWithinPartitions("closed_on", "user_id", "session_id")


def look_back(dates: Iterable[date]) -> list[date]:
    """The event dates that the sessions closing on some dates can follow from."""
    reach = LOOK_BACK.days + 1  # one gap before the look-back lies on the day before it
    return sorted({d - timedelta(days=back) for d in dates for back in range(reach + 1)})


def dates_to_close(lake: Lake, snapshot: int | None, first: date, last: date, late: bool) -> list[date]:
    """The closing dates of a range, and with ``late`` those that the range's arrivals can change.

    An event of date E can change what closes on E, E+1 and E+2. Dates whose own arrival is not there yet are left to their own
    run. So, of the runs of neighbouring days in any order and at the same time, the one that sees the last of their arrivals
    also makes every date that they share, and publish lets the newest inputs win.
    """
    dates = {first + timedelta(days=i) for i in range((last - first).days + 1)}
    if late:
        newest = max([last, *lake.partitions("events", "arrived_on", snapshot)])
        touched = lake.partitions("events", "event_date", snapshot, between("arrived_on", first, last))
        reachable = {e + timedelta(days=i) for e in touched for i in range(LOOK_BACK.days + 1)}
        dates |= {d for d in reachable if d <= newest}
    return sorted(dates)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage the sessions of a range of closing dates."""
    parser = argparse.ArgumentParser(
        description="Sessionise: stage the sessions that close in a range of days, and their events.",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--from", dest="first", type=day, required=True, help="first closing date, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=day, required=True, help="last closing date, inclusive")
    parser.add_argument(
        "--late",
        action="store_true",
        help="also the published closing dates that what arrived in the range can change",
    )
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    if args.first > args.last:
        parser.error(f"--from {args.first} is after --to {args.last}")
    gap = get_settings().session_gap
    lake = open_lake()
    snapshot = lake.table("events").metadata.current_snapshot_id
    dates = dates_to_close(lake, snapshot, args.first, args.last, args.late)
    spark = spark_session(f"sessionize {args.first}..{args.last}")
    try:
        with open_attempt("sessionize", args.run, inputs={"events": int(snapshot or 0)}) as attempt:
            known = one_of("event_date", look_back(dates))
            plan_for(spark, lake.size("events", known, snapshot))
            events = read_table(spark, lake, "events", known, snapshot)
            rows = closing_sessions(events, dates, gap).persist()
            stage(attempt, "session_events", _by_day(rows), "closed_on", dates)
            sessions = summarize(rows).withColumn("closed_on", closing_date(F.col("ended_at"), gap))
            stage(attempt, "sessions", _by_day(sessions), "closed_on", dates)
            attempt.note(closing_dates=len(dates), look_back_dates=len(look_back(dates)))
    finally:
        spark.stop()
    log.info("staged", job="sessionize", first=str(dates[0]), last=str(dates[-1]), dates=len(dates))
    return {"closing_dates": len(dates), "first": dates[0], "last": dates[-1]}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
