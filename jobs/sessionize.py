"""Sessionize: group events of a user, ordered by (event_time, event_id), into sessions, for any range of closing dates.

``jobs.sessions.rules`` holds the rules, ``jobs.sessions.lookback`` the events that a closing date depends on. This module runs
the exchange. ``jobs.late_days`` finds published dates that later arrivals change.

``python -m jobs.sessionize --from 1998-04-16 --to 1998-04-16``
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.cleaning.event_identity import SAME_EVENT
from jobs.exchange.exchange import Exchange, buckets_for, exchange
from jobs.exchange.tasks import in_tasks
from jobs.sessions.closing import Closing, close_and_write, read_events
from jobs.sessions.closing_dates import closing_dates, expect_possible
from jobs.sessions.lookback import look_back
from jobs.sessions.rules import ORDER, source_of, summary, with_sessions
from schemas.contract import load_contract
from schemas.lake.filters import one_of
from schemas.lake.lake import Lake, open_lake
from schemas.lake.snapshots import add_snapshot_option, inputs_for
from schemas.publishing.staging import Attempt, open_attempt
from schemas.runtime.cli import day, log, parser_of, run_command, run_id_default
from schemas.runtime.settings import get_settings
from schemas.spark.session import end_session, spark_session

DEFAULT_GAP = timedelta(minutes=30)


# ---- for Spark frames -----------------------------------------------------------------------------------------------------


def sessionize(events: DataFrame, gap: timedelta = DEFAULT_GAP) -> DataFrame:
    """Give every event its session: one exchange by user; the frame's other columns pass through unread.

    Each task holds the events of its users in memory: set ``spark.sql.shuffle.partitions`` by the size of the frame.

    Args:
        events: at least ``user_id``, ``event_time`` (timestamp) and ``event_id``;
            these three and ``source``, if it is a column, name an event.
        gap: a longer pause starts a new session.

    Returns:
        The frame with ``session_id`` (string) and ``position`` (int, from 0); existing columns of these names are replaced.
    """
    events = events.drop("session_id", "position")  # an event's own position, such as the slot of an ad, is replaced
    schema = f"{_ddl(events)}, session_id string, position int"
    return events.repartition(F.col("user_id")).mapInArrow(partial(_sessionize_batches, gap), schema)


def summarize(session_events: DataFrame) -> DataFrame:
    """One row for each session.

    Args:
        session_events: the result of :func:`sessionize`; ``item_id`` is counted if it exists.

    Returns:
        ``user_id``, ``session_id``, ``started_at``, ``ended_at``, ``n_events``, ``n_items``, ``first_event_id``,
        ``last_event_id``, ``duration_s``.
    """
    schema = (
        "user_id string, session_id string, started_at timestamp, first_event_id string, ended_at timestamp, "
        "last_event_id string, n_events int, n_items int, duration_s double"
    )
    return session_events.repartition(F.col("user_id")).mapInArrow(_summarize_batches, schema)


def _ddl(frame: DataFrame) -> str:
    return ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in frame.schema.fields)


def _sessionize_batches(gap: timedelta, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    received = list(batches)
    if not received:
        return
    rows = pa.Table.from_batches(received)
    order = [*ORDER, *source_of(rows.schema.names)]
    keys = pl.DataFrame(rows.select(order)).with_row_index("_row").sort(order)
    made = with_sessions(keys, gap)
    for name in ("session_id", "position"):
        made_column = made.select(name).to_arrow()[name]
        rows = (rows.take(keys["_row"].to_arrow()) if name == "session_id" else rows).append_column(name, made_column)
    yield from rows.cast(_plain(rows.schema)).to_batches()


def _summarize_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    received = list(batches)
    if not received:
        return
    names = [n for n in (*ORDER, "session_id", "position", "item_id") if n in received[0].schema.names]
    rows = pl.DataFrame(pa.Table.from_batches(received).select(names)).sort("user_id", "session_id", "position")
    table = summary(rows).to_arrow()
    order = ["user_id", "session_id", "started_at", "first_event_id", "ended_at", "last_event_id", "n_events", "n_items"]
    table = table.select([*order, "duration_s"])
    yield from table.cast(_plain(table.schema)).to_batches()


def _plain(schema: pa.Schema) -> pa.Schema:
    """Polars produces large strings; Spark expects plain ones."""
    return pa.schema([f.with_type(pa.string()) if pa.types.is_large_string(f.type) else f for f in schema])


# ---- for closing dates ----------------------------------------------------------------------------------------------------


def stage_sessions(run: Exchange, attempt: Attempt, lake: Lake, snapshot: int | None, dates: Sequence[date]) -> None:
    """Stage the sessions that close on some dates, and their events, from the events of a snapshot.

    Args:
        run: :func:`jobs.exchange.exchange.exchange`, bound to a session.
        attempt: the staged attempt.
        lake: the lake.
        snapshot: the snapshot of ``events``.
        dates: the closing dates, in order.
    """
    files = lake.sized_files("events", one_of("event_date", look_back(dates)), snapshot)
    tables = {name: load_contract(name) for name in ("session_events", "sessions")}
    folders = {name: attempt.folder(name) for name in tables}
    of = Closing(tuple(dates), get_settings().session_gap, tuple(files), **tables, folders=folders)
    buckets = buckets_for(sum(files.values()))
    results = run(in_tasks(files.values()), buckets, partial(read_events, of), partial(close_and_write, of))
    for table in tables:
        attempt.replaces(table, "closed_on", dates)
        attempt.wrote(table, [path for result in results for path in result[table]])
    reappeared = [conflict for result in results for conflict in result["conflicts"]]
    attempt.write_arrow("conflicts", conflict_rows(lake, snapshot, reappeared), replaces=("closed_on", dates))
    attempt.note(
        conflicts=len(reappeared), closing_dates=len(dates), look_back_dates=len(look_back(dates)), files_read=len(files)
    )
    attempt.note(reads={"events": f"event_date >= '{look_back(dates)[0]}' and event_date <= '{look_back(dates)[-1]}'"})


def conflict_rows(lake: Lake, snapshot: int | None, reappeared: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of ``conflicts``: both contents of each event that arrived again with other content.

    Args:
        lake: the lake.
        snapshot: the snapshot of ``events``.
        came_back: the rows of :func:`jobs.cleaning.event_identity.conflicts` with ``closed_on``; dates are ISO texts.
    """
    contract = load_contract("conflicts")
    if not reappeared:
        return contract.arrow_schema.empty_table()
    log.warning("events arrived again with other content; the first arrival counts", events=len(reappeared))
    ids = sorted({conflict["event_id"] for conflict in reappeared})
    events = pl.DataFrame(lake.arrow("events", one_of("event_id", ids), snapshot))
    both = events.select(*SAME_EVENT, "arrived_on", content=pl.struct(pl.all()))
    of_first = both.rename({"arrived_on": "kept_on", "content": "kept"})
    dates = pl.col("closed_on", "arrived_on", "kept_on").str.to_date()
    rows = (
        pl.DataFrame(reappeared).with_columns(dates).join(both.rename({"content": "refused"}), on=[*SAME_EVENT, "arrived_on"])
    )
    rows = rows.join(of_first, on=[*SAME_EVENT, "kept_on"]).sort("closed_on", *SAME_EVENT, "arrived_on")
    return rows.select(contract.columns).to_arrow().cast(contract.arrow_schema)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage the sessions of a range of closing dates."""
    parser = parser_of(__doc__, "python -m jobs.sessionize --from 1998-04-16 --to 1998-04-18")
    parser.add_argument(
        "--from",
        dest="first",
        type=day,
        required=True,
        help="first closing date, YYYY-MM-DD; days before the first event are left out",
    )
    parser.add_argument("--to", dest="last", type=day, required=True, help="last closing date, inclusive")
    add_snapshot_option(parser)
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    if args.first > args.last:
        parser.error(f"--from {args.first} is after --to {args.last}")
    expect_possible(args.first, "--from")
    lake = open_lake()
    inputs = inputs_for(lake, ["events"], args.as_of_snapshot)
    snapshot = inputs["events"]
    dates = closing_dates(lake, snapshot, args.first, args.last)
    spark = spark_session(f"sessionize {args.first}..{args.last}")
    try:
        with open_attempt("sessionize", args.run, inputs) as attempt:
            stage_sessions(partial(exchange, spark), attempt, lake, snapshot, dates)
    finally:
        end_session(spark)
    log.info("staged", job="sessionize", first=str(args.first), last=str(args.last), dates=len(dates))
    return {"closing_dates": len(dates), "first": args.first, "last": args.last}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
