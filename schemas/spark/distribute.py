"""Distribute numbered units of work to Spark tasks, such as shards or blocks of a simulated world."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def distribute(
    spark: "SparkSession", numbers: Sequence[int], work: Callable[[int], str], partitions: int | None = None
) -> list[str]:
    """Do the work of each number in a Spark task.

    Args:
        spark: the session.
        numbers: the numbers of the work units.
        work: does one unit of work; it is serialized and sent to the workers. It must be idempotent, as Spark retries tasks.
        partitions: number of tasks; default: one per number.

    Returns:
        The results of the work, in any order.
    """
    from pyspark.sql import functions as F

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["number"].to_pylist():
                yield pa.record_batch({"result": pa.array([work(number)], pa.string())})

    frame = spark.createDataFrame(pa.table({"number": pa.array(numbers, pa.int32())}))
    dealt = frame.repartitionById(partitions or max(numbers, default=0) + 1, F.col("number"))
    return [row["result"] for row in dealt.mapInArrow(run, "result string").collect()]
