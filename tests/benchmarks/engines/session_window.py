"""Spark's own ``session_window``, which supports only rule 1: group by user and window, sort each group, explode it.

``python -m tests.benchmarks.engines.session_window INPUT OUTPUT``
"""

import sys
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from tests.benchmarks.engines.spark_windows import session, session_id, sound_events, write
from tests.benchmarks.job import EVENT_COLUMNS, GAP_MICROS


def with_sessions(events: DataFrame) -> DataFrame:
    window = F.session_window("event_time", f"{GAP_MICROS} microseconds")
    rest = F.struct("event_time", "event_id", "event_type", "item_id")
    grouped = events.groupBy("user_id", window).agg(F.array_sort(F.collect_list(rest)).alias("rows"))
    named = grouped.withColumn("session_id", session_id("user_id", F.col("rows")[0]["event_id"]))
    unfolded = named.select("user_id", "session_id", F.posexplode("rows").alias("position", "row"))
    return unfolded.select("user_id", "session_id", "position", "row.*").select(EVENT_COLUMNS)


def main(source: Path, target: Path) -> None:
    spark = session("session_window")
    write(spark, with_sessions(sound_events(spark, source)), target)
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
