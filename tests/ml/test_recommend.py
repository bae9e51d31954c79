"""Recommendations on literal events, and from a real lake and registry to a published table."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest

from ml import challenge, copywriter, due, gate, pin, promote, recommend, train
from ml.models import recipe
from ml.recommend import Behaviour, behaviour, known_events, titles_of
from ml.registry import connect
from ml.splits import Split
from schemas import audit, publish
from schemas.errors import ClickwrightError, Refused
from schemas.lake import Lake, open_lake
from schemas.settings import get_settings
from tests.ml.conftest import as_contract, pseudonym, publish_directly, walk_events, walk_items

SERVED_ON = date(2024, 3, 1)
USERS = ["u1", "u2", "u3"]
ITEMS = ["a", "b", "c", "d"]


def event(user: str, item: str | None, day: int, hour: int = 12, **other: Any) -> dict[str, Any]:
    """An event of February or March 2024, ``day`` counted from 1 February."""
    moment = datetime(2024, 2, 1, hour, tzinfo=UTC) + timedelta(days=day - 1)
    row = {"user_id": user, "item_id": item, "event_time": moment, "event_type": "rating", "value": 4.0}
    return {**row, "arrived_on": moment.date(), **other}


def as_events(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, dtype=object)
    frame["event_id"] = [f"e{i:02d}" for i in range(len(frame))]
    frame["closed_on"] = frame["event_date"] = [t.date() for t in frame["event_time"]]
    return frame.assign(session_id=frame["event_id"], position=0, source="test")


EVENTS = (
    event("u1", "a", 28),
    event("u1", "b", 27),  # before, though listed after
    event("u1", "c", 29, event_type="impression"),  # shown, not chosen
    event("u2", "c", 29, 23),
    event("u2", "d", 30, 0),  # 1 March, 00:00: the day itself
    event("u2", "b", 10, arrived_on=date(2024, 3, 1)),  # happened in time, came too late
    event("u2", "unknown to the model", 2),
    event("nobody's profile", "d", 29),
    event("u3", None, 29, event_type="view"),
)


@pytest.fixture
def events(var: Any) -> pa.Table:
    lake = open_lake()
    publish_directly(lake, "session_events", as_contract("session_events", as_events(*EVENTS)), "closed_on")
    snapshot = lake.snapshot("session_events")
    assert snapshot is not None
    return known_events(lake, SERVED_ON, snapshot)


def items_of(did: Behaviour, user: int) -> list[str]:
    return [ITEMS[i] for i in did.of(user)[0].items]


def test_histories_are_of_the_moment(events: pa.Table) -> None:
    did = behaviour(events, USERS, ITEMS)
    assert [items_of(did, user) for user in range(3)] == [["b", "a"], ["c"], []]
    assert did.of(0)[1].tolist() == sorted(did.of(0)[1].tolist())
    assert did.highest_rating == 4.0


def test_titles_count_people_of_the_last_days(events: pa.Table) -> None:
    rows = [
        {"item_id": "d", "title": "D", "categories": ["x"]},
        {"item_id": "a", "title": "A", "categories": None},
        {"item_id": "unknown to the model", "title": "U", "categories": None},
    ]
    titles, offered = titles_of(pa.Table.from_pylist(rows), events, ITEMS, SERVED_ON)
    assert (titles.titles, titles.categories) == (["A", "", "", "D"], [[], [], [], ["x"]])
    assert titles.recent.tolist() == [1, 1, 1, 1]
    assert offered.tolist() == [True, False, False, True]


@pytest.fixture
def of_walk(walk: Split) -> tuple[list[str], Behaviour, recommend.Titles, npt.NDArray[np.bool_]]:
    """The walk's users and one new one."""
    frame = walk_events().assign(event_type="rating")
    events = pa.Table.from_pandas(frame, preserve_index=False)
    events = events.set_column(2, "event_time", events["event_time"].cast(pa.timestamp("us", "UTC")))
    users = sorted([*set(frame["user_id"]), "nobody yet"])
    titles, offered = titles_of(pa.Table.from_pandas(walk_items()), events, walk.catalog.item_ids, date(2024, 3, 8))
    return users, behaviour(events, users, walk.catalog.item_ids), titles, offered


