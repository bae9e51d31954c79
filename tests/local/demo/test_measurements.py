"""The figures of the demonstration, computed from a real lake with a few rows."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from local.demo import measurements
from local.demo.user_examples import stories
from schemas.contract import load_contract
from schemas.lake.lake import Lake, open_lake
from schemas.publishing.staging import Attempt

DAY, SERVED_ON = date(1998, 4, 16), date(1998, 4, 17)
ANN, BOB = "a" * 64, "b" * 64
AT = datetime(1998, 4, 16, 10, tzinfo=UTC)


def put(lake: Lake, table: str, rows: list[dict[str, Any]], by: str, notes: str = "{}") -> None:
    """Publish rows without an audit."""
    schema = load_contract(table).arrow_schema
    full = [{**dict.fromkeys(schema.names), **row} for row in rows]
    attempt = Attempt("test", f"run-{table}", {})
    attempt.write_arrow(table, pa.Table.from_pylist(full, schema=schema), (by, sorted({r[by] for r in full})))
    staged = attempt.manifest().tables[table]
    files: dict[Any, list[str]] = {}
    for file in staged.files:
        files.setdefault(date.fromisoformat(file.value), []).append(file.path)
    told = {"run": attempt.run, "job": "test", "code-version": "0", "manifest": attempt.id, "notes": notes}
    lake.replace(table, by, files, told, {})


def event(event_id: str, user: str, item: str, value: float) -> dict[str, Any]:
    return {
        "event_date": DAY,
        "arrived_on": DAY,
        "event_id": event_id,
        "user_id": user,
        "event_type": "rating",
        "event_time": AT,
        "item_id": item,
        "value": value,
        "source": "movielens",
        "source_file": "f",
        "line_number": int(event_id),
        "arrived_at": AT,
        "lag_seconds": 0.0,
        "days_late": 0,
    }


@pytest.fixture
def lake() -> Lake:
    lake = open_lake()
    notes = '{"lines_read": 5, "duplicates": 1, "late_events": 0, "reasons": {"line.not_json": 1}, "history": false}'
    put(lake, "events", [event("1", ANN, "7", 5.0), event("2", ANN, "8", 3.0), event("3", BOB, "7", 1.0)], "arrived_on", notes)
    place = {"arrived_on": DAY, "source": "movielens", "source_file": "f", "line_number": 4}
    put(lake, "rejects", [{**place, "reasons": ["line.not_json"], "line": "a"}], "arrived_on")
    ends = {"started_at": AT, "ended_at": AT, "duration_s": 120.0, "n_items": 1, "first_event_id": "1", "last_event_id": "1"}
    visits = [("s1", ANN, 2), ("s2", BOB, 1)]
    put(
        lake,
        "sessions",
        [{"closed_on": DAY, "session_id": s, "user_id": u, "n_events": n, **ends} for s, u, n in visits],
        "closed_on",
    )
    titles = [("7", "Heat", ["Crime"]), ("8", "Kolya", ["Drama"]), ("9", "Fargo", ["Crime"])]
    put(lake, "items", [{"as_of": DAY, "item_id": i, "title": t, "categories": c} for i, t, c in titles], "as_of")
    known = {"as_of": DAY, "first_seen": AT, "last_seen": AT, "recency_days": 0, "active_days": 1, "value_sum": 1.0}
    weights = {"category_weights": [("Drama", 0.2), ("Crime", 0.8)], "term_weights": []}
    people = [(ANN, "casual", 2), (BOB, "new", 1)]
    put(
        lake,
        "profiles",
        [{**known, **weights, "user_id": u, "segment": s, "n_events": n} for u, s, n in people],
        "as_of",
    )
    made = {"served_on": SERVED_ON, "propensity": 1.0, "model_name": "markov", "model_version": "1", "reason": "popular"}
    shown = [(ANN, 1, "9"), (BOB, 2, "9"), (BOB, 1, "8")]
    put(
        lake,
        "recommendations",
        [{**made, "user_id": u, "rank": r, "item_id": i, "score": 1 / r} for u, r, i in shown],
        "served_on",
    )
    copy = {"headline": "h", "body": "b", "origin": "template", "language_model": "none", "checks": ["facts"], "seed": 7}
    put(lake, "creatives", [{"served_on": SERVED_ON, "user_id": BOB, "item_id": "8", **copy}], "served_on")
    return lake


def test_accounts_compare_commit_notes_with_tables(lake: Lake) -> None:
    (day,) = measurements.accounts(lake)
    assert {k: day[k] for k in ("arrived_on", "lines", "events", "rejects", "duplicates", "balanced")} == {
        "arrived_on": "1998-04-16",
        "lines": 5,
        "events": 3,
        "rejects": 1,
        "duplicates": 1,
        "balanced": True,
    }
    put(
        lake,
        "events",
        [event("1", ANN, "7", 5.0)],
        "arrived_on",
        '{"lines_read": 5, "duplicates": 1, "late_events": 0, "reasons": {}}',
    )
    (day,) = measurements.accounts(lake)
    assert not day["balanced"]
    assert not measurements.total([day])["balanced"]


def test_tables_are_counted_with_their_snapshots(lake: Lake) -> None:
    found = {row["table"]: row for row in measurements.tables(lake)}
    assert (found["events"]["rows"], found["recommendations"]["rows"], found["session_events"]["rows"]) == (3, 3, 0)
    assert found["events"]["snapshot"] == lake.snapshot("events")
    assert found["session_events"]["snapshot"] is None


def test_sessions_and_advertising_are_summarised(lake: Lake) -> None:
    told = measurements.sessions(lake)
    assert (told["sessions"], told["users"], told["events"], told["median_minutes"]) == (2, 2, 3, 2.0)
    assert told["closed_on"] == {"1998-04-16": 2}
    ads = measurements.advertising(lake, SERVED_ON)
    assert (ads["rows"], ads["users"], ads["titles"], ads["creatives_by_origin"]) == (3, 2, 2, {"template": 1})


def test_stories_have_history_recommendations_and_copy(lake: Lake) -> None:
    bob, ann = stories(lake, SERVED_ON, DAY)  # ad copy decides the order only within a segment
    if bob["user"] != BOB:
        bob, ann = ann, bob
    assert [h["title"] for h in ann["history"]] == ["Heat", "Kolya"]
    assert ann["interests"] == ["Crime", "Drama"]
    assert [r["title"] for r in bob["recommendations"]] == ["Kolya", "Fargo"]
    assert (bob["creatives"][0]["title"], bob["creatives"][0]["checks"]) == ("Kolya", ["facts"])
    assert ann["creatives"] == []


def test_shop_is_counted_by_kind_and_day(lake: Lake) -> None:
    kinds = ["impression"] * 4 + ["click"] * 2 + ["purchase"]
    items = ["p1", "p1", "a9", "a9", "p1", "a9", "p1"]
    rows = [
        {**event(str(10 + i), BOB, item, 1.0), "event_type": kind, "source": "simulated"}
        for i, (kind, item) in enumerate(zip(kinds, items, strict=True))
    ]
    put(lake, "events", rows, "arrived_on", '{"lines_read": 7, "duplicates": 0, "late_events": 0, "reasons": {}}')
    catalogue = [("p1", ["Outdoors"]), ("a9", ["Outdoors", "Advertisement"])]
    put(lake, "items", [{"as_of": DAY, "item_id": i, "title": i, "categories": c} for i, c in catalogue], "as_of")
    (day,) = measurements.outcomes_by_day(lake, "simulated", history=date(1998, 4, 15))
    assert {k: day[k] for k in ("impression", "ad_impression", "click", "ad_click", "purchase", "search")} == {
        "impression": 4,
        "ad_impression": 2,
        "click": 2,
        "ad_click": 1,
        "purchase": 1,
        "search": 0,
    }
    assert (day["click_through"], day["conversion"], day["history"]) == (0.5, 0.5, False)
    assert measurements.behaviour(lake)[0] == {"source": "simulated", "kind": "impression", "events": 4}


def test_lists_are_compared_with_the_source_of_their_users(lake: Lake) -> None:
    files = {"7": "movielens-items/x", "8": "movielens-items/x", "9": "simulated-items/y"}
    rows = [{"as_of": DAY, "item_id": item, "title": item, "source_file": file} for item, file in files.items()]
    put(lake, "items", rows, "as_of")
    assert measurements.own_items(lake, SERVED_ON) == [{"source": "movielens", "users": 2, "own": 1, "other": 2}]


def test_stages_add_up_over_runs() -> None:
    task = {"task": "clean.build", "state": "success", "seconds": 2.0}
    runs = [{"workflow": "behaviour_day", "tasks": [task, {**task, "task": "clean.audit"}]}] * 2
    assert measurements.by_stage(runs) == {("behaviour_day", "clean"): 8.0}
    assert measurements.by_stage([{"workflow": "w", "tasks": [{**task, "seconds": 0.1}]}]) == {}
