"""Source mappings are strict: every mistake is a one-line error."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.json_path import Element, Every, Key, Lookup, steps_of
from schemas.runtime.errors import ConfigError
from schemas.source import SOURCES, Source, load_source, read_source

GOOD: dict[str, Any] = {
    "name": "shop",
    "columns": {"user_id": {"path": "u"}, "event_type": {"constant": "view"}, "event_time": {"path": "t"}},
    "event_types": {"view": "view"},
}


def error_of(changes: dict[str, Any], folder: Path) -> str:
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    with pytest.raises(ConfigError) as caught:
        read_source(path)
    return str(caught.value)


def columns(**changes: Any) -> dict[str, Any]:
    return {"columns": {**GOOD["columns"], **changes}}


def items(**more: Any) -> dict[str, Any]:
    return {"items": {"folder": "f", "columns": {"item_id": {"path": "i"}, "title": {"path": "name"}, **more}}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"colour": "red"}, "Extra inputs are not permitted; at colour"),
        ({"format": "xml"}, "Input should be 'json_lines', 'csv', 'parquet' or 'pattern'; at format"),
        ({"delimiter": ";"}, "delimiter is only for the format csv; the format is json_lines"),
        ({"format": "csv", "delimiter": "||"}, "'||' is not one ASCII character; at delimiter"),
        ({"format": "csv", "encoding": "klingon"}, "unknown encoding 'klingon'"),
        ({"format": "csv", "encoding": "cp500"}, "encoding 'cp500' is not a superset of ASCII"),
        ({"format": "csv", "fields": ["u", "x"]}, "fields has no t"),
        ({"format": "pattern"}, "the format pattern needs a pattern with named groups"),
        ({"format": "pattern", "pattern": r"(?P<u>\w+) (\d+)"}, "the pattern has no group t; it has u"),
        ({"format": "pattern", "pattern": "(?P<u>"}, "not a valid regular expression: unclosed group"),
        (
            {"time_format": "rfc"},
            "unknown time format 'rfc'; use iso, epoch_s, epoch_ms, epoch_us, epoch_ns, or a format such as",
        ),
        ({"time_format": "%d/%m/%Y"}, "time_format: '%d/%m/%Y' names no hour"),
        ({"time_zone": "Mars/Olympus"}, "unknown time zone 'Mars/Olympus'; use a name such as Europe/Berlin; at time_zone"),
        ({"time_zone": "localtime"}, "unknown time zone 'localtime'"),
        (columns(device={"path": "d", "minimum": 9}), "columns.device: minimum and maximum are only for numbers"),
        (columns(value={"path": "v", "minimum": 9, "maximum": 1}), "columns.value: the minimum 9.0 is above the maximum 1.0"),
        ({"first_day": "2026-03-05", "last_day": "2026-03-01"}, "first_day 2026-03-05 is after last_day 2026-03-01"),
        (columns(event_type={"constant": "foo"}), "event_types lacks 'foo', which event_type always has"),
        (columns(item_id={"path": "i", "constant": "x"}), "give one of path, paths, first_of and constant; at columns.item_id"),
        (columns(item_id={"paths": ["i"]}), "Tuple should have at least 2 items"),
        (columns(item_id={"path": "items[x].id"}), "'items[x].id' is not a valid path at character 6"),
        (columns(colour={"path": "c"}), "unknown columns colour; can map country, device"),
        ({"event_types": {"view": "gaze"}}, "unknown event types gaze"),
        ({"skip": {"Cancelled": {"path": "i", "pattern": "^C"}}}, "'Cancelled' is not a valid rule name"),
        ({"skip": {"cancelled": {"path": "i"}}}, "give one of pattern, unless and missing; at skip.cancelled"),
        ({"skip": {"cancelled": {"path": "i", "pattern": "(?=C)"}}}, "not a valid regular expression: look-around"),
        (
            columns(item_id={"path": "items[].id"}),
            "columns.item_id: 'items[].id' stands for every element of a list; say which",
        ),
        ({**columns(item_id={"path": "i[].id"}), "each": "items[]"}, "'i[].id' reads the elements of another list than each"),
        ({**columns(item_id={"path": "[].id"}), "each": "[]"}, "each is '[]', so a line is a list; begin 't' with []"),
        ({"each": "items"}, "'items' names no list whose elements are events; end it with []"),
        ({"format": "csv", "each": "items[]"}, "each is only for the format json_lines or parquet; the format is csv"),
        ({"format": "parquet", "each": "[].a[]"}, "each is '[].a[]', but a row of Parquet is not a list"),
        (columns(item_id={"path": '["i]'}), "is not a valid path at character 1"),
        (columns(item_id={"first_of": ["i"]}), "Tuple should have at least 2 items"),
        (columns(country={"path": "c", "values": {"Norway": 47}}), "valid string; at columns.country.values.Norway"),
        (
            items(sku={"path": "sku"}),
            "items: unknown columns sku; can map brand, categories, image, item_id, price, text, title",
        ),
        (items(as_of={"path": "day"}), "items: unknown columns as_of"),
        ({"items": {"folder": "f", "columns": {"item_id": {"path": "i"}}}}, "items: missing columns title"),
        (items(brand={"path": "brand[x]"}), "items.columns.brand: 'brand[x]' is not a valid path at character 6"),
        ({**items(), "format": "csv", "fields": ["u", "t", "i"]}, "items.columns.title: fields has no name; it has i, t, u"),
        (
            {**items(), "format": "pattern", "pattern": r"(?P<u>\w+) (?P<t>\w+) (?P<i>\w+)"},
            "items.columns.title: the pattern has no group name; it has i, t, u",
        ),
        ({"robots": {"path": "agent", "pattern": "bot("}}, "not a valid regular expression: unclosed group; at robots.pattern"),
    ],
)
def test_an_invalid_mapping_is_a_one_line_error(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    message = error_of(changes, tmp_path)
    assert says in message
    assert message.startswith("source mapping is not valid: ")
    assert "\n" not in message


def test_a_file_that_is_not_a_mapping_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("- a\n- b\n")
    with pytest.raises(ConfigError, match="source mapping is not valid"):
        read_source(tmp_path / "shop.yaml")


def test_a_key_that_is_written_twice_is_an_error_that_names_key_and_line(tmp_path: Path) -> None:
    text = "name: shop\nevent_types: {view: view}\ncolumns:\n  user_id: {path: u}\n  user_id: {path: v}\n"
    (tmp_path / "shop.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"the key 'user_id' is written twice, in lines 4 and 5; at line 5 in .*shop.yaml"):
        read_source(tmp_path / "shop.yaml")


def test_the_words_of_a_source_are_texts_as_they_stand_there(tmp_path: Path) -> None:
    mapping = "name: shop\ncolumns: {user_id: {path: u}, event_time: {path: t}, event_type: {path: e},\n"
    mapping += "  country: {path: c, values: {Norway: NO, 47: NO, on: ON}}}\nevent_types: {1: view, yes: click, 2.0: cart}\n"
    (tmp_path / "shop.yaml").write_text(mapping)
    source = read_source(tmp_path / "shop.yaml")
    assert source.event_types == {"1": "view", "yes": "click", "2.0": "cart"}
    assert source.columns["country"].values == {"Norway": "NO", "47": "NO", "on": "ON"}


def test_a_pattern_may_end_with_a_comment() -> None:
    pattern = "(?x) (?P<u>\\S+) \\  # the user\n (?P<t>\\S+)  # the time"
    source = Source.model_validate({**GOOD, "format": "pattern", "pattern": pattern})
    assert source.groups == ("u", "t")


def test_every_shipped_mapping_is_valid_and_named_like_its_file() -> None:
    for path in SOURCES.glob("*.yaml"):
        assert load_source(path.stem).name == path.stem


def test_a_path_has_keys_positions_and_lookups() -> None:
    assert steps_of("a b.c-d") == (Key("a b"), Key("c-d"))
    assert steps_of('["a.b"][].c') == (Key("a.b", exact=True), Every(), Key("c"))
    assert steps_of("a[0][k=v.w].b") == (Key("a"), Element(0), Lookup("k", "v.w"), Key("b"))


@pytest.mark.parametrize("path", ["", ".a", "a.", "a..b", "[0]", "a[0]b", "a[", "a[k]", "a.[0]"])
def test_an_invalid_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a valid path"):
        steps_of(path)


@pytest.mark.parametrize("name", [".", "..", "", " ", "a/b", "../shop", "/etc", ".a", "a\\b", "a\nb", "a\x1b[2J", "x" * 300])
def test_a_name_that_is_not_a_folder_of_its_own_is_refused(name: str, tmp_path: Path) -> None:
    """The name is a folder of the landing zone; another folder's files would be read as the source's."""
    assert "the name of a folder" in error_of({"name": name}, tmp_path)
    items = {"folder": name, "columns": {"item_id": {"path": "i"}}}
    assert "the name of a folder" in error_of({"items": items}, tmp_path)


@pytest.mark.parametrize("name", ["../sources/movielens", ".", "..", "/etc/passwd", "no/where"])
def test_a_setting_names_no_mapping_elsewhere(name: str) -> None:
    with pytest.raises(ConfigError, match="no source"):
        load_source(name)
