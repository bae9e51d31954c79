"""A small job that touches what the real jobs touch, for :mod:`jobs.prepare` to see which classes they load.

``python -m jobs.warm_up --folder /tmp/x``
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jobs.clean import decide, events_of, rejects_of
from jobs.landing import LandingFile
from jobs.lines import read_lines
from jobs.parse import parse
from jobs.sessionize import sessionize, summarize
from jobs.spark import spark_session
from schemas.cli import run_command
from schemas.source import Column, Source

SOURCE = Source(
    name="warm_up",
    columns={name: Column(path=name) for name in ("user_id", "event_type", "event_time", "item_id", "value")},
    event_types={"view": "view"},
)
EVENT = {"user_id": "u", "event_type": "view", "event_time": "2026-01-01T10:00:00Z", "item_id": "i", "value": 1}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Clean and sessionise two lines, writing into a folder that the caller removes."""
    parser = argparse.ArgumentParser(description="Run a small job that touches what the real jobs touch.")
    parser.add_argument("--folder", type=Path, required=True, help="scratch folder")
    folder: Path = parser.parse_args(argv).folder
    raw = folder / "lines.jsonl"
    raw.write_text(json.dumps(EVENT) + "\n{\n")
    file = LandingFile(SOURCE.name, raw, raw.name, datetime(2026, 1, 1, 11, tzinfo=UTC))
    spark = spark_session("warm up")
    lines = read_lines(spark, [file])
    decided = decide(parse(lines, SOURCE, b"key", date(2026, 1, 1), history=False), 2.0, 100).persist()
    for name, rows in (("rejects", rejects_of(decided)), ("events", events_of(decided))):
        rows.write.partitionBy("arrived_on").parquet(str(folder / name))
    in_sessions = sessionize(spark.read.parquet(str(folder / "events")))
    summarize(in_sessions).orderBy("user_id").coalesce(1).write.parquet(str(folder / "sessions"))
    counts = decided.groupBy("fate").count().collect()
    spark.stop()
    return {row["fate"]: row["count"] for row in counts}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
