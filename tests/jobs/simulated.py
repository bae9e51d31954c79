"""Small simulated worlds for the tests, and functions that read them back."""

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.simulate.__main__ import main
from jobs.simulate.world import World

FIRST_DAY = date(2026, 1, 5)
ARGUMENTS = {"--events": 6000, "--users": 150, "--items": 300, "--days": 4, "--dirt": 0.1, "--late": 0.05}


def world(**changes: Any) -> World:
    """A world of four days without defects, large enough for statistics and made in a second."""
    return World(**{"seed": 7, "events": 200_000, "users": 5000, "items": 600, "first_day": FIRST_DAY, "days": 4, **changes})


def simulate(root: Path, **changes: Any) -> dict[str, Any]:
    """Write a small world with every kind of defect below ``root``; ``dirt=0`` is ``--dirt 0``, ``x=True`` is ``--x``."""
    named = {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    arguments = {**ARGUMENTS, "--landing": root / "landing", "--truth": root / "truth", **named}
    words = [(name,) if value is True else (name, value) for name, value in arguments.items() if value is not None]
    return main([str(word) for pair in words for word in pair])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def raw_lines(root: Path, folder: str = "simulated") -> dict[tuple[str, int], bytes]:
    """Every landing line, by its file and its number."""
    landing = root / "landing"
    return {
        (path.relative_to(landing).as_posix(), number): line
        for path in sorted((landing / folder).rglob("*.jsonl.gz"))
        for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines(), 1)
    }


def truth(root: Path, table: str) -> list[dict[str, Any]]:
    return read(root / "truth" / table).to_pylist()


def read(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.ParquetFile(path).read() for path in sorted(folder.rglob("*.parquet"))])


def genuine(root: Path) -> list[dict[str, Any]]:
    """The events of the genuine lines."""
    dirt = {(row["file"], row["line"]) for row in truth(root, "planted") if row["kind"] != "late"}
    return [json.loads(line) for place, line in raw_lines(root).items() if place not in dirt]


def utc(text: str) -> str:
    """A local time with its zone, such as 2026-01-05T10:00:00.000+01:00, as UTC without one."""
    return f"{np.datetime64(text[:-6], 'ms') - np.timedelta64(int(text[-6:-3]), 'h')}"
