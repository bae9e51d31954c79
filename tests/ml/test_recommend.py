"""Recommendations on small events, and from a real lake and registry to a published table."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml import copywriter, gate, pin, promote, recommend, recommend_due, register_challenger, train
from ml.data.splits import Split
from ml.inference import slates
from ml.inference.cold_start import shares
from ml.inference.eligible_items import EligibleItems, offer_of
from ml.inference.scorer import Origin, Policy, Scorer
from ml.inference.user_histories import EVENT_COLUMNS, EVENT_SCHEMA, UserHistories, behaviour, known_events
from ml.models import Recommender, recipe
from ml.models.rank import best
from ml.tracking.runs import connect
from schemas.lake.lake import Lake, open_lake
from schemas.runtime.errors import ClickwrightError, Refused
from schemas.runtime.settings import get_settings
from tests.ml.conftest import (
    EVERY_RECIPE,
    SMALL,
    as_contract,
    pseudonym,
    publish_directly,
    publish_profiles,
    walk_events,
    walk_items,
)
from tests.pipeline import audit_and_publish, check_and_publish

pytestmark = pytest.mark.slow

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
    event("u2", "b", 10, arrived_on=date(2024, 3, 1)),  # happened in time, arrived too late
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
    return pa.Table.from_batches(known_events(lake, SERVED_ON, snapshot), schema=EVENT_SCHEMA)


def items_of(did: UserHistories, user: int) -> list[str]:
    return [ITEMS[i] for i in did.of(user)[0].items]


def test_histories_end_before_the_day(events: pa.Table) -> None:
    did = behaviour(events, USERS, ITEMS)
    assert [items_of(did, user) for user in range(3)] == [["b", "a"], ["c"], []]
    assert did.of(0)[1].tolist() == sorted(did.of(0)[1].tolist())


def test_eligible_items_count_recent_people_in_any_parts(events: pa.Table) -> None:
    rows = [
        {"item_id": "d", "title": "D", "categories": ["x"]},
        {"item_id": "a", "title": "A", "categories": None},
        {"item_id": "unknown to the model", "title": "U", "categories": None},
    ]
    users = pa.table({"user_id": USERS, "segment": ["casual", "casual", "new"]})
    parts = [(events.filter(pc.equal(events["user_id"], user)), users) for user in pc.unique(events["user_id"]).to_pylist()]
    for given in ([(events, users)], parts):
        offer = offer_of(pa.Table.from_pylist(rows), given, ITEMS, SERVED_ON)
        assert (offer.titles.titles, offer.titles.categories) == (["A", "", "", "D"], [[], [], [], ["x"]])
        assert offer.titles.recent.tolist() == [1, 1, 1, 1]
        assert {name: counts.tolist() for name, counts in offer.recent_of.items()} == {"casual": [1, 1, 1, 0]}
        assert offer.offered.tolist() == [True, False, False, True]
        assert offer.highest_rating == 4.0


@dataclass(frozen=True)
class Day:
    """The walk's users and one new user, their events, and the eligible items."""

    users: pa.Table
    events: pa.Table
    offer: EligibleItems

    def rows(self, model: Recommender, **policy: Any) -> tuple[pa.Table, dict[str, int]]:
        origin = Origin(date(2024, 3, 8), "recommender", "1")
        how = Policy(**{"k": 10, "batch_users": 64, **policy})
        return Scorer(model, self.offer, how, origin).rows(self.users, self.events)


@pytest.fixture
def of_walk(walk: Split) -> Day:
    frame = walk_events().assign(event_type="rating")
    frame["event_time"] = pd.to_datetime(frame["event_time"], unit="us", utc=True)
    events = pa.Table.from_pandas(frame[EVENT_COLUMNS], EVENT_SCHEMA, preserve_index=False)
    catalogue = pa.Table.from_pandas(walk_items())
    ids = sorted([*set(frame["user_id"]), pseudonym(999)])
    users = pa.table({"user_id": ids, "segment": ["new" if user == pseudonym(999) else "casual" for user in ids]})
    offer = offer_of(catalogue, [(events, users)], walk.catalog.item_ids, date(2024, 3, 8))
    return Day(users, events, offer)


