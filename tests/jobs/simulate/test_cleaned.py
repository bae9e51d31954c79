"""The real cleaning and sessions of a simulated world, compared with the truth line by line and session by session."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.contract import load_contract
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.privacy.pseudonyms import pseudonym
from schemas.runtime.settings import get_settings
from schemas.source import load_source
from tests.jobs.simulated import FIRST_DAY, contents, genuine, raw_lines, simulate, truth

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DAYS = 4
CAP, RUNAWAY = 400, 450


@pytest.fixture
def days(var: Path, cleaned: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every arrival day of a small world, cleaned. Its bot limit is 400 events a day."""
    monkeypatch.setenv("CLICKWRIGHT_ROBOT_EVENTS_PER_DAY", str(CAP))
    simulate(var, runaway=RUNAWAY, days=DAYS)
    names = [(FIRST_DAY + timedelta(days=i), f"day-{i}") for i in range(DAYS)]
    return [cleaned(day, run=run, sources=[load_source("simulated")]) for day, run in names]


def test_clean_and_sessionize_match_the_truth(var: Path, days: list[dict[str, Any]], spark: Any) -> None:
    known = json.loads((var / "truth" / "world.json").read_text())
    figures = [day["figures"] for day in days]
    for found in figures:  # each line is one record, and none holds personal data or a text that is too long
        assert (found.pop("records"), found.pop("elements_left_out")) == (found["lines_read"], 0)
        assert (found.pop("redacted_texts"), found.pop("cut_texts")) == ({}, {})
    set_aside = [arrival["reasons"].get("event_id.conflict", 0) for arrival in known["arrivals"].values()]
    assert sum(set_aside) > 0
    assert figures == [{**a, "set_aside": n} for a, n in zip(known["arrivals"].values(), set_aside, strict=True)]
    assert known["planted"]["runaway"] == RUNAWAY
    assert sum(day["figures"]["late_events"] for day in days) == known["planted"]["late"] > 50

    planted = truth(var, "planted")
    rejects = {(r["source_file"], r["line_number"]): sorted(r["reasons"]) for day in days for r in day["rejects"]}
    assert rejects == {(p["file"], p["line"]): sorted(p["reasons"]) for p in planted if p["outcome"] == "reject"}
    events = {(e["source_file"], e["line_number"]): e for day in days for e in day["events"]}
    assert set(events) == set(raw_lines(var)) - {(p["file"], p["line"]) for p in planted if p["outcome"] != "event"}

    columns = ("event_type", "item_id", "position", "value", "propensity")
    told = {e["id"]: (e["action"], *(e.get(k) for k in ("item", "position", "amount", "propensity"))) for e in genuine(var)}
    assert {e["event_id"]: tuple(e[c] for c in columns) for e in events.values()} == told

    from jobs.sessionize import sessionize, summarize

    files = [path for day in days for path in day["manifest"].tables["events"].paths]
    staged = spark.read.schema(load_contract("events").spark_schema).parquet(*files)
    found = summarize(sessionize(staged)).select("user_id", "started_at", "ended_at", "n_events").toArrow().to_pylist()
    key = pseudonym_key(get_settings())
    of_truth = [{**s, "user_id": pseudonym(key, s["user_id"])} for s in truth(var, "sessions")]
    columns = ("user_id", "started_at", "ended_at", "n_events")
    assert sorted(tuple(s[c] for c in columns) for s in found) == sorted(tuple(s[c] for c in columns) for s in of_truth)

    kept = repr([(day["events"], day["rejects"]) for day in days])
    assert pseudonym(key, truth(var, "users")[0]["user_id"]) in kept
    assert "sim.example" not in kept


def test_catalogue_becomes_items(var: Path) -> None:
    import polars as pl

    from jobs.catalogue.stages import Catalogue, read_catalogue
    from jobs.landing.files import item_files

    simulate(var)
    source = load_source("simulated")
    as_of = FIRST_DAY + timedelta(days=1)
    files = tuple(item_files(var / "landing", source, as_of))
    of = Catalogue(as_of, files, {source.name: source}, load_contract("items"), var)
    frames = list(read_catalogue(of, list(range(len(files)))))
    rows = pl.concat([rows for kind, rows, _ in frames if kind == "accepted"]).to_dicts()
    assert sum(len(rows) for kind, rows, _ in frames if kind == "refused") == 0
    assert len(rows) == 260
    assert all(row[c] for row in rows for c in ("title", "text", "categories", "brand", "price", "image"))


def test_spark_writes_the_same_bytes(var: Path, spark: Any, tmp_path: Path) -> None:
    from jobs.simulate.__main__ import parser, plan_of
    from jobs.simulate.runner import run_tasks, run_tasks_on_spark

    plans = [
        plan_of(parser().parse_args(["--events", "2000", "--days", "2", *folders]), get_settings())
        for folders in (
            ["--landing", str(tmp_path / name / "landing"), "--truth", str(tmp_path / name / "truth")]
            for name in ("here", "spark")
        )
    ]
    assert run_tasks(plans[0], processes=1) == run_tasks_on_spark(spark, plans[1])
    assert contents(tmp_path / "here") == contents(tmp_path / "spark") != {}
