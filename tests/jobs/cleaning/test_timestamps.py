"""Times of sources become moments in UTC; unreadable ones become null."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from jobs.cleaning.timestamps import reasons, utc_times
from tests.jobs.landing.readers.conftest import shop


def moment(value: Any, **options: Any) -> datetime | None:
    (found,) = utc_times(pl.Series([value]), shop(**options))
    return found


@pytest.mark.parametrize(
    ("form", "text", "found"),
    [
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2026:12:05:03 +0200", datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC)),
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2026:12:05:03", None),
        ("%m/%d/%Y %H:%M", "12/1/2010 8:26", datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),
        ("%m/%d/%Y %H:%M", "13/1/2010 8:26", None),
        ("%m/%d/%Y %H:%M", "12/1/2010 8:26 and more", None),
        ("epoch_s", "1611234567", datetime(2021, 1, 21, 13, 9, 27, tzinfo=UTC)),
        ("epoch_s", "1611234567.25", datetime(2021, 1, 21, 13, 9, 27, 250000, tzinfo=UTC)),
        ("epoch_ms", 1611234567890, datetime(2021, 1, 21, 13, 9, 27, 890000, tzinfo=UTC)),
        ("epoch_us", "1611234567890123", datetime(2021, 1, 21, 13, 9, 27, 890123, tzinfo=UTC)),
        ("epoch_us", "soon", None),
        ("epoch_s", 10**17, None),  # in the year three billion
        ("epoch_us", -(2**63), None),
        ("epoch_s", "1e300", None),
        ("iso", "9999-12-31T23:59:59-05:00", None),
        ("iso", "2021-01-21T13:09:27+01:00", datetime(2021, 1, 21, 12, 9, 27, tzinfo=UTC)),
        ("iso", "2021-01-21", None),
        ("epoch_ns", "1611234567890123456", datetime(2021, 1, 21, 13, 9, 27, 890123, tzinfo=UTC)),
        ("epoch_ns", -(2**63), datetime(1677, 9, 21, 0, 12, 43, 145224, tzinfo=UTC)),
        ("epoch_s", 2**63 - 1, None),
        ("epoch_s", "-inf", None),
        ("epoch_s", -62_135_596_801, None),  # a second before the year 1
        ("epoch_s", 253_402_300_800, None),  # the first second of the year 10000
        ("iso", "0000-12-31T23:59:59Z", None),
        ("iso", "0001-01-01T00:00:00+14:00", None),
        ("%Y-%m-%d %H:%M:%S.%f", "2026-03-02 08:00:00.75", datetime(2026, 3, 2, 8, 0, 0, 750000, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M:%S,%f", "2026-03-02 08:00:00,123", datetime(2026, 3, 2, 8, 0, 0, 123000, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M:%S %Z", "2026-03-02 08:00:00 CEST", datetime(2026, 3, 2, 6, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M:%S %Z", "2026-03-02 08:00:00 IST", None),  # India, Israel or Ireland
        (
            "%a %b %d %Y %H:%M:%S GMT%z (%Z)",
            "Mon Mar 02 2026 08:00:00 GMT+0100 (Central European Time)",
            datetime(2026, 3, 2, 7, tzinfo=UTC),
        ),
        ("%Y-%m-%d %H:%M:%S%z", "2026-03-02 08:00:00+01", datetime(2026, 3, 2, 7, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M:%S%z", "2026-03-02 08:00:00Z", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("%Y-%m-%d %H:%M:%S%z", "2026-03-02 08:00:00+25:99", None),
        ("%d.%m.%Y %H:%M", "02.03.2026 24:00", datetime(2026, 3, 3, tzinfo=UTC)),
        ("%y%m%d%H", "14102123", datetime(2014, 10, 21, 23, tzinfo=UTC)),
    ],
)
def test_text_in_the_format_of_the_source(form: str, text: Any, found: datetime | None) -> None:
    assert moment(text, time_format=form) == found


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("2026-03-02 08:00:00+00", "08:00:00"),
        ("2026-03-02 08:01:00.745232+00", "08:01:00.745232"),
        ("2026-03-02 09:02:00+01", "08:02:00"),
        ("2026-03-02 08:03:00 UTC", "08:03:00"),
        ("2026-03-02T08:04:00z", "08:04:00"),
        ("2026-03-02t08:05:00Z", "08:05:00"),
        ("2026-03-02T08:06:00,123Z", "08:06:00.123000"),
        ("20260302T080700Z", "08:07:00"),
        ("20260302T0807Z", "08:07:00"),
        ("20260302T090700.5+0100", "08:07:00.500000"),
        ("2026-03-02T08:10:00.1234567890Z", "08:10:00.123456"),
        ("2026-03-02T08:11:60Z", "08:12:00"),  # a leap second
        ("2026-03-01T24:00:00Z", "00:00:00"),  # the end of the day before
        ("2026-03-01T24:00", "00:00:00"),
    ],
)
def test_all_forms_of_iso_8601_and_rfc_3339_are_read(text: str, clock: str) -> None:
    found = moment(text)
    assert found is not None
    assert (str(found.date()), str(found.time())) == ("2026-03-02", clock)


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T08:00:00+25:99", "2026-03-02T08:00:00+24", "2026-03-02T24:00:01Z", "2026-03-02T08", "2026-03-0208:00",
     "20260302T080700-", "2026-13-02T08:00Z", "20260302", "08:00:00", "2026-03-02T08:00:00 CET"],
)  # fmt: skip
def test_other_texts_are_not_read(text: str) -> None:
    assert moment(text) is None


def test_a_date_is_midnight_where_the_source_has_no_more() -> None:
    assert moment("2018-09-20", dates_only=True, time_zone="Europe/Oslo") == datetime(2018, 9, 19, 22, tzinfo=UTC)
    assert moment("20180920", dates_only=True) == datetime(2018, 9, 20, tzinfo=UTC)
    assert moment("20.09.2018", dates_only=True, time_format="%d.%m.%Y") == datetime(2018, 9, 20, tzinfo=UTC)
    assert moment("2018-09-20T10:00:00Z", dates_only=True) == datetime(2018, 9, 20, 10, tzinfo=UTC)


def test_ticks_count_from_another_origin() -> None:
    options = {"time_format": "epoch_s", "time_origin": "2017-01-01T00:00:00Z"}
    assert moment(90.5, **options) == datetime(2017, 1, 1, 0, 1, 30, 500000, tzinfo=UTC)
    assert moment(2**62, **options) is None
    assert moment("60", time_format="epoch_s", time_origin="2017-01-01", time_zone="Europe/Oslo") == datetime(
        2016, 12, 31, 23, 1, tzinfo=UTC
    )


ARRIVAL = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "value", "reason"),
    [
        ("epoch_s", 1772438460, None),
        ("epoch_s", 1772438460000, "looks_like_milliseconds"),
        ("epoch_s", "1772438520000000", "looks_like_microseconds"),
        ("epoch_s", 1772438580000000000, "looks_like_nanoseconds"),
        ("epoch_ms", 1772438460, "looks_like_seconds"),
        ("epoch_us", 1772438460123.0, "looks_like_milliseconds"),
        ("iso", "1772438460", "looks_like_seconds"),
        ("epoch_s", 99999999999, None),  # no other unit fits: the rules of the contract name the reason
        ("epoch_s", 0, None),
        ("epoch_s", "1e300", "unreadable"),
        ("epoch_s", "NaN", "unreadable"),
        ("iso", "2018-09-20", "no_time_of_day"),
        ("iso", "20180920", "no_time_of_day"),
        ("%d.%m.%Y %H:%M", "20.09.2018", "no_time_of_day"),
        ("iso", "yesterday", "unreadable"),
    ],
)
def test_the_reason_names_the_unit_or_the_missing_time_of_day(form: str, value: Any, reason: str | None) -> None:
    values, source = pl.Series([value]), shop(time_format=form)
    found = reasons(values, utc_times(values, source), source, ARRIVAL)
    assert (None if found is None else found[0]) == reason


def test_local_time_is_in_the_zone_of_the_source() -> None:
    options = {"time_format": "%Y-%m-%d %H:%M", "time_zone": "Europe/London"}
    assert moment("2011-07-01 09:30", **options) == datetime(2011, 7, 1, 8, 30, tzinfo=UTC)
    assert moment("2011-10-30 01:30", **options) == datetime(2011, 10, 30, 0, 30, tzinfo=UTC)  # occurs twice; the first counts


def test_typed_time_needs_no_format() -> None:
    assert moment(datetime(2026, 5, 17, 12, tzinfo=ZoneInfo("Europe/Paris")), time_format="epoch_s") == datetime(
        2026, 5, 17, 10, tzinfo=UTC
    )
