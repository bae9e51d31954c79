"""Files of the lake by name, wherever they lie: a plain path on this machine, or ``s3://bucket/key`` in an object store.

Whoever lists, reads or deletes files of tables does it here, and so need not know which of the two it is.
"""

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq

from schemas.runtime.settings import Settings, get_settings

STORE = "s3://"
LOCAL = "file://"
READ_BYTES = 1 << 20


def filesystem(name: str) -> tuple[fs.FileSystem, str]:
    """The file system that holds a file or a folder, and its path there."""
    if name.startswith(STORE):
        return _store(get_settings()), name.removeprefix(STORE).rstrip("/")
    return fs.LocalFileSystem(), plain(name)


@cache
def _store(settings: Settings) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        endpoint_override=settings.object_store_endpoint,
        region=settings.object_store_region,
        **dict(zip(("access_key", "secret_key"), settings.object_store_keys, strict=False)),
    )


def catalog_properties(settings: Settings) -> dict[str, str]:
    """What PyIceberg has to know of the object store."""
    if settings.object_store is None:
        return {}
    keys = dict(zip(("s3.access-key-id", "s3.secret-access-key"), settings.object_store_keys, strict=False))
    endpoint = {"s3.endpoint": settings.object_store_endpoint} if settings.object_store_endpoint else {}
    return {"s3.region": settings.object_store_region, **endpoint, **keys}


def plain(location: str) -> str:
    """The name of what Iceberg calls ``file:///a/b`` or ``s3://bucket/key``."""
    return location.removeprefix(LOCAL)


def location(name: str) -> str:
    """What Iceberg calls a file of this name."""
    return name if name.startswith(STORE) else LOCAL + name


def exists(name: str) -> bool:
    """Whether there is a file of this name."""
    system, path = filesystem(name)
    return bool(system.get_file_info(path).type == fs.FileType.File)


class Found(NamedTuple):
    """A file's bytes and when it was last changed."""

    bytes: int
    changed: datetime


def listing(folder: str) -> dict[str, Found]:
    """All files under a folder, sorted; none when there is no such folder."""
    system, path = filesystem(folder)
    found = system.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
    prefix = STORE if folder.startswith(STORE) else ""
    return {prefix + i.path: Found(i.size, i.mtime) for i in sorted(found, key=lambda i: i.path) if i.is_file}


def read_bytes(name: str) -> bytes:
    """A file's content."""
    system, path = filesystem(name)
    with system.open_input_stream(path, compression=None) as file:
        return bytes(file.read())


def digest(name: str) -> str:
    """SHA-256 of a file's content."""
    found = hashlib.sha256()
    system, path = filesystem(name)
    with system.open_input_stream(path, compression=None) as file:
        while piece := file.read(READ_BYTES):
            found.update(piece)
    return found.hexdigest()


def open_parquet(name: str) -> pq.ParquetFile:
    """A Parquet file, to be closed by the caller."""
    system, path = filesystem(name)
    return pq.ParquetFile(path, filesystem=system)


def rows_of(names: list[str], schema: pa.Schema) -> ds.Dataset:
    """The rows of some Parquet files of one place, to be read in parts."""
    systems, paths = zip(*map(filesystem, names), strict=True)
    return ds.dataset(list(paths), schema=schema, format="parquet", filesystem=systems[0])


def read_rows(names: list[str], schema: pa.Schema) -> pa.Table:
    """The rows of some Parquet files of one place."""
    return rows_of(names, schema).to_table() if names else schema.empty_table()


def write_parquet(rows: pa.Table, name: str) -> None:
    """Write a data file. It is no part of a table before a commit names it."""
    system, path = filesystem(name)
    if not name.startswith(STORE):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path, filesystem=system, compression="zstd", store_schema=False)


def delete(name: str) -> None:
    """Delete a file. One that is not there is deleted already."""
    system, path = filesystem(name)
    if system.get_file_info(path).type == fs.FileType.File:
        system.delete_file(path)


def delete_folder(folder: str) -> None:
    """Delete a folder and all files in it. One that is not there is deleted already."""
    system, path = filesystem(folder)
    if system.get_file_info(path).type == fs.FileType.Directory:
        system.delete_dir(path)


def upload(path: Path, name: str) -> None:
    """Copy a file of this machine to a name in the object store."""
    system, target = filesystem(name)
    fs.copy_files(str(path), target, source_filesystem=fs.LocalFileSystem(), destination_filesystem=system)


def remove(name: str) -> None:
    """Delete a file, and the folders of its attempt that it leaves empty. One that is not there is deleted already."""
    delete(name)
    if name.startswith(STORE):
        return  # has no folders
    path, tables = Path(plain(name)), get_settings().table_files
    for folder in path.parents:
        if tables not in folder.parents or folder.parent == tables:
            return
        try:
            folder.rmdir()
        except OSError:  # it holds something, or is gone
            return
