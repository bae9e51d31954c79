"""Searches for raw user ids in every file under ``var/`` except the landing zone, the only place for them.

Parquet files are searched decoded, compressed files uncompressed, all others (databases, logs, models, pages) as bytes.

``python -m local.demo.raw_id_scan --needle @movielens.example``
"""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.runtime.cli import parser_of, run_command
from schemas.runtime.settings import get_settings

LANDING = ("landing", "landing-truth")
BLOCK = 1 << 22


@dataclass(frozen=True)
class Scan:
    """The number of files and bytes searched, and the files with a needle (relative to the folder)."""

    files: int
    bytes: int
    found: list[str]


def scan(folder: Path, needles: Sequence[bytes], skip: Sequence[str] = LANDING) -> Scan:
    """Search all files of a folder.

    Args:
        folder: the folder to search.
        needles: the byte strings to find.
        skip: names of sub-folders to leave out.
    """
    files, size, found = 0, 0, []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if inside.parts[0] in skip or path.is_symlink() or not path.is_file():
            continue
        files += 1
        size += path.stat().st_size
        if any(needle in block for block in _blocks(path, max(map(len, needles))) for needle in needles):
            found.append(inside.as_posix())
    return Scan(files, size, found)


def _blocks(path: Path, overlap: int) -> Iterator[bytes]:
    """The content in overlapping blocks, so that a needle across a border is found."""
    if path.suffix == ".parquet":
        for column in pq.ParquetFile(path).read().columns:
            for chunk in column.chunks:
                yield from (buffer.to_pybytes() for buffer in _buffers(chunk))
        return
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        tail = b""
        while block := file.read(BLOCK):
            yield tail + block
            tail = block[-overlap:]


def _buffers(array: pa.Array) -> Iterator[pa.Buffer]:
    yield from (buffer for buffer in array.buffers() if buffer is not None)
    if pa.types.is_dictionary(array.type):
        yield from _buffers(array.dictionary)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Find the files under ``var/`` that contain a text."""
    parser = parser_of(
        "Search every file under var/ for a text, except the landing zone.",
        "python -m local.demo.raw_id_scan --needle 'visitor 42'",
    )
    parser.add_argument("--needle", required=True, action="append", help="the text to find; may be given several times")
    args = parser.parse_args(argv)
    result = scan(get_settings().var, [needle.encode() for needle in args.needle])
    return {"files": result.files, "bytes": result.bytes, "found": result.found}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
