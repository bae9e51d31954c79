"""The users of a day in shards, and the folder in which a run's finished shards wait for the others.

A shard is a Parquet file of rows of ``recommendations``, in a folder named by the run and by all that the rows follow from. It
gets its name when it is whole. So a run that was killed finds what it had finished, and nothing made from anything else.
The folder lies among the table's attempts: what a killed run left there goes with the orphans, and an erasure looks into it.
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
"""Events that wait in memory for their shards' files."""
FIGURES = b"clickwright.figures"
USER_COLUMNS = ["user_id", "segment"]


def shard_of(users: pa.Array | pa.ChunkedArray, shards: int) -> npt.NDArray[np.int64]:
    """The shard of each user, by a hash that knows nobody else: ``[len(users)]``."""
    hashes = pl.Series(users, dtype=pl.String).hash(seed=0).to_numpy()
    return np.asarray(hashes % np.uint64(shards), dtype=np.int64)


@dataclass(frozen=True)
class Work:
    """Where a run works."""

    folder: Path
    shards: int

    @classmethod
    def of(cls, run: str, follows_from: Mapping[str, Any], shards: int) -> "Work":
        """The folder of a run whose rows follow from some values, which JSON can hold."""
        said = json.dumps({"run": run, "shards": shards, **follows_from}, sort_keys=True, default=str)
        name = f"work-{hashlib.sha256(said.encode()).hexdigest()[:32]}"
        return cls(get_settings().table_files / TABLE / name, shards)

    def path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.parquet"

    @property
    def waiting(self) -> list[int]:
        """The shards that are not finished."""
        return [shard for shard in range(self.shards) if not self.path(shard).exists()]

    def finish(self, shard: int, rows: pa.Table, figures: Mapping[str, int]) -> None:
        """Write a shard, which is there whole or not at all."""
        fresh = self.folder / f".{uuid.uuid4().hex}.parquet"
        with pq.ParquetWriter(fresh, rows.schema, compression="zstd", store_schema=False) as writer:
            writer.write_table(rows)
            writer.add_key_value_metadata({FIGURES: json.dumps(figures)})
        fresh.rename(self.path(shard))

    def figures(self) -> dict[str, int]:
        """Figures of all finished shards: those noted of each, added up, and ``items_shown``, how many different items."""
        total: Counter[str] = Counter()
        items: set[str] = set()
        for shard in range(self.shards):
            with pq.ParquetFile(self.path(shard)) as file:
                total.update(json.loads(file.metadata.metadata[FIGURES]))
                items.update(file.read(columns=["item_id"])["item_id"].unique().to_pylist())
        return {**total, "items_shown": len(items)}

    def stage(self, folder: Path) -> None:
        """Give the finished shards a second name in an attempt's folder: they stay here until the attempt is complete."""
        folder.mkdir(parents=True)
        for shard in range(self.shards):
            os.link(self.path(shard), folder / self.path(shard).name)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Inputs:
    """What each shard is made from: its users, and what they did."""

    folder: Path
    shards: int

    def users(self, shard: int) -> pa.Table:
        """In ``USER_COLUMNS``, sorted by ``user_id``."""
        return pq.read_table(self._users(shard)).combine_chunks()

    def events(self, shard: int) -> pa.Table:
        """Events of the shard's users, and of others who hash like them and have no profile."""
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
        """Deal events out, a bounded number of them in memory."""
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
    """A folder for the inputs of the shards, removed afterwards; they hold personal data, and are quickly made again."""
    work.folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(work.folder / f"inputs-{uuid.uuid4().hex}", work.shards)
    inputs.folder.mkdir()
    try:
        yield inputs
    finally:
        shutil.rmtree(inputs.folder, ignore_errors=True)
