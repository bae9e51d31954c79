"""Lines of a catalogue are read with the rules of event lines: trimming, nothing, numbers, ids; each fault has a reason."""

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from jobs.catalogue.stages import lists_among, parse_items
from jobs.cleaning.candidates import wanted_fields
from jobs.landing.files import LandingFile
from jobs.landing.readers import read
from schemas.contract import load_contract
from tests.jobs.landing.readers.conftest import shop

DAY = date(2026, 3, 2)
COLUMNS: dict[str, Any] = {
    "item_id": {"path": "sku"},
    "title": {"path": "name"},
    "price": {"path": "price"},
    "year": {"path": "year"},
    "categories": {"path": "tags", "separator": "|"},
    "brand": {"path": "brand", "default": "nobody"},
}


def parsed(folder: Path, *lines: dict[str, Any], **options: Any) -> tuple[pl.DataFrame, Counter[str]]:
    """The rows of some lines of a catalogue, and how many texts were cut."""
    path = folder / "part.jsonl"
    path.write_text("".join(json.dumps({"sku": f"s{n}", "name": "Jam", **line}) + "\n" for n, line in enumerate(lines)))
    columns = options.pop("columns", COLUMNS)
    source = shop(nothing=["-", "NULL"], items={"folder": "shop-items", "columns": columns}, **options)
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    file = LandingFile("shop", path, "part.jsonl", at, 1, 0)
    wanted, contract = wanted_fields(source.of_catalogue), load_contract("items")
    (raw,) = read(path, source.of_catalogue, wanted, lists_among(wanted, contract))
    return parse_items(raw, source, DAY, file, contract)


def test_prices_and_years_that_cannot_be_read_have_a_reason(tmp_path: Path) -> None:
    lines = [{"price": "$12.99"}, {"price": "1,234.00"}, {"year": "(1998)"}, {"price": "12.99", "year": "1998.0"}]
    rows, _ = parsed(tmp_path, *lines)
    assert rows["reasons"].to_list() == [["price.unreadable"], ["price.unreadable"], ["year.unreadable"], []]
    assert rows.select("price", "year").row(3) == (12.99, 1998)


def test_numbers_with_the_signs_of_the_mapping_are_read(tmp_path: Path) -> None:
    lines = [{"price": "12,50"}, {"price": "1.234,00 €"}, {"price": "12.50"}]
    rows, _ = parsed(tmp_path, *lines, decimal=",", thousands=".")
    assert rows["price"].to_list() == [12.5, 1234.0, None]
    assert rows["reasons"].to_list() == [[], [], ["price.unreadable"]]


def test_blanks_and_nothing_are_no_values(tmp_path: Path) -> None:
    lines = [{"name": "   "}, {"name": " Jam ", "brand": "-", "tags": " x | NULL |y"}, {"brand": "NULL"}, {"sku": 1003461.0}]
    rows, _ = parsed(tmp_path, *lines)
    assert rows["reasons"].to_list() == [["title.required"], [], [], []]
    assert rows.select("title", "brand", "categories").row(1) == ("Jam", "nobody", ["x", "y"])
    assert rows["item_id"].to_list() == ["s0", "s1", "s2", "1003461"]


def test_columns_are_joined_and_filled_as_those_of_events(tmp_path: Path) -> None:
    columns = COLUMNS | {"title": {"paths": ["brand", "name"], "joined_by": ": "}, "categories": {"constant": "food"}}
    rows, _ = parsed(tmp_path, {"brand": "Quince"}, columns=columns)
    assert rows.select("title", "categories").row(0) == ("Quince: Jam", ["food"])


def test_a_text_that_is_too_long_is_cut_and_counted(tmp_path: Path) -> None:
    rows, changed = parsed(tmp_path, {"name": "t" * 1001}, {"sku": "s" * 201})
    assert (len(rows["title"][0]), dict(changed)) == (1000, {"cut.title": 1})
    assert rows["reasons"].to_list() == [[], ["item_id.length"]]


def test_a_price_outside_of_the_source_s_bounds_is_refused(tmp_path: Path) -> None:
    columns = COLUMNS | {"price": {"path": "price", "minimum": 1, "maximum": 100}}
    rows, _ = parsed(tmp_path, {"price": 0.5}, {"price": 1}, {"price": 101}, {}, columns=columns)
    assert rows["reasons"].to_list() == [["price.source_range"], [], ["price.source_range"], []]


def test_lists_are_made_as_other_columns_are(tmp_path: Path) -> None:
    columns = COLUMNS | {
        "categories": {"first_of": ["tags", "labels"], "separator": "|", "values": {"a": "A"}, "url_decoded": True}
    }
    lines = [{"tags": "a|b%20c", "labels": "x"}, {"labels": "a|y"}, {"tags": " | - "}, {}]
    rows, _ = parsed(tmp_path, *lines, columns=columns)
    assert rows["categories"].to_list() == [["A", "b c"], ["A", "y"], [], None]
    joined = COLUMNS | {"categories": {"paths": ["tags", "labels"], "default": "other"}}
    rows, _ = parsed(tmp_path, {"tags": ["a"], "labels": ["x", "y"]}, {"labels": ["x"]}, {}, columns=joined)
    assert rows["categories"].to_list() == [["a", "x", "y"], ["x"], ["other"]]
