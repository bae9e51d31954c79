"""Parquet: typed columns as they are, in batches of rows. The line number is the row number, from 1."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.datatypes import DataTypeClass

from jobs.landing.readers.arrow_types import NOT_CONVERTED, as_plain, polars_schema
from jobs.landing.readers.bounds import Bounds
from jobs.landing.readers.frames import problem_frame
from jobs.landing.readers.lines import Problem
from jobs.landing.readers.moments import possible
from jobs.landing.readers.parquet_bounds import BROKEN, decoded_bytes, footer_exceeds
from schemas.json_path import Element, Key, Lookup, Step, steps_of

BATCH_ROWS = 1 << 18
SMALLEST_BATCH = 1 << 10
BATCH_BYTES = 64 << 20
"""About the most bytes that the rows of a batch become."""
NOT_TEXT = object()
Groups = tuple[int, int]
"""The first and the last of some consecutive row groups, from 0."""


def row_groups(path: Path, bytes_a_piece: int) -> list[tuple[Groups, int]]:
    """Divide a file into pieces of whole row groups, each with its size in bytes; an unreadable file gives no pieces.

    Args:
        path: the file.
        bytes_a_piece: the largest size of a piece of several row groups, compressed.
    """
    try:
        footer = pq.read_metadata(path)
    except BROKEN:
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
    kinds: dict[str, pl.DataType | type[pl.DataType]] = {
        name: pl.List(pl.String) if name in lists else pl.String for name in wanted
    }
    if path.stat().st_size == 0:
        yield problem_frame([0], Problem.EMPTY, [None], kinds)
        return
    try:
        file = pq.ParquetFile(path)
    except BROKEN:
        yield problem_frame([0], Problem.UNREADABLE, [None], kinds)
        return
    with file:
        if footer_exceeds(file.metadata, path.stat().st_size, bounds):
            if groups is None or groups[0] == 0:
                yield problem_frame([0], Problem.TOO_LARGE, [None], kinds)
            return
        yield from _frames(file, path, wanted, kinds, groups, bounds)


def _frames(
    file: pq.ParquetFile,
    path: Path,
    wanted: Mapping[str, str],
    kinds: Mapping[str, pl.DataType | type[pl.DataType]],
    groups: Groups | None,
    bounds: Bounds,
) -> Iterator[pl.DataFrame]:
    """The frames of an open file. ``kinds`` are the types of the fields of rows that cannot be read."""
    schema = polars_schema(file.schema_arrow)
    values = {name: _value(where, schema, kinds[name] != pl.String) for name, where in wanted.items()}
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
                yield _frame(batch, row, values)
                row += batch.num_rows
        except (*BROKEN, *NOT_CONVERTED):
            for start in range(row, end, BATCH_ROWS):
                damaged = range(start, min(end, start + BATCH_ROWS))
                yield problem_frame(damaged, Problem.DAMAGED, [None] * len(damaged), kinds)
        row = end


def _frame(batch: pa.RecordBatch, first: int, values: Mapping[str, pl.Expr]) -> pl.DataFrame:
    numbers = pl.int_range(first, first + batch.num_rows, dtype=pl.Int64, eager=True)
    frame, readable = _as_polars(pa.record_batch([as_plain(values) for values in batch.columns], batch.schema.names))
    problem = pl.DataFrame({"problem": readable}).select(
        pl.when(~pl.col("problem")).then(pl.lit(str(Problem.NOT_UTF8))).alias("problem")
    )
    columns = pl.DataFrame({n: pl.Series([None] * len(numbers), dtype=pl.String) for n in values})
    if batch.num_columns:
        columns = frame.with_columns(**values).select(list(values))  # not select alone: constants must fill the frame
    if not readable.all():
        columns = columns.select(pl.when(readable).then(pl.all()))
    return pl.DataFrame([numbers.alias("line_number"), *problem, pl.Series("line", [None] * len(numbers), pl.String), *columns])


def _as_polars(batch: pa.RecordBatch) -> tuple[pl.DataFrame, pl.Series]:
    """A batch, and which of its rows are valid UTF-8: Arrow accepts any bytes as text, Polars does not."""
    everything = pl.Series([True]).new_from_index(0, batch.num_rows)
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        texts = [field.name for field in batch.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
        columns = {name: batch.column(name) for name in batch.schema.names}
        decoded = {name: [_decoded(value) for value in columns[name].cast(pa.binary()).to_pylist()] for name in texts}
        readable = pl.Series([all(text is not NOT_TEXT for text in row) for row in zip(*decoded.values(), strict=True)])
        good = {name: [None if text is NOT_TEXT else text for text in column] for name, column in decoded.items()}
        table = pa.table(columns | {name: pa.array(column, pa.string()) for name, column in good.items()})
        table.validate(full=True)
        return pl.DataFrame(table), readable
    return pl.DataFrame(pa.Table.from_batches([batch])), everything


def _decoded(value: bytes | None) -> object:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return NOT_TEXT


def _top(where: str, schema: pl.Schema) -> str:
    """The column of the file in which a path starts."""
    if where in schema:
        return where
    first = steps_of(where)[0]
    return first.name if isinstance(first, Key) else where


def _value(where: str, schema: pl.Schema, several: bool) -> pl.Expr:
    """The value at a path: a text, a number or a time; null if the schema has no such value there."""
    top = _top(where, schema)
    value: pl.Expr | None = pl.col(top) if top in schema else None
    kind: pl.DataType = schema.get(top, pl.Null())
    for step in () if where in schema else steps_of(where)[1:]:
        if value is not None:
            value, kind = _step(value, kind, step)
    if several:
        fits = isinstance(kind, pl.List) and not kind.inner.is_nested()
        return value.cast(pl.List(pl.String)) if value is not None and fits else pl.lit(None, pl.List(pl.String))
    if value is None or kind.is_nested():
        return pl.lit(None, pl.String)
    value = possible(value, kind)
    if kind.is_numeric() or isinstance(kind, pl.Datetime | pl.String):
        return value
    has_text = isinstance(kind, pl.Boolean | pl.Date | pl.Time | pl.Categorical | pl.Enum | pl.Null)
    return value.cast(pl.String, strict=False) if has_text else pl.lit(None, pl.String)


def _instance(kind: pl.DataType | DataTypeClass) -> pl.DataType:
    return kind if isinstance(kind, pl.DataType) else kind()


def _step(value: pl.Expr, kind: pl.DataType, step: Step) -> tuple[pl.Expr | None, pl.DataType]:
    """Follow a path by one step; None if the type does not have that step."""
    match step:
        case Key(name) if isinstance(kind, pl.Struct) and name in (fields := dict(kind)):
            return value.struct.field(name), _instance(fields[name])
        case Element(number) if isinstance(kind, pl.List):
            return value.list.get(number, null_on_oob=True), _instance(kind.inner)
        case Lookup(name, text) if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct) and name in dict(kind.inner):
            is_it = pl.element().struct.field(name).cast(pl.String) == text
            return value.list.eval(pl.element().filter(is_it)).list.first(), _instance(kind.inner)
    return None, pl.Null()
