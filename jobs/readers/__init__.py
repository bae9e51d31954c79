"""Landing files as frames of raw columns: one module a format, one shape.

A reader yields frames with these columns:

- ``line_number`` (i64): the line in its file, from 1; 0 tells of the file itself.
- ``problem`` (string): why the line could not be read at all; null for a line that was read.
- ``line`` (string): the text of a line with a problem, as far as there is one; null otherwise.
- for each wanted field a column of its name: the text that stands there, or what the format has in its place (a number, a
  time); null where nothing stands there.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from jobs.readers.json_lines import read_json_lines
from jobs.readers.lines import Problem
from schemas.source import Source

__all__ = ["Problem", "read"]


def read(path: Path, source: Source, wanted: Mapping[str, str], lists: frozenset[str] = frozenset()) -> Iterator[pl.DataFrame]:
    """The frames of a landing file.

    Args:
        path: the file.
        source: the mapping, which says what the format is.
        wanted: field -> where it stands in a line (a dotted path or a column's name).
        lists: the fields that hold several texts; a list of strings then stands in the column.
    """
    return read_json_lines(path, wanted, lists)
