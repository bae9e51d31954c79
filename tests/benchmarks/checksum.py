"""Checksums of an engine's output that do not depend on the order of rows, on files or on types."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from tests.benchmarks.job import EVENT_COLUMNS, EVENTS, GAP, SESSION_COLUMNS, SESSIONS

TYPES = {"position": pl.Int64, "n_events": pl.Int64}
CHAIN = ["user_id", "started_at", "ended_at", "n_events"]


@dataclass(frozen=True)
class Rows:
    """The number of rows, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def __add__(self, other: "Rows") -> "Rows":
        return Rows(self.rows + other.rows, (self.total + other.total) % 2**64)


def checksums(folder: Path, whole: bool = True) -> dict[str, dict[str, int]]:
    """Checksums of both tables, and of the sessions by rule 1 only (joined again at midnights).

    Args:
        folder: the output folder of the engine.
        whole: whether to include both tables, or only the sessions by rule 1.
    """
    found = {}
    if whole:
        found = {
            EVENTS: sum((hashed(part, EVENT_COLUMNS) for part in parts(folder / EVENTS, EVENT_COLUMNS)), Rows()),
            SESSIONS: sum((hashed(part, SESSION_COLUMNS) for part in parts(folder / SESSIONS, SESSION_COLUMNS)), Rows()),
        }
    found["chains"] = hashed(chains(folder / SESSIONS), CHAIN)
    return {name: asdict(rows) for name, rows in found.items()}


def parts(folder: Path, columns: list[str]) -> Iterator[pl.DataFrame]:
    """The rows of a table, a row group at a time."""
    for path in sorted(folder.rglob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield plain(pl.DataFrame(file.read_row_group(group, columns=columns)))


def plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Cast the rows to the same types for all engines."""

    def cast(name: str, kind: pl.DataType) -> pl.Expr:
        column = pl.col(name)
        if isinstance(kind, pl.Datetime):
            return column.dt.cast_time_unit("us").to_physical()
        return column.cast(TYPES.get(name, pl.String))

    return rows.select(cast(name, kind).alias(name) for name, kind in rows.schema.items())


def hashed(rows: pl.DataFrame, columns: list[str]) -> Rows:
    hashes = rows.select(columns).hash_rows(seed=0).to_numpy()
    return Rows(len(rows), int(hashes.sum(dtype=np.uint64)))


def chains(folder: Path) -> pl.DataFrame:
    """Sessions by rule 1 only."""
    sessions = pl.concat(parts(folder, CHAIN)).sort("user_id", "started_at")
    pause = pl.col("started_at") - pl.col("ended_at").shift()
    new = (pl.col("user_id") != pl.col("user_id").shift()) | (pause > GAP.total_seconds() * 1_000_000)
    grouped = sessions.with_columns(chain=new.fill_null(True).cum_sum()).group_by("chain")
    return grouped.agg(pl.first("user_id"), pl.first("started_at"), pl.last("ended_at"), pl.sum("n_events"))
