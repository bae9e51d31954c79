"""Reasons on small histories and a real model."""

import numpy as np
import pytest

from ml.models.base import Recommender
from ml.models.item_knn import ItemKNN
from ml.models.popularity import Popularity
from ml.reasons.sentences import History, Titles, reasons
from tests.ml.conftest import tiny

ITEMS = ["a", "b", "c", "d"]
TITLES = Titles(
    ["Alien", "Terminator, The", "Toy Story", "Fargo"],
    [["Horror", "Sci-Fi"], ["Action", "Sci-Fi"], ["Comedy"], ["Crime"]],
    np.array([0, 1, 12, 0]),
)
HIGHEST = 5.0
# Two people chose Alien and The Terminator, one Alien and Toy Story, one Fargo alone.
MEETINGS = [("u1", "a", 1), ("u1", "b", 2), ("u2", "a", 1), ("u2", "b", 2), ("u3", "a", 1), ("u3", "c", 2), ("u4", "d", 1)]


@pytest.fixture(scope="module")
def knn() -> Recommender:
    train, catalog = tiny(MEETINGS, ITEMS)
    return ItemKNN().fit(train, catalog, seed=0)


def history(*events: tuple[str, str, float]) -> History:
    items, event_types, values = zip(*events, strict=True) if events else ((), (), ())
    return History(np.array([ITEMS.index(i) for i in items], np.int32), list(event_types), np.array(values, np.float64))


def why(item: str, model: Recommender, *events: tuple[str, str, float]) -> str:
    return reasons([ITEMS.index(item)], history(*events), TITLES, model, HIGHEST)[0].sentence


def test_reason_names_the_most_similar_liked_item(knn: Recommender) -> None:
    assert why("b", knn, ("c", "rating", 5.0), ("a", "rating", 4.0)) == (
        "You rated “Alien” 4 out of 5; it is the closest match to this title among the titles you liked or chose; "
        "both are Sci-Fi."
    )
    nan = float("nan")
    assert why("c", knn, ("a", "purchase", nan)) == (
        "You bought “Alien”; it is the closest match to this title among the titles you liked or chose."
    )


def test_low_ratings_support_no_reason(knn: Recommender) -> None:
    expected = "One person chose this in the last 30 days."
    assert why("b", knn, ("a", "rating", 2.0)) == expected
    assert why("b", knn, ("a", "rating", 2.0), ("a", "view", float("nan"))) == expected
    assert why("b", knn, ("a", "rating", 2.0), ("a", "rating", 5.0)).startswith("You rated “Alien” 5 out of 5;")


def test_shared_categories_without_item_similarity() -> None:
    train, catalog = tiny(MEETINGS, ITEMS)
    model = Popularity().fit(train, catalog, seed=0)
    assert why("b", model, ("a", "rating", 5.0)) == "You rated “Alien” 5 out of 5: both are Sci-Fi."


def test_reasons_without_history_are_popularity(knn: Recommender) -> None:
    assert why("c", knn) == "Popular: 12 people chose this in the last 30 days."
    assert why("b", knn) == "One person chose this in the last 30 days."
    assert why("d", knn) == "A popular first choice."
    assert why("d", knn, ("a", "rating", 1.0)) == "Our model chose this from your activity."


def test_kind_and_item_of_a_reason(knn: Recommender) -> None:
    train, catalog = tiny(MEETINGS, ITEMS)
    popularity = Popularity().fit(train, catalog, seed=0)

    def kind(item: str, model: Recommender, *events: tuple[str, str, float]) -> tuple[str, int | None]:
        (found,) = reasons([ITEMS.index(item)], history(*events), TITLES, model, HIGHEST)
        return found.kind, found.item

    assert kind("a", knn, ("b", "rating", 5.0)) == ("similar_item", 1)
    assert kind("b", popularity, ("a", "rating", 5.0)) == ("shared_categories", 0)
    assert kind("c", knn) == ("popular", None)
    assert kind("b", knn) == ("recent", None)
    assert kind("d", knn) == ("model", None)
