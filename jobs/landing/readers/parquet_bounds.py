"""How large a Parquet file becomes: its footer tells what its pages hold, but a page may repeat one text a million times.

A dictionary holds each text once, and a delta encoding only the difference from the text before. The texts of columns with such
encodings are therefore measured: as numbers into the dictionary, or a few at a time.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.landing.readers.bounds import Bounds

DICTIONARY = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}
DELTAS = "DELTA_BYTE_ARRAY"
BROKEN = (pa.ArrowException, OSError)
"""The errors of a damaged file."""
MEASURED_ROWS = 1 << 16
MEASURED_BYTES = 128 << 20
"""About the most bytes that the rows measured at once become."""


def footer_exceeds(footer: pq.FileMetaData, stored: int, bounds: Bounds) -> bool:
    """Whether the pages of a file become larger than allowed, or the file has more rows, or more values in a column.

    Args:
        footer: its metadata.
        stored: its size in bytes.
        bounds: the bounds.
    """
    values, size = [0] * footer.num_columns, 0
    for group in range(footer.num_row_groups):
        columns = footer.row_group(group)
        for number in range(footer.num_columns):
            column = columns.column(number)
            values[number] += column.num_values
            size += column.total_uncompressed_size
            if column.physical_type == "FIXED_LEN_BYTE_ARRAY":
                size += column.num_values * footer.schema.column(number).length
    return size > bounds.bytes_of(stored) or max([footer.num_rows, *values]) > bounds.lines_of(stored)


def most_values(footer: pq.FileMetaData, groups: Collection[int]) -> int:
    """The most values that a column has in some row groups; more than rows, where the column is inside a list.

    Args:
        footer: the metadata of the file.
        groups: the row groups.
    """
    values = [0] * footer.num_columns
    for group in groups:
        columns = footer.row_group(group)
        values = [known + columns.column(number).num_values for number, known in enumerate(values)]
    return max(values, default=0)


def decoded_bytes(
    path: Path, footer: pq.FileMetaData, groups: Collection[int], tops: Collection[str], bounds: Bounds
) -> int | None:
    """About the bytes that some row groups become; None if that is more than a file of their size may become.

    Args:
        path: the file.
        footer: its metadata.
        groups: the row groups.
        tops: the top-level columns to read.
        bounds: the bounds.
    """
    stored = size = 0
    measured: list[tuple[int, int]] = []
    for group in groups:
        columns = footer.row_group(group)
        for number in range(footer.num_columns):
            column = columns.column(number)
            stored += column.total_compressed_size
            size += column.total_uncompressed_size
            of_top = any(f"{column.path_in_schema}.".startswith(f"{top}.") for top in tops)
            if of_top and column.physical_type == "BYTE_ARRAY" and {*DICTIONARY, DELTAS} & set(column.encodings):
                measured.append((group, number))
    most = bounds.bytes_of(stored)
    enough = (most - size) // max(1, len(measured))
    for group, number in measured:
        with suppress(*BROKEN):  # the reader finds the damage again
            for length in _lengths(path, footer, group, number, enough):
                size += length
                if size > most:
                    return None
    return size


def _lengths(path: Path, footer: pq.FileMetaData, group: int, number: int, enough: int) -> Iterator[int]:
    """The bytes of the texts of a column in a row group, piece by piece; a bound of them if it is less than ``enough``."""
    column, name = footer.row_group(group).column(number), footer.schema.column(number).path
    rows, deltas = MEASURED_ROWS, DELTAS in column.encodings
    with pq.ParquetFile(path, read_dictionary=[] if deltas else [name], pre_buffer=False, buffer_size=1 << 16) as file:
        if deltas:
            rows = min(rows, max(1, MEASURED_BYTES // max(1, column.total_uncompressed_size)))
        else:
            first = next(file.iter_batches(1, row_groups=[group], columns=[name]), None)
            bound = column.num_values * (0 if first is None else _longest(_leaf(first.column(0))))
            if bound <= enough:
                yield bound
                return
        for batch in file.iter_batches(rows, row_groups=[group], columns=[name]):
            yield _size(_leaf(batch.column(0)))


def _leaf(column: pa.Array) -> pa.Array:
    """The texts in nested lists and structs, of which only one field was read."""
    while pa.types.is_nested(column.type):
        column = column.flatten()[0] if pa.types.is_struct(column.type) else column.flatten()
    return column


def _longest(texts: pa.Array) -> int:
    words = texts.dictionary if pa.types.is_dictionary(texts.type) else texts
    return int(pc.max(pc.binary_length(words)).as_py() or 0)


def _size(texts: pa.Array) -> int:
    if not pa.types.is_dictionary(texts.type):
        return int(texts.nbytes)
    return int(pc.sum(pc.take(pc.binary_length(texts.dictionary), texts.indices)).as_py() or 0)
