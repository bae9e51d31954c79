"""Parquet with `each`: a table gives the records that the same lines of JSON give, and no row becomes too many of them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.landing.readers import parquet_elements, read
from tests.jobs.landing.readers.conftest import shop

COLUMNS = {
    "event_id": {"path": "order"},
    "user_id": {"path": "who"},
    "event_type": {"constant": "purchase"},
    "event_time": {"path": "at"},
}
OF_ITEMS = {"columns": COLUMNS, "event_types": {"purchase": "purchase"}, "each": "items[]"}
WITH_IDS = {**OF_ITEMS, "columns": {**COLUMNS, "event_id": {"path": "visits[].id"}}, "each": "visits[].acts[]"}
ORDERS = [
    {"order": "o1", "items": [{"sku": "a", "tags": ["x", "y"], "more": '{"c": "red"}'}, {"sku": "b", "tags": None}]},
    {"order": "o2", "items": []},
    {"order": "o3", "items": None},
    {"order": "o4", "items": [None, {"sku": "c", "tags": [], "more": "{"}, None, {"sku": "d", "tags": ["z", "z", "z"]}]},
    {"order": "o5", "items": [None]},
]
VISITS = [
    {
        "who": "ann",
        "visits": [{"id": 1, "acts": [{"at": 5}, {"at": 6}]}, {"id": 2, "acts": []}, {"id": 3, "acts": [{"at": 7}]}],
    },
    {"who": "bob", "visits": [None, {"id": 4, "acts": None}]},
    {"who": "cleo", "visits": []},
]
SCALARS = [{"order": "o1", "box": {"skus": [["a", "b"], [], None, ["c"]]}}, {"order": "o2", "box": None}]
NO_LISTS = [{"order": "o1", "items": 7}, {"order": "o2", "items": None}]
NO_INNER = [{"order": "o1", "items": [{"of": None}, {"of": 1}]}, {"order": "o2", "items": [{"of": None}, {"of": None}]}]


@pytest.mark.parametrize(
    ("lines", "mapping", "wanted"),
    [
        (ORDERS, OF_ITEMS, {"event_id": "order", "item_id": "items[].sku", "text": "items[].tags[0]"}),
        (ORDERS, OF_ITEMS, {"surface": "items[].more.c", "item_id": "items[0].sku", "event_id": "order"}),
        (VISITS, WITH_IDS, {"user_id": "who", "event_id": "visits[].id", "text": "visits[].acts[].at"}),
        (VISITS, {**WITH_IDS, "columns": COLUMNS}, {"user_id": "who", "text": "visits[].acts[].at"}),
        (SCALARS, {**OF_ITEMS, "each": "box.skus[][]"}, {"event_id": "order", "item_id": "box.skus[][]"}),
        ([{"a.b": [{"c.d": "x"}]}], {**OF_ITEMS, "each": "a.b[]"}, {"item_id": "a.b[].c.d", "text": 'a.b[]["c.d"]'}),
        (NO_LISTS, OF_ITEMS, {"event_id": "order", "item_id": "items[].sku"}),
        (NO_INNER, {**OF_ITEMS, "each": "items[].of[]"}, {"event_id": "order", "item_id": "items[].of[].sku"}),
        ([{"order": "o1"}], OF_ITEMS, {"event_id": "order", "item_id": "items[].sku"}),
        ([{"other": "o1"}], OF_ITEMS, {"event_id": "order", "item_id": "items[].sku"}),
    ],
)
def test_a_table_gives_the_records_of_the_same_lines(
    tmp_path: Path, lines: list[dict[str, Any]], mapping: dict[str, Any], wanted: dict[str, str]
) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "a.parquet")
    (of_json,) = read(tmp_path / "a.jsonl", shop(**mapping), wanted)
    (of_parquet,) = read(tmp_path / "a.parquet", shop(format="parquet", **mapping), wanted)
    assert of_parquet.columns == of_json.columns
    texts = of_parquet.with_columns(pl.col(list(wanted)).cast(pl.String), line=of_json["line"])
    assert texts.rows(named=True) == of_json.rows(named=True)


def test_the_entries_of_a_map_are_elements(tmp_path: Path) -> None:
    entries = pa.array([[("a", 1), ("b", 2)], None], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"m": entries}), tmp_path / "a.parquet")
    mapping = shop(format="parquet", **{**OF_ITEMS, "each": "m[]"})
    (frame,) = read(tmp_path / "a.parquet", mapping, {"item_id": "m[].key", "value": "m[].value"})
    assert frame.select("line_number", "element", "item_id", "value").rows() == [
        (1, 1, "a", 1),
        (1, 2, "b", 2),
        (2, 0, None, None),
    ]


def test_a_bad_text_refuses_its_row_and_a_rounded_id_stays_a_number(tmp_path: Path) -> None:
    rows = [
        [{"sku": b"a", "id": 1.0}, {"sku": b"\xff", "id": 2.0}],
        [{"sku": b"b", "id": 1e17}, {"sku": b"c", "id": 3.0}],
    ]
    pq.write_table(pa.table({"items": rows}), tmp_path / "a.parquet")
    wanted = {"event_id": "items[].id", "item_id": "items[].sku"}
    (frame,) = read(tmp_path / "a.parquet", shop(format="parquet", **OF_ITEMS), wanted)
    assert frame.select("line_number", "problem", "element", *wanted).rows() == [
        (1, "line.not_utf8", 0, None, None),
        (2, None, 1, 1e17, "b"),
        (2, None, 2, 3.0, "c"),
    ]


def test_rows_keep_their_numbers_in_pieces_and_a_row_of_too_many_elements_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_elements, "MOST_ELEMENTS", 4)
    rows = [{"items": [{"sku": f"{row}"}] * elements} for row, elements in enumerate([1, 4, 5, 2, 2, 1], 1)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=4)
    frames = list(read(tmp_path / "a.parquet", shop(format="parquet", **OF_ITEMS), {"item_id": "items[].sku"}))
    assert max(map(len, frames)) <= 4
    found = pl.concat(frames)
    assert found["line_number"].to_list() == [1, *[2] * 4, 3, 4, 4, 5, 5, 6]
    assert found.filter(pl.col("problem").is_null() & (pl.col("line_number").cast(pl.String) != pl.col("item_id"))).is_empty()
    assert found.filter(pl.col("problem").is_not_null()).select("line_number", "problem", "element").rows() == [
        (3, "line.too_many_elements", 0)
    ]


def test_a_row_whose_text_would_be_repeated_too_often_is_refused(tmp_path: Path) -> None:
    rows = [{"order": "x" * 40_000, "items": [{"sku": "a"}] * 2_000}, {"order": "o", "items": [{"sku": "b"}]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (frame,) = read(tmp_path / "a.parquet", shop(format="parquet", **OF_ITEMS), {"event_id": "order", "item_id": "items[].sku"})
    assert frame.select("line_number", "problem", "element", "item_id").rows() == [
        (1, "line.too_many_elements", 0, None),
        (2, None, 1, "b"),
    ]
