"""JSON Lines: paths go through objects and lists."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.landing.readers import read
from tests.jobs.landing.readers.conftest import ReadBytes, shop


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("user", "ann"),
        ("page.title", "Shoes"),
        ("page.title.of", None),
        ("items[0].id", "7"),
        ("items[1].id", "8"),
        ("items[2].id", None),
        ("user[0]", None),
        ("params[key=page].value.text", "Hats"),
        ("params[key=none].value.text", None),
        ("items[id=8].name", "Cap"),
        ("items", None),
    ],
)
def test_path_gives_a_text_or_null(tmp_path: Path, where: str, found: str | None) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"user": "ann", "page": {"title": "Shoes"}, "items": [{"id": 7}, {"id": 8, "name": "Cap"}],'
        ' "params": ["odd", {"key": "page", "value": {"text": "Hats"}}, {"key": "page", "value": {"text": "Second"}}]}\n'
    )
    (frame,) = read(path, shop(), {"field": where})
    assert frame["field"].to_list() == [found]


def test_invalid_json_and_invalid_utf8(read_bytes: ReadBytes) -> None:
    assert read_bytes(b'{"u": "ann", "t": 1}\n{"u": \n{"u": "\xff"}\n', "a.jsonl") == [
        (1, None, "ann", "1"),
        (2, "line.not_json", None, None),
        (3, "line.not_utf8", None, None),
    ]


def test_list_from_a_list_or_a_separated_text(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "tags": ["a", 2]}\n{"id": "2", "tags": "a| b ||"}\n{"id": "3"}\n')
    for column, expected in [
        ({"path": "tags"}, [["a", "2"], None, None]),
        ({"path": "tags", "separator": "|"}, [None, ["a", " b ", "", ""], None]),
    ]:
        source = shop(
            items={"folder": "f", "columns": {"item_id": {"path": "id"}, "title": {"path": "id"}, "categories": column}}
        )
        (frame,) = read(path, source.of_catalogue, {"categories": "tags"}, frozenset({"categories"}))
        assert frame.schema["categories"] == pl.List(pl.String)
        assert frame["categories"].to_list() == expected


def read_lines(tmp_path: Path, content: str | bytes, wanted: dict[str, str], **mapping: Any) -> list[tuple[Any, ...]]:
    """The rows of a file: line number, problem, and the wanted fields."""
    path = tmp_path / "part.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [row for frame in read(path, shop(**mapping), wanted) for row in frame.drop("line", "left_out", strict=False).rows()]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("18446744073709551617", "18446744073709551617"),
        ("18446744073709551618", "18446744073709551618"),
        ("1234567890.1700000001", "1234567890.1700000001"),
        ("1234567890.1700000002", "1234567890.1700000002"),
        ("9007199254740993", "9007199254740993"),
        ("9007199254740993.0", "9007199254740993"),
        ("17850", "17850"),
        ("17850.0", "17850"),
        ("1.785e4", "17850"),
        ("-0.0", "0"),
        ('"17850.0"', "17850.0"),
        ("1e300", "1" + "0" * 300),
    ],
)
def test_a_number_as_an_id_keeps_each_digit_and_has_one_text(tmp_path: Path, written: str, found: str) -> None:
    for field in ("user_id", "item_id", "skip.staff"):
        assert read_lines(tmp_path, f'{{"id": {written}}}\n', {field: "id"}) == [(1, None, found)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"id": "a", "q": NaN}', ("a", None)),
        ('{"id": "a", "q": -Infinity, "of": [NaN, {"x": Infinity}]}', ("a", None)),
        ('{"id": "a", "q": "jam \\ud83d"}', ("a", "jam �")),
        ('{"id": "a\\ud83d", "q": "\\ud83d\\ude00"}', ("a\\ud83d", "\U0001f600")),
        ("\N{ZERO WIDTH NO-BREAK SPACE}" + '{"id": "a", "q": "b"}', ("a", "b")),
        ('{"id": "a", "q": "{\\"no\\": \\"\\\\ud83d\\"}"}', ("a", '{"no": "\\ud83d"}')),
    ],
)
def test_json_that_programs_write_beside_the_standard_is_read(tmp_path: Path, line: str, found: tuple[str, str]) -> None:
    rows = read_lines(tmp_path, f'{{"id": "first"}}\n{line}\n', {"item_id": "id", "text": "q"})
    assert rows == [(1, None, "first", None), (2, None, *found)]


def test_an_id_in_a_line_that_only_one_parser_reads_is_not_there(tmp_path: Path) -> None:
    line = '{"id": 1.5, "deep": ' + "[" * 1_010 + "]" * 1_010 + "}"
    assert read_lines(tmp_path, line, {"user_id": "id"}) == [(1, None, None)]


def test_lines_that_are_no_objects_say_so(tmp_path: Path) -> None:
    lines = ['[{"id": 1}, {"id": 2}]', "7", '"text"', "null", '{"id": 1', '{"id": nan}', "[" * 100_000]
    assert [row[1] for row in read_lines(tmp_path, "\n".join(lines), {"item_id": "id"})] == [
        *["line.not_an_object"] * 4,
        *["line.not_json"] * 3,
    ]


@pytest.mark.parametrize(
    ("line", "where", "found"),
    [
        ({"user": {"id": "a"}}, "user.id", "a"),
        ({"user.id": "a"}, "user.id", "a"),
        ({"user": {"name": "x"}, "user.id": "a"}, "user.id", "a"),
        ({"user": {"id": "a"}, "user.id": "b"}, "user.id", "a"),
        ({"user": {"id": "a"}, "user.id": "b"}, '["user.id"]', "b"),
        ({"a.b": {"c.d": "x"}}, "a.b.c.d", "x"),
        ({"a": {"b.c": [{"d.e": "x"}]}}, "a.b.c[0].d.e", "x"),
        ({"payload": '{"who": "a"}'}, "payload.who", "a"),
        ({"payload": ' [{"who": {"id": 7}}]\n'}, "payload[0].who.id", "7"),
        ({"payload": '{"inner": "{\\"who\\": 18446744073709551617}"}'}, "payload.inner.who", "18446744073709551617"),
        ({"payload": '{"who": '}, "payload.who", None),
        ({"payload": "who"}, "payload.who", None),
        ({"payload": '{"who": NaN, "what": "x"}'}, "payload.what", "x"),
    ],
)
def test_a_path_reads_keys_with_dots_and_json_in_a_text(tmp_path: Path, line: Any, where: str, found: str | None) -> None:
    assert read_lines(tmp_path, json.dumps(line), {"item_id": where}) == [(1, None, found)]


EACH = {
    "columns": {
        "event_id": {"path": "order"},
        "user_id": {"path": "who"},
        "event_type": {"constant": "purchase"},
        "event_time": {"path": "at"},
        "item_id": {"path": "items[].sku"},
    },
    "event_types": {"purchase": "purchase"},
    "each": "items[]",
}


def test_each_element_of_a_list_is_a_row_that_knows_its_place(tmp_path: Path) -> None:
    lines = [
        '{"order": "o1", "items": [{"sku": "a"}, {"sku": 1.0}]}',
        '{"order": "o2", "items": []}',
        '{"order": "o3"}',
        '{"order": "o4", "items": "[{\\"sku\\": \\"b\\"}, null, {\\"sku\\": \\"c\\"}]"}',
        '{"order": "o5", "items": 7}',
    ]
    assert read_lines(tmp_path, "\n".join(lines), {"event_id": "order", "item_id": "items[].sku"}, **EACH) == [
        (1, None, 1, "1", "o1", "a"),
        (1, None, 2, "2", "o1", "1"),
        (2, None, 0, None, "o2", None),
        (3, None, 0, None, "o3", None),
        (4, None, 1, "1", "o4", "b"),
        (4, None, 2, "3", "o4", "c"),
        (5, "line.not_a_list", 0, None, None, None),
    ]


def test_lists_in_lists_and_a_line_that_is_a_list(tmp_path: Path) -> None:
    mapping = {
        "columns": {
            "event_id": {"path": "[].visit"},
            "user_id": {"path": "[].who"},
            "event_type": {"constant": "view"},
            "event_time": {"path": "[].acts[].at"},
        },
        "event_types": {"view": "view"},
        "each": "[].acts[]",
    }
    line = '[{"visit": 1, "acts": [{"at": 5}, {"at": 6}]}, {"visit": 2, "acts": []}, {"visit": 3, "acts": [{"at": 7}]}]'
    wanted = {"event_id": "[].visit", "event_time": "[].acts[].at"}
    assert read_lines(tmp_path, f'{line}\n[]\n{{"visit": 1}}', wanted, **mapping) == [
        (1, None, 1, "1", "1", "5"),
        (1, None, 2, "2", "1", "6"),
        (1, None, 3, None, "2", None),
        (1, None, 4, "1", "3", "7"),
        (2, "line.no_elements", 0, None, None, None),
        (3, "line.not_a_list", 0, None, None, None),
    ]


def test_a_line_whose_text_would_be_repeated_too_often_is_refused(tmp_path: Path) -> None:
    many, large = ", ".join(['{"sku": "a"}'] * 2_000), "x" * 40_000
    lines = [f'{{"order": "{large}", "items": [{many}]}}', '{"order": "o", "items": [{"sku": "a"}, {"sku": "b"}]}']
    assert read_lines(tmp_path, "\n".join(lines), {"event_id": "order", "item_id": "items[].sku"}, **EACH) == [
        (1, "line.too_many_elements", 0, None, None, None),
        (2, None, 1, "1", "o", "a"),
        (2, None, 2, "2", "o", "b"),
    ]


def test_elements_that_no_path_reads_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl"
    path.write_text('{"items": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]}\n{"items": [{"sku": "a"}]}\n{}\n')
    (frame,) = read(path, shop(), {"item_id": "items[0].sku", "text": "items[1].sku"})
    assert frame["left_out"].to_list() == [1, 0, 0]
