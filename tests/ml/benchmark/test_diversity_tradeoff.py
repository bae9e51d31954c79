"""Accuracy against diversity, on a small file."""

from pathlib import Path

import numpy as np
import pytest

from ml.benchmark import diversity_tradeoff
from ml.benchmark.__main__ import main
from ml.data.cases import Cases
from ml.inference.slates import NO_ITEM
from ml.metrics import UNRANKED, hits_of
from tests.ml.conftest import walk_events, walk_items

pytestmark = pytest.mark.slow


def test_ranks_in_lists() -> None:
    nobody = np.empty(0, dtype=np.int32)
    answers = np.array([7, 3, 5, -1], dtype=np.int32)
    cases = Cases(np.array([0, 0, 1, 1]), np.array([4, 4, 9, 9]), answers, [nobody] * 4, None)
    ranks = diversity_tradeoff.ranks_in(np.array([[3, 7], [1, NO_ITEM]]), cases)
    assert ranks.tolist() == [2, 1, UNRANKED, UNRANKED]
    assert hits_of(ranks, cases.query, 2)[0].tolist() == [[True, True], [False, False]]


def test_relevance_alone_matches_the_benchmark(tmp_path: Path) -> None:
    events = walk_events().assign(timestamp=lambda frame: frame["event_time"] / 1e6, rating=lambda frame: frame["value"])
    events[["user_id", "item_id", "timestamp", "rating"]].to_csv(tmp_path / "walk.csv", index=False)
    items = walk_items().assign(**{"class": lambda frame: [c[0].replace(" ", "_") for c in frame["categories"]]})
    items[["item_id", "title", "class"]].to_csv(tmp_path / "items.csv", index=False)
    files = ["--sequences", str(tmp_path / "walk.csv"), "--items", str(tmp_path / "items.csv"), "--test-days", "7"]
    found = diversity_tradeoff.main([*files, "--model", "markov", "--relevance", "1,0.3"])
    strict = main([*files, "--models", "markov"])["markov"]["strict"]
    np.testing.assert_allclose(found["1"]["ndcg"][0], strict, atol=0.01)  # the benchmark counts ties against the model
    assert found["0.3"]["diversity"] > found["1"]["diversity"]
    assert found["0.3"]["ndcg"][0] < found["1"]["ndcg"][0]
