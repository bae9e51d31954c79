"""A source of each format with two fields, and a fixture that writes and reads a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.landing.readers import read
from schemas.source import Source

WANTED = {"user": "u", "time": "t"}
MAPPING = {
    "name": "shop",
    "columns": {"user_id": {"path": "u"}, "event_type": {"constant": "view"}, "event_time": {"path": "t"}},
    "event_types": {"view": "view"},
}
Rows = list[tuple[Any, ...]]
ReadBytes = Callable[..., Rows]


def shop(**options: Any) -> Source:
    return Source.model_validate({**MAPPING, **options})


@pytest.fixture
def read_bytes(tmp_path: Path) -> ReadBytes:
    """Write a file and read it: (line number, problem, user, time) of every row."""

    def rows(content: bytes, name: str, **options: Any) -> Rows:
        path = tmp_path / name
        path.write_bytes(content)
        frames = list(read(path, shop(**options), WANTED))
        return pl.concat(frames).select("line_number", "problem", *WANTED).rows() if frames else []

    return rows