@pytest.mark.parametrize("name", EVERY_RECIPE)
def test_lists_do_not_depend_on_the_batch(name: str, walk: Split, of_walk: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    model = recipe(name)(**SMALL.get(name, {})).fit(walk.refit, walk.catalog, seed=1)
    (one, figures), many = of_walk.rows(model, batch_users=1), of_walk.rows(model, batch_users=64)
    monkeypatch.setattr(slates, "SCORES_AT_ONCE", 3 * len(walk.catalog))
    for rows, same in (many, of_walk.rows(model, batch_users=64)):  # the second scores three users at a time
        assert one.drop_columns("score").equals(rows.drop_columns("score"))
        np.testing.assert_allclose(one["score"], rows["score"], rtol=1e-5, atol=1e-5)
        assert figures == same
    assert figures["rows"] == one.num_rows == 10 * len(of_walk.users)
    did = behaviour(of_walk.events, of_walk.users["user_id"].to_pylist(), walk.catalog.item_ids)
    for user, who in enumerate(of_walk.users["user_id"].to_pylist()):
        met = {walk.catalog.item_ids[item] for item in did.of(user)[0].items}
        assert not met & set(one.filter(pc.equal(one["user_id"], who))["item_id"].to_pylist())


def test_diverse_and_drawn_lists_do_not_depend_on_other_users(walk: Split, of_walk: Day) -> None:
    model = recipe("cooccurrence")().fit(walk.refit, walk.catalog, seed=1)
    how = {"relevance": 0.7, "explored": 2, "candidates": 20, "seed": 7}
    (rows, _), (one, _) = of_walk.rows(model, **how), of_walk.rows(model, batch_users=1, **how)
    assert rows.equals(one)
    plain, _ = of_walk.rows(model)
    assert not rows["item_id"].equals(plain["item_id"])
    last = replace(of_walk, users=of_walk.users.slice(len(of_walk.users) - 3)).rows(model, **how)[0]
    assert last.equals(rows.slice(rows.num_rows - last.num_rows))
    chance = rows.group_by("rank").aggregate([("propensity", "max")]).sort_by("rank")["propensity_max"].to_pylist()
    assert chance[:8] == [1.0] * 8
    assert all(0 < p < 1 for p in chance[8:])


@pytest.mark.parametrize("name", ["cooccurrence", "transformer"])
def test_new_users_get_the_popular_items_of_their_segment(name: str, walk: Split, of_walk: Day) -> None:
    model = recipe(name)(**SMALL.get(name, {})).fit(walk.refit, walk.catalog, seed=1)
    fond = {"new": np.arange(len(walk.catalog), dtype=np.int64) ** 2}  # the last items are the most popular
    day = replace(of_walk, offer=replace(of_walk.offer, recent_of=fond))
    rows, figures = day.rows(model)
    assert figures["new_users"] == 1
    mine = rows.filter(pc.equal(rows["user_id"], pseudonym(999)))
    assert mine["item_id"].to_pylist() == [f"i{n}" for n in range(39, 29, -1)]
    assert all("in the last 30 days" in text for text in mine["reason"].to_pylist())
    # Without recent interactions the model ranks for new users too.
    quiet = replace(day.offer, titles=replace(day.offer.titles, recent=np.zeros(len(walk.catalog), dtype=np.int64)))
    asked, _ = replace(day, offer=quiet).rows(model)
    empty = model.scores([np.empty(0, dtype=np.int32)], [np.empty(0, dtype=np.int64)])[0]
    assert asked.filter(pc.equal(asked["user_id"], pseudonym(999)))["item_id"].to_pylist() == [
        walk.catalog.item_ids[item] for item in best(empty, 10)
    ]
    # With fewer eligible items than places, lists are short or empty.
    for n in (3, 0):
        few = replace(day.offer, offered=np.arange(len(walk.catalog)) < n)
        rows, figures = replace(day, offer=few).rows(model)
        assert max(rows["rank"].to_pylist(), default=0) == n
        assert figures["users_without"] >= (len(day.users) if n == 0 else 0)


def test_small_segments_are_smoothed() -> None:
    np.testing.assert_allclose(shares(np.array([0, 0]), np.array([3, 1])), [0.75, 0.25])
    np.testing.assert_allclose(shares(np.array([0, 100]), np.array([3, 1])), [0.375, 0.625])


def test_a_user_who_has_seen_all_items_gets_none(walk: Split, of_walk: Day) -> None:
    model = recipe("popularity")().fit(walk.refit, walk.catalog, seed=1)
    offered = np.zeros(len(walk.catalog), dtype=bool)
    offered[behaviour(of_walk.events, of_walk.users["user_id"].to_pylist()[:1], walk.catalog.item_ids).of(0)[0].items] = True
    rows, figures = replace(of_walk, users=of_walk.users.slice(0, 1), offer=replace(of_walk.offer, offered=offered)).rows(model)
    assert rows.num_rows == 0
    assert (figures["users"], figures["users_without"], figures["users_with_fewer"]) == (1, 1, 0)


def run_all(job: Any, name: str, run: str) -> dict[str, Any]:
    """Build, audit and publish, as the DAG does."""
    built: dict[str, Any] = job.main(["--served-on", str(SERVED_ON), "--run", run])
    audit_and_publish(name, run)
    return built


def serve(run: str) -> None:
    """Recommend and publish, without an audit by Great Expectations."""
    recommend.main(["--served-on", str(SERVED_ON), "--run", run])
    check_and_publish("recommend", run)


def test_the_next_run_follows_a_rollback(walk_lake: Lake) -> None:
    as_of = SERVED_ON - timedelta(days=1)
    publish_profiles(walk_lake, as_of, [pseudonym(1)])
    for run, recipes in (("first", "popularity,markov"), ("second", "popularity,cooccurrence"), ("third", "popularity")):
        pin.main(["--run", run, "--train-until", str(SERVED_ON)])
        train.main(["--run", run, "--recipes", recipes])
        register_challenger.main(["--run", run])
    for run in ("first", "second"):
        gate.main(["--run", run])
    promote.main(["--run", "first"])
    connect(get_settings()).set_registered_model_alias("recommender", "champion", "2")  # by hand, as in the MLflow UI
    serve("by-hand")
    assert served_by(walk_lake) == {"2"}

    back = promote.main(["--version", "1"])
    assert (back["moved"], back["previous"]) == (True, "2")
    assert recommend_due.main([])["why"] == "recommendations for 2024-03-01 are by version 2, and @champion is 1"
    serve("rolled-back")
    assert served_by(walk_lake) == {"1"}
    with pytest.raises(Refused, match="version 3 did not pass the gate"):
        promote.main(["--version", "3"])


def test_a_version_that_went_round_the_gate_does_not_recommend(walk_lake: Lake) -> None:
    """Whoever may write to MLflow can move an alias, set a tag and replace files."""
    publish_profiles(walk_lake, SERVED_ON - timedelta(days=1), [pseudonym(1)])
    for run, recipes in (("first", "popularity,markov"), ("second", "popularity"), ("third", "popularity,cooccurrence")):
        pin.main(["--run", run, "--train-until", str(SERVED_ON)])
        train.main(["--run", run, "--recipes", recipes])
        register_challenger.main(["--run", run])
    gate.main(["--run", "first"])
    promote.main(["--run", "first"])
    client, name = connect(get_settings()), "recommender"

    client.set_registered_model_alias(name, "champion", "2")
    passed = client.get_model_version(name, "1").tags
    for tag in ("clickwright.gate", "clickwright.gate_champion", "clickwright.promoted_over", "clickwright.digest"):
        client.set_model_version_tag(name, "2", tag, passed[tag])
    for ask in (lambda: serve("alias"), lambda: gate.main(["--run", "third"])):
        with pytest.raises(Refused, match=r"version 2 is refused: it did not pass the gate; .*move @champion"):
            ask()
    client.set_registered_model_alias(name, "champion", "1")
    with pytest.raises(Refused, match="version 2 did not pass the gate"):
        promote.main(["--version", "2"])

    weights = next(Path(urlparse(client.get_model_version_download_uri(name, "1")).path).rglob("weights.safetensors"))
    judged = weights.read_bytes()
    weights.write_bytes(judged[:-1] + bytes([judged[-1] ^ 1]))
    for ask in (lambda: serve("files"), lambda: gate.main(["--run", "third"])):
        with pytest.raises(Refused, match="version 1 is refused: its files are not those that passed the gate"):
            ask()
    weights.write_bytes(judged)
    serve("restored")
    assert served_by(walk_lake) == {"1"}

    # A person may vouch for a version that the gate did not judge.
    assert promote.main(["--version", "2", "--accept-without-gate"])["moved"] is True
    serve("accepted")
    assert served_by(walk_lake) == {"2"}


def served_by(lake: Lake) -> set[str]:
    return set(lake.arrow("recommendations")["model_version"].to_pylist())


def test_recommendations_and_copy_without_a_catalogue(
    walk_lake: Lake, monkeypatch: pytest.MonkeyPatch, tiny_language_model: Path
) -> None:
    walk_lake.catalog.drop_table("clickwright.items")
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "web_log")
    publish_profiles(walk_lake, SERVED_ON - timedelta(days=1), [pseudonym(1), pseudonym(999)])
    pin.main(["--run", "t", "--train-until", str(SERVED_ON)])
    train.main(["--run", "t", "--recipes", "popularity,markov,content"])
    register_challenger.main(["--run", "t"])
    gate.main(["--run", "t"])
    promote.main(["--run", "t"])
    serve("r")
    rows = walk_lake.arrow("recommendations").to_pylist()
    assert len(rows) == 20
    assert walk_lake.commits("recommendations")[0].inputs.keys() == {"profiles", "session_events"}
    monkeypatch.setenv("CLICKWRIGHT_LANGUAGE_MODEL", str(tiny_language_model))
    copywriter.main(["--served-on", str(SERVED_ON), "--run", "c"])
    check_and_publish("copywriter", "c")
    for creative in walk_lake.arrow("creatives").to_pylist():
        assert creative["item_id"] in creative["headline"] + creative["body"]


