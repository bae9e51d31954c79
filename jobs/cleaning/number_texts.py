"""Numbers as sources write them, and whole columns of ids in which whole numbers are written alike."""

import re

import polars as pl

from schemas.privacy.number_ids import LARGEST_EXACT, exact_id
from schemas.source import Source

UNITS = r"(?:\p{Sc}|[A-Z]{3}|kr\.?|zł|Kč|Ft|Rs\.?)"
EXACT_UP_TO: dict[pl.DataType, int] = {pl.Float16(): 2**11, pl.Float32(): 2**24}
"""A floating-point number of p bits holds every whole number up to 2 to the power of p (IEEE 754, section 3.3)."""
BLANK = "\\s\u00a0\u202f"


def numbers(values: pl.Series, kind: pl.DataType, source: Source) -> pl.Series:
    """Raw values as numbers; null where one cannot be read, and for NaN, which engines treat differently.

    Args:
        values: the raw column.
        kind: the type of the column; a whole number may be written as 3.0.
        source: how its numbers are written.
    """
    if values.dtype == pl.String and {"decimal", "thousands"} & source.model_fields_set:
        values = _plain(values, source)
    if kind.is_integer():
        exact = values.cast(kind, strict=False) if not (values.dtype.is_float() or values.dtype.is_decimal()) else None
        if exact is not None and exact.null_count() == values.null_count():
            return exact
        floats = values.cast(pl.Float64, strict=False)
        whole = floats.to_frame("_").select(pl.when(pl.col("_") == pl.col("_").floor()).then("_")).to_series()
        return whole.cast(kind, strict=False)
    return values.cast(kind, strict=False).fill_nan(None)


def _plain(values: pl.Series, source: Source) -> pl.Series:
    """Texts with the decimal sign and the thousands of a source as plain numbers; null where one is written otherwise.

    Blanks around a number, and signs and codes of currencies, do not count.
    """
    point, group = re.escape(source.decimal), source.thousands
    digits = r"\d+"
    if group is not None:
        between = f"[{BLANK}]" if group.isspace() else f"[{re.escape(group)}]" if group not in "'’" else "['’]"
        digits = rf"(?:\d{{1,3}}(?:{between}\d{{2,3}})*{between}\d{{3}}|\d+)"
    blanks = f"[{BLANK}]*"
    form = (
        rf"^{blanks}{UNITS}?{blanks}([+\-−]?){blanks}{UNITS}?{blanks}({digits})(?:{point}(\d*))?(?:[eE]([+-]?\d{{1,3}}))?"
        rf"{blanks}(-?){blanks}{UNITS}?{blanks}$"
    )
    parts = values.str.extract_groups(form).struct.unnest()
    sign, whole, fraction, exponent, after = (parts.to_series(at) for at in range(5))
    negative = (sign.is_in(["-", "−"]) | (after == "-")).fill_null(False)
    frame = pl.DataFrame([s.alias(n) for s, n in ((whole, "w"), (fraction, "f"), (exponent, "e"), (negative, "n"))])
    return frame.select(
        pl.concat_str(
            pl.when("n").then(pl.lit("-")).otherwise(pl.lit("")),
            pl.col("w").str.replace_all(r"\D", ""),
            pl.lit("."),
            pl.col("f").fill_null("").replace("", "0"),
            pl.lit("e"),
            pl.col("e").fill_null("").replace("", "0"),
        )
    ).to_series()


def exact_ids(values: pl.Series) -> tuple[pl.Series, pl.Series | None]:
    """Ids as texts, with whole numbers written alike, and which of them are rounded numbers; None if there are none.

    Args:
        values: raw ids: texts or numbers.

    >>> texts, rounded = exact_ids(pl.Series(["17850", "17850.0", "1.785e+04", "1.23457E+12", "1.10", "1e4"]))
    >>> texts.to_list(), rounded.to_list()
    (['17850', '17850', '17850', None, '1.10', '1e4'], [False, False, False, True, False, False])
    """
    if values.dtype.is_float():
        frame, value = values.cast(pl.Float64).fill_nan(None).to_frame("_"), pl.col("_")
        frame = frame.select(pl.when(value.is_finite()).then(value))
        is_rounded = (value.abs() >= EXACT_UP_TO.get(values.dtype, LARGEST_EXACT)).fill_null(False)
        whole = pl.when((value == value.floor()) & ~is_rounded).then(value.cast(pl.Int64, strict=False)).cast(pl.String)
        text = pl.when(~is_rounded).then(pl.coalesce(whole, value.cast(pl.String)))
        return _with_flag(frame.select(text.alias(values.name), is_rounded.alias("rounded")))
    if values.dtype != pl.String:
        return values.cast(pl.String), None
    odd = (values.str.contains(".", literal=True) | values.str.contains("+", literal=True)).fill_null(False).arg_true()
    if not len(odd):
        return values, None
    some = values.gather(odd)
    is_odd = some.str.contains(r"\.|[eE]\+") & some.str.contains(r"^[+-]?\d+(?:\.\d+)?(?:[eE]\+?\d{1,3})?$")
    rows = odd.filter(is_odd).to_list()
    if not rows:
        return values, None
    texts = values.to_list()
    rounded = [False] * len(texts)
    for row in rows:
        texts[row], rounded[row] = exact_id(texts[row])
    found = pl.DataFrame([pl.Series(values.name, texts, pl.String), pl.Series("rounded", rounded, pl.Boolean)])
    return _with_flag(found)


def _with_flag(found: pl.DataFrame) -> tuple[pl.Series, pl.Series | None]:
    return found.to_series(0), found["rounded"] if found["rounded"].any() else None
