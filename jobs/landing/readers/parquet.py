"""Parquet: typed columns as they are, in batches of rows. The line number is the row number, from 1."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.datatypes import DataTypeClass

from jobs.landing.readers.arrow_types import NOT_CONVERTED, as_plain, by_halves, polars_schema
from jobs.landing.readers.bounds import Bounds
from jobs.landing.readers.frames import IDS, problem_frame
from jobs.landing.readers.moments import possible
from jobs.landing.readers.numbers_as_text import ambiguous, as_text
from jobs.landing.readers.parquet_bounds import BROKEN, decoded_bytes, footer_exceeds
from jobs.landing.readers.problems import Problem
from schemas.contract import load_contract
from schemas.json_path import Element, Key, Lookup, Step, steps_of

BATCH_ROWS = 1 << 18
SMALLEST_BATCH = 1 << 10
BATCH_BYTES = 64 << 20
"""About the most bytes that the rows of a batch become."""
MOST_FAILURES = 200
"""Conversions of a batch that may fail; the rest of its rows are then damaged together."""
MAP = ["key", "value"]
"""The fields of an entry of a map."""
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
    path: Path, wanted: Mapping[str, str], lists: frozenset[str], groups: Groups | None, bounds: Bounds
) -> Iterator[pl.DataFrame]:
    """The frames of a Parquet file, or of some of its row groups; a column that the file lacks is null.

    In a damaged row group every row that was not read yet becomes a row with a problem.

    Args:
        path: the file.
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
        twice = {name for name in names if names.count(name) > 1} & {_top(where, schema) for where in wanted.values()}
        if twice:
            yield from _all_refused(file, groups, Problem.REPEATED_NAME, kinds)
            return
        yield from _frames(file, path, wanted, kinds, schema, groups, bounds)


