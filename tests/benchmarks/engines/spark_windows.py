"""Typical Spark: drop duplicates, windows over the events of a user, group by session.

``python -m tests.benchmarks.engines.spark_windows INPUT OUTPUT``
"""

import sys
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from tests.benchmarks.job import (
    COLUMNS,
    EARLIEST,
    EVENT_COLUMNS,
    EVENT_TYPES,
    EVENTS,
    GAP_MICROS,
    HEAP,
    ID_DIGITS,
    LATEST,
    SEPARATOR,
    SESSION_COLUMNS,
    SESSIONS,
    THREADS,
)


def session(app: str) -> SparkSession:
    """Local Spark with its defaults, except for the heap and the file format."""
    return (
        SparkSession.builder.appName(app)
        .master(f"local[{THREADS}]")
        .config("spark.driver.memory", HEAP)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .getOrCreate()
    )


def valid_events(spark: SparkSession, source: Path) -> DataFrame:
    in_range = F.col("event_time").between(F.lit(EARLIEST), F.lit(LATEST))
    there = F.col("event_id").isNotNull() & F.col("user_id").isNotNull()
    rows = spark.read.parquet(str(source)).select(COLUMNS)
    return rows.where(there & F.col("event_type").isin(EVENT_TYPES) & in_range)


def sound_events(spark: SparkSession, source: Path) -> DataFrame:
    """Valid events, deduplicated by id."""
    return valid_events(spark, source).dropDuplicates(["event_id"])


def session_id(user: str, event: str | Column) -> Column:
    return F.substring(F.sha2(F.concat_ws(SEPARATOR, user, event), 256), 1, ID_DIGITS)


def with_sessions(events: DataFrame) -> DataFrame:
    """The session rules as window functions; all share one sort."""
    of_user = Window.partitionBy("user_id").orderBy("event_time", "event_id")
    micros = F.unix_micros("event_time")
    rows = events.withColumns(
        {
            "day": F.to_date("event_time"),
            "number": F.row_number().over(of_user),
            "new_chain": F.coalesce(micros - F.lag(micros).over(of_user) > GAP_MICROS, F.lit(True)),
        }
    )
    rows = rows.withColumn("first_day", F.last(F.when(F.col("new_chain"), F.col("day")), ignorenulls=True).over(of_user))
    cut = (F.col("day") != F.lag("day").over(of_user)) & (F.datediff("day", "first_day") >= 2)
    rows = rows.withColumn("starts", F.col("new_chain") | cut)
    first_number = F.last(F.when(F.col("starts"), F.col("number")), ignorenulls=True).over(of_user)
    named = F.last(F.when(F.col("starts"), session_id("user_id", "event_id")), ignorenulls=True).over(of_user)
    return rows.withColumns({"session_id": named, "position": F.col("number") - first_number}).select(EVENT_COLUMNS)


def write(spark: SparkSession, events: DataFrame, target: Path) -> None:
    """Write the events, then the sessions from the written files: cheaper than computing or caching the events again."""
    events.write.parquet(str(target / EVENTS))
    sessions = (
        spark.read.parquet(str(target / EVENTS))
        .groupBy("user_id", "session_id")
        .agg(F.min("event_time").alias("started_at"), F.max("event_time").alias("ended_at"), F.count("*").alias("n_events"))
    )
    sessions.select(SESSION_COLUMNS).write.parquet(str(target / SESSIONS))


def main(source: Path, target: Path) -> None:
    spark = session("spark")
    write(spark, with_sessions(sound_events(spark, source)), target)
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
