"""Shards of a day's users, and the folder in which a run keeps its finished shards.

A shard is a Parquet file of rows of ``recommendations``. The folder's name is a hash of the run and of everything that
determines the rows, and a shard gets its final name when it is complete. So a killed run finds the shards it had finished, and
never rows from other inputs. The folder is among the table's attempts: maintenance removes an abandoned one with the orphans,
and an erasure searches it.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ml.inference.user_histories import EVENT_SCHEMA
from schemas.contract import load_contract
from schemas.runtime.settings import get_settings

TABLE = "recommendations"
RECOMMENDATIONS = load_contract(TABLE).arrow_schema
BUFFERED_ROWS = 1 << 19
"""Number of events buffered in memory before they are written to the shards' files."""
FIGURES = b"clickwright.figures"
USER_COLUMNS = ["user_id", "segment"]


def shard_of(users: pa.Array | pa.ChunkedArray, shards: int) -> npt.NDArray[np.int64]:
    """The shard of each user, by a hash of the user's id alone: ``[len(users)]``.

    Args:
        users: ids.
        shards: number of shards.

    >>> users = pa.array(["ann", "bob", "cid"])
    >>> bool(shard_of(users, 8)[2] == shard_of(users[2:], 8)[0])
    True
    """
    hashes = pl.Series(users, dtype=pl.String).hash(seed=0).to_numpy()
    return np.asarray(hashes % np.uint64(shards), dtype=np.int64)


@dataclass(frozen=True)
class Work:
    """The folder of a run's finished shards."""

    folder: Path
    shards: int

    @classmethod
    def of(cls, run: str, follows_from: Mapping[str, Any], shards: int) -> "Work":
        """The folder of a run.

        Args:
            run: name of the run.
            follows_from: everything that determines the rows; values that JSON lacks enter as their text.
            shards: number of shards.
        """
        said = json.dumps({"run": run, "shards": shards, **follows_from}, sort_keys=True, default=str)
        name = f"work-{hashlib.sha256(said.encode()).hexdigest()[:32]}"
        return cls(get_settings().table_files / TABLE / name, shards)

    def path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.parquet"

    @property
    def waiting(self) -> list[int]:
        """Numbers of the shards that are not finished."""
        return [shard for shard in range(self.shards) if not self.path(shard).exists()]

    def finish(self, shard: int, rows: pa.Table, figures: Mapping[str, int]) -> None:
        """Write a shard atomically.

        Args:
            shard: its number.
            rows: of ``recommendations``.
            figures: counts, which :meth:`figures` sums over the shards.
        """
        fresh = self.folder / f".{uuid.uuid4().hex}.parquet"
        with pq.ParquetWriter(fresh, rows.schema, compression="zstd", store_schema=False) as writer:
            writer.write_table(rows)
            writer.add_key_value_metadata({FIGURES: json.dumps(figures)})
        fresh.rename(self.path(shard))

    def figures(self) -> dict[str, int]:
        """The shards' counts, summed, and ``items_shown``, the number of distinct items; all shards must be finished."""
        total: Counter[str] = Counter()
        items: set[str] = set()
        for shard in range(self.shards):
            with pq.ParquetFile(self.path(shard)) as file:
                total.update(json.loads(file.metadata.metadata[FIGURES]))
                items.update(file.read(columns=["item_id"])["item_id"].unique().to_pylist())
        return {**total, "items_shown": len(items)}

    def stage(self, folder: Path) -> None:
        """Hard-link the finished shards into an attempt's folder; they stay here until the attempt is complete."""
        folder.mkdir(parents=True)
        for shard in range(self.shards):
            os.link(self.path(shard), folder / self.path(shard).name)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Inputs:
    """The inputs of each shard: its users, and their events."""

    folder: Path
    shards: int

    def users(self, shard: int) -> pa.Table:
        """Users of a shard, in ``USER_COLUMNS``, sorted by ``user_id``."""
        return pq.read_table(self._users(shard)).combine_chunks()

    def events(self, shard: int) -> pa.Table:
        """Events of a shard's users, and of users without a profile whose ids hash to the shard."""
        return pq.read_table(self._events(shard))

    def _users(self, shard: int) -> Path:
        return self.folder / f"users-{shard:05d}.parquet"

    def _events(self, shard: int) -> Path:
        return self.folder / f"events-{shard:05d}.parquet"

    def write_users(self, users: pa.Table) -> None:
        """Write the users of each shard.

        Args:
            users: in ``USER_COLUMNS``, one row a user.
        """
        users = users.select(USER_COLUMNS).sort_by("user_id")
        shard = shard_of(users["user_id"], self.shards)
        for number in range(self.shards):
            pq.write_table(users.filter(pa.array(shard == number)), self._users(number), compression="zstd")

    def write_events(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write the events of each shard, with a bounded number of them in memory."""
        writers = [pq.ParquetWriter(self._events(n), EVENT_SCHEMA, compression="zstd") for n in range(self.shards)]
        held: list[pa.RecordBatch] = []
        for batch in batches:
            held.append(batch)
            if sum(part.num_rows for part in held) >= BUFFERED_ROWS:
                self._deal(held, writers)
                held = []
        self._deal(held, writers)
        for writer in writers:
            writer.close()

    def _deal(self, batches: list[pa.RecordBatch], writers: list[pq.ParquetWriter]) -> None:
        rows = pa.Table.from_batches(batches, schema=EVENT_SCHEMA)
        shard = shard_of(rows["user_id"], self.shards)
        order = np.argsort(shard, kind="stable")
        ends = np.searchsorted(shard[order], np.arange(self.shards + 1))
        for writer, first, last in zip(writers, ends[:-1], ends[1:], strict=True):
            if last > first:
                writer.write_table(rows.take(pa.array(order[first:last])))


@contextmanager
def open_inputs(work: Work) -> Iterator[Inputs]:
    """A folder for the inputs of the shards, removed afterwards: they hold personal data and are quick to make again."""
    work.folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(work.folder / f"inputs-{uuid.uuid4().hex}", work.shards)
    inputs.folder.mkdir()
    try:
        yield inputs
    finally:
        shutil.rmtree(inputs.folder, ignore_errors=True)
