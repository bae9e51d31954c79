"""Ages of files, for the tests of maintenance."""

import os
from pathlib import Path

from schemas.runtime.settings import get_settings


def grow_old(folder: Path, days: float = 30) -> None:
    """Make all files of a folder older by a number of days."""
    for path in folder.rglob("*"):
        if path.is_file():
            changed = path.stat().st_mtime - days * 86400
            os.utime(path, (changed, changed))


def data_files() -> set[Path]:
    """All Parquet files of the lake."""
    return set(get_settings().table_files.rglob("*.parquet"))
