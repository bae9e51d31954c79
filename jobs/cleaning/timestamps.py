"""Times in the formats of the sources, converted to UTC in microseconds, and why a time cannot be read.

Nearly all times of a source are written alike and are read at once. Only the others go through the lenient forms, such as
``+00`` or 24:00.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import polars as pl

from jobs.landing.readers.moments import possible
from schemas.source import TICKS_A_SECOND, Source
from schemas.time_format import time_format

UTC_MICROS = pl.Datetime("us", "UTC")
OFFSET = r"[+-](?:[01]\d|2[0-3]):?[0-5]\d"
# A date without a time of day, or a bare year, would be read as midnight, which is not the time of the event.
ISO = rf"^\d{{4}}-\d{{2}}-\d{{2}}[T ]\d{{2}}:\d{{2}}:\d{{2}}(\.\d{{1,9}})?( ?(Z|{OFFSET}))?$"
ZONE = rf" ?(Z|{OFFSET})$"
LENIENT_ISO = (
    r"^(?P<year>\d{4})(?:-(?P<month>\d\d)-(?P<day>\d\d)|(?P<month2>\d\d)(?P<day2>\d\d))[Tt ]"
    r"(?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d(?:[.,]\d+)?))?|(?P<minute2>\d\d)(?P<second2>\d\d(?:[.,]\d+)?)?)"
    r" ?(?P<zone>[Zz]|UTC|GMT|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?$"
)
"""ISO 8601 in its basic and extended form, RFC 3339 (small letters, a blank), and PostgreSQL's offsets of two digits."""
ISO_DATE = r"^\d{4}-?\d{2}-?\d{2}$"
ANY_DATE = r"^(?:\d{1,4}([-./])\d{1,2}[-./]\d{1,4}|(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))$"
END_OF_DAY = r"(^|[^\d:])24:00(:00(?:[.,]0+)?)?([^\d:]|$)"
"""24:00, the end of a day, in any format (ISO 8601-1:2019, section 4.3.9)."""
UNITS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)
MOST_MICROS = 1 << 61
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TimeReason(StrEnum):
    """Why a value is not the time of an event."""

    UNREADABLE = "unreadable"
    NO_TIME_OF_DAY = "no_time_of_day"
    LOOKS_LIKE = "looks_like"
    """Followed by ``_`` and the unit that the number seems to have."""


def utc_times(values: pl.Series, source: Source) -> pl.Series:
    """The moments in a raw column, in UTC; null where one cannot be read, or lies outside of the years 1 to 9999.

    Args:
        values: the raw column: texts, numbers or times.
        source: the format of its times, and the time zone of those without one.
    """
    found = _selected(values, lambda column: possible(_quick(column, values.dtype, source), UTC_MICROS))
    if values.dtype != pl.String or source.time_format in TICKS_A_SECOND:
        return found
    left = (values.is_not_null() & found.is_null()).arg_true()
    if not len(left):
        return found
    late = _selected(values.gather(left), lambda column: possible(_lenient(column, source), UTC_MICROS))
    return found.scatter(left, late)


def reasons(values: pl.Series, times: pl.Series, source: Source, arrived_at: datetime) -> pl.Series | None:
    """Why each raw value is not a time, as a :class:`TimeReason`; None if there is nothing to say about any of them.

    A number in another unit than the mapping says is read as a moment long before or after the event. So it is given that
    reason if another unit makes it a moment between 1990 and the arrival.

    Args:
        values: the raw column.
        times: what :func:`utc_times` read.
        source: the format of its times.
        arrived_at: when the lines arrived.
    """
    last = arrived_at + A_DAY
    odd = values.is_not_null() & (times.is_null() | (times < EARLIEST) | (times > last)).fill_null(True)
    if not odd.any():
        return None
    rows, found = odd.arg_true(), pl.Series([None] * len(values), dtype=pl.String)
    some = pl.DataFrame({"value": values.gather(rows), "time": times.gather(rows)})
    value, reason = pl.col("value"), pl.lit(None, pl.String)
    if not values.dtype.is_temporal():
        is_number = value.cast(pl.String).str.contains(r"^[+-]?\d{9,20}(?:\.\d+)?(?:[eE]\+?\d{1,2})?$")
        for unit, a_second in reversed(UNITS.items()):
            if TICKS_A_SECOND.get(source.time_format) != a_second:
                fits = (_from_ticks(value, values.dtype, a_second) + _origin(source)).is_between(EARLIEST, last)
                reason = pl.when(fits & is_number).then(pl.lit(f"{TimeReason.LOOKS_LIKE}_{unit}")).otherwise(reason)
        if not source.dates_only and source.time_format not in TICKS_A_SECOND:
            bare = value.cast(pl.String).str.contains(ANY_DATE)
            reason = pl.when(bare).then(pl.lit(str(TimeReason.NO_TIME_OF_DAY))).otherwise(reason)
    unread = pl.when(pl.col("time").is_null()).then(pl.lit(str(TimeReason.UNREADABLE)))
    return found.scatter(rows, some.select(pl.coalesce(reason, unread)).to_series())


