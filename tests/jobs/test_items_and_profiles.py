"""The catalogue and the profiles, on a few rows computed by hand."""

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.catalogue.deliveries import expect_catalogue
from jobs.items import build_items
from jobs.profiles import profiles
from schemas.contract import load_contract
from schemas.lake.lake import open_lake
from schemas.publishing.staging import open_attempt, read_manifest
from schemas.runtime.errors import ClickwrightError, NothingToDo
from tests.jobs.conftest import Deliver

pytestmark = pytest.mark.slow
D = date(1998, 4, 16)
ALIEN = {"item_id": "1", "title": "Alien", "year": 1979, "categories": ["Horror", "Sci-Fi"]}
HEAT = {"item_id": "2", "title": "Heat", "year": None, "categories": []}


def stage_items(spark: SparkSession, as_of: date = D) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    with open_attempt("items", "r", inputs={}) as attempt:
        build_items(spark, attempt, open_lake(), as_of, expect_catalogue(open_lake(), as_of))
    manifest = read_manifest("items", "r")
    return [row for p in manifest.tables["items"].paths for row in pq.ParquetFile(p).read().to_pylist()], manifest.notes


def test_catalogue_holds_the_newest_line_of_each_item(deliver: Deliver, spark: SparkSession, var: Path) -> None:
    items = "movielens-items"
    deliver(json.dumps(ALIEN), json.dumps(HEAT), hour="1998-04-15T03", source=items)
    deliver(json.dumps({**ALIEN, "title": "Alien (restored)"}), hour="1998-04-16T09", source=items)
    deliver(json.dumps({**ALIEN, "title": "from tomorrow"}), hour="1998-04-17T09", source=items)
    rows, _ = stage_items(spark)
    assert [(r["item_id"], r["title"], r["text"], str(r["first_seen"])) for r in rows] == [
        ("1", "Alien (restored)", "Alien (restored) (1979): Horror, Sci-Fi", "1998-04-15"),
        ("2", "Heat", "Heat", "1998-04-15"),
    ]


def test_item_that_breaks_a_rule_is_left_out_and_counted(deliver: Deliver, spark: SparkSession) -> None:
    deliver(json.dumps(HEAT), json.dumps({**ALIEN, "title": None}), "{", hour="1998-04-15T03", source="movielens-items")
    rows, notes = stage_items(spark, date(1998, 4, 15))
    assert [r["item_id"] for r in rows] == ["2"]
    assert notes["refused_items"] == {"title.required": 1, "line.not_json": 1}


def test_missing_catalogue_error_names_the_expected_folder(spark: SparkSession, var: Path) -> None:
    with pytest.raises(ClickwrightError, match=f"no catalogue arrived by 1998-04-16; expected in {var}.*movielens-items"):
        stage_items(spark)


def test_day_without_a_catalogue_file_has_nothing_to_do(deliver: Deliver) -> None:
    deliver(json.dumps(HEAT), hour="1998-04-15T03", source="movielens-items")
    with pytest.raises(NothingToDo, match="no catalogue file arrived on 1998-04-16"):
        expect_catalogue(open_lake(), D)


def test_sources_without_a_catalogue_have_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "web_log")
    with pytest.raises(NothingToDo, match=r"no source has a catalogue \(web_log\); items are known only from events"):
        expect_catalogue(open_lake(), D)


def test_profile_computed_by_hand() -> None:
    def event(user: str, day: int, item: str, event_id: str, arrived: int | None = None) -> dict[str, Any]:
        nothing = dict.fromkeys(load_contract("events").columns)
        moment = datetime(1998, 4, day, 10, tzinfo=UTC)
        return {
            **nothing,
            "user_id": user,
            "event_id": event_id,
            "event_time": moment,
            "event_date": moment.date(),
            "item_id": item,
            "value": 4.0,
            "source": "s",
            "arrived_on": date(1998, 4, arrived or day),
            "source_file": "f",
            "line_number": 1,
        }

    rows = [event("a", 16, "1", "e1"), event("a", 16, "2", "e2"), event("a", 15, "2", "e0"), event("b", 16, "9", "e3")]
    copy = event("a", 15, "2", "e0", arrived=16)  # arrived twice: counts once
    events = pl.DataFrame([*rows, copy], schema=load_contract("events").polars_schema)
    texts = [("1", ["Horror", "Sci-Fi"], "space horror"), ("2", ["Horror"], "horror")]
    items = pl.DataFrame(texts, schema=["item_id", "categories", "text"], orient="row")
    a, b = profiles(events, items, D).to_dicts()
    assert (a["n_events"], a["active_days"], a["recency_days"], a["value_sum"], a["segment"]) == (3, 2, 0, 12.0, "new")
    # Horror: items 1 and 2 today, item 2 a day ago; Sci-Fi: item 1 today. A day costs 2^(-1/30).
    horror, scifi = 2 + 0.5 ** (1 / 30), 1.0
    assert a["category_weights"] == pytest.approx({"Horror": horror / (horror + scifi), "Sci-Fi": scifi / (horror + scifi)})
    # "horror" is in both items, so ln(2/2) = 0; "space" is in one.
    assert a["term_weights"] == pytest.approx({"space": 1.0})
    assert math.isclose(sum(a["category_weights"].values()), 1.0)
    assert b["category_weights"] is None  # an item that is not in the catalogue
