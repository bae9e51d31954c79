"""Metrics of lists, by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import metrics


def test_coverage_counts_each_item_once() -> None:
    assert metrics.coverage(np.array([[0, 1], [1, 2]]), 6) == 0.5


def test_diversity_is_one_minus_mean_cosine_of_pairs() -> None:
    #                       drama crime
    categories = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
    lists = np.array([[0, 1], [0, 2], [0, 3], [0, 4]])
    np.testing.assert_allclose(metrics.diversity(lists, categories), [0, 1, 1 - 1 / np.sqrt(2), 1], atol=1e-6)
    # Three items: the pairs (0,1), (0,2), (1,2) have the cosines 1, 0, 0.
    np.testing.assert_allclose(metrics.diversity(np.array([[0, 1, 2]]), categories), [2 / 3], atol=1e-6)


def test_novelty_is_mean_surprise_in_bits() -> None:
    counts = np.array([7, 3, 0, 2])  # plus one each: 8, 4, 1, 3 of 16
    np.testing.assert_allclose(metrics.novelty(np.array([[0, 1], [2, 2]]), counts), [1.5, 4.0])


def test_popularity_bias_is_a_percentile() -> None:
    counts = np.array([9, 4, 4, 0])  # the shares of less popular items, half of the equals: 7/8, 4/8, 4/8, 1/8
    np.testing.assert_allclose(metrics.popularity_bias(np.array([[0, 1], [3, 2], [0, 3]]), counts), [11 / 16, 5 / 16, 1 / 2])


def test_personalisation_by_hand() -> None:
    assert metrics.personalisation(np.array([[1, 2], [2, 1], [1, 2]])) == 0.0
    assert metrics.personalisation(np.array([[1, 2], [3, 4]])) == 1.0
    assert metrics.personalisation(np.array([[1, 2], [2, 3], [5, 6]])) == pytest.approx(1 - (0.5 + 0 + 0) / 3)
    assert metrics.personalisation(np.array([[1, 2]])) == 0.0


@given(st.lists(st.permutations(range(6)), min_size=2, max_size=5))
def test_personalisation_equals_loop_over_pairs(rows: list[list[int]]) -> None:
    lists = np.array([row[:3] for row in rows])
    common = [len({*a} & {*b}) / 3 for a, b in itertools.combinations(lists.tolist(), 2)]
    assert metrics.personalisation(lists) == pytest.approx(1 - np.mean(common))


def test_exposure_by_place() -> None:
    group = np.array([0, 1, 1])
    first, second = 1.0, 1 / np.log2(3)
    got = metrics.exposure(np.array([[0, 1], [2, 0]]), group, 3)
    np.testing.assert_allclose(got, [0.5, 0.5, 0])
    got = metrics.exposure(np.array([[0, 1], [0, 2]]), group, 3)
    np.testing.assert_allclose(got, [first / (first + second), second / (first + second), 0])


def test_unfairness_is_the_share_to_move() -> None:
    assert metrics.unfairness(np.array([0.9, 0.1]), np.array([0.6, 0.4])) == pytest.approx(0.3)
    assert metrics.unfairness(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
