"""One exchange by key: tasks read and compute, rows with the same key are sent to the same task, and that task writes.

Spark distributes, retries and moves data; Polars computes the rows. A task of the first stage turns its work into frames and
splits each by its key into buckets. The rows of one frame in one bucket travel as one block (Arrow IPC, compressed), so the JVM
moves few large values instead of many small rows. A task of the second stage gets the blocks of its buckets and returns
results: figures, and the paths of the files that it wrote. The job uses only files that are listed in a result, so retried or
speculative tasks do no harm.
"""

import gc
import io
import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from schemas.runtime.cli import log_duration
from schemas.spark.session import java_process

BUCKET_BYTES = 4 << 20
"""Compressed input of one bucket, some hundred thousand rows. It bounds the memory of a task for inputs of any size."""
MOST_BUCKETS = 4096
BLOCKS = pa.schema([("bucket", pa.int32()), ("kind", pa.string()), ("block", pa.binary())])
RESULTS = "result string"

Produce = Callable[[Any], Iterator[tuple[str, pl.DataFrame, str | None]]]
"""Work -> (kind, frame, key): rows of ``frame`` go to the buckets of the column ``key``; without a key all go to bucket 0."""
Consume = Callable[[int, dict[str, pl.DataFrame]], Iterator[dict[str, Any]]]
"""(bucket, kind -> frame) -> results that JSON can represent."""


Exchange = Callable[[Sequence[Any], int, Produce, Consume], list[dict[str, Any]]]
"""The type of :func:`exchange` bound to a Spark session."""


def buckets_for(input_bytes: int) -> int:
    """The number of buckets for an input of some bytes.

    >>> buckets_for(0), buckets_for(10 << 20), buckets_for(1 << 40)
    (1, 3, 4096)
    """
    return max(1, min(MOST_BUCKETS, -(-input_bytes // BUCKET_BYTES)))


def exchange(
    spark: SparkSession, work: Sequence[Any], buckets: int, produce: Produce, consume: Consume
) -> list[dict[str, Any]]:
    """Run both stages.

    Args:
        spark: the session.
        work: the input of each task of the first stage; JSON must be able to represent it.
        buckets: how many buckets the keys are split into.
        produce: the first stage.
        consume: the second stage; called once for each bucket that has rows.

    Returns:
        The results of all buckets, in no particular order.
    """
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 8)  # blocks are large
    items = pa.table({"task": pa.array(range(len(work)), pa.int32()), "work": [json.dumps(item) for item in work]})
    blocks = (
        spark.createDataFrame(items)
        .repartitionById(max(1, len(work)), F.col("task"))
        .mapInArrow(partial(_first_stage, produce, buckets), "bucket int, kind string, block binary")
    )
    results = blocks.repartitionById(buckets, F.col("bucket")).mapInArrow(partial(_second_stage, consume), RESULTS)
    with log_duration("spark", java_process(spark)):
        return [json.loads(row["result"]) for row in results.collect()]


@cache
def _freeze() -> None:
    """Once in a Python worker: exclude imported objects from the garbage collection that Spark triggers after each task."""
    gc.freeze()


def _first_stage(produce: Produce, buckets: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    _freeze()
    for batch in batches:
        for item in batch["work"].to_pylist():
            for kind, frame, key in produce(json.loads(item)):
                for bucket, rows in split(frame, key, buckets):
                    yield pa.record_batch(
                        [pa.array([bucket], pa.int32()), pa.array([kind]), pa.array([to_block(rows)], pa.binary())],
                        schema=BLOCKS,
                    )


def split(frame: pl.DataFrame, key: str | None, buckets: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows of a frame by bucket; a key has the same bucket everywhere.

    Args:
        frame: the rows.
        key: the column that decides; without one all rows go to bucket 0.
        buckets: how many there are.

    >>> sizes = {n: len(rows) for n, rows in split(pl.DataFrame({"user_id": ["a", "b", "a"]}), "user_id", 1000)}
    >>> sorted(sizes.values())
    [1, 2]
    """
    if frame.is_empty():
        return
    if key is None or buckets == 1:
        yield 0, frame
        return
    bucket = (frame[key].cast(pl.String).hash(seed=0) % buckets).cast(pl.Int32)
    parts = frame.with_columns(_bucket=bucket).partition_by("_bucket", as_dict=True, include_key=False)
    for (number,), rows in parts.items():
        yield int(number), rows


def _second_stage(consume: Consume, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    _freeze()
    gathered: dict[int, dict[str, list[pl.DataFrame]]] = {}
    for batch in batches:
        for bucket, kind, block in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            gathered.setdefault(bucket, {}).setdefault(kind, []).append(from_block(block))
    for bucket in sorted(gathered):
        frames = {kind: pl.concat(parts, rechunk=True) for kind, parts in gathered.pop(bucket).items()}
        for result in consume(bucket, frames):
            yield pa.record_batch([pa.array([json.dumps(result, default=str)])], names=["result"])


def to_block(frame: pl.DataFrame) -> bytes:
    """A frame as compressed Arrow IPC."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="lz4", compat_level=pl.CompatLevel.oldest())  # its contiguous texts compress best
    return buffer.getvalue()


def from_block(block: bytes) -> pl.DataFrame:
    return pl.read_ipc(block)
