"""The formats of times that a mapping may name: those of strptime, each tried when the mapping is read."""

import pytest
from pydantic import ValidationError

from schemas.time_format import time_format
from tests.jobs.landing.readers.conftest import shop


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d %H:%M:%S.%f", "%d/%b/%Y:%H:%M:%S %z", "%y%m%d%H", "%Y%m%d%H%M%S%3f", "%s", "%c", "%Y-%m-%d %I:%M %p", "%F %T",
     "%d/%m/%Y, %H:%M:%S", "%G-W%V-%u %H:%M", "%Y-%j %H:%M", "%Y年%m月%d日 %H:%M", "%Y-%m-%d %H:%M:%S %%"],
)  # fmt: skip
def test_a_format_that_names_a_moment_is_accepted(form: str) -> None:
    assert time_format(form).engine


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"time_format": "%Y-%m-%d"}, "names no hour, so it is a date without a time of day; set dates_only: true"),
        ({"time_format": "%Y-%m-%d %I:%M"}, "has hours of twelve without %p"),
        ({"time_format": "%b %d %H:%M:%S"}, "cannot be read back; name the year"),
        ({"time_format": "%Y%m%d%H%M%S%f"}, "%f must follow a full stop or a comma"),
        ({"time_format": "%Y-%m-%d %H:%Q"}, "has a code that is not known"),
        ({"time_format": "%"}, "unknown time format"),
        ({"time_format": "iso8601"}, "unknown time format 'iso8601'; use iso, epoch_s"),
        ({"time_format": "%Y-%m-%d %H:%M", "dates_only": True}, "names an hour; leave out dates_only"),
        ({"time_format": "epoch_s", "dates_only": True}, "dates_only is not for the time format epoch_s"),
        ({"time_origin": "2017-01-01T00:00:00Z"}, "time_origin is only for the time formats epoch_s"),
        ({"time_format": "epoch_s", "time_origin": "soon"}, "time_origin"),
        ({"decimal": ";"}, "decimal is ';'; use a full stop or a comma"),
        ({"decimal": ",", "thousands": ","}, "decimal and thousands are both ','"),
        ({"thousands": "00"}, "thousands is '00'; use one character"),
    ],
)
def test_a_mapping_that_cannot_be_applied_is_refused_when_it_is_read(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        shop(**options)
    assert why in str(refused.value)
