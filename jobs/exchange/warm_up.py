"""A small job that uses the same classes as the real jobs, so that :mod:`jobs.prepare_spark` can record them.

``python -m jobs.exchange.warm_up``
"""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from jobs.exchange.exchange import exchange
from schemas.runtime.cli import parser_of, run_command
from schemas.spark.session import end_session, spark_session


def produce(numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    yield "rows", pl.DataFrame({"user_id": [str(number) for number in numbers]}), "user_id"


def consume(bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    yield {"bucket": bucket, "rows": len(frames["rows"])}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run an exchange of a few rows."""
    parser = parser_of("Run a small job that loads the same classes as the real jobs.", "python -m jobs.exchange.warm_up")
    parser.parse_args(argv)
    spark = spark_session("warm up")
    results = exchange(spark, [[1, 2], [3]], 2, produce, consume)
    end_session(spark)
    return {"rows": sum(result["rows"] for result in results)}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
