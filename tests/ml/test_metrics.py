"""Every measure on tables small enough to check by hand."""

import numpy as np
import pytest

from ml import metrics

RANKS = np.array([1, 2, 10, 11])


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (metrics.hit_rate, [1, 1, 1, 0]),
        (metrics.precision, [0.1, 0.1, 0.1, 0]),
        (metrics.recall, [1, 1, 1, 0]),
        (metrics.f1, [2 / 11, 2 / 11, 2 / 11, 0]),
        (metrics.ndcg, [1, 0.6309297535714575, 0.2890648263178879, 0]),
        (metrics.mrr, [1, 0.5, 0.1, 0]),
    ],
)
def test_measures_of_ranks(measure, expected) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(measure(RANKS, 10), expected)


def test_coverage_counts_each_item_once() -> None:
    assert metrics.coverage(np.array([[0, 1], [1, 2]]), 6) == 0.5


def test_diversity_is_one_minus_the_mean_cosine_of_the_pairs() -> None:
    #                       drama crime
    categories = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
    lists = np.array([[0, 1], [0, 2], [0, 3], [0, 4]])
    np.testing.assert_allclose(metrics.diversity(lists, categories), [0, 1, 1 - 1 / np.sqrt(2), 1], atol=1e-6)
    # Three items: the pairs (0,1), (0,2), (1,2) have the cosines 1, 0, 0.
    np.testing.assert_allclose(metrics.diversity(np.array([[0, 1, 2]]), categories), [2 / 3], atol=1e-6)


def test_novelty_is_the_mean_surprise_in_bits() -> None:
    counts = np.array([7, 3, 0, 2])  # with one more each: 8, 4, 1, 3 of 16
    np.testing.assert_allclose(metrics.novelty(np.array([[0, 1], [2, 2]]), counts), [1.5, 4.0])


def test_a_busy_user_counts_as_much_as_a_quiet_one() -> None:
    by_user = metrics.mean_by_user(np.array([1.0, 1.0, 1.0, 0.0]), np.array([5, 5, 5, 9]))
    np.testing.assert_allclose(by_user, [1.0, 0.0])


def test_the_bootstrap_interval_holds_the_mean_and_repeats() -> None:
    difference = np.array([0.2, 0.1, -0.1, 0.4, 0.3])
    mean, low, high = metrics.bootstrap_interval(difference, seed=1)
    assert mean == pytest.approx(0.18)
    assert -0.1 < low < mean < high < 0.4
    assert metrics.bootstrap_interval(difference, seed=1) == (mean, low, high)
    assert metrics.bootstrap_interval(np.full(4, 0.25), seed=1) == (0.25, 0.25, 0.25)


def test_the_bootstrap_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(1.0, 2.0, size=400)
    _, low, high = metrics.bootstrap_interval(values, seed=0)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.1)
