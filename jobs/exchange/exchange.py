"""One exchange by key: read and compute in tasks, send rows that belong together to one task, and let that one write.

Spark distributes, retries and moves; the rows themselves are computed in Polars. A task of the first stage turns its work into
frames and splits each by its key into buckets. A bucket's rows of one frame travel as one block (Arrow IPC, compressed), so the
JVM moves few large values instead of many small rows. A task of the second stage gets the blocks of its buckets and gives
results: figures, and the files that it wrote. Only files that are listed in a result exist for the job, so a task that is tried
again or twice at once does no harm.
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

from schemas.runtime.cli import at_work

BUCKET_BYTES = 4 << 20
"""Compressed input that one bucket gets, some hundred thousand rows: a task's memory grows with it, not with the whole."""
MOST_BUCKETS = 4096
BLOCKS = pa.schema([("bucket", pa.int32()), ("kind", pa.string()), ("block", pa.binary())])
RESULTS = "result string"

Produce = Callable[[Any], Iterator[tuple[str, pl.DataFrame, str | None]]]
"""Work -> (kind, frame, key): the rows of ``frame`` go to the buckets of the column ``key``, all to bucket 0 without one."""
Consume = Callable[[int, dict[str, pl.DataFrame]], Iterator[dict[str, Any]]]
"""(bucket, kind -> frame) -> results, each of which JSON can hold."""


Exchange = Callable[[Sequence[Any], int, Produce, Consume], list[dict[str, Any]]]
"""What :func:`exchange` is, once it is bound to a Spark session."""


def buckets_for(input_bytes: int) -> int:
    """How many buckets an input of some bytes is split into."""
    return max(1, min(MOST_BUCKETS, -(-input_bytes // BUCKET_BYTES)))


def exchange(
    spark: SparkSession, work: Sequence[Any], buckets: int, produce: Produce, consume: Consume
) -> list[dict[str, Any]]:
    """Run both stages.

    Args:
        work: what each task of the first stage gets; JSON has to hold it.
        buckets: how many buckets the keys are split into.
        produce: the first stage.
        consume: the second stage; called once for each bucket that got rows.

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
    with at_work("spark"):
        return [json.loads(row["result"]) for row in results.collect()]


@cache
def _freeze() -> None:
    """Once in a Python worker: leave what was imported out of the garbage collections that Spark asks for after each task."""
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
    """The rows of a frame by bucket; a key has the same bucket everywhere."""
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
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="lz4", compat_level=pl.CompatLevel.oldest())  # texts on end compress best
    return buffer.getvalue()


def from_block(block: bytes) -> pl.DataFrame:
    return pl.read_ipc(block)
