"""Numbers as texts: an id that one file holds as 17850 and another as 17850.0 is one id.

A whole number is written without a fraction, as JSON, CSV and integers have it. A floating-point number of p bits holds every
whole number up to 2**p only (IEEE 754, section 3.3): beyond it two ids may have become one, so it is not an id.
"""

import polars as pl

from schemas.privacy.number_ids import LARGEST_EXACT

EXACT_IN_32_BITS = 2**24


def as_text(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Numbers with a fraction as canonical text; NaN and infinity are not values. Values of other types stay as they are.

    Args:
        value: the values.
        kind: their type.

    >>> numbers = pl.Series([17850.0, 1.5, -0.0, float("nan"), 1e20])
    >>> pl.select(as_text(pl.lit(numbers), numbers.dtype)).to_series().to_list()
    ['17850', '1.5', '0', None, '1e+20']
    """
    if isinstance(kind, pl.Decimal):
        text = value.cast(pl.String)
        return pl.when(text.str.contains(".", literal=True)).then(text.str.replace(r"\.?0+$", "")).otherwise(text)
    if not kind.is_float():
        return value
    whole = (value == value.round()) & ~_ambiguous(value, kind)
    return pl.when(value.is_finite()).then(
        pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    )


def ambiguous(value: pl.Expr, kind: pl.DataType) -> pl.Expr | None:
    """Which values are floating-point numbers that may stand for several whole numbers; None for types without such.

    Args:
        value: the values.
        kind: their type.
    """
    return _ambiguous(value, kind).fill_null(False) if kind.is_float() else None


def _ambiguous(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    most = EXACT_IN_32_BITS if isinstance(kind, pl.Float32) else LARGEST_EXACT
    return value.is_finite() & (value.abs() >= most)
