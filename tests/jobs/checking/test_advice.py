"""A check ends with what to do next: for each cause that is known, the lines of the mapping that mend it."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs import clean
from jobs.checking import check_mapping
from schemas.runtime.errors import ConfigError

JSON_LINES = """
name: shop
columns:
  user_id: {path: who}
  event_type: {path: what}
  event_time: {path: at}
  item_id: {path: item}
  value: {path: price}
  country: {path: land}
event_types: {look: view}
items:
  folder: shop-items
  columns: {item_id: {path: sku}, title: {path: name}, price: {path: cost}}
"""
CSV = JSON_LINES.replace("name: shop\n", "name: shop\nformat: csv\n")
GOOD = {"who": "ann", "what": "look", "at": "2026-03-02T08:00:00Z", "item": "lamp", "price": 2.5, "land": "NO"}


def lines(*changes: dict[str, Any]) -> str:
    return "".join(json.dumps(GOOD | change) + "\n" for change in changes)


def checked(folder: Path, mapping: str, content: str | bytes, *more: str, name: str = "part.txt") -> dict[str, Any]:
    (folder / "shop.yaml").write_text(mapping)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return check_mapping.main([str(folder / "shop.yaml"), str(path), *more])


def test_a_sound_file_says_how_to_go_on(tmp_path: Path) -> None:
    (step,) = checked(tmp_path, JSON_LINES, lines({}))["next"]
    assert step.startswith("Nothing has to change. Look at the examples; then deliver files to <landing>/shop/arrived=")


def test_columns_that_no_line_has_are_named_with_the_most_similar_name(tmp_path: Path) -> None:
    """Case differs in one, a letter in the other; both were null in every event, and nobody was told."""
    mapping = (
        CSV.replace("path: item}", "path: ITEM}").replace("path: price}", "path: prise}").replace("path: land}", "path: zip}")
    )
    result = checked(tmp_path, mapping, "who,what,at,item,price\nann,look,2026-03-02T08:00:00Z,lamp,2.5\n")
    assert result["absent"] == {"item_id": "ITEM", "value": "prise", "country": "zip"}
    assert result["next"][:3] == [
        "item_id: no line has a value at 'ITEM'; the file has 'item': write `path: item`.",
        "value: no line has a value at 'prise'; the file has 'price': write `path: price`.",
        "country: no line has a value at 'zip'; the file has who, what, at, item, price: correct the path, or leave the column "
        "out.",
    ]


def test_nested_names_are_searched_too(tmp_path: Path) -> None:
    content = json.dumps(GOOD | {"item": None, "product": {"ids": [{"sku": "lamp"}]}}) + "\n"
    result = checked(tmp_path, JSON_LINES.replace("{path: item}", "{path: product.sku}"), content)
    assert result["next"][0] == (
        "item_id: no line has a value at 'product.sku'; the file has 'product.ids[0].sku': write `path: product.ids[0].sku`."
    )


def test_values_that_few_lines_have_are_a_question_and_not_a_fault(tmp_path: Path) -> None:
    """A line of JSON may lack any key: a search has a query, and a page has none."""
    mapping = JSON_LINES.replace("columns:\n  user_id", "columns:\n  text: {path: query}\n  user_id", 1)
    steps = checked(tmp_path, mapping, lines({}))["next"]
    assert steps[0] == "No line of this file has a value for text (query): look whether other lines have."
    assert steps[1].startswith("Nothing has to change.")


def test_a_column_that_is_there_but_empty_is_not_absent(tmp_path: Path) -> None:
    assert checked(tmp_path, CSV, "who,what,at,item,price,land\nann,look,2026-03-02T08:00:00Z,lamp,,\n")["absent"] == {}


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"what": "wink"}, "event_types lacks 1 of the source's words: add `event_types: {'wink': ...}`"),
        ({"at": 1772438400000}, "event_time looks like milliseconds since 1970: write `time_format: epoch_ms`."),
        ({"at": "1772438400"}, "event_time looks like seconds since 1970: write `time_format: epoch_s`."),
        (
            {"at": "02/Mar/2026:08:00:00 +0100"},
            "event_time looks like %d/%b/%Y:%H:%M:%S %z: write `time_format: '%d/%b/%Y:%H:%M:%S %z'`.",
        ),
        (
            {"at": "2026-03-02"},
            "event_time is a date without a time of day: write `dates_only: true`, if midnight shall count.",
        ),
        ({"price": "12,50"}, "value: the numbers have a decimal comma: write `decimal: ','` and `thousands: '.'`."),
        ({"land": "Norway"}, "country is not the code of a country (ISO 3166): give the codes of the source's words"),
        ({"item": "%D0%BF" * 40}, "item_id holds percent-encoded letters and is too long: write `url_decoded: true`"),
        ({"who": None}, "1 lines have no user: give every path that may name one as `user_id: {first_of: [...]}`"),
    ],
)
def test_causes_in_a_value(tmp_path: Path, changes: dict[str, Any], step: str) -> None:
    result = checked(tmp_path, JSON_LINES, lines({}, changes))
    assert result["next"][0].startswith(step)
    assert result["next"][-1] == "Change the mapping, and run this check again."


def test_seconds_said_and_milliseconds_given(tmp_path: Path) -> None:
    mapping = JSON_LINES.replace("name: shop\n", "name: shop\ntime_format: epoch_s\n")
    steps = checked(tmp_path, mapping, lines({"at": 1772438400123}))["next"]
    assert steps[0] == "event_time looks like milliseconds since 1970: write `time_format: epoch_ms`."


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (
            '{"who": "\\x22odd\\x22"}',
            "A line holds `\\x`, which JSON does not know: set `escape=json` in the log_format of nginx.",
        ),
        ('{"who":', "The JSON is spread over several lines: write one object a line, such as with `jq -c .`"),
        (
            "{'who': 'ann'}",
            "A line has its names in single quotes, as Python prints them: write JSON, such as with json.dumps.",
        ),
        (
            "who,what,at",
            "A line is not a JSON object: choose `format: csv` or `format: pattern`, if the file is in one of these.",
        ),
    ],
)
def test_causes_of_lines_that_are_not_json(tmp_path: Path, line: str, step: str) -> None:
    assert checked(tmp_path, JSON_LINES, lines({}) + line + "\n")["next"][0].startswith(step)


def test_another_delimiter(tmp_path: Path) -> None:
    content = "who;what;at;item;price;land\nann;look;2026-03-02T08:00:00Z;lamp;2.5;NO\n"
    assert checked(tmp_path, CSV, content)["next"][0] == (
        "The lines seem to be divided by ';', not by ',': write `delimiter: ';'`."
    )


def test_escaped_quotes(tmp_path: Path) -> None:
    content = 'who,what,at,item,price,land\nann,look,2026-03-02T08:00:00Z,"a \\"red\\" lamp",2.5,NO\n'
    assert checked(tmp_path, CSV, content)["next"][0] == (
        'A quote follows a backslash, as Spark, MySQL and Hive write it: write `escape: "\\\\"`.'
    )


def test_another_encoding(tmp_path: Path) -> None:
    content = "who,what,at,item,price,land\nåse,look,2026-03-02T08:00:00Z,lamp,2.5,NO\n"
    assert checked(tmp_path, CSV, content.encode("utf-16"))["next"][0] == (
        "The file is not in utf-8: write `encoding: utf-16`, or deliver UTF-8."
    )
    assert checked(tmp_path, CSV, content.encode("latin-1"))["next"][0] == (
        "The file is not in utf-8: write `encoding: cp1252`, or deliver UTF-8."
    )


def test_a_few_rejects_of_no_known_cause_are_mentioned(tmp_path: Path) -> None:
    (step,) = checked(tmp_path, JSON_LINES, lines(*({"item": f"lamp-{n}"} for n in range(9)), {"item": "x" * 300}))["next"]
    assert step.startswith("Look at the 1 rejects: if they are right, nothing has to change.")


def test_texts_that_lost_something_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = JSON_LINES.replace("columns:\n  user_id", "columns:\n  surface: {path: page}\n  user_id", 1)
    pages = ({"page": "L" * 300}, {"page": "/by/bela@people.example", "at": "2026-03-02T09:00:00Z"})
    result = checked(tmp_path, mapping, lines(*pages))
    assert (result["cut_texts"], result["redacted_texts"]) == ({"surface": 1}, {"email": 1})
    shown = capsys.readouterr().err
    assert "1 texts: surface was longer than the contract allows, and was cut" in shown
    assert "1 texts: email in them was replaced" in shown
    assert "bela@" not in shown


def test_too_many_rejects_refuse_a_day(tmp_path: Path) -> None:
    steps = checked(tmp_path, JSON_LINES, lines({}, {"who": None}))["next"]
    assert steps[1].startswith("1 of 2 records are rejects, more than 20 %: a day of such lines is refused.")


def test_lines_set_aside_do_not_count_as_rejects(tmp_path: Path) -> None:
    mapping = JSON_LINES + "skip: {internal: {path: who, pattern: '^staff', why: our own}}\n"
    (step,) = checked(tmp_path, mapping, lines({}, {"who": "staff-1"}))["next"]
    assert step.startswith("Nothing has to change")


ITEMS = '{"sku": "lamp", "name": "Red lamp", "cost": 2.5}\n{"sku": null, "name": "Blue lamp", "cost": 2.5}\n'


def test_clean_checks_a_catalogue(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(JSON_LINES)
    (tmp_path / "part.jsonl").write_text(ITEMS)
    assert clean.main(["--check-items", str(tmp_path / "shop.yaml"), str(tmp_path / "part.jsonl")])["items"] == 1


@pytest.mark.parametrize(("name", "more"), [("shop-items/arrived=2026-03-02T08/part.jsonl", ()), ("part.jsonl", ("--items",))])
def test_a_catalogue_is_checked_by_its_folder_or_by_an_option(tmp_path: Path, name: str, more: tuple[str, ...]) -> None:
    result = checked(tmp_path, JSON_LINES, ITEMS, *more, name=name)
    assert {key: result[key] for key in ("lines_read", "items", "rejects", "reasons", "absent")} == {
        "lines_read": 2,
        "items": 1,
        "rejects": 1,
        "reasons": {"item_id.required": 1},
        "absent": {},
    }


def test_a_column_of_the_catalogue_that_no_line_has(tmp_path: Path) -> None:
    steps = checked(tmp_path, JSON_LINES.replace("path: cost", "path: costs"), ITEMS, "--items")["next"]
    assert steps[0] == "price: no line has a value at 'costs'; the file has 'cost': write `path: cost`."


def test_a_catalogue_read_as_events_says_so(tmp_path: Path) -> None:
    assert checked(tmp_path, JSON_LINES, ITEMS)["next"][0] == (
        "The file looks like the catalogue: try `python -m jobs.clean --check-items` with the same arguments."
    )


def test_titles_with_personal_data_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = checked(tmp_path, JSON_LINES, '{"sku": "lamp", "name": "by bela@people.example"}\n', "--items")
    assert result["reasons"] == {"title.personal": 1}
    assert "bela@" not in capsys.readouterr().err


def test_a_list_of_categories_with_personal_data_is_a_reject(tmp_path: Path) -> None:
    mapping = JSON_LINES.replace("price: {path: cost}", "categories: {path: tags}")
    line = '{"sku": "lamp", "name": "Lamp", "tags": ["light", "call +47 912 34 567"]}\n'
    assert checked(tmp_path, mapping, line, "--items")["reasons"] == {"categories.personal": 1}


def test_a_mapping_without_a_catalogue_cannot_check_one(tmp_path: Path) -> None:
    mapping = JSON_LINES.partition("items:")[0]
    with pytest.raises(ConfigError, match=r"the mapping describes no catalogue; .*; add items: with folder and columns"):
        checked(tmp_path, mapping, ITEMS, "--items")


def test_no_personal_word_is_proposed(tmp_path: Path) -> None:
    steps = checked(tmp_path, JSON_LINES, lines({}, {"what": "ann@people.example"}))["next"]
    assert "ann@" not in " ".join(steps)
