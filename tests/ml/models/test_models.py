"""The interface that all recipes share, and each recipe's counts on literal rows."""

from pathlib import Path

import numpy as np
import pytest

from ml.data.catalog import Catalog
from ml.data.splits import Split
from ml.evaluation.evaluate import evaluate
from ml.models import build, load_recommender, recipe, save_recommender
from ml.models.cooccurrence import Cooccurrence
from ml.models.item_knn import ItemKNN
from ml.models.linear import LinearRecommender, strongest
from ml.models.markov import Markov
from schemas.runtime.errors import ConfigError
from tests.ml.conftest import EVERY_RECIPE, SMALL, tiny

pytestmark = pytest.mark.slow

HISTORIES = [np.array([], dtype=np.int32), np.array([4]), np.array([4, 5, 7, 8])]


@pytest.mark.parametrize("name", EVERY_RECIPE)
def test_every_recipe_fulfils_the_interface(name: str, walk: Split, tmp_path: Path) -> None:
    model = recipe(name)(**SMALL.get(name, {})).fit(walk.fit, walk.catalog, seed=3)
    scores = model.scores(HISTORIES)
    assert scores.shape == (3, len(walk.catalog))
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert len(model.scores([])) == 0
    assert model.similar(4, np.array([5, 30])).shape == (2,)

    again = recipe(name)(**SMALL.get(name, {})).fit(walk.fit, walk.catalog, seed=3)
    np.testing.assert_array_equal(again.scores(HISTORIES), scores)

    digest = save_recommender(model, walk.catalog.item_ids, tmp_path / "one")
    loaded, item_ids = load_recommender(tmp_path / "one")
    assert (loaded.name, item_ids) == (name, walk.catalog.item_ids)
    np.testing.assert_array_equal(loaded.scores(HISTORIES), scores)
    assert loaded.settings == model.settings
    assert save_recommender(again, walk.catalog.item_ids, tmp_path / "two") == digest
    assert {p.suffix for p in (tmp_path / "one").rglob("*") if p.is_file()} == {".json", ".safetensors"}


@pytest.mark.parametrize("name", [name for name in EVERY_RECIPE if name != "popularity"])
def test_every_recipe_beats_popularity_on_the_walk(name: str, walk: Split) -> None:
    tuned = recipe(name)(**SMALL.get(name, {})).fit(walk.fit, walk.catalog, seed=3, validation=walk.validation)
    popular = recipe("popularity")().fit(walk.fit, walk.catalog, seed=3)
    ours, theirs = (evaluate(m, walk.validation, walk.catalog, walk.refit.item_counts).metrics for m in (tuned, popular))
    lead = 0.01 if name == "content" else 0.1  # genres tell the position of the walk, not its direction
    assert ours["ndcg_at_10"] > theirs["ndcg_at_10"] + lead
    refitted = recipe(name)(**{**SMALL.get(name, {}), **tuned.chosen}).fit(walk.refit, walk.catalog, seed=3)
    assert refitted.chosen == tuned.chosen


def test_unknown_recipe_or_setting_is_an_error() -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'svd'"):
        recipe("svd")
    with pytest.raises(TypeError, match="markov has no setting windw"):
        Markov(windw=3)


ROWS = [
    ("ann", "a", 1), ("ann", "b", 2), ("ann", "c", 3),
    ("bob", "a", 1), ("bob", "b", 2),
    ("cat", "b", 1), ("cat", "a", 2),
]  # fmt: skip


def matrix(model: LinearRecommender) -> list[list[float]]:
    train, catalog = tiny(ROWS, ["a", "b", "c"])
    rows: list[list[float]] = np.round(model.fit(train, catalog, seed=0).matrix.toarray(), 4).tolist()
    return rows


def test_markov_counts_direct_successors() -> None:
    # After a: b twice. After b: c once, a once.
    assert matrix(Markov(smoothing=0.0)) == [[0, 1, 0], [0.5, 0, 0.5], [0, 0, 0]]


def test_item_knn_is_shrunk_cosine() -> None:
    # a and b share three users of three and three; c shares one with each.
    third = 1 / np.sqrt(3)
    expected = np.array([[0, 1, third], [1, 0, third], [third, third, 0]])
    np.testing.assert_allclose(matrix(ItemKNN(shrink=0.0)), expected, atol=1e-4)
    assert matrix(ItemKNN(shrink=1.0))[0][1] == 0.75


def test_cooccurrence_weighs_distance_and_direction() -> None:
    plain = Cooccurrence(window=2, decay=1.0, backward=0.0, penalty=0.0)
    # a then c stand two apart, so that pair counts a half.
    assert matrix(plain) == [[0, 2, 0.5], [1, 0, 1], [0, 0, 0]]
    both = Cooccurrence(window=2, decay=1.0, backward=0.5, penalty=0.0)
    assert matrix(both) == [[0, 2.5, 0.5], [2, 0, 1], [0.25, 0.5, 0]]
    # b has three interactions, c one.
    penalised = Cooccurrence(window=1, decay=1.0, backward=0.0, penalty=1.0)
    expected = np.array([[0, 2 / 3, 0], [1 / 3, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(np.array(matrix(penalised)), expected, atol=1e-4)


def test_cooccurrence_second_step() -> None:
    one = Cooccurrence(window=1, backward=0.0, penalty=0.0)
    assert matrix(one) == [[0, 2, 0], [1, 0, 1], [0, 0, 0]]
    # a leads to c via b. The best item two steps from a has half the weight of the best one step from a.
    two = Cooccurrence(window=1, backward=0.0, penalty=0.0, second=0.5)
    assert matrix(two) == [[0, 2, 1], [1, 0, 1], [0, 0, 0]]


def test_recent_items_weigh_more() -> None:
    train, catalog = tiny([("ann", "a", 1), ("ann", "x", 2), ("bob", "b", 1), ("bob", "y", 2)], ["a", "b", "x", "y"])
    model = Cooccurrence(half_life=1.0).fit(train, catalog, seed=0)
    old_a, old_b = model.scores([np.array([0, 1]), np.array([1, 0])])
    assert old_a[3] > old_a[2]
    assert old_b[2] > old_b[3]


def test_new_users_get_popular_items() -> None:
    train, catalog = tiny(ROWS, ["a", "b", "c"])
    for name in ("popularity", "markov", "item_knn", "cooccurrence"):
        scores = recipe(name)().fit(train, catalog, seed=0).scores([np.array([], dtype=np.int32)])
        assert scores[0, 2] < scores[0, 0] == scores[0, 1], name


def test_strongest_keeps_largest_entries_of_a_row() -> None:
    from scipy import sparse

    wide = sparse.csr_array(np.array([[1.0, 3, 2], [0, 0, 5], [4, 4, 4]]))
    assert strongest(wide, 2).toarray().tolist() == [[0, 3, 2], [0, 0, 5], [4, 4, 0]]
    assert strongest(wide, 3).toarray().tolist() == wide.toarray().tolist()


@pytest.mark.parametrize("title", ["", "M"])
def test_content_without_words_falls_back_to_popularity(title: str) -> None:
    train, _ = tiny([("ann", "a", 1), ("ann", "b", 2), ("bob", "a", 3)], ["a", "b"])
    nameless = Catalog(["a", "b"], [title] * 2, [[], []], [""] * 2)
    scores = build("content").fit(train, nameless, seed=1).scores([np.empty(0, np.int32), np.array([0], np.int32)])
    assert (scores[:, 0] > scores[:, 1]).all()  # only popularity is left