def test_publish_recommendations_and_copy_of_the_champion(
    walk_lake: Lake, monkeypatch: pytest.MonkeyPatch, tiny_language_model: Path
) -> None:
    with pytest.raises(ClickwrightError, match=r"table profiles is empty; .*; run `behaviour_day` for a day first"):
        recommend.main(["--served-on", str(SERVED_ON), "--run", "r"])
    assert recommend_due.main([])["why"] == "no profiles are published yet"
    as_of = SERVED_ON - timedelta(days=1)
    users = sorted({*walk_events()["user_id"], pseudonym(999)})
    publish_profiles(walk_lake, as_of, users)
    publish_directly(walk_lake, "items", as_contract("items", walk_items().assign(as_of=as_of, first_seen=as_of)), "as_of")
    assert recommend_due.main([]) == {
        "due": False,
        "served_on": "2024-03-01",
        "version": None,
        "why": "no version is @champion",
    }
    with pytest.raises(ClickwrightError, match="no version of recommender is @champion"):
        recommend.main(["--served-on", str(SERVED_ON), "--run", "r"])

    pin.main(["--run", "t", "--train-until", "2024-03-01"])
    train.main(["--run", "t", "--recipes", "popularity,markov"])
    register_challenger.main(["--run", "t"])
    gate.main(["--run", "t"])
    promote.main(["--run", "t"])

    assert recommend_due.main([])["due"] is True
    built = run_all(recommend, "recommend", "r")
    n = len(users)
    assert (built["users"], built["rows"], built["users_without"], built["model_version"]) == (n, 10 * n, 0, "1")
    assert built["new_users"] >= 1
    rows = walk_lake.arrow("recommendations").sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    assert [row["user_id"] for row in rows[::10]] == users
    assert [row["rank"] for row in rows[:10]] == list(range(1, 11))
    commit = walk_lake.commits("recommendations")[0]
    assert commit.inputs == {name: walk_lake.snapshot(name) for name in ("profiles", "items", "session_events")}
    assert commit.notes["model_version"] == "1"
    assert recommend_due.main([])["why"] == "recommendations for 2024-03-01 by version 1 have no ad copy yet"
    assert recommend_due.decide(as_of, "2", "1", True)["due"]

    # A second run gives the same rows.
    serve("again")
    again = walk_lake.arrow("recommendations").sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    assert again == rows

    # With drawn places and some diversity; the contract accepts the propensities.
    with monkeypatch.context() as chance:
        chance.setenv("CLICKWRIGHT_RECOMMEND_EXPLORED", "2")
        chance.setenv("CLICKWRIGHT_RECOMMEND_RELEVANCE", "0.8")
        run_all(recommend, "recommend", "explored")
    drawn = walk_lake.arrow("recommendations", where="rank > 8")
    assert drawn.num_rows == 2 * n
    assert 0 < pc.min(drawn["propensity"]).as_py() < pc.max(drawn["propensity"]).as_py() < 1
    assert walk_lake.commits("recommendations")[0].notes["policy"]["explored"] == 2
    serve("r")

    monkeypatch.setenv("CLICKWRIGHT_LANGUAGE_MODEL", str(tiny_language_model))
    wrote = copywriter.main(["--served-on", str(SERVED_ON), "--run", "c", "--limit", "3"])
    assert (wrote["ads"], wrote["not_written"]) == (3, 0)
    audit_and_publish("copywriter", "c")
    assert recommend_due.main([])["why"] == "recommendations for 2024-03-01 by version 1 exist already"
    first = {row["user_id"]: row["item_id"] for row in rows if row["rank"] == 1}
    for creative in walk_lake.arrow("creatives").to_pylist():
        assert first[creative["user_id"]] == creative["item_id"]
        assert creative["origin"] in ("language_model", "template")
        assert creative["user_id"][:8] not in creative["headline"] + creative["body"]
