"""The click model and the logging policy: simulated clicks agree with the planted probabilities, within sampling error."""

import json
from collections import defaultdict
from itertools import permutations
from math import cos, exp, pi, prod, sin, sqrt
from pathlib import Path

import numpy as np
import pytest

from jobs.simulate.behaviour import CellDay, Kind, cell_day
from jobs.simulate.clicks import SLATE, examination, plackett_luce
from jobs.simulate.truth import impressions_table
from tests.jobs.simulated import FIRST_DAY, genuine, simulate, truth, utc, world

FOUR_ERRORS = 4.0


@pytest.fixture(scope="module")
def lived() -> list[CellDay]:
    return [cell_day(world(), day, cell) for day in range(4) for cell in range(world().cells)]


@pytest.fixture(scope="module")
def shown(lived: list[CellDay]) -> dict[str, np.ndarray]:
    """Every impression with its truth, and the context in which it was shown."""
    tables = [impressions_table(cell) for cell in lived]
    names = ("position", "candidates", "propensity", "click_probability", "clicked")
    columns = {name: np.concatenate([table[name].to_numpy() for table in tables]) for name in names}
    for name in ("device", "session"):
        columns[name] = np.concatenate([getattr(c.events, name)[c.events.kind == Kind.IMPRESSION] for c in lived])
    columns["hour"] = np.concatenate([c.sessions.hour[c.events.session[c.events.kind == Kind.IMPRESSION]] for c in lived])
    columns["tenth"] = np.argsort(np.argsort(columns["click_probability"])) * 10 // len(columns["position"])
    return columns


@pytest.mark.parametrize("group", ["position", "device", "hour", "tenth"])
def test_click_through_rate_matches_the_planted_probabilities(shown: dict[str, np.ndarray], group: str) -> None:
    for value in np.unique(shown[group]):
        p = shown["click_probability"][shown[group] == value]
        clicks = shown["clicked"][shown[group] == value].sum()
        assert abs(clicks - p.sum()) < FOUR_ERRORS * sqrt((p * (1 - p)).sum()), value


def test_position_and_relevance_both_matter(shown: dict[str, np.ndarray]) -> None:
    """Without this the test above would prove little: the planted probabilities differ widely."""
    rate = {k: shown["clicked"][shown["position"] == k].mean() for k in range(1, SLATE + 1)}
    assert rate[1] > 1.5 * rate[3] > 1.5 * rate[6]
    assert shown["click_probability"][shown["tenth"] == 9].mean() > 5 * shown["click_probability"][shown["tenth"] == 0].mean()


def test_examination_is_a_power_of_the_position() -> None:
    np.testing.assert_allclose(examination(np.array([1, 2, 4])), [1, 0.6156, 0.3789], atol=1e-4)


def test_click_probabilities_follow_from_the_written_truth(tmp_path: Path) -> None:
    """Planted probabilities can be recomputed from the written users, items, sessions and lines, and the formula."""
    simulate(tmp_path, events=3000, days=3)
    users = {row["user_id"]: row for row in truth(tmp_path, "users")}
    items = {row["item_id"]: row for row in truth(tmp_path, "items")}
    planted = {row["event_id"]: row for row in truth(tmp_path, "impressions")}
    topics = json.loads((tmp_path / "truth" / "world.json").read_text())["topics"]
    sessions = defaultdict(list)
    for row in truth(tmp_path, "sessions"):
        sessions[row["user_id"]].append((row["started_at"].isoformat(timespec="milliseconds")[:-6], row["day"]))
    impressions = [event for event in genuine(tmp_path) if event["action"] == "impression"]
    assert len(impressions) == len(planted) > 1000
    for event in impressions:
        user, item = users[event["user"]], items[event["item"]]
        began, day = max(session for session in sessions[event["user"]] if session[0] <= utc(event["at"]))
        angle = user["drift"] * (day - FIRST_DAY).days
        interest = [cos(angle) * a + sin(angle) * b for a, b in zip(user["interest"], user["towards"], strict=True)]
        affinity = interest[topics.index(item["topic"])] + 0.4 * interest[topics.index(item["second_topic"])]
        hour = (int(began[11:13]) + int(event["at"][-6:-3])) % 24
        moment = 0.3 * cos((hour - 21) * 2 * pi / 24) + {"phone": 0.0, "desktop": 0.15, "tablet": -0.1}[event["device"]]
        chance = event["position"] ** -0.7 / (1 + exp(2.2 - 0.9 * affinity - item["quality"] - moment))
        assert planted[event["id"]]["click_probability"] == pytest.approx(chance, abs=1e-4)
        assert planted[event["id"]]["propensity"] == event["propensity"]


def test_plackett_luce_draws_have_the_logged_probability() -> None:
    """All 24 orders of four candidates: probabilities sum to one, and each order has its expected frequency."""
    draws, scores = 40_000, np.array([1.0, 0.0, -0.5, 0.3])
    slates = plackett_luce(np.tile(scores, (draws, 1)), np.ones((draws, 4), bool), np.random.default_rng(5))
    weights = dict(enumerate(np.exp(scores).tolist()))
    exact = {}
    for order in permutations(range(4)):
        left = [sum(weights[i] for i in order[k:]) for k in range(4)]
        exact[order] = prod(weights[i] / total for i, total in zip(order, left, strict=True))
    assert sum(exact.values()) == pytest.approx(1)
    for order, p in exact.items():
        drawn = (slates.chosen == order).all(1)
        assert abs(drawn.sum() - draws * p) < FOUR_ERRORS * sqrt(draws * p * (1 - p))
        np.testing.assert_allclose(slates.propensity[drawn].prod(1), p)


def test_masked_candidates_are_never_shown() -> None:
    allowed = np.array([[True, False, True, True, False, True, False, False]])
    slates = plackett_luce(np.full((1, 8), 9.0), allowed, np.random.default_rng(1))
    assert slates.shown.tolist() == [[True, True, True, True, False, False]]
    assert sorted(slates.chosen[0, :4].tolist()) == [0, 2, 3, 5]
    np.testing.assert_allclose(slates.propensity, [[1 / 4, 1 / 3, 1 / 2, 1, 0, 0]])


def test_inverse_propensity_scoring_of_another_policy(lived: list[CellDay], shown: dict[str, np.ndarray]) -> None:
    """Clicks at position 1 of a uniform policy, estimated from the log of another policy."""
    values = [cell.policy_values for cell in lived]
    known = sum(v["uniform_billionths"] for v in values) / sum(v["requests"] for v in values) / 1e9
    top = shown["position"] == 1
    weight = 1 / shown["candidates"][top] / shown["propensity"][top]
    estimates = weight * shown["clicked"][top]
    error = estimates.std() / sqrt(top.sum())
    assert abs(estimates.mean() - known) < FOUR_ERRORS * error
    assert abs(weight.mean() - 1) < FOUR_ERRORS * weight.std() / sqrt(top.sum())
    assert shown["clicked"][top].mean() - known > FOUR_ERRORS * error  # the plain mean is far off
