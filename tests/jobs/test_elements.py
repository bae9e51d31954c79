"""A day of lines that hold several events each: cleaned, audited and published, and every element accounted for."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from jobs import clean
from jobs.landing.blank_elements import without_elements
from schemas.lake.lake import open_lake
from schemas.source import Source
from tests.pipeline import check_and_publish, run_jobs_here

pytestmark = pytest.mark.timeout(300)
DAY = date(1998, 4, 16)
ORDERS = Source.model_validate(
    {
        "name": "orders",
        "each": "items[]",
        "columns": {
            "event_id": {"path": "order"},
            "user_id": {"path": "who"},
            "event_type": {"path": "items[].did"},
            "event_time": {"path": "at"},
            "item_id": {"path": "items[].sku"},
        },
        "event_types": {"bought": "purchase"},
        "skip": {"empty": {"path": "items[].sku", "missing": True, "why": "an order of nothing"}},
    }
)


def order(number: int, *items: dict[str, str]) -> str:
    return json.dumps({"order": f"o{number}", "who": f"user-{number}", "at": "1998-04-16T14:00:00Z", "items": items})


def bought(sku: str) -> dict[str, str]:
    return {"sku": sku, "did": "bought"}


@pytest.mark.slow
def test_a_day_of_orders_is_published_and_its_records_balance(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "orders")
    monkeypatch.setattr(clean, "load_source", lambda _: ORDERS)
    path = var / "landing" / "orders" / "arrived=1998-04-16T15" / "part.jsonl"
    path.parent.mkdir(parents=True)
    odd = {"sku": "x", "did": "sold"}
    lines = [order(n, *(bought(f"sku-{i}") for i in range(10))) for n in range(3)]
    lines += [lines[0], order(4, odd, bought("b"), odd), order(5), '["no object"]']
    path.write_text("\n".join(lines) + "\n")
    figures = clean.main(["--arrived-on", str(DAY), "--run", "r"])
    check_and_publish("clean", "r")
    assert {name: figures[name] for name in ("lines_read", "records", "events", "rejects", "exact_duplicates")} == {
        "lines_read": 7,
        "records": 45,
        "events": 31,
        "rejects": 4,
        "exact_duplicates": 10,
    }
    lake = open_lake()
    rejects = pl.DataFrame(lake.arrow("rejects")).sort("line_number", "element")
    assert rejects.select("line_number", "element", pl.col("reasons").list.last()).rows() == [
        (5, 1, "event_type.unknown"),
        (5, 3, "event_type.unknown"),
        (6, 0, "source.empty"),
        (7, 0, "line.not_an_object"),
    ]
    assert rejects["line"].to_list()[-1] == 'a list of 1 elements: ["aa aaaaaa"]'
    assert pl.DataFrame(lake.arrow("landing_files"))["lines"].to_list() == [7]


@pytest.mark.parametrize(
    ("line", "each", "left"),
    [
        (b'{"a": [1, 2, 3]}', "a[]", b'{"a": [1, null, 3]}'),
        (b'{"x.a":[ 1 ,{"b":"]"} ,3],"n":NaN}', "x.a[]", b'{"x.a":[ 1 ,null ,3],"n":NaN}'),
        ('\ufeff{"a": [1, "\\ud83d", 3]}'.encode(), "a[]", '\ufeff{"a": [1, null, 3]}'.encode()),
        (b'{"a": "[1, 2, 3]"}', "a[]", b""),
        ('{"a": [1, 2], "b": "caf\u00e9"}'.encode("latin-1"), "a[]", '{"a": [1, null], "b": "caf\u00e9"}'.encode("latin-1")),
        (b'{"a": [1, 2], "b": ' + b"7" * 5_000 + b"}", "a[]", b""),
        (b'{"a": [1, 2], "b": ' + b"[" * 1010 + b"]" * 1010 + b"}", "a[]", b""),
    ],
    ids=["plain", "as it is written", "half an emoji", "inside a text", "latin-1", "a long number", "nested deeply"],
)
def test_an_element_is_taken_out_of_the_text_of_a_line(line: bytes, each: str, left: bytes) -> None:
    columns = {**ORDERS.model_dump(exclude_unset=True)["columns"], "user_id": {"path": each + ".who"}}
    columns |= {"event_type": {"path": "did"}, "item_id": {"path": "sku"}}
    encoding = "latin-1" if b"\xe9" in line else "utf-8"
    changes = {"each": each, "columns": columns, "encoding": encoding, "skip": {}}
    source = Source.model_validate(ORDERS.model_dump(exclude_unset=True) | changes)
    assert without_elements(line, source, {2}) == left