@pytest.mark.parametrize("name", ["popularity", "markov", "item_knn", "cooccurrence"])
def test_nothing_depends_on_the_batch(name: str, walk: Split, of_walk: Any) -> None:
    model = recipe(name)().fit(walk.refit, walk.catalog, seed=1)
    users, did, titles, offered = of_walk
    one = list(recommend.recommend(model, users, did, titles, offered, k=10, batch_users=1))
    many = list(recommend.recommend(model, users, did, titles, offered, k=10, batch_users=64))
    assert [(r["user_id"], r["rank"], r["item"], r["reason"]) for r in one] == [
        (r["user_id"], r["rank"], r["item"], r["reason"]) for r in many
    ]
    np.testing.assert_allclose([r["score"] for r in one], [r["score"] for r in many], rtol=1e-5)
    assert len(one) == 10 * len(users)
    for user, who in enumerate(users):
        met = set(did.of(user)[0].items.tolist())
        assert not met & {row["item"] for row in one if row["user_id"] == who}


def test_a_user_who_met_all_gets_nothing(walk: Split, of_walk: Any) -> None:
    model = recipe("popularity")().fit(walk.refit, walk.catalog, seed=1)
    users, did, titles, _ = of_walk
    met = did.of(0)[0].items
    offered = np.zeros(len(walk.catalog), dtype=bool)
    offered[met] = True
    rows = list(recommend.recommend(model, users[:1], did, titles, offered, k=10))
    assert rows == []
    figures = recommend.figures_of(rows, users[:1], did, 10)
    assert (figures["users"], figures["users_without"], figures["users_with_fewer"]) == (1, 1, 0)


def profiles(as_of: date, users: list[str]) -> pa.Table:
    moment = datetime(2024, 2, 1, tzinfo=UTC)
    row = {"as_of": as_of, "n_events": 1, "first_seen": moment, "last_seen": moment, "recency_days": 1}
    row |= {"active_days": 1, "value_sum": 1.0, "segment": "casual"}
    return as_contract("profiles", pd.DataFrame([{**row, "user_id": user} for user in users]))


def run_all(job: Any, name: str, run: str) -> dict[str, Any]:
    """Build, audit and publish, as the DAG does."""
    built: dict[str, Any] = job.main(["--served-on", str(SERVED_ON), "--run", run])
    assert audit.main(["--job", name, "--run", run])["passed"]
    publish.main(["--job", name, "--run", run])
    return built


@pytest.mark.slow
def test_a_rollback_is_one_command_and_the_next_run_follows(walk_lake: Lake) -> None:
    as_of = SERVED_ON - timedelta(days=1)
    publish_directly(walk_lake, "profiles", profiles(as_of, [pseudonym(1)]), "as_of")
    for run, recipes in (("first", "popularity,markov"), ("second", "popularity")):
        pin.main(["--run", run, "--train-until", str(SERVED_ON)])
        train.main(["--run", run, "--recipes", recipes])
        challenge.main(["--run", run])
    gate.main(["--run", "first"])
    promote.main(["--run", "first"])
    connect(get_settings()).set_registered_model_alias("recommender", "champion", "2")  # by hand, as in MLflow's page
    run_all(recommend, "recommend", "by-hand")
    assert served_by(walk_lake) == {"2"}

    back = promote.main(["--version", "1"])
    assert (back["moved"], back["previous"]) == (True, "2")
    assert due.main([])["why"] == "recommendations for 2024-03-01 are by version 2, and @champion is 1"
    run_all(recommend, "recommend", "rolled-back")
    assert served_by(walk_lake) == {"1"}
    with pytest.raises(Refused, match="version 2 did not pass the gate"):
        promote.main(["--version", "2"])


def served_by(lake: Lake) -> set[str]:
    return set(lake.arrow("recommendations")["model_version"].to_pylist())


