"""The moments that all engines know: the years 1 to 9999. Polars panics far outside of them, and Python knows no others."""

import polars as pl

FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""In seconds since 1970."""
A_DAY = 86_400
TICKS_A_SECOND = {"ms": 1_000, "us": 1_000_000}


def possible(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Moments and dates of the years 1 to 9999; null for others. Values of other types stay as they are.

    Args:
        value: the values.
        kind: their type.

    >>> far = pl.Series([0, 2**62]).cast(pl.Datetime("us"))
    >>> pl.select(possible(pl.lit(far), far.dtype)).to_series().is_null().to_list()
    [False, True]
    """
    if isinstance(kind, pl.Date):
        first, last = FIRST_SECOND // A_DAY, LAST_SECOND // A_DAY
    elif isinstance(kind, pl.Datetime) and kind.time_unit in TICKS_A_SECOND:  # 64 bits of nanoseconds are all possible
        ticks = TICKS_A_SECOND[kind.time_unit]
        first, last = FIRST_SECOND * ticks, (LAST_SECOND + 1) * ticks - 1
    elif isinstance(kind, pl.Time):
        first, last = 0, A_DAY * 1_000_000_000 - 1
    else:
        return value
    return pl.when(value.to_physical().is_between(first, last)).then(value)
