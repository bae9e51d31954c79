"""The values of a column: the first path that has one, decoded and translated words, and JSON inside a text."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.cleaning.candidates import Arrival, parse, wanted_fields
from jobs.landing.readers import read
from schemas.contract import load_contract
from schemas.source import Source

BASE: dict[str, Any] = {"user_id": {"path": "u"}, "event_type": {"constant": "view"}, "event_time": {"path": "t"}}
TIME = "2026-03-02T08:00:00Z"


def events(folder: Path, content: str, columns: dict[str, Any], **mapping: Any) -> list[dict[str, Any]]:
    """The events that a file becomes; every record must be one."""
    source = Source.model_validate({"name": "shop", "columns": {**BASE, **columns}, "event_types": {"view": "view"}, **mapping})
    path = folder / "part"
    path.write_text(content)
    arrival = Arrival("shop", "part", datetime(2026, 3, 3, tzinfo=UTC), date(2026, 3, 2), True)
    found = []
    for raw in read(path, source, wanted_fields(source)):
        parsed = parse(raw, source, b"k" * 32, arrival, load_contract("events"))
        assert parsed.rejected["reasons"].to_list() == []
        found += parsed.accepted.to_dicts()
    return found


def test_the_first_path_that_has_a_value_counts(tmp_path: Path) -> None:
    lines = [
        f'{{"t": "{TIME}", "userId": null, "anonymousId": "anon-111", "id": 7, "products": [{{"id": "x"}}]}}',
        f'{{"t": "{TIME}", "userId": " ", "anonymousId": "anon-111", "products": [{{"id": "x"}}]}}',
        f'{{"t": "{TIME}", "userId": "-", "anonymousId": "anon-111"}}',
        f'{{"t": "{TIME}", "userId": "kari-9", "anonymousId": "anon-111"}}',
        f'{{"t": "{TIME}", "userId": "kari-9"}}',
    ]
    columns = {"user_id": {"first_of": ["userId", "anonymousId"]}, "item_id": {"first_of": ["id", "products[0].id"]}}
    rows = events(tmp_path, "\n".join(lines), columns, nothing=["-"])
    users = [row["user_id"] for row in rows]
    assert users[0] == users[1] == users[2] != users[3] == users[4]
    assert [row["item_id"] for row in rows] == ["7", "x", None, None, None]


@pytest.mark.parametrize("written_as", ["csv", "pattern", "json_lines"])
def test_words_are_decoded_then_translated(tmp_path: Path, written_as: str) -> None:
    columns = {
        "country": {"path": "c", "url_decoded": True, "values": {"Norge": "NO", "Côte d'Ivoire": "CI"}},
        "item_id": {"path": "i", "url_decoded": True, "default": "none"},
    }
    rows = [("Norge", "/caf%C3%A9"), ("C%C3%B4te%20d%27Ivoire", "/%e9"), ("SE", "%20"), ("", "100%")]
    match written_as:
        case "csv":
            lines, options = ["u,t,c,i", *(f"ann-1234,{TIME},{c},{i}" for c, i in rows)], {"format": "csv"}
        case "pattern":
            lines = [f"ann-1234|{TIME}|{c}|{i}" for c, i in rows]
            options = {"format": "pattern", "pattern": "(?P<u>[^|]*)[|](?P<t>[^|]*)[|](?P<c>[^|]*)[|](?P<i>[^|]*)"}
        case _:
            lines, options = [f'{{"u": "ann-1234", "t": "{TIME}", "c": "{c}", "i": "{i}"}}' for c, i in rows], {}
    found = events(tmp_path, "\n".join(lines), columns, **options)
    assert [(row["country"], row["item_id"]) for row in found] == [
        ("NO", "/café"),
        ("CI", "/%e9"),
        ("SE", "none"),
        (None, "100%"),
    ]


def test_a_path_reads_inside_the_json_of_a_csv_field(tmp_path: Path) -> None:
    content = (
        "u,t,properties,page.title\n"
        f'ann-1234,{TIME},"{{""$os"": ""iOS"", ""item"": {{""id"": 18446744073709551617}}}}",Jam\n'
        f"bob-1234,{TIME},no JSON,Tea\n"
        f"cleo-123,{TIME},,\n"
    )
    columns = {
        "item_id": {"path": "properties.item.id"},
        "device": {"path": "properties.$os", "values": {"iOS": "mobile"}},
        "surface": {"path": "page.title"},
    }
    found = events(tmp_path, content, columns, format="csv")
    assert [(row["item_id"], row["device"], row["surface"]) for row in found] == [
        ("18446744073709551617", "mobile", "Jam"),
        (None, None, "Tea"),
        (None, None, None),
    ]


def test_a_path_reads_inside_the_json_of_a_group(tmp_path: Path) -> None:
    pattern = r"(?P<t>\S+) (?P<said>.*)"
    columns = {"user_id": {"path": "said.user.id"}, "item_id": {"path": "said.items[id=2].sku"}}
    line = f'{TIME} {{"user": {{"id": "ann-1234"}}, "items": [{{"id": 1}}, {{"id": 2, "sku": "Q"}}]}}\n'
    (row,) = events(tmp_path, line, columns, format="pattern", pattern=pattern)
    assert row["item_id"] == "Q"


def test_elements_of_a_line_are_events_with_ids_of_their_own(tmp_path: Path) -> None:
    columns = {"event_id": {"path": "message"}, "item_id": {"path": "items[].sku"}, "value": {"path": "items[].price"}}
    items = '[{"sku": "a", "price": 4.5}, {"sku": "a", "price": 3}]'
    line = f'{{"u": "ann-1234", "t": "{TIME}", "message": "m1", "items": {items}}}'
    alone = f'{{"u": "ann-1234", "t": "{TIME}", "message": "m2"}}'
    found = events(tmp_path, f"{line}\n{alone}\n", columns, each="items[]")
    assert [(row["event_id"], row["item_id"], row["value"], row["line_number"], row["element"]) for row in found] == [
        ("m1#1", "a", 4.5, 1, 1),
        ("m1#2", "a", 3.0, 1, 2),
        ("m2", None, None, 2, 0),
    ]


def test_an_id_of_the_element_stays_as_it_is(tmp_path: Path) -> None:
    columns = {"event_id": {"path": "items[].id"}, "item_id": {"path": "items[].sku"}}
    line = f'{{"u": "ann-1234", "t": "{TIME}", "items": [{{"sku": "a", "id": 1}}, {{"sku": "a"}}]}}'
    found = events(tmp_path, line, columns, each="items[]")
    assert found[0]["event_id"] == "1"
    assert len(found[1]["event_id"]) == 64


def test_a_path_reads_inside_the_json_of_a_parquet_column(tmp_path: Path) -> None:
    rows = [{"u": "ann-1234", "t": TIME, "properties": '{"sku": "Q"}'}, {"u": "bob-1234", "t": TIME, "properties": "none"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part.parquet")
    mapping = {**BASE, "item_id": {"path": "properties.sku"}}
    source = Source.model_validate({"name": "s", "format": "parquet", "columns": mapping, "event_types": {"view": "view"}})
    (frame,) = read(tmp_path / "part.parquet", source, wanted_fields(source))
    assert frame["item_id"].to_list() == ["Q", None]
    (frame,) = read(tmp_path / "part.parquet", source, {"tags": "properties.sku"}, frozenset({"tags"}))
    assert frame["tags"].to_list() == [None, None]
    (frame,) = read(tmp_path / "part.parquet", source, wanted_fields(source))
    assert frame.columns == ["line_number", "problem", "line", *wanted_fields(source)]
