"""Means over users and their intervals."""

import numpy as np
import pytest

from ml import metrics


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


def test_a_share_of_two_means_has_both_in_its_interval() -> None:
    ours, theirs = np.array([1.0, 0.0, 2.0, 1.0]), np.array([2.0, 1.0, 4.0, 1.0])
    share, low, high = metrics.bootstrap_share(ours, theirs, seed=1)
    assert share == 0.5
    assert 0 < low < share < high < 1
    assert metrics.bootstrap_share(theirs / 4, theirs, seed=1) == (0.25, 0.25, 0.25)


def test_a_draw_without_any_of_theirs_says_nothing_of_a_share() -> None:
    ours, theirs = np.array([0.2, 0.0, 0.0, 0.0]), np.array([0.5, 0.0, 0.0, 0.0])
    assert metrics.bootstrap_share(ours, theirs, seed=1) == pytest.approx((0.4, 0.4, 0.4))
