"""Formats of times: the codes of strptime, as sources write them, in the form that the jobs' engine reads.

The codes are those of C's and Python's ``strptime``. The engine's own codes differ (https://docs.rs/chrono, module
``format::strftime``): its ``%f`` counts nanoseconds, and its ``%Z`` reads any word and ignores it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

CODE = re.compile(r"%(?:[-_0]|\.\d?|:{0,3}|#|\d)?[A-Za-z%+]")
OFFSETS = ("%z", "%:z", "%::z", "%#z", "%+")
HOURS = ("%H", "%I", "%k", "%l", "%-H", "%-I", "%_H", "%_I", "%T", "%R", "%r", "%X", "%c", "%s", "%+")
TWELVE_HOURS = ("%I", "%l", "%-I", "%_I")
WITH_MINUTES = ("%M", "%-M", "%_M", "%T", "%R", "%r", "%X", "%c", "%s", "%+")
ZONE_NAMES = {
    "UTC": "+0000", "UT": "+0000", "GMT": "+0000", "Z": "+0000",
    "EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500",
    "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
    "WET": "+0000", "WEST": "+0100", "CET": "+0100", "CEST": "+0200", "EET": "+0200", "EEST": "+0300",
}  # fmt: skip
"""The names of zones that ``%Z`` reads: those of RFC 5322, section 4.3, and Europe's of the IANA time zone database.

A time with another name is rejected, since most names stand for several zones.
"""
_NAMED = rf"^(.*[^A-Za-z]|)({'|'.join(sorted(ZONE_NAMES, key=len, reverse=True))})([^A-Za-z].*|)$"
_SAMPLE = datetime(2024, 11, 23, 21, 45, 56, 789_000, UTC)
_COMMENT = re.compile(r"\s*\(?%Z\)?$")
_COMMA = r"^(.*\d),(\d{1,9})"


@dataclass(frozen=True)
class TimeFormat:
    """A format as the engine reads it. A text is prepared for it by :meth:`prepared`."""

    engine: str
    names_zone: bool
    """Whether the text holds the name of a zone."""
    at_offset: bool
    """Whether the text says how far its clock is from UTC, so that the source's time zone does not count."""
    comma: bool
    """Whether a comma precedes the fraction of a second."""
    hour_alone: bool
    """Whether the text has an hour without minutes; its first minute counts."""
    comment: bool
    """Whether a name of the zone follows the offset, as in ``+0100 (CET)``; the offset counts."""

    def prepared(self, text: "pl.Expr") -> "pl.Expr":
        """The text in the form that the engine reads; null if it names a zone that is not known."""
        import polars as pl

        if self.names_zone:
            parts = text.str.extract_groups(_NAMED)
            offset = parts.struct.field("2").replace_strict(ZONE_NAMES, default=None, return_dtype=pl.String)
            text = pl.concat_str(parts.struct.field("1"), offset, parts.struct.field("3"))
        if self.comment:
            text = text.str.replace(r"\s*\(?[A-Za-z][A-Za-z .]*\)?$", "")
        if self.comma:
            text = text.str.replace(_COMMA, "$1.$2")
        return pl.concat_str(text, pl.lit(" 00")) if self.hour_alone else text


@cache
def time_format(form: str, dates_only: bool = False) -> TimeFormat:
    """The engine's form of a format.

    Args:
        form: the format, in the codes of strptime.
        dates_only: whether the source has dates without a time of day.

    Raises:
        ValueError: the engine does not read it, or it does not name a moment.

    >>> time_format("%Y-%m-%d %H:%M:%S.%f %z").engine
    '%Y-%m-%d %H:%M:%S%.f %#z'
    >>> time_format("%y%m%d%H").hour_alone
    True
    >>> time_format("%d.%m.%Y")
    Traceback (most recent call last):
        ...
    ValueError: '%d.%m.%Y' names no hour, so it is a date without a time of day; set dates_only: true if that is all there is
    """
    codes = CODE.findall(form)
    if not codes:
        raise ValueError(f"unknown time format {form!r}")
    has_hour = any(code in HOURS for code in codes)
    if not has_hour and not dates_only:
        raise ValueError(
            f"{form!r} names no hour, so it is a date without a time of day; set dates_only: true if that is all there is"
        )
    if has_hour and dates_only:
        raise ValueError(f"{form!r} names an hour; leave out dates_only")
    at_offset = any(code in (*OFFSETS, "%s") for code in codes)
    named = "%Z" in codes and not at_offset
    hour_alone = has_hour and not any(code in WITH_MINUTES for code in codes)
    if any(code in TWELVE_HOURS for code in codes) and not any(code in ("%p", "%P") for code in codes):
        raise ValueError(f"{form!r} has hours of twelve without %p; use %H for hours of twenty-four")
    without_comment = _COMMENT.sub("", form) if at_offset else form
    engine = _engine(without_comment, named) + (" %M" if hour_alone else "")
    found = TimeFormat(engine, named, at_offset or named, ",%f" in form, hour_alone, without_comment != form)
    _expect_readable(form, found)
    return found


def _engine(form: str, named: bool) -> str:
    """The format with the codes of the engine: fractions after a full stop, offsets also of two digits."""
    form = re.sub(r"(?<!%)[.,]%f", "%.f", form)
    if "%f" in CODE.findall(form):
        raise ValueError(
            "%f must follow a full stop or a comma, as in %S.%f; without one, write %3f, %6f or %9f for its digits"
        )
    written = {"%z": "%#z", "%:z": "%#z"} | ({"%Z": "%#z"} if named else {})
    return CODE.sub(lambda code: written.get(code[0], code[0]), form)


def _expect_readable(form: str, found: TimeFormat) -> None:
    """Expect that a moment that is written in the format is read back as the same moment, or as the start of its second, ..."""
    import polars as pl

    hour = _SAMPLE.replace(minute=0, second=0, microsecond=0)
    starts = (_SAMPLE, _SAMPLE.replace(microsecond=0), _SAMPLE.replace(second=0, microsecond=0), hour, hour.replace(hour=0))
    zone = "UTC" if found.at_offset else None
    try:
        sample = pl.Series([_SAMPLE], dtype=pl.Datetime("us", "UTC"))
        text = sample.dt.strftime(found.engine.removesuffix(" %M") if found.hour_alone else found.engine.replace("%#z", "%z"))
        prepared = pl.DataFrame({"text": text}).select(found.prepared(pl.col("text")) if found.hour_alone else pl.col("text"))
        (back,) = prepared.to_series().str.to_datetime(found.engine, time_unit="us", time_zone=zone, strict=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise ValueError(f"the time format {form!r} has a code that is not known") from None
    if back is None or back.replace(tzinfo=UTC) not in starts:
        raise ValueError(
            f"a time that is written as {form!r} cannot be read back; name the year, the month, the day and the hour"
        )