@pytest.mark.slow
def test_a_log_without_a_catalogue_gets_recommendations_and_copy_too(
    walk_lake: Lake, monkeypatch: pytest.MonkeyPatch, prepared: Any
) -> None:
    walk_lake.catalog.drop_table("clickwright.items")
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "web_log")
    publish_directly(walk_lake, "profiles", profiles(SERVED_ON - timedelta(days=1), [pseudonym(1), pseudonym(999)]), "as_of")
    pin.main(["--run", "t", "--train-until", str(SERVED_ON)])
    train.main(["--run", "t", "--recipes", "popularity,markov,content"])
    challenge.main(["--run", "t"])
    gate.main(["--run", "t"])
    promote.main(["--run", "t"])
    run_all(recommend, "recommend", "r")
    rows = walk_lake.arrow("recommendations").to_pylist()
    assert len(rows) == 20
    assert walk_lake.commits("recommendations")[0].inputs.keys() == {"profiles", "session_events"}
    monkeypatch.setenv("CLICKWRIGHT_LANGUAGE_MODEL", str(prepared))
    copywriter.main(["--served-on", str(SERVED_ON), "--run", "c"])
    assert audit.main(["--job", "copywriter", "--run", "c"])["passed"]
    publish.main(["--job", "copywriter", "--run", "c"])
    for creative in walk_lake.arrow("creatives").to_pylist():
        assert creative["item_id"] in creative["headline"] + creative["body"]


@pytest.mark.slow
def test_from_the_champion_to_the_published_table(walk_lake: Lake, monkeypatch: pytest.MonkeyPatch, prepared: Any) -> None:
    with pytest.raises(ClickwrightError, match=r"table profiles holds nothing; .*; run `behaviour_day` for a day first"):
        recommend.main(["--served-on", str(SERVED_ON), "--run", "r"])
    assert due.main([])["why"] == "no profiles are published yet"
    as_of = SERVED_ON - timedelta(days=1)
    users = sorted({*walk_events()["user_id"], pseudonym(999)})
    publish_directly(walk_lake, "profiles", profiles(as_of, users), "as_of")
    publish_directly(walk_lake, "items", as_contract("items", walk_items().assign(as_of=as_of, first_seen=as_of)), "as_of")
    assert due.main([]) == {
        "due": False,
        "served_on": "2024-03-01",
        "version": None,
        "why": "no version is @champion",
    }
    with pytest.raises(ClickwrightError, match="no version of recommender is @champion"):
        recommend.main(["--served-on", str(SERVED_ON), "--run", "r"])

    pin.main(["--run", "t", "--train-until", "2024-03-01"])
    train.main(["--run", "t", "--recipes", "popularity,markov"])
    challenge.main(["--run", "t"])
    gate.main(["--run", "t"])
    promote.main(["--run", "t"])

    assert due.main([])["due"] is True
    built = run_all(recommend, "recommend", "r")
    n = len(users)
    assert (built["users"], built["rows"], built["users_without"], built["model_version"]) == (n, 10 * n, 0, "1")
    assert built["new_users"] >= 1
    rows = walk_lake.arrow("recommendations").sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    assert [row["user_id"] for row in rows[::10]] == users
    assert [row["rank"] for row in rows[:10]] == list(range(1, 11))
    commit = walk_lake.commits("recommendations")[0]
    assert commit.inputs == {name: walk_lake.snapshot(name) for name in recommend.INPUTS}
    assert commit.notes["model_version"] == "1"
    assert due.main([])["why"] == "recommendations for 2024-03-01 by version 1 have no ad copy yet"
    assert due.decide(as_of, "2", "1", True)["due"]

    # Once more gives the same rows.
    run_all(recommend, "recommend", "again")
    again = walk_lake.arrow("recommendations").sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    assert again == rows

    monkeypatch.setenv("CLICKWRIGHT_LANGUAGE_MODEL", str(prepared))
    wrote = copywriter.main(["--served-on", str(SERVED_ON), "--run", "c", "--limit", "3"])
    assert (wrote["ads"], wrote["not_written"]) == (3, 0)
    assert audit.main(["--job", "copywriter", "--run", "c"])["passed"]
    publish.main(["--job", "copywriter", "--run", "c"])
    assert due.main([])["why"] == "recommendations for 2024-03-01 by version 1 are there already"
    first = {row["user_id"]: row["item_id"] for row in rows if row["rank"] == 1}
    for creative in walk_lake.arrow("creatives").to_pylist():
        assert first[creative["user_id"]] == creative["item_id"]
        assert creative["origin"] in ("language_model", "template")
        assert creative["user_id"][:8] not in creative["headline"] + creative["body"]