def _selected(values: pl.Series, made: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    return values.alias("_").to_frame().select(made(pl.col("_"))).to_series()


def _quick(column: pl.Expr, kind: pl.DataType, source: Source) -> pl.Expr:
    """The moments of values that are written as the source's format says."""
    if isinstance(kind, pl.Datetime):
        return column.cast(UTC_MICROS) if kind.time_zone else _from_zone(column.cast(pl.Datetime("us")), source.time_zone)
    if source.time_format in TICKS_A_SECOND:
        return _from_ticks(column, kind, TICKS_A_SECOND[source.time_format]) + _origin(source)
    if source.time_format == "iso":
        return _from_iso(column.cast(pl.String), source.time_zone)
    return _from_format(column.cast(pl.String), source)


def _lenient(text: pl.Expr, source: Source) -> pl.Expr:
    """The moments of texts that the quick forms do not read."""
    if source.time_format == "iso":
        dates = pl.when(text.str.contains(ISO_DATE)).then(text.str.replace_all("-", "", literal=True))
        days = dates.str.to_datetime("%Y%m%d", time_unit="us", strict=False)
        from_date = [_from_zone(days, source.time_zone)] if source.dates_only else []
        return pl.coalesce(_from_lenient_iso(text, source.time_zone), *from_date)
    end_of_day = pl.when(text.str.contains(END_OF_DAY)).then(text.str.replace(END_OF_DAY, "${1}00:00${2}${3}"))
    return _from_format(end_of_day, source, A_DAY)


def _from_ticks(ticks: pl.Expr, kind: pl.DataType, a_second: int) -> pl.Expr:
    """Ticks since 1970; whole numbers are exact, as 64-bit floating-point numbers hold no nanoseconds of today."""

    def bounded(micros: pl.Expr) -> pl.Expr:
        return pl.when(micros.is_between(-MOST_MICROS, MOST_MICROS)).then(micros)

    floats = bounded((ticks.cast(pl.Float64, strict=False) * (1_000_000 / a_second)).round())
    from_float = floats.cast(pl.Int64, strict=False)
    if not (kind == pl.String or kind.is_integer()):
        return from_float.cast(UTC_MICROS)
    whole = ticks.cast(pl.Int64, strict=False)
    factor = 1_000_000 // a_second
    scaled = whole // (a_second // 1_000_000) if a_second > 1_000_000 else whole * factor
    limit = MOST_MICROS // max(1, factor)
    exact = pl.when(whole.is_between(-limit, limit)).then(scaled) if factor else scaled
    return pl.coalesce(exact, from_float).cast(UTC_MICROS)


def _origin(source: Source) -> timedelta:
    """The moment from which the ticks of a source count, as the time since 1970."""
    origin = source.time_origin
    if origin is None:
        return timedelta(0)
    return (origin if origin.tzinfo else origin.replace(tzinfo=ZoneInfo(source.time_zone))) - EPOCH


def _from_iso(text: pl.Expr, zone: str) -> pl.Expr:
    sound = pl.when(text.str.contains(ISO)).then(text)
    clock = sound.str.replace(ZONE, "").str.replace(" ", "T", literal=True)
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    return _at_offset(local, sound.str.extract(ZONE, 1), zone)


def _from_lenient_iso(text: pl.Expr, zone: str) -> pl.Expr:
    parts = text.str.extract_groups(LENIENT_ISO)

    def part(*names: str) -> pl.Expr:
        return pl.coalesce(*(parts.struct.field(name) for name in names))

    end_of_day = part("hour") == "24"
    minute, second = part("minute", "minute2"), part("second", "second2").fill_null("00").str.replace(",", ".", literal=True)
    at_end = minute.str.contains("^00$") & second.str.contains(r"^00(\.0+)?$")
    hour = pl.when(end_of_day & at_end).then(pl.lit("00")).otherwise(part("hour"))
    day = pl.concat_str(part("year"), part("month", "month2"), part("day", "day2"), separator="-")
    clock = pl.concat_str(day, pl.lit("T"), hour, pl.lit(":"), minute, pl.lit(":"), second.str.slice(0, 12))
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    next_day = pl.when(end_of_day).then(local + A_DAY).otherwise(local)
    named = part("zone").str.replace(r"^(?:[Zz]|UTC|GMT)$", "Z")
    return _at_offset(next_day, named, zone)


def _at_offset(local: pl.Expr, named: pl.Expr, zone: str) -> pl.Expr:
    """A local time at the offset that its text names (``Z``, ``+01``, ``+0100`` or ``+01:00``), else in a time zone."""
    offset = named.str.extract_groups(r"^([+-])(\d{2}):?(\d{2})?$")
    minutes = offset.struct.field("2").cast(pl.Int64) * 60 + offset.struct.field("3").cast(pl.Int64).fill_null(0)
    signed = pl.when(offset.struct.field("1") == "-").then(-minutes).otherwise(minutes).fill_null(0)
    at_offset = (local - pl.duration(minutes=signed)).dt.replace_time_zone("UTC")
    return pl.when(named.is_not_null()).then(at_offset).otherwise(_from_zone(local, zone))


def _from_format(text: pl.Expr, source: Source, later: timedelta = timedelta(0)) -> pl.Expr:
    form = time_format(source.time_format, source.dates_only)
    if form.at_offset:
        return form.prepared(text).str.to_datetime(form.engine, time_unit="us", time_zone="UTC", strict=False) + later
    return _from_zone(form.prepared(text).str.to_datetime(form.engine, time_unit="us", strict=False) + later, source.time_zone)


def _from_zone(local: pl.Expr, zone: str) -> pl.Expr:
    """Local time to UTC. When clocks go back the first of the two hours counts; a skipped time is moved one hour later."""

    def in_zone(clock: pl.Expr) -> pl.Expr:
        return clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")

    return in_zone(local) if zone == "UTC" else pl.coalesce(in_zone(local), in_zone(local + pl.duration(hours=1)))
