"""Columns of every physical and logical type: each value is read, or costs its own row only."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.landing.readers import read
from jobs.landing.readers.arrow_types import by_halves
from tests.jobs.landing.readers.conftest import shop

PARQUET = shop(format="parquet")
SOME = uuid.UUID("f1a5c0de-0000-0000-0000-000000000001")
NOT_TEXT = b"zo\xeb"
Row = tuple[str | None, Any]
"""The problem of a row, and its value."""


def values_of(path: Path, column: pa.Array, where: str = "c", field: str = "device", **options: Any) -> list[Row]:
    """(problem, value as text) of each row of a file with one column."""
    pq.write_table(pa.table({"c": column, "n": list(range(len(column)))}), path / "a.parquet", **options)
    frame = pl.concat(read(path / "a.parquet", PARQUET, {field: where, "n": "n"}))
    assert frame["line_number"].to_list() == list(range(1, len(column) + 1))
    return list(zip(frame["problem"], frame[field].cast(pl.String), strict=True))


def bad_texts(kind: pa.DataType | None = None) -> pa.Array:
    """Texts of which the second is not UTF-8, as writers that do not check their texts leave them."""
    raw = pa.array([b"ann", NOT_TEXT, b"bob"])
    texts = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    return texts if kind is None else raw.cast(kind)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([SOME.bytes, None], pa.uuid()), [str(SOME), None]),
        (pa.array([SOME.bytes, b"sixteen letters."], pa.binary(16)), [str(SOME), "sixteen letters."]),
        (pa.array(['{"a":1}', None], pa.json_()), ['{"a":1}', None]),
        (pa.array([2**64 - 1, 0], pa.uint64()), ["18446744073709551615", "0"]),
        (pa.array([Decimal("12345678901234567890"), Decimal("0")], pa.decimal128(20, 0)), ["12345678901234567890", "0"]),
        (pa.array([Decimal("17850.00"), Decimal("1.50")], pa.decimal128(10, 2)), ["17850", "1.5"]),
        (pa.array([Decimal("9" * 50), None], pa.decimal256(60, 0)), ["9" * 50, None]),
        (pa.array([Decimal("17850.00"), Decimal("1.50")], pa.decimal256(60, 2)), ["17850", "1.5"]),
        (pa.array([Decimal("1.5"), None], pa.decimal32(5, 1)), ["1.5", None]),
        (pa.array([Decimal("1.5"), None], pa.decimal64(15, 1)), ["1.5", None]),
        (pa.array([17850.0, 1.5]), ["17850", "1.5"]),
        (pa.array([-0.0, 1e-7]), ["0", "1e-7"]),
        (pa.array([float("nan"), float("inf")]), [None, None]),
        (pa.array([17850.0, 0.1], pa.float32()), ["17850", "0.1"]),
        (pa.array(np.array([512, 0.5], np.float16)), ["512", "0.5"]),
        (pa.array([timedelta(hours=1), None], pa.duration("us")), ["PT1H", None]),
        (pa.array([time(12, 30), None], pa.time32("ms")), ["12:30:00", None]),
        (pa.array([date(2026, 3, 2), None], pa.date64()), ["2026-03-02", None]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([b"ann", None], pa.large_binary()), ["ann", None]),
        (pa.array(["ann", None], pa.string_view()), ["ann", None]),
        (pa.array([b"ann", None]).dictionary_encode(), ["ann", None]),
        (pa.array([1, 0], pa.bool8()), ["1", "0"]),
        (pa.nulls(2), [None, None]),
        (pa.array(["x" * 2_000_000, None], pa.large_string()), ["x" * 2_000_000, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_values_of_a_type_as_text(tmp_path: Path, column: pa.Array, expected: list[str | None]) -> None:
    assert values_of(tmp_path, column) == [(None, text) for text in expected]


@pytest.mark.parametrize("kind", [None, pa.binary(), pa.large_binary(), pa.binary(3), pa.binary_view()], ids=str)
def test_bytes_that_are_not_text_cost_their_row(tmp_path: Path, kind: pa.DataType | None) -> None:
    texts = bad_texts() if kind is None else pa.array([b"ann", NOT_TEXT, b"bob"], kind)
    assert values_of(tmp_path, texts, use_dictionary=False) == [(None, "ann"), ("line.not_utf8", None), (None, "bob")]


@pytest.mark.parametrize(
    ("column", "where"),
    [
        (pa.StructArray.from_arrays([bad_texts()], ["id"]), "c.id"),
        (pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), bad_texts()), "c[0]"),
        (pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int32()), bad_texts()), "c"),
        (pa.MapArray.from_arrays([0, 1, 2, 3], pa.array(["id"] * 3), pa.array([b"ann", NOT_TEXT, b"bob"])), "c.id"),
    ],
    ids=["struct", "list", "dictionary", "map"],
)
def test_bytes_that_are_not_text_inside_a_value_cost_its_row(tmp_path: Path, column: pa.Array, where: str) -> None:
    rows = [(None, "ann"), ("line.not_utf8", None), (None, "bob")]
    assert values_of(tmp_path, column, where) == rows


@pytest.mark.parametrize("where", ["c.item", "c[key=item].value"])
def test_maps_are_read_by_key(tmp_path: Path, where: str) -> None:
    maps = pa.array([[("x", "y"), ("item", "A")], [], None, [("item", None)]], pa.map_(pa.string(), pa.string()))
    assert values_of(tmp_path, maps, where) == [(None, "A"), (None, None), (None, None), (None, None)]


def test_lists_of_all_kinds_with_nulls(tmp_path: Path) -> None:
    for kind in (pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_view(pa.string())):
        lists = pa.array([["a"], None, ["b"]], kind)
        assert values_of(tmp_path, lists, "c[0]") == [(None, "a"), (None, None), (None, "b")], kind


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()], ids=str)
def test_float_ids_stay_numbers_of_their_size(tmp_path: Path, kind: pa.DataType) -> None:
    """The cleaning refuses those that may stand for several ids, which depends on the size."""
    pq.write_table(pa.table({"c": pa.array(np.array([7, 2048], np.float16)).cast(kind)}), tmp_path / "a.parquet")
    (frame,) = read(tmp_path / "a.parquet", PARQUET, {"user_id": "c", "item_id.1": "c"})
    kinds = {pa.float64(): pl.Float64, pa.float32(): pl.Float32, pa.float16(): pl.Float16}
    assert {frame.schema["user_id"], frame.schema["item_id.1"]} == {kinds[kind]}


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_far_years_are_null(tmp_path: Path, unit: str) -> None:
    times = pa.array([0, 2**63 - 1, -(2**63)], pa.timestamp(unit, "UTC"))
    values = [value for _, value in values_of(tmp_path, times, field="event_time")]
    assert values[0] is not None
    assert unit == "ns" or values[1:] == [None, None]


def test_int96_holds_years_that_nanoseconds_do_not(tmp_path: Path) -> None:
    """64 bits of nanoseconds end in 2262: the year 3000, read so, became a time of 1830."""
    days = pa.array([datetime(2026, 3, 2, 8, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)], pa.timestamp("us"))
    read_back = values_of(tmp_path, days, field="event_time", use_deprecated_int96_timestamps=True)
    assert [value and value[:19] for _, value in read_back] == ["2026-03-02 08:00:00", "3000-01-01 00:00:00"]


def test_times_beyond_a_day_are_null(tmp_path: Path) -> None:
    column = pa.array([0, 2**62, -1], pa.int64()).cast(pa.time64("us"))
    assert values_of(tmp_path, column) == [(None, "00:00:00"), (None, None), (None, None)]


def test_column_named_twice_is_refused_where_it_is_mapped(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"]), pa.array(["ann"])], ["c", "c", "u"])
    pq.write_table(table, tmp_path / "a.parquet")
    (frame,) = read(tmp_path / "a.parquet", PARQUET, {"item_id": "c", "user_id": "u"})
    assert frame["problem"].to_list() == ["line.repeated_name"]
    (frame,) = read(tmp_path / "a.parquet", PARQUET, {"user_id": "u"})
    assert frame.select("problem", "user_id").rows() == [(None, "ann")]


def test_column_whose_name_is_not_text_makes_the_file_unreadable(tmp_path: Path) -> None:
    pq.write_table(pa.table({"name": ["ann"]}), tmp_path / "a.parquet", store_schema=False)
    content = (tmp_path / "a.parquet").read_bytes().replace(b"name", b"na\xff\xfe")
    (tmp_path / "a.parquet").write_bytes(content)
    (frame,) = read(tmp_path / "a.parquet", PARQUET, {"user_id": "name"})
    assert frame["problem"].to_list() == ["file.unreadable"]


def test_rows_that_cannot_be_converted_are_found_by_halves() -> None:
    def convert(rows: pa.RecordBatch) -> pl.DataFrame:
        if 5 in rows["c"].to_pylist():
            raise ValueError("five")
        return pl.DataFrame(rows)

    batch = pa.record_batch({"c": list(range(10))})
    assert [(start, count) for start, count, frame in by_halves(batch, convert, 100) if frame is None] == [(5, 1)]
    assert sum(count for _, count, frame in by_halves(batch, convert, 0) if frame is None) == 10
