"""Recipes against the planted optimum, in a world with interests and in one without."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.benchmark import simulated_optimum
from ml.data.cases import Cases
from ml.models import RECIPES
from schemas.runtime.errors import ConfigError
from tests.jobs.simulated import simulate
from tests.ml.conftest import tiny

pytestmark = pytest.mark.slow

QUICK = ["popularity", "markov", "item_knn", "content", "cooccurrence"]
WORLD: dict[str, Any] = {
    "events": 120_000, "users": 400, "items": 300, "days": 10, "choice_days": 1,
    "format": "parquet", "dirt": None, "late": None,
}  # fmt: skip


def read(folder: Path, **changes: Any) -> simulated_optimum.Planted:
    simulate(folder, **{**WORLD, **changes})
    return simulated_optimum.read_world(folder / "landing", folder / "truth", valid_days=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> simulated_optimum.Planted:
    return read(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def indifferent(tmp_path_factory: pytest.TempPathFactory) -> simulated_optimum.Planted:
    """A world without interests."""
    return read(tmp_path_factory.mktemp("indifferent"), no_interests=True)


def test_recipes_reach_a_part_of_the_optimum(world: simulated_optimum.Planted) -> None:
    found = simulated_optimum.compare(world, QUICK, seed=7)["models"]
    assert found["planted optimum"]["share"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert found["planted optimum"]["lead"]["low"] > 0.02
    assert found["cooccurrence"]["lead"]["low"] > 0
    assert all(found[name]["share"]["high"] < 1 for name in QUICK)


def test_content_ranks_new_items_better_than_chance(world: simulated_optimum.Planted) -> None:
    found = simulated_optimum.compare(world, ["popularity", "content"], seed=7)["models"]
    assert found["popularity"]["new_items_auc"]["mean"] == 0.5  # it knows nothing of them
    assert found["content"]["new_items_auc"]["low"] > 0.5
    assert found["planted optimum"]["new_items_auc"]["low"] > found["content"]["new_items_auc"]["mean"]


def assert_nothing_is_better_than_popularity(world: simulated_optimum.Planted, models: list[str]) -> None:
    found = simulated_optimum.compare(world, models, seed=7)["models"]
    assert found["popularity"]["share"]["mean"] > 0.8
    for name in models:
        assert found[name]["lead"]["low"] <= 0, name
        assert found[name]["lead"]["mean"] < 0.01, name


def test_without_interests_no_simple_recipe_beats_popularity(indifferent: simulated_optimum.Planted) -> None:
    assert_nothing_is_better_than_popularity(indifferent, QUICK)


@pytest.mark.long
def test_without_interests_no_trained_recipe_beats_popularity(spark: Any, indifferent: simulated_optimum.Planted) -> None:
    assert_nothing_is_better_than_popularity(indifferent, ["popularity", *(name for name in RECIPES if name not in QUICK)])


def test_new_items_auc_ignores_other_items() -> None:
    """Two of six items are in training, and one more in the history; the clicked item ranks between the other two."""
    events, _ = tiny([("ann", "a", 1), ("ann", "f", 2), ("ann", "d", 3)], list("abcdef"))
    one = np.zeros(1, dtype=np.int64)
    cases = Cases(user=one, query=one, target=events.item_index[2:], histories=[events.item_index[:2]], times=None)
    counts = np.array([3, 9, 0, 0, 0, 0])
    scores = np.array([[9, 8, 0.5, 0.4, 0.1, 0.9]], dtype=np.float32)
    assert simulated_optimum.new_items_auc(scores, cases, counts, seed=1) == {
        "mean": 0.5,
        "low": 0.5,
        "high": 0.5,
        "users": 1.0,
    }


def test_an_incomplete_world_is_a_clear_error(tmp_path: Path) -> None:
    simulate(tmp_path, **{**WORLD, "events": 3000, "choice_days": None})
    with pytest.raises(ConfigError, match=r"written without --choice-days 2; .*choices is not there; simulate it again"):
        simulated_optimum.read_world(tmp_path / "landing", tmp_path / "truth", valid_days=2)
    with pytest.raises(ConfigError, match="written without --format parquet"):
        simulated_optimum.read_world(tmp_path / "elsewhere", tmp_path / "truth", valid_days=2)
