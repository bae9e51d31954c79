"""Ranking against the whole catalogue: left-out items, ties, averages over users."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ml.data.cases import Cases
from ml.evaluation.evaluate import evaluate, interval
from ml.metrics import UNRANKED
from ml.models.popularity import Popularity
from ml.models.rank import rank_cases, rank_of_target
from tests.ml.conftest import tiny


class Fixed(Popularity):
    """Scores from a literal row."""

    def __init__(self, row: list[float]) -> None:
        super().__init__()
        self.popularity = np.array(row, dtype=np.float32)


def cases(rows: Sequence[tuple[int, int, list[int]]]) -> Cases:
    histories = [np.array(history, dtype=np.int32) for _, _, history in rows]
    return Cases(
        np.array([user for user, _, _ in rows]),
        np.arange(len(rows)),
        np.array([target for _, target, _ in rows], dtype=np.int32),
        histories,
        [np.arange(len(h), dtype=np.int64) for h in histories],
    )


@pytest.mark.parametrize(
    ("scores", "target", "history", "rank"),
    [
        ([4, 3, 2, 1], 0, [], 1),
        ([4, 3, 2, 1], 2, [], 3),
        ([4, 3, 2, 1], 2, [0], 2),  # seen items are left out
        ([1, 1, 1, 1], 0, [], 4),  # ties count against the model
        ([1, 1, 1, 1], 0, [1, 2], 2),
        ([4, 3, 2, 1], -1, [], UNRANKED),  # not in the catalogue: ranks last
    ],
)
def test_ranks(scores: list[float], target: int, history: list[int], rank: int) -> None:
    ranks = rank_cases(Fixed(scores), cases([(0, target, history)])).ranks
    assert ranks.tolist() == [rank]


def test_batch_size_does_not_matter(walk: Any) -> None:
    model = Popularity().fit(walk.fit, walk.catalog, seed=0)
    whole = rank_cases(model, walk.validation).ranks
    parts = rank_cases(model, walk.validation, batch_size=7).ranks
    np.testing.assert_array_equal(whole, parts)


def test_metrics_average_users_and_segments() -> None:
    _, catalog = tiny([("ann", "a", 1)], ["a", "b", "c", "d"])
    asked = cases([(0, 0, []), (1, 1, [2]), (1, 3, [1, 2])])
    found = evaluate(Fixed([4, 3, 2, 1]), asked, catalog, np.array([1, 0, 0, 0]), k=2)
    # User 0: rank 1. User 1: rank 2, and rank 2 again without b and c.
    assert found.metrics["hit_rate_at_2"] == 1.0
    assert found.metrics["mrr_at_2"] == pytest.approx((1 + 0.5) / 2)
    assert found.metrics["new_mrr_at_2"] == 1.0
    assert found.metrics["short_mrr_at_2"] == 0.5
    assert (found.metrics["new_cases"], found.metrics["short_cases"], found.metrics["long_cases"]) == (1, 2, 0)
    assert (found.metrics["cases"], found.metrics["users"]) == (3, 2)
    assert found.metrics["coverage_at_2"] == 0.75
    assert found.metrics["exposure_head_at_2"] + found.metrics["exposure_new_at_2"] == pytest.approx(1)
    assert (found.metrics["answers_head"], found.metrics["answers_new"]) == pytest.approx((1 / 3, 2 / 3))
    np.testing.assert_allclose(found.by_user("ndcg"), [1, 1 / np.log2(3)])


def test_interval_pairs_users() -> None:
    _, catalog = tiny([("ann", "a", 1)], ["a", "b", "c", "d"])
    asked = cases([(user, 0, []) for user in range(30)])
    counts = np.ones(4, dtype=np.int64)
    right, wrong = (evaluate(Fixed(s), asked, catalog, counts) for s in ([4.0, 3, 2, 1], [1.0, 2, 3, 4]))
    lead = interval([right], [wrong], seed=0)
    assert lead["mean"] == pytest.approx(1 - 1 / np.log2(5))
    assert (lead["low"], lead["high"]) == pytest.approx((lead["mean"], lead["mean"]))
    assert interval([wrong], [right], seed=0)["mean"] == pytest.approx(-lead["mean"])


def test_query_with_several_right_items_has_one_list() -> None:
    _, catalog = tiny([("ann", "a", 1)], ["a", "b", "c", "d"])
    one = cases([(0, 0, [3]), (0, 1, [3]), (1, 2, [])])
    asked = replace(one, query=np.array([0, 0, 1]))
    found = evaluate(Fixed([4, 2, 3, 1]), asked, catalog, np.ones(4, dtype=np.int64), k=2)
    # Both users get a and c: one of two right items for user 0, the only one for user 1.
    np.testing.assert_allclose(found.by_query["recall"], [0.5, 1])
    np.testing.assert_allclose(found.by_query["precision"], [0.5, 0.5])
    np.testing.assert_allclose(found.by_query["ndcg"], [1 / (1 + 1 / np.log2(3)), 1 / np.log2(3)])
    assert found.metrics["personalisation_at_2"] == 0.0
    assert len(found.user) == 2


def test_interval_of_one_segment() -> None:
    _, catalog = tiny([("ann", "a", 1)], ["a", "b", "c", "d"])
    asked = cases([(0, 0, []), (1, 0, [1]), (2, 1, [2])])
    counts = np.ones(4, dtype=np.int64)
    ours, theirs = (evaluate(Fixed(s), asked, catalog, counts) for s in ([4.0, 3, 2, 1], [1.0, 2, 3, 4]))
    lead = interval([ours], [theirs], seed=0, slice_name="new", measure="mrr")
    assert lead == {"mean": 0.75, "low": 0.75, "high": 0.75, "users": 1}
    # A user's value is the mean over the two seeds.
    both = interval([ours, theirs], seed=0, slice_name="new", measure="mrr")
    assert (both["mean"], both["users"]) == (0.625, 1)
    other = evaluate(Fixed([1.0, 2, 3, 4]), asked.take(np.array([0, 1])), catalog, counts)
    with pytest.raises(ValueError, match="the same queries"):
        interval([ours], [other], seed=0)


def test_claimed_is_the_probability_of_the_list() -> None:
    """Scores are logarithms of 0.6, 0.2, 0.1 and 0.1; seen items have probability 0."""

    class Sure(Fixed):
        probabilistic = True

    logs = np.log([0.6, 0.2, 0.1, 0.1]).tolist()
    asked = cases([(0, 0, []), (1, 3, [0])])
    predicted_hit_probability = rank_cases(Sure(logs), asked, k=2).predicted_hit_probability
    assert predicted_hit_probability is not None
    np.testing.assert_allclose(predicted_hit_probability, [0.8, 0.75], rtol=1e-6)
    assert rank_cases(Fixed(logs), asked).predicted_hit_probability is None


def test_no_cases_give_zeros() -> None:
    _, catalog = tiny([("ann", "a", 1)], ["a", "b"])
    found = evaluate(Fixed([1, 2]), cases([]), catalog, np.ones(2, dtype=np.int64))
    assert found.metrics["ndcg_at_10"] == 0.0
    assert found.metrics["cases"] == 0


def test_negative_targets_rank_behind() -> None:
    """Items outside the catalogue have any number below 0, and rank behind all others."""
    scores = np.array([[0.5, -np.inf]], dtype=np.float32).repeat(2, axis=0)
    assert rank_of_target(scores, np.array([-9, 0])).tolist() == [UNRANKED, 1]


def test_unknown_target_is_not_a_hit_in_a_short_list() -> None:
    asked = cases([(0, -1, []), (0, -2, [])])
    evaluation = evaluate(Fixed([0.5, 0.4]), asked, tiny([("ann", "a", 1)], ["a", "b"])[1], np.array([1, 0]))
    assert evaluation.metrics["hit_rate_at_10"] == 0.0


@pytest.mark.parametrize("target", [0, 1])
def test_nan_counts_against_the_model(target: int) -> None:
    scores = np.array([[np.nan, 0.5, 0.4]], dtype=np.float32)
    assert rank_of_target(scores, np.array([target])).tolist() == [3 if target == 0 else 2]
