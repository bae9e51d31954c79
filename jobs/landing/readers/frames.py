"""The frames that every reader returns."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
import polars as pl

from jobs.landing.readers.problems import Problem
from schemas.contract import load_contract

ELEMENT, WITHIN, LEFT_OUT = "element", "within", "left_out"
"""Columns of records that are elements of a line's list: see ``jobs.landing.readers``."""
IDS = ("user_id", "event_id", "item_id")
"""Columns whose numbers are names: two of them never become one."""
EXPANDED_BYTES = 64 << 20
"""The most bytes that the values of a whole line become when each of its elements gets them."""
Numbers = Sequence[int] | np.ndarray | pl.Series


def column_of(field: str) -> str:
    """The column of which a wanted field is a part.

    >>> column_of("user_id.1"), column_of("user_id")
    ('user_id', 'user_id')
    """
    return field.partition(".")[0]


@cache
def measures() -> frozenset[str]:
    """The columns that the contracts hold as numbers."""
    return frozenset(name for name, kind in _kinds() if kind.is_numeric())


@cache
def measures_and_times() -> frozenset[str]:
    """The columns that the contracts hold as numbers or times: they are computed with, so their texts need not be exact."""
    return measures() | {name for name, kind in _kinds() if kind.is_temporal()}


def _kinds() -> list[tuple[str, pl.DataType]]:
    return [item for table in ("events", "items") for item in load_contract(table).polars_schema.items()]


def frame_of(numbers: Numbers, columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Lines that were read.

    Args:
        numbers: their line numbers.
        columns: the wanted fields, each with one value a line.

    >>> frame_of([1, 2], {"user_id": pl.Series(["ann", "bob"])}).columns
    ['line_number', 'problem', 'line', 'user_id']
    """
    none = pl.Series([None] * len(numbers), dtype=pl.String)
    return pl.DataFrame(
        {"line_number": pl.Series(numbers, dtype=pl.Int64), "problem": none, "line": none, **columns},
    )


def problem_frame(
    numbers: Numbers,
    problem: Problem,
    lines: Sequence[str | None] | pl.Series,
    columns: Mapping[str, pl.DataType | type[pl.DataType]],
) -> pl.DataFrame:
    """Lines that could not be read; their wanted fields are null.

    Args:
        numbers: their line numbers.
        problem: the problem that they all have.
        lines: their texts.
        columns: wanted field -> type.

    >>> problem_frame([7], Problem.NOT_JSON, ["{oops"], {"user_id": pl.String}).row(0)
    (7, 'line.not_json', '{oops', None)
    """
    frame = pl.DataFrame(
        {
            "line_number": pl.Series(numbers, dtype=pl.Int64),
            "problem": pl.Series([str(problem)] * len(numbers), dtype=pl.String),
            "line": pl.Series(lines, dtype=pl.String),
        }
    )
    return frame.with_columns(**{name: pl.lit(None, kind) for name, kind in columns.items()})


def without_too_large(frame: pl.DataFrame, shared: list[str], text: Callable[[int], str | None]) -> pl.DataFrame:
    """Refuse lines whose own values would become too large when each of many elements gets them.

    Args:
        frame: rows of elements.
        shared: the columns that several elements of a line have in common.
        text: gives the text of the line with a number.
    """
    texts = [name for name in shared if frame.schema[name] == pl.String]
    size = pl.sum_horizontal(pl.lit(0, pl.Int64), *[pl.col(name).str.len_bytes().fill_null(0) for name in texts])
    large = frame.select((size.sum().over("line_number") > EXPANDED_BYTES).alias("large"))["large"]
    if not large.any():
        return frame
    kept = frame.filter(~large | (frame[ELEMENT] <= 1))
    refused = large.filter(~large | (frame[ELEMENT] <= 1))
    known = ("line_number", "problem", "line", ELEMENT)
    lines = [text(n) if hit else None for n, hit in zip(kept["line_number"], refused, strict=True)]
    return kept.with_columns(
        pl.when(refused).then(pl.lit(str(Problem.TOO_MANY_ELEMENTS))).otherwise("problem").alias("problem"),
        pl.when(refused).then(pl.Series(lines, dtype=pl.String)).otherwise("line").alias("line"),
        pl.when(refused).then(0).otherwise(ELEMENT).cast(pl.Int32).alias(ELEMENT),
        *[pl.when(~refused).then(pl.col(n)).alias(n) for n in frame.columns if n not in known],
    )
