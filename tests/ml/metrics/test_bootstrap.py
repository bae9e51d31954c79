"""Means over users and their intervals."""

import numpy as np
import pytest

from ml import metrics


def test_users_weigh_the_same() -> None:
    by_user = metrics.mean_by_user(np.array([1.0, 1.0, 1.0, 0.0]), np.array([5, 5, 5, 9]))
    np.testing.assert_allclose(by_user, [1.0, 0.0])


def test_interval_contains_mean_and_is_deterministic() -> None:
    difference = np.array([0.2, 0.1, -0.1, 0.4, 0.3])
    mean, low, high = metrics.bootstrap_interval(difference, seed=1)
    assert mean == pytest.approx(0.18)
    assert -0.1 < low < mean < high < 0.4
    assert metrics.bootstrap_interval(difference, seed=1) == (mean, low, high)
    assert metrics.bootstrap_interval(np.full(4, 0.25), seed=1) == (0.25, 0.25, 0.25)


def test_interval_has_theoretical_width() -> None:
    values = np.random.default_rng(0).normal(1.0, 2.0, size=400)
    _, low, high = metrics.bootstrap_interval(values, seed=0)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.1)


def test_interval_of_a_share() -> None:
    ours, theirs = np.array([1.0, 0.0, 2.0, 1.0]), np.array([2.0, 1.0, 4.0, 1.0])
    share, low, high = metrics.bootstrap_share(ours, theirs, seed=1)
    assert share == 0.5
    assert 0 < low < share < high < 1
    assert metrics.bootstrap_share(theirs / 4, theirs, seed=1) == (0.25, 0.25, 0.25)


def test_share_skips_draws_with_zero_denominator() -> None:
    ours, theirs = np.array([0.2, 0.0, 0.0, 0.0]), np.array([0.5, 0.0, 0.0, 0.0])
    assert metrics.bootstrap_share(ours, theirs, seed=1) == pytest.approx((0.4, 0.4, 0.4))
