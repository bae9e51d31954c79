"""The values of a Parquet file's rows: expressions that follow a path through the types of its columns."""

import numpy as np
import polars as pl
import pyarrow as pa
from polars.datatypes import DataTypeClass

from jobs.landing.readers.arrow_types import as_plain
from jobs.landing.readers.frames import IDS, column_of, measures_and_times
from jobs.landing.readers.moments import possible
from jobs.landing.readers.numbers_as_text import as_text
from schemas.json_path import Element, Key, Lookup, Step, plain_keys, steps_of

MAP = ["key", "value"]
"""The fields of an entry of a map."""
BAD = "_bad"
"""Column of the rows with bytes that are not text."""
Found = tuple[pl.Expr | None, pl.DataType]
"""The value at a path, and its type; None if the types do not have that path."""


def plain_frame(rows: pa.RecordBatch) -> pl.DataFrame:
    """The columns of rows in types that Polars has, and which rows hold bytes that are not text (``BAD``)."""
    bad, plain = np.zeros(rows.num_rows, dtype=bool), {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        plain[name], wrong = as_plain(column)
        if wrong is not None:
            bad |= wrong
    of_bad = pl.Series(BAD, bad)
    return pl.DataFrame(pa.table(plain)).with_columns(of_bad) if plain else of_bad.to_frame()


def top(where: str, schema: pl.Schema) -> str | None:
    """The column of the file in which a path starts; None if the file lacks it.

    Args:
        where: the path, or the name of a column.
        schema: the columns of the file.
    """
    return where if where in schema else first_column(schema, steps_of(where))


def value_at(where: str, schema: pl.Schema) -> Found:
    """The value at a path from a row.

    Args:
        where: the path, or the name of a column.
        schema: the columns of the file.
    """
    return (pl.col(where), schema[where]) if where in schema else follow_row(schema, steps_of(where))


def follow_row(schema: pl.Schema, steps: tuple[Step, ...]) -> Found:
    """The value at some steps from a row.

    Args:
        schema: the columns of the file.
        steps: the path.
    """
    name = first_column(schema, steps)
    if name is None:
        return None, pl.Null()
    return follow(pl.col(name), schema[name], steps[_keys_of_field(pl.Struct(schema), steps) :])


def first_column(schema: pl.Schema, steps: tuple[Step, ...]) -> str | None:
    """The column of the file in which some steps begin; None if the file lacks it.

    Args:
        schema: the columns of the file.
        steps: the path.
    """
    taken = _keys_of_field(pl.Struct(schema), steps)
    name = ".".join(key.name for key in steps[:taken] if isinstance(key, Key))
    return name if name in schema else None


def follow(value: pl.Expr | None, kind: pl.DataType, steps: tuple[Step, ...]) -> Found:
    """The value at some steps from another value; a field whose name holds the dots of several keys is found as well.

    Args:
        value: the value to start from.
        kind: its type.
        steps: the path.
    """
    while steps and value is not None:
        taken = _keys_of_field(kind, steps)
        step = Key(".".join(key.name for key in steps[:taken] if isinstance(key, Key))) if taken > 1 else steps[0]
        value, kind = _step(value, kind, step)
        steps = steps[taken:]
    return value, kind


def _keys_of_field(kind: pl.DataType, steps: tuple[Step, ...]) -> int:
    """How many steps name one field of a struct: several if there is no field of the first key alone."""
    if isinstance(kind, pl.Struct):
        names = dict(kind)
        plain = plain_keys(steps)
        return next((length for length in range(1, len(plain) + 1) if ".".join(plain[:length]) in names), 1)
    return 1


def field_values(name: str, value: pl.Expr | None, kind: pl.DataType, several: bool) -> pl.Expr:
    """The values of a wanted field; ids that are floating-point numbers stay as they are, as they may be rounded.

    Args:
        name: the field.
        value: the value at its path; None if there is no such path.
        kind: its type.
        several: whether the field holds several texts.
    """
    found, kind = _scalar(value, kind, several)
    column = column_of(name)
    stays = several or column in measures_and_times() or (column in IDS and kind.is_float())
    return found if stays else as_text(found, kind)


def _scalar(value: pl.Expr | None, kind: pl.DataType, several: bool) -> tuple[pl.Expr, pl.DataType]:
    """A value as a text, a number or a time, and its type; null if it is a struct or a list."""
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


def inner_kind(kind: pl.DataType) -> pl.DataType:
    """The type of the elements of a list; no type if it is not a list."""
    return _instance(kind.inner) if isinstance(kind, pl.List) else pl.Null()


def _instance(kind: pl.DataType | DataTypeClass) -> pl.DataType:
    return kind if isinstance(kind, pl.DataType) else kind()


def _step(value: pl.Expr, kind: pl.DataType, step: Step) -> Found:
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
