"""Parquet: typed columns as they are, in batches of rows. The line number is the row number, from 1."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.landing.readers.arrow_types import NOT_CONVERTED, by_halves, polars_schema
from jobs.landing.readers.bounds import Bounds
from jobs.landing.readers.frames import problem_frame
from jobs.landing.readers.parquet_bounds import BROKEN, decoded_bytes, footer_exceeds, most_values
from jobs.landing.readers.parquet_elements import Elements, in_small_parts
from jobs.landing.readers.parquet_values import BAD, field_values, plain_frame, top, value_at
from jobs.landing.readers.problems import Problem
from schemas.source import Source

BATCH_ROWS = 1 << 18
SMALLEST_BATCH = 1 << 10
BATCH_BYTES = 64 << 20
"""About the most bytes that the rows of a batch become."""
BYTES_A_VALUE = 64
"""About the bytes that a value in a list becomes when each is a record."""
MOST_FAILURES = 200
"""Conversions of a batch that may fail; the rest of its rows are then damaged together."""
NOT_OPENED = (*BROKEN, *NOT_CONVERTED, MemoryError)
"""The errors of a file whose footer is damaged: a name that is not text, a size that is not possible."""
Groups = tuple[int, int]
"""The first and the last of some consecutive row groups, from 0."""
Kinds = Mapping[str, pl.DataType | type[pl.DataType]]


def row_groups(path: Path, bytes_a_piece: int) -> list[tuple[Groups, int]]:
    """Divide a file into pieces of whole row groups, each with its size in bytes; an unreadable file gives no pieces.

    Args:
        path: the file.
        bytes_a_piece: the largest size of a piece of several row groups, compressed.
    """
    try:
        footer = pq.read_metadata(path)
    except NOT_OPENED:
        return []
    pieces: list[tuple[Groups, int]] = []
    for group in range(footer.num_row_groups):
        columns = footer.row_group(group)
        size = sum(columns.column(i).total_compressed_size for i in range(columns.num_columns))
        if pieces and pieces[-1][1] + size <= bytes_a_piece:
            (first, _), before = pieces.pop()
            pieces.append(((first, group), before + size))
        else:
            pieces.append(((group, group), size))
    return pieces


def read_parquet(
    path: Path, source: Source, wanted: Mapping[str, str], lists: frozenset[str], groups: Groups | None, bounds: Bounds
) -> Iterator[pl.DataFrame]:
    """The frames of a Parquet file, or of some of its row groups; a column that the file lacks is null.

    In a damaged row group every row that was not read yet becomes a row with a problem.

    Args:
        path: the file.
        source: the mapping, which says whether the elements of a list are events.
        wanted: field -> path of its value.
        lists: the fields that hold several texts.
        groups: the row groups to read; all of them without it.
        bounds: how large it may become; a piece that becomes larger is one row with a problem, like a file.
    """
    kinds: Kinds = {name: pl.List(pl.String) if name in lists else pl.String for name in wanted}
    if path.stat().st_size == 0:
        yield problem_frame([0], Problem.EMPTY, [None], kinds)
        return
    try:
        file = pq.ParquetFile(path, coerce_int96_timestamp_unit="us")  # nanoseconds reach only the years 1678 to 2262
        schema, names = polars_schema(file.schema_arrow), file.schema_arrow.names
    except NOT_OPENED:
        yield problem_frame([0], Problem.UNREADABLE, [None], kinds)
        return
    with file:
        if footer_exceeds(file.metadata, path.stat().st_size, bounds):
            if groups is None or groups[0] == 0:
                yield problem_frame([0], Problem.TOO_LARGE, [None], kinds)
            return
        twice = {name for name in names if names.count(name) > 1} & {top(where, schema) for where in wanted.values()}
        if twice:
            yield from _refused(*_rows_of(file, *(groups or (0, file.num_row_groups - 1))), Problem.REPEATED_NAME, kinds)
            return
        yield from _frames(file, path, source, wanted, kinds, schema, groups, bounds)


def _frames(
    file: pq.ParquetFile,
    path: Path,
    source: Source,
    wanted: Mapping[str, str],
    kinds: Kinds,
    schema: pl.Schema,
    groups: Groups | None,
    bounds: Bounds,
) -> Iterator[pl.DataFrame]:
    """The frames of an open file. ``kinds`` are the types of the fields of rows that cannot be read."""
    lists = frozenset(name for name in kinds if kinds[name] != pl.String)
    values = _Values(schema, wanted, lists) if source.each is None else Elements(schema, wanted, lists, source)
    of_lists = values.column if isinstance(values, Elements) else None
    tops = sorted({name for name in (of_lists, *(top(where, schema) for where in wanted.values())) if name is not None})
    first, last = groups or (0, file.num_row_groups - 1)
    row, rows = _rows_of(file, first, last)
    size = decoded_bytes(path, file.metadata, range(first, last + 1), tops, bounds)
    if size is None:
        yield problem_frame([0 if groups is None else row], Problem.TOO_LARGE, [None], kinds)
        return
    if of_lists is not None:  # an element may take less than a byte of the file
        size = max(size, BYTES_A_VALUE * most_values(file.metadata, range(first, last + 1)))
    batch_rows = max(SMALLEST_BATCH, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, size)))
    for group in range(first, last + 1):
        end = row + file.metadata.row_group(group).num_rows
        try:
            for batch in file.iter_batches(batch_rows, row_groups=[group], columns=tops):
                for first_row, part in in_small_parts(batch, of_lists):
                    for start, count, frame in by_halves(part, values.frame, MOST_FAILURES):
                        at = row + first_row + start
                        if frame is None:
                            yield from _refused(at, count, Problem.DAMAGED, kinds)
                        else:
                            yield _place(frame, at)
                row += batch.num_rows
        except (*BROKEN, *NOT_CONVERTED):
            yield from _refused(row, end - row, Problem.DAMAGED, kinds)
        row = end


def _rows_of(file: pq.ParquetFile, first_group: int, last_group: int) -> tuple[int, int]:
    """The number of the first row of some row groups, and how many rows they have."""
    sizes = [file.metadata.row_group(group).num_rows for group in range(last_group + 1)]
    return 1 + sum(sizes[:first_group]), sum(sizes[first_group:])


def _refused(first: int, count: int, problem: Problem, kinds: Kinds) -> Iterator[pl.DataFrame]:
    """Rows that are not read, in frames of a bounded size."""
    for start in range(first, first + count, BATCH_ROWS):
        rows = range(start, min(first + count, start + BATCH_ROWS))
        yield problem_frame(rows, problem, [None] * len(rows), kinds)


def _place(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """A frame with the numbers of its rows; several elements of a row have its number."""
    if "line_number" in frame.columns:
        return frame.with_columns(pl.col("line_number") + first)
    numbers = pl.int_range(first, first + len(frame), dtype=pl.Int64, eager=True).alias("line_number")
    return frame.select(numbers, pl.all())


class _Values:
    """The wanted values of rows.

    Args:
        schema: the columns of the file.
        wanted: field -> path of its value.
        lists: the fields that hold several texts.
    """

    def __init__(self, schema: pl.Schema, wanted: Mapping[str, str], lists: Collection[str]) -> None:
        self.values = {name: field_values(name, *value_at(where, schema), name in lists) for name, where in wanted.items()}

    def frame(self, rows: pa.RecordBatch) -> pl.DataFrame:
        """The frame of some rows, without their numbers."""
        nothing = pl.Series([None] * rows.num_rows, dtype=pl.String)
        if not rows.num_columns:
            return pl.DataFrame(dict.fromkeys(["problem", "line", *self.values], nothing))
        # Not select alone: constants must fill the frame.
        found = plain_frame(rows).with_columns(**self.values).select(BAD, *self.values)
        problem = found.select(pl.when(BAD).then(pl.lit(str(Problem.NOT_UTF8))).alias("problem")).to_series()
        found = found.drop(BAD) if not found[BAD].any() else found.select(pl.when(~pl.col(BAD)).then(pl.exclude(BAD)))
        return pl.DataFrame([problem, nothing.alias("line"), *found])
