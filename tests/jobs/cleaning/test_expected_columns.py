"""A column that the mapping reads and no file of the day has refuses the day; it would be null in every event."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs import clean
from schemas.runtime.errors import Refused
from schemas.source import Source
from tests.pipeline import run_jobs_here

DAY = date(2026, 3, 2)
MAPPING: dict[str, Any] = {
    "name": "shop",
    "format": "csv",
    "columns": {
        "user_id": {"path": "who"},
        "event_type": {"constant": "view"},
        "event_time": {"path": "at"},
        "item_id": {"path": "product_id"},
        "value": {"path": "price"},
    },
    "event_types": {"view": "view"},
}
LINES = "who,at,product_id,price\nann,2026-03-02T08:00:00Z,Q-1,4.5\nbob,2026-03-02T08:05:00Z,Q-2,4.5\n"
TYPOS = {"item_id": {"path": "product_ID"}, "value": {"path": "prise"}}


@pytest.fixture
def landing(var: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run_jobs_here(monkeypatch)
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "shop")
    folder = var / "landing" / "shop" / "arrived=2026-03-02T09"
    folder.mkdir(parents=True)
    return folder


def cleaned(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Any]:
    """The accounting of the day, with a mapping whose columns are changed; the mapping need not lie among the shipped ones."""
    columns = MAPPING["columns"] | changes.pop("columns", {})
    source = Source.model_validate({**MAPPING, "columns": columns, **changes})
    monkeypatch.setattr(clean, "load_source", lambda _: source)
    return clean.main(["--arrived-on", str(DAY), "--run", "r"])


def test_columns_that_no_file_has_refuse_the_day(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two events without item and value were published, and nobody was told."""
    (landing / "part.csv").write_text(LINES)
    with pytest.raises(
        Refused,
        match=r"no file of source shop has the column 'product_ID' \(of item_id\), 'prise' \(of value\); such as .*part\.csv, "
        r"which has who, at, product_id, price; correct the mapping or the files, or write `optional: true`",
    ):
        cleaned(monkeypatch, columns=TYPOS)


def test_a_column_that_one_file_has_is_enough(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (landing / "a.csv").write_text("who,at,product_id\nann,2026-03-02T08:00:00Z,Q-1\n")
    (landing / "b.csv").write_text(LINES)
    assert cleaned(monkeypatch)["events"] == 3


@pytest.mark.parametrize("may_lack", [{"optional": True}, {"default": "none"}])
def test_files_may_lack_an_optional_column(landing: Path, monkeypatch: pytest.MonkeyPatch, may_lack: dict[str, Any]) -> None:
    (landing / "part.csv").write_text(LINES)
    assert cleaned(monkeypatch, columns={"surface": {"path": "page", **may_lack}})["events"] == 2


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"skip": {"staff": {"path": "role", "pattern": "^staff"}}}, r"'role' \(of skip staff\)"),
        ({"robots": {"path": "agent", "pattern": "bot"}}, r"'agent' \(of robots\)"),
        ({"columns": {"user_id": {"paths": ["who", "agent"]}}}, r"'agent' \(of user_id, part 2\)"),
    ],
)
def test_rules_and_parts_of_an_id_need_their_columns_too(
    landing: Path, monkeypatch: pytest.MonkeyPatch, rules: dict[str, Any], said: str
) -> None:
    (landing / "part.csv").write_text(LINES)
    with pytest.raises(Refused, match=said):
        cleaned(monkeypatch, **rules)


def test_parquet_names_its_columns_too(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pl.read_csv(LINES.encode()).write_parquet(landing / "part.parquet")
    assert cleaned(monkeypatch, format="parquet")["events"] == 2
    with pytest.raises(Refused, match="no file of source shop has the column 'product_ID'"):
        cleaned(monkeypatch, format="parquet", columns=TYPOS)


@pytest.mark.parametrize(
    "columns",
    [
        {"item_id": {"first_of": ["sku", "product_id"]}},
        {"value": {"path": "properties.price"}},
        {"surface": {"constant": "shop"}},
    ],
)
def test_one_of_several_paths_and_a_path_into_a_text_are_there(
    landing: Path, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    (landing / "part.csv").write_text(
        'who,at,product_id,price,properties\nann,2026-03-02T08:00:00Z,Q-1,4.5,"{""price"": 4.5}"\n'
    )
    assert cleaned(monkeypatch, columns=columns)["events"] == 1


def test_the_fields_of_a_w3c_log_are_its_columns(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (landing / "part.log").write_text("#Version: 1.0\n#Fields: who at product_id price\nann 2026-03-02T08:00:00Z Q-1 4.5\n")
    assert cleaned(monkeypatch, header="w3c", delimiter=" ", quote=None)["events"] == 1
    with pytest.raises(Refused, match="no file of source shop has the column 'prise'"):
        cleaned(monkeypatch, header="w3c", delimiter=" ", quote=None, columns={"value": {"path": "prise"}})


def test_a_file_that_cannot_be_read_says_nothing_of_its_columns(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (landing / "part.csv").write_bytes(b"\xff\xff\n")
    assert cleaned(monkeypatch)["reasons"] == {"line.not_utf8": 1}


@pytest.mark.parametrize(("column", "place"), [("user_id", "whom"), ("event_time", "when"), ("event_type", "what")])
def test_json_lines_without_any_value_that_events_need_refuse_the_day(
    landing: Path, monkeypatch: pytest.MonkeyPatch, column: str, place: str
) -> None:
    (landing / "part.jsonl").write_text(
        '{"who": "ann", "at": "2026-03-02T08:00:00Z"}\n{"who": "bob", "at": "2026-03-02T08:00:00Z"}\n'
    )
    with pytest.raises(
        Refused, match=f"no line of 2026-03-02 has {column}; the mapping of shop reads '{place}'; correct the path"
    ):
        cleaned(monkeypatch, format="json_lines", columns={column: {"path": place}})


def test_json_lines_may_lack_any_other_value(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (landing / "part.jsonl").write_text('{"who": "ann", "at": "2026-03-02T08:00:00Z"}\n')
    assert cleaned(monkeypatch, format="json_lines", columns=TYPOS)["events"] == 1
