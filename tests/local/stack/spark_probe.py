"""A small Spark job for tests of the shared Spark."""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from jobs.exchange.exchange import exchange
from schemas.runtime.cli import run_command
from schemas.spark.session import end_session, java_process, spark_session


def produce(numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    yield "rows", pl.DataFrame({"number": numbers}), None


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Sum numbers in Spark's tasks, or sleep in one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["sum", "sleep"])
    parser.add_argument("file", type=Path)
    args = parser.parse_args(argv)

    def consume(bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
        args.file.write_text(str(os.getpid()))
        time.sleep(60 if args.what == "sleep" else 0)
        yield {"sum": frames["rows"]["number"].sum()}

    spark = spark_session("probe")
    results = exchange(spark, [[1, 2], [3]], 1, produce, consume)
    java = java_process(spark)
    end_session(spark)
    return {"java": java, "sum": sum(result["sum"] for result in results)}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
