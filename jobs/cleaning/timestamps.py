"""Times in the formats of the sources, converted to UTC in microseconds."""

import polars as pl

from jobs.landing.readers.moments import possible
from schemas.source import TICKS_A_SECOND, Source

UTC_MICROS = pl.Datetime("us", "UTC")
# A date without a time of day, or a bare year, would be read as midnight, which is not the time of the event.
ISO = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?(Z|[+-]\d{2}:?\d{2}))?$"
ZONE = r" ?(Z|[+-]\d{2}:?\d{2})$"
NAMES_ITS_ZONE = ("%z", "%:z", "%#z", "%+", "%s")


def utc_time(column: pl.Expr, kind: pl.DataType, source: Source) -> pl.Expr:
    """The moment in a raw column, in UTC; null where it cannot be read, or lies outside of the years 1 to 9999.

    Args:
        column: the raw column.
        kind: its type: text, a number or a time.
        source: the format of its times, and the time zone of those without one.
    """
    return possible(_moment(column, kind, source), UTC_MICROS)


def _moment(column: pl.Expr, kind: pl.DataType, source: Source) -> pl.Expr:
    if isinstance(kind, pl.Datetime):
        return column.cast(UTC_MICROS) if kind.time_zone else _from_zone(column.cast(pl.Datetime("us")), source.time_zone)
    if source.time_format in TICKS_A_SECOND:
        return _from_epoch(column, TICKS_A_SECOND[source.time_format])
    if source.time_format == "iso":
        return _from_iso(column.cast(pl.String), source.time_zone)
    return _from_format(column.cast(pl.String), source.time_format, source.time_zone)


def _from_epoch(ticks: pl.Expr, a_second: int) -> pl.Expr:
    micros = (ticks.cast(pl.Float64, strict=False) * (1_000_000 // a_second)).round()
    return micros.cast(pl.Int64, strict=False).cast(UTC_MICROS)


def _from_iso(text: pl.Expr, zone: str) -> pl.Expr:
    sound = pl.when(text.str.contains(ISO)).then(text)
    clock = sound.str.replace(ZONE, "").str.replace(" ", "T", literal=True)
    local = pl.coalesce(
        clock.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False),
        clock.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="us", strict=False),
    )
    named = sound.str.extract(ZONE, 1)
    offset = named.str.extract_groups(r"^([+-])(\d{2}):?(\d{2})$")
    minutes = offset.struct.field("2").cast(pl.Int64) * 60 + offset.struct.field("3").cast(pl.Int64)
    signed = pl.when(offset.struct.field("1") == "-").then(-minutes).otherwise(minutes).fill_null(0)
    at_offset = (local - pl.duration(minutes=signed)).dt.replace_time_zone("UTC")
    return pl.when(named.is_not_null()).then(at_offset).otherwise(_from_zone(local, zone))


def _from_format(text: pl.Expr, form: str, zone: str) -> pl.Expr:
    if any(sign in form for sign in NAMES_ITS_ZONE):
        return text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    return _from_zone(text.str.to_datetime(form, time_unit="us", strict=False), zone)


def _from_zone(local: pl.Expr, zone: str) -> pl.Expr:
    """Local time to UTC. When clocks go back the first of the two hours counts; a skipped time is moved one hour later."""

    def in_zone(clock: pl.Expr) -> pl.Expr:
        return clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")

    return in_zone(local) if zone == "UTC" else pl.coalesce(in_zone(local), in_zone(local + pl.duration(hours=1)))
