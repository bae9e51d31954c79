"""Times of sources become moments in UTC; unreadable ones become null."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from jobs.cleaning.timestamps import utc_time
from tests.jobs.landing.readers.conftest import shop


def moment(value: Any, **options: Any) -> datetime | None:
    column = pl.Series("time", [value])
    (found,) = pl.DataFrame([column]).select(utc_time(pl.col("time"), column.dtype, shop(**options))).to_series()
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
    ],
)
def test_text_in_the_format_of_the_source(form: str, text: Any, found: datetime | None) -> None:
    assert moment(text, time_format=form) == found


def test_local_time_is_in_the_zone_of_the_source() -> None:
    options = {"time_format": "%Y-%m-%d %H:%M", "time_zone": "Europe/London"}
    assert moment("2011-07-01 09:30", **options) == datetime(2011, 7, 1, 8, 30, tzinfo=UTC)
    assert moment("2011-10-30 01:30", **options) == datetime(2011, 10, 30, 0, 30, tzinfo=UTC)  # occurs twice; the first counts


def test_typed_time_needs_no_format() -> None:
    assert moment(datetime(2026, 5, 17, 12, tzinfo=ZoneInfo("Europe/Paris")), time_format="epoch_s") == datetime(
        2026, 5, 17, 10, tzinfo=UTC
    )
