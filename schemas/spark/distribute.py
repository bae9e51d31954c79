"""Numbered work dealt to the tasks of Spark: for work that is not rows, such as a shard or a block of a simulated world."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def distribute(
    spark: "SparkSession", numbers: Sequence[int], work: Callable[[int], str], partitions: int | None = None
) -> list[str]:
    """Do each number's work in a Spark task; returns what the work returned, in no certain order.

    Args:
        spark: the session.
        numbers: of the work to do.
        work: does the work of one number; it travels to the workers. A task that Spark tries again does it again.
        partitions: how many tasks there are; by default one for each number.
    """
    from pyspark.sql import functions as F

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch["number"].to_pylist():
                yield pa.record_batch({"result": pa.array([work(number)], pa.string())})

    frame = spark.createDataFrame(pa.table({"number": pa.array(numbers, pa.int32())}))
    dealt = frame.repartitionById(partitions or max(numbers, default=0) + 1, F.col("number"))
    return [row["result"] for row in dealt.mapInArrow(run, "result string").collect()]