def _frames(
    file: pq.ParquetFile,
    path: Path,
    wanted: Mapping[str, str],
    kinds: Kinds,
    schema: pl.Schema,
    groups: Groups | None,
    bounds: Bounds,
) -> Iterator[pl.DataFrame]:
    """The frames of an open file. ``kinds`` are the types of the fields of rows that cannot be read."""
    values = _Values(schema, wanted, [name for name in kinds if kinds[name] != pl.String])
    tops = sorted({_top(where, schema) for where in wanted.values()} & set(schema))
    first, last = groups or (0, file.num_row_groups - 1)
    row = 1 + sum(file.metadata.row_group(group).num_rows for group in range(first))
    size = decoded_bytes(path, file.metadata, range(first, last + 1), tops, bounds)
    if size is None:
        yield problem_frame([0 if groups is None else row], Problem.TOO_LARGE, [None], kinds)
        return
    rows = sum(file.metadata.row_group(group).num_rows for group in range(first, last + 1))
    batch_rows = max(SMALLEST_BATCH, min(BATCH_ROWS, BATCH_BYTES * rows // max(1, size)))
    for group in range(first, last + 1):
        end = row + file.metadata.row_group(group).num_rows
        try:
            for batch in file.iter_batches(batch_rows, row_groups=[group], columns=tops):
                for start, count, frame in by_halves(batch, values.frame, MOST_FAILURES):
                    yield _place(frame, row + start) if frame is not None else _damaged(row + start, count, kinds)
                row += batch.num_rows
        except (*BROKEN, *NOT_CONVERTED):
            for start in range(row, end, BATCH_ROWS):
                yield _damaged(start, min(end - start, BATCH_ROWS), kinds)
        row = end


def _all_refused(file: pq.ParquetFile, groups: Groups | None, problem: Problem, kinds: Kinds) -> Iterator[pl.DataFrame]:
    first, last = groups or (0, file.num_row_groups - 1)
    row = 1 + sum(file.metadata.row_group(group).num_rows for group in range(first))
    end = row + sum(file.metadata.row_group(group).num_rows for group in range(first, last + 1))
    for start in range(row, end, BATCH_ROWS):
        rows = range(start, min(end, start + BATCH_ROWS))
        yield problem_frame(rows, problem, [None] * len(rows), kinds)


def _damaged(first: int, count: int, kinds: Kinds) -> pl.DataFrame:
    return problem_frame(range(first, first + count), Problem.DAMAGED, [None] * count, kinds)


def _place(frame: pl.DataFrame, first: int) -> pl.DataFrame:
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
        self.values: dict[str, pl.Expr] = {}
        self.ambiguous: list[pl.Expr] = []
        for name, where in wanted.items():
            value, kind = _value(where, schema, name in lists)
            if name.partition(".")[0] in IDS and (unsure := ambiguous(value, kind)) is not None:
                self.ambiguous.append(unsure)
            self.values[name] = value if name in numbers() or name in lists else as_text(value, kind)

    def frame(self, rows: pa.RecordBatch) -> pl.DataFrame:
        """The frame of some rows, without their numbers."""
        bad, plain = np.zeros(rows.num_rows, dtype=bool), {}
        for name, column in zip(rows.schema.names, rows.columns, strict=True):
            plain[name], wrong = as_plain(column)
            if wrong is not None:
                bad |= wrong
        nothing = pl.Series([None] * rows.num_rows, dtype=pl.String)
        if not plain:
            return pl.DataFrame(dict.fromkeys(["problem", "line", *self.values], nothing))
        frame = pl.DataFrame(pa.table(plain)).with_columns(_bad=pl.Series(bad))
        unsure = pl.any_horizontal(*self.ambiguous) if self.ambiguous else pl.lit(False)
        problem = (
            pl.when("_bad").then(pl.lit(str(Problem.NOT_UTF8))).when(unsure).then(pl.lit(str(Problem.AMBIGUOUS_ID)))
        ).alias("_problem")
        # Not select alone: constants must fill the frame.
        found = (
            frame.with_columns(problem).with_columns(**self.values).select(pl.col("_problem").alias("problem"), *self.values)
        )
        if found["problem"].null_count() < len(found):
            read = found["problem"].is_null()
            found = found.with_columns(pl.when(read).then(pl.exclude("problem")))
        return found.insert_column(1, nothing.alias("line"))


@cache
def numbers() -> frozenset[str]:
    """The fields that the contracts hold as numbers or times."""
    schemas = (load_contract(name).polars_schema for name in ("events", "items"))
    return frozenset(name for schema in schemas for name, kind in schema.items() if kind.is_numeric() or kind.is_temporal())


def _top(where: str, schema: pl.Schema) -> str:
    """The column of the file in which a path starts."""
    if where in schema:
        return where
    first = steps_of(where)[0]
    return first.name if isinstance(first, Key) else where


def _value(where: str, schema: pl.Schema, several: bool) -> tuple[pl.Expr, pl.DataType]:
    """The value at a path, and its type: a text, a number or a time; null if the schema has no such value there."""
    top = _top(where, schema)
    value: pl.Expr | None = pl.col(top) if top in schema else None
    kind: pl.DataType = schema.get(top, pl.Null())
    for step in () if where in schema else steps_of(where)[1:]:
        if value is not None:
            value, kind = _step(value, kind, step)
    if several:
        fits = isinstance(kind, pl.List) and not kind.inner.is_nested()
        return value.cast(pl.List(pl.String)) if value is not None and fits else pl.lit(None, pl.List(pl.String)), pl.Null()
    if value is None or kind.is_nested():
        return pl.lit(None, pl.String), pl.String()
    value = possible(value, kind)
    if kind.is_numeric() or isinstance(kind, pl.Datetime | pl.String):
        return value, kind
    if isinstance(kind, pl.Duration):
        return value.dt.to_string("iso"), pl.String()
    has_text = isinstance(kind, pl.Boolean | pl.Date | pl.Time | pl.Categorical | pl.Enum | pl.Null)
    return value.cast(pl.String, strict=False) if has_text else pl.lit(None, pl.String), pl.String()


def _instance(kind: pl.DataType | DataTypeClass) -> pl.DataType:
    return kind if isinstance(kind, pl.DataType) else kind()


def _step(value: pl.Expr, kind: pl.DataType, step: Step) -> tuple[pl.Expr | None, pl.DataType]:
    """Follow a path by one step; None if the type does not have that step."""
    match step:
        case Key(name) if isinstance(kind, pl.Struct) and name in (fields := dict(kind)):
            return value.struct.field(name), _instance(fields[name])
        case Key(name) if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct) and list(dict(kind.inner)) == MAP:
            at_key, entry = _step(value, kind, Lookup(MAP[0], name))
            return (None, entry) if at_key is None else _step(at_key, entry, Key(MAP[1]))
        case Element(number) if isinstance(kind, pl.List):
            return value.list.get(number, null_on_oob=True), _instance(kind.inner)
        case Lookup(name, text) if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct) and name in dict(kind.inner):
            is_it = pl.element().struct.field(name).cast(pl.String) == text
            return value.list.eval(pl.element().filter(is_it)).list.first(), _instance(kind.inner)
    return None, pl.Null()
