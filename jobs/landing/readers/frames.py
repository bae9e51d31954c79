"""The shape of what every reader gives."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from jobs.landing.readers.lines import Problem

Numbers = Sequence[int] | np.ndarray | pl.Series


def frame_of(numbers: Numbers, columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Lines that were read."""
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
    """Lines that could not be read: their numbers and texts, and nothing in the columns."""
    frame = pl.DataFrame(
        {
            "line_number": pl.Series(numbers, dtype=pl.Int64),
            "problem": pl.Series([str(problem)] * len(numbers), dtype=pl.String),
            "line": pl.Series(lines, dtype=pl.String),
        }
    )
    return frame.with_columns(**{name: pl.lit(None, kind) for name, kind in columns.items()})
