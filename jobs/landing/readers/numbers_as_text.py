"""Numbers of Parquet as texts: a code that one file holds as 17850 and another as 17850.0 is one code.

A whole number is written without a fraction, as JSON, CSV and integers have it.
"""

import polars as pl

from schemas.privacy.number_ids import LARGEST_EXACT


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
    whole = (value == value.round()) & (value.abs() < LARGEST_EXACT)
    return pl.when(value.is_finite()).then(
        pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    )
