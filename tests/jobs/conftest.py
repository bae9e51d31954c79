"""A tiny landing zone, written like a collector writes it."""

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.publishing.staging import open_attempt, read_manifest
from schemas.source import Source, load_source

DAY = date(1998, 4, 16)
GOOD = {
    "event_id": "e1",
    "type": "rating",
    "user": "shopper-0001@shop.example",
    "item": "242",
    "rating": 3,
    "time": "1998-04-16T14:20:05Z",
    "device": "web",
    "agent": "Mozilla/4.04",
    "surface": "catalogue",
}
Deliver = Callable[..., Path]


def line(**changes: Any) -> str:
    """A valid line with some changes; ``...`` removes a key."""
    return json.dumps({k: v for k, v in {**GOOD, **changes}.items() if v is not ...})


@pytest.fixture
def deliver(var: Path) -> Deliver:
    """Write lines (text or bytes) to a gzip file of the landing zone."""

    def write(
        *lines: str | bytes, hour: str = "1998-04-16T15", name: str = "part-000.jsonl.gz", source: str = "movielens"
    ) -> Path:
        path = var / "landing" / source / f"arrived={hour}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines), mtime=0))
        return path

    return write


@pytest.fixture
def cleaned(spark: Any) -> Callable[..., dict[str, Any]]:
    """Clean a day in the shared Spark session; returns the accounting, events, rejects and manifest."""

    def run(
        arrived_on: date = DAY, history: bool = False, run: str = "r", sources: Sequence[Source] | None = None
    ) -> dict[str, Any]:
        import pyarrow.parquet as pq

        from jobs.clean import clean
        from schemas.lake.lake import open_lake
        from schemas.runtime.settings import get_settings

        with open_attempt("clean", run, inputs={}) as attempt:
            known = list(sources or [load_source("movielens")])
            figures = clean(spark, attempt, open_lake(), arrived_on, history, known, get_settings())
        manifest = read_manifest("clean", run)
        rows = {
            name: [row for path in table.paths for row in pq.ParquetFile(path).read().to_pylist()]
            for name, table in manifest.tables.items()
        }
        return {"figures": figures, "manifest": manifest, **rows}

    return run
