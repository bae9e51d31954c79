"""Clickwright's own functions in one exchange: read and check; then, by user, deduplicate, sessionise and write.

``python -m tests.benchmarks.engines.clickwright INPUT OUTPUT [DAILY_CAP]``
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.cleaning.outcomes import ROW, runaways, same_ids
from jobs.exchange.exchange import exchange
from jobs.exchange.parquet_writer import write_rows
from jobs.exchange.tasks import in_tasks, read_rows
from jobs.sessions.rules import in_order, summary, with_sessions
from schemas.contract import load_contract
from schemas.rules import RowRule, RowRuleKind, to_polars
from schemas.spark.session import spark_session
from tests.benchmarks.job import COLUMNS, EVENT_COLUMNS, EVENTS, GAP, LATEST, SESSION_COLUMNS, SESSIONS, input_files

BUCKET_EVENTS = 1_000_000
ARRIVAL = {
    "source": pl.lit("simulated"),
    "source_file": pl.lit("one"),
    "arrived_at": pl.lit(datetime(2026, 2, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")),
    "value": pl.lit(None, pl.Float64),
    "text": pl.lit(None, pl.String),
}
"""Constant columns: the origin of a landing file's lines, and fields that these events lack."""
TEXT, TIME = pa.string(), pa.timestamp("us", tz="UTC")
KINDS = {"event_time": TIME, "started_at": TIME, "ended_at": TIME, "position": pa.int32(), "n_events": pa.int32()}


@dataclass(frozen=True)
class Log:
    """The inputs of all tasks."""

    files: tuple[str, ...]
    target: Path
    daily_cap: int | None


def schema(columns: list[str]) -> pa.Schema:
    return pa.schema([(name, KINDS.get(name, TEXT)) for name in columns])


def rules() -> list[RowRule]:
    """The contract's rules for the existing columns, without the pattern of pseudonyms, and an upper limit of the time."""
    contract = [rule for rule in load_contract("events").rules if rule.column in COLUMNS and rule.other is None]
    last = RowRule(RowRuleKind.RANGE, "event_time", "when it was done", high=LATEST)
    return [*(rule for rule in contract if rule.kind is not RowRuleKind.PATTERN), last]


def read_sound(of: Log, numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    """The events that violate no rule, with the column to partition by."""
    broken = [to_polars(rule) for rule in rules()]
    for number in numbers:
        for rows in read_rows(of.files[number], COLUMNS):
            yield EVENTS, rows.filter(~pl.any_horizontal(broken)), "user_id"


def decide_and_write(of: Log, bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    """Deduplicate and sessionise the events, and write the two files of a bucket."""
    start = time.monotonic()
    rows = frames[EVENTS].with_row_index(ROW)
    duplicates, _, _ = same_ids(rows.with_columns(line_number=pl.col(ROW), **ARRIVAL))
    dropped = [number for found in duplicates.values() for number in found]
    events = rows.filter(~pl.col(ROW).is_in(dropped))
    set_aside = 0
    if of.daily_cap is not None:
        days = events.with_columns(outcome=pl.lit("event"), event_date=pl.col("event_time").dt.date())
        runaway = runaways(days, of.daily_cap)
        set_aside, events = len(runaway), events.filter(~pl.col(ROW).is_in(runaway.implode()))
    events = with_sessions(in_order(events.drop(ROW)), GAP)
    write_rows(events, schema(EVENT_COLUMNS), of.target / EVENTS / f"part-{bucket:05d}.parquet")
    write_rows(summary(events.drop("item_id")), schema(SESSION_COLUMNS), of.target / SESSIONS / f"part-{bucket:05d}.parquet")
    yield {"events": len(events), "set_aside": set_aside, "seconds": time.monotonic() - start}


def main(source: Path, target: Path, daily_cap: int | None = None) -> dict[str, Any]:
    files = input_files(source)
    for table in (EVENTS, SESSIONS):
        (target / table).mkdir(parents=True)
    of = Log(tuple(map(str, files)), target, daily_cap)
    buckets = -(-sum(pq.read_metadata(path).num_rows for path in files) // BUCKET_EVENTS)
    tasks = in_tasks([path.stat().st_size for path in files])
    spark = spark_session("bench")
    results = exchange(spark, tasks, buckets, partial(read_sound, of), partial(decide_and_write, of))
    spark.stop()
    return {
        "events": sum(result["events"] for result in results),
        "set_aside": sum(result["set_aside"] for result in results),
        "task_seconds": sorted(round(result["seconds"], 3) for result in results),
    }


if __name__ == "__main__":
    cap = int(sys.argv[3]) if len(sys.argv) > 3 else None
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), cap)))
