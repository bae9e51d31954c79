"""RePlay's ``Sessionizer``, which supports only rule 1, on Spark; the rest is the same as in ``spark_windows``.

``python -m tests.benchmarks.engines.replay_sessionizer INPUT OUTPUT`` with the Python of ``.venv-bench``.
"""

import sys
from pathlib import Path

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from replay.preprocessing import Sessionizer

from tests.benchmarks.engines.spark_windows import session, sound_events, write
from tests.benchmarks.job import EVENT_COLUMNS, GAP_MICROS


def with_sessions(events: DataFrame) -> DataFrame:
    sessionizer = Sessionizer(time_column="micros", session_gap=GAP_MICROS + 1)  # it splits at the gap, not above it
    named = sessionizer.transform(events.withColumn("micros", F.unix_micros("event_time")))
    in_session = Window.partitionBy("user_id", "session_id").orderBy("event_time", "event_id")
    return named.withColumn("position", F.row_number().over(in_session) - 1).select(EVENT_COLUMNS)


def main(source: Path, target: Path) -> None:
    spark = session("replay")
    write(spark, with_sessions(sound_events(spark, source)), target)
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
