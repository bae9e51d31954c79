"""The lake's files by name: listing them with their ages, opening, writing and deleting them."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.fs as fs
import pyarrow.parquet as pq

from schemas.settings import get_settings

LOCAL = "file://"


class Found(NamedTuple):
    """A file's bytes and when it was last changed."""

    bytes: int
    changed: datetime


def plain(location: str) -> str:
    """The name of what Iceberg calls ``file:///a/b``."""
    return location.removeprefix(LOCAL)


def location(name: str) -> str:
    """What Iceberg calls a file of this name."""
    return LOCAL + name


def data_folder(table: str) -> str:
    """The folder of a table's data files; in it is one folder an attempt."""
    return str(get_settings().table_files / table)


def listing(folder: str) -> dict[str, Found]:
    """All files under a folder, sorted; none when there is no such folder."""
    found = fs.LocalFileSystem().get_file_info(fs.FileSelector(folder, allow_not_found=True, recursive=True))
    return {info.path: Found(info.size, info.mtime) for info in sorted(found, key=lambda i: i.path) if info.is_file}


def read_bytes(name: str) -> bytes:
    """A file's content."""
    return Path(plain(name)).read_bytes()


def open_parquet(name: str) -> pq.ParquetFile:
    """A Parquet file, to be closed by the caller."""
    return pq.ParquetFile(plain(name))


def write_parquet(rows: pa.Table, name: str) -> None:
    """Write a data file. It is no part of a table before a commit names it."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, name, compression="zstd", store_schema=False)


def delete(name: str) -> None:
    """Delete a file, and the folders of its attempt that it leaves empty. One that is not there is deleted already."""
    path, tables = Path(plain(name)), get_settings().table_files
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if tables not in folder.parents or folder.parent == tables:
            return
        try:
            folder.rmdir()
        except OSError:  # it holds something, or is gone
            return
