"""Raw lines out of landing files, each with its file and number; what is wrong with a file becomes a line with a problem."""

import gzip
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import zstandard
from pyspark.sql import DataFrame, SparkSession

from jobs.landing import LandingFile

LONGEST_LINE = 1 << 20
BATCH_LINES = 5000
BYTES_A_TASK = 4 << 20
FILES_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("path", pa.string()),
        ("source_file", pa.string()),
        ("arrived_at", pa.timestamp("us", tz="UTC")),
    ]
)
LINES_SCHEMA = "source string, source_file string, arrived_at timestamp, line_number long, line string, problem string"
ARROW_LINES = pa.schema(
    [
        ("source", pa.string()),
        ("source_file", pa.string()),
        ("arrived_at", pa.timestamp("us", tz="UTC")),
        ("line_number", pa.int64()),
        ("line", pa.string()),
        ("problem", pa.string()),
    ]
)


class Problem(StrEnum):
    """Why a line could not be read at all."""

    NOT_JSON = "line.not_json"
    NOT_UTF8 = "line.not_utf8"
    TOO_LONG = "line.too_long"
    TRUNCATED = "file.truncated"
    UNREADABLE = "file.unreadable"


def read_lines(spark: SparkSession, files: list[LandingFile]) -> DataFrame:
    """One row a line, of every file; a file is read by one task, as compressed files cannot be split."""
    rows = [(f.source, str(f.path), f.relative, f.arrived_at) for f in files]
    table = pa.Table.from_pylist([dict(zip(FILES_SCHEMA.names, row, strict=True)) for row in rows], schema=FILES_SCHEMA)
    size = sum(file.path.stat().st_size for file in files)
    tasks = max(1, min(len(files), -(-size // BYTES_A_TASK)))
    return spark.createDataFrame(table).repartition(tasks).mapInArrow(_read_files, LINES_SCHEMA)


def _read_files(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for file in batch.to_pylist():
            numbered = _numbered_lines(file["path"])
            rows: list[tuple[int, str | None, str | None]] = []
            for row in numbered:
                rows.append(row)
                if len(rows) == BATCH_LINES:
                    yield _as_batch(file, rows)
                    rows = []
            if rows:
                yield _as_batch(file, rows)


def _as_batch(file: dict[str, object], rows: list[tuple[int, str | None, str | None]]) -> pa.RecordBatch:
    numbers, lines, problems = zip(*rows, strict=True)
    constant = [[file[name]] * len(rows) for name in ("source", "source_file", "arrived_at")]
    columns = [*constant, numbers, lines, problems]
    return pa.record_batch([pa.array(c, t) for c, t in zip(columns, ARROW_LINES.types, strict=True)], schema=ARROW_LINES)


def _numbered_lines(path: str) -> Iterator[tuple[int, str | None, str | None]]:
    """(number, text, problem) of each line that is not blank; number 0 tells of the file itself."""
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, 1):
                line = raw.rstrip(b"\r\n")
                if not line.strip():
                    continue
                if len(line) > LONGEST_LINE:
                    yield number, line[:200].decode("latin-1"), Problem.TOO_LONG
                    continue
                try:
                    yield number, line.decode(), None
                except UnicodeDecodeError:
                    yield number, line.decode("latin-1"), Problem.NOT_UTF8
    except EOFError:
        yield 0, None, Problem.TRUNCATED
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError):
        yield 0, None, Problem.UNREADABLE


def _open(path: str) -> IO[bytes]:
    if path.endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.endswith((".zst", ".zstd")):
        return zstandard.open(path, "rb")
    return Path(path).open("rb")
