"""The names of the columns that a file gives itself: the header of CSV, the schema of Parquet."""

from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from jobs.landing.readers.lines import numbered_lines
from jobs.landing.readers.parquet import NOT_OPENED
from jobs.landing.readers.records import Form, Records
from schemas.json_path import inside_columns
from schemas.source import Source

MOST_LINES = 1_000
"""Lines of a CSV file that may come before its header."""


def names_of(path: Path, source: Source) -> list[str] | None:
    """The columns of a file; None if its format, or the file, names none.

    Args:
        path: the file.
        source: the mapping, which names the format.
    """
    match source.format:
        case "csv" if source.fields is None:
            return _header(path, source)
        case "parquet":
            try:
                return list(pq.read_schema(path).names)
            except NOT_OPENED:
                return None
    return None


def _header(path: Path, source: Source) -> list[str] | None:
    inside = {name for path in source.paths for name, _ in inside_columns(path)}
    records = Records(Form.of(source), source.paths | inside)
    for line in islice(numbered_lines(path, source.encoding), MOST_LINES):
        records.take([line])
        if records.header is not None:
            return records.header
    return None
