"""Expert Spark: rows are partitioned by user first, so that deduplication and windows need only one shuffle.

It does slightly less than the others: it deduplicates event ids per user, not over all users.

``python -m tests.benchmarks.engines.spark_one_shuffle INPUT OUTPUT``
"""

import sys
from pathlib import Path

from tests.benchmarks.engines.spark_windows import session, valid_events, with_sessions, write


def main(source: Path, target: Path) -> None:
    spark = session("spark, one shuffle")
    events = valid_events(spark, source).repartition("user_id").dropDuplicates(["user_id", "event_id"])
    write(spark, with_sessions(events), target)
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
