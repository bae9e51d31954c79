"""Ages of files and moments, as the tests of upkeep need them."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.settings import get_settings


@pytest.fixture
def now() -> datetime:
    """A moment after all that a test has done so far would be wrong a line later: so it is one hour ahead."""
    return datetime.now(UTC) + timedelta(hours=1)


def grow_old(folder: Path, days: float = 30) -> None:
    """Make all files of a folder older."""
    for path in folder.rglob("*"):
        if path.is_file():
            changed = path.stat().st_mtime - days * 86400
            os.utime(path, (changed, changed))


def data_files() -> set[Path]:
    """All Parquet files of the lake."""
    return set(get_settings().table_files.rglob("*.parquet"))
