"""The frames that every reader returns."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from jobs.landing.readers.problems import Problem

ELEMENT, WITHIN, LEFT_OUT = "element", "within", "left_out"
"""Columns of records that are elements of a line's list: see ``jobs.landing.readers``."""
IDS = ("user_id", "event_id", "item_id")
"""Columns whose numbers are names: two of them never become one."""
Numbers = Sequence[int] | np.ndarray | pl.Series


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
