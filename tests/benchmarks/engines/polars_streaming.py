"""Polars only, on its streaming engine: one plan of expressions, written while it runs.

``python -m tests.benchmarks.engines.polars_streaming INPUT OUTPUT``
"""

import hashlib
import sys
from pathlib import Path

import polars as pl

from tests.benchmarks.job import (
    COLUMNS,
    EARLIEST,
    EVENT_COLUMNS,
    EVENT_TYPES,
    EVENTS,
    GAP,
    ID_DIGITS,
    LATEST,
    SEPARATOR,
    SESSION_COLUMNS,
    SESSIONS,
)


def digests(said: pl.Series) -> pl.Series:
    """Session ids of the texts; null stays null."""
    where = said.is_not_null().arg_true()
    ids = [hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS] for text in said.gather(where)]
    return pl.Series([None], dtype=pl.String).new_from_index(0, len(said)).scatter(where, ids)


def main(source: Path, target: Path) -> None:
    time, day = pl.col("event_time"), pl.col("event_time").dt.date()
    types = pl.col("event_type").cast(pl.String)
    sound = pl.all_horizontal(pl.col("event_id", "user_id").is_not_null(), types.is_in(EVENT_TYPES))
    new_user = pl.col("user_id") != pl.col("user_id").shift()
    events = (
        pl.scan_parquet(source / "*.parquet")
        .select(COLUMNS)
        .filter(sound & time.is_between(EARLIEST, LATEST))
        .with_columns(pl.col("user_id").cast(pl.String))
        .unique("event_id")
        .sort("user_id", "event_time", "event_id")
        .with_columns(_day=day, _chain=(new_user | (time.diff() > GAP)).fill_null(True))
        .with_columns(_first_day=pl.when("_chain").then("_day").forward_fill())
        .with_columns(
            _starts=pl.col("_chain")
            | ((pl.col("_day") != pl.col("_day").shift()) & (pl.col("_day") - pl.col("_first_day") >= pl.duration(days=2)))
        )
        .with_row_index("_row")
        .with_columns(
            position=(pl.col("_row") - pl.when("_starts").then("_row").forward_fill()).cast(pl.Int32),
            session_id=pl.when("_starts")
            .then(pl.concat_str("user_id", "event_id", separator=SEPARATOR))
            .map_batches(digests, pl.String, is_elementwise=True)
            .forward_fill(),
        )
        .select(EVENT_COLUMNS)
    )
    (target / EVENTS).mkdir(parents=True)
    (target / SESSIONS).mkdir()
    written = target / EVENTS / "part.parquet"
    events.sink_parquet(written, compression="zstd", engine="streaming")
    sessions = (
        pl.scan_parquet(written)
        .group_by("user_id", "session_id")
        .agg(started_at=pl.min("event_time"), ended_at=pl.max("event_time"), n_events=pl.len())
        .select(SESSION_COLUMNS)
    )
    sessions.sink_parquet(target / SESSIONS / "part.parquet", compression="zstd", engine="streaming")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
