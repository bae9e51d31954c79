"""JSON Lines: paths go through objects and lists."""

from pathlib import Path

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
        ({"path": "tags", "separator": "|"}, [None, ["a", "b"], None]),
    ]:
        source = shop(items={"folder": "f", "columns": {"item_id": {"path": "id"}, "categories": column}})
        (frame,) = read(path, source, {"categories": "tags"}, frozenset({"categories"}))
        assert frame.schema["categories"] == pl.List(pl.String)
        assert frame["categories"].to_list() == expected
