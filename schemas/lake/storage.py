"""Files of the lake by name: a plain path on this machine, or ``s3://bucket/key`` in an object store.

All code that lists, reads or deletes table files uses this module and works with both kinds of storage.
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

from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings, get_settings

STORE = "s3://"
LOCAL = "file://"
READ_BYTES = 1 << 20


def filesystem(name: str) -> tuple[fs.FileSystem, str]:
    """The file system of a file or folder, and its path in that file system."""
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
    """PyIceberg's properties for the object store; empty for local files."""
    if settings.object_store is None:
        return {}
    keys = dict(zip(("s3.access-key-id", "s3.secret-access-key"), settings.object_store_keys, strict=False))
    endpoint = {"s3.endpoint": settings.object_store_endpoint} if settings.object_store_endpoint else {}
    return {"s3.region": settings.object_store_region, **endpoint, **keys}


def plain(location: str) -> str:
    """Turn an Iceberg location into a name of this module.

    >>> plain("file:///a/b")
    '/a/b'
    """
    return location.removeprefix(LOCAL)


def location(name: str) -> str:
    """Turn a name of this module into an Iceberg location.

    >>> location("/a/b"), location("s3://bucket/key")
    ('file:///a/b', 's3://bucket/key')
    """
    return name if name.startswith(STORE) else LOCAL + name


def exists(name: str) -> bool:
    """Whether a file exists."""
    system, path = filesystem(name)
    return bool(system.get_file_info(path).type == fs.FileType.File)


class Found(NamedTuple):
    """A file's size in bytes and the time of its last change."""

    bytes: int
    changed: datetime


def listing(folder: str) -> dict[str, Found]:
    """All files under a folder and its subfolders, sorted by name; empty if the folder does not exist."""
    system, path = filesystem(folder)
    found = system.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
    prefix = STORE if folder.startswith(STORE) else ""
    return {prefix + i.path: Found(i.size, i.mtime) for i in sorted(found, key=lambda i: i.path) if i.is_file}


def read_bytes(name: str) -> bytes:
    """Read a file's content."""
    system, path = filesystem(name)
    with system.open_input_stream(path, compression=None) as file:
        return bytes(file.read())


def write_bytes(name: str, content: bytes) -> None:
    """Write a small file atomically: a reader sees either the old content or the new content.

    Args:
        name: the file; local folders are created if needed.
        content: the new content.
    """
    system, path = filesystem(name)
    if name.startswith(STORE):  # an object appears when its stream is closed
        with system.open_output_stream(path, compression=None) as file:
            file.write(content)
    else:
        write_atomically(Path(path), content.decode())


def digest(name: str) -> str:
    """SHA-256 of a file's content."""
    found = hashlib.sha256()
    system, path = filesystem(name)
    with system.open_input_stream(path, compression=None) as file:
        while piece := file.read(READ_BYTES):
            found.update(piece)
    return found.hexdigest()


def open_parquet(name: str) -> pq.ParquetFile:
    """Open a Parquet file; the caller must close it."""
    system, path = filesystem(name)
    return pq.ParquetFile(path, filesystem=system)


def rows_of(names: list[str], schema: pa.Schema) -> ds.Dataset:
    """The rows of Parquet files as a dataset that can be read in batches.

    Args:
        names: the files, all local or all in the object store.
        schema: Arrow schema of the rows.
    """
    systems, paths = zip(*map(filesystem, names), strict=True)
    return ds.dataset(list(paths), schema=schema, format="parquet", filesystem=systems[0])


def read_rows(names: list[str], schema: pa.Schema) -> pa.Table:
    """Read the rows of Parquet files.

    Args:
        names: the files, all local or all in the object store.
        schema: Arrow schema of the rows.
    """
    return rows_of(names, schema).to_table() if names else schema.empty_table()


def write_parquet(rows: pa.Table, name: str) -> None:
    """Write a Parquet data file. It becomes part of a table when a commit adds it.

    Args:
        rows: the rows.
        name: name of the file; local folders are created if needed.
    """
    system, path = filesystem(name)
    if not name.startswith(STORE):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path, filesystem=system, compression="zstd", store_schema=False)


def delete(name: str) -> None:
    """Delete a file if it exists."""
    system, path = filesystem(name)
    if system.get_file_info(path).type == fs.FileType.File:
        system.delete_file(path)


def delete_folder(folder: str) -> None:
    """Delete a folder and all files in it, if it exists."""
    system, path = filesystem(folder)
    if system.get_file_info(path).type == fs.FileType.Directory:
        system.delete_dir(path)


def upload(path: Path, name: str) -> None:
    """Copy a local file to the object store.

    Args:
        path: the local file.
        name: the target, such as ``s3://bucket/key``.
    """
    system, target = filesystem(name)
    fs.copy_files(str(path), target, source_filesystem=fs.LocalFileSystem(), destination_filesystem=system)


def remove(name: str) -> None:
    """Delete a file if it exists, and the folders of its attempt that are empty afterwards."""
    delete(name)
    if name.startswith(STORE):
        return  # object stores have no folders
    path, tables = Path(plain(name)), get_settings().table_files
    for folder in path.parents:
        if tables not in folder.parents or folder.parent == tables:
            return
        try:
            folder.rmdir()
        except OSError:  # not empty, or already deleted
            return
