"""Metrics of click probabilities, by hand and against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from ml import metrics

CLICKED = np.array([1.0, 0.0, 1.0, 0.0])
PREDICTED = np.array([0.8, 0.2, 0.4, 0.4])


def test_by_hand() -> None:
    # Of the four pairs of a click and a non-click, three are in order and one is a tie.
    assert metrics.auc(CLICKED, PREDICTED) == 3.5 / 4
    expected = -(2 * math.log(0.8) + math.log(0.4) + math.log(0.6)) / 4
    assert metrics.log_loss(CLICKED, PREDICTED) == pytest.approx(expected)
    assert metrics.normalised_entropy(CLICKED, PREDICTED) == pytest.approx(expected / math.log(2))
    # Two bins: (.2, .4) with the clicks 0 and 1, and (.4, .8) with 0 and 1.
    np.testing.assert_allclose(metrics.reliability(CLICKED, PREDICTED, bins=2), [[0.3, 0.5, 2], [0.6, 0.5, 2]])
    assert metrics.calibration_error(CLICKED, PREDICTED, bins=2) == pytest.approx((abs(0.5 - 0.3) + abs(0.5 - 0.6)) / 2)


def test_scikit_learn_agrees() -> None:
    rng = np.random.default_rng(3)
    predicted = rng.random(500).round(2)
    clicked = (rng.random(500) < predicted).astype(float)
    assert metrics.auc(clicked, predicted) == pytest.approx(roc_auc_score(clicked, predicted))
    assert metrics.log_loss(clicked, predicted) == pytest.approx(log_loss(clicked, predicted))


def test_auc_and_entropy_are_nan_with_one_class() -> None:
    nobody = np.zeros(4)
    assert math.isnan(metrics.auc(nobody, PREDICTED))
    assert math.isnan(metrics.normalised_entropy(nobody, PREDICTED))
    assert metrics.log_loss(nobody, PREDICTED) > 0


def test_log_loss_of_wrong_certainty_is_finite() -> None:
    assert 30 < metrics.log_loss(np.array([1.0]), np.array([0.0])) < 40


def test_constant_rate_is_calibrated_with_entropy_one() -> None:
    clicked = np.tile([1.0, 0, 0, 0], 25)
    rate = np.full(100, 0.25)
    assert metrics.normalised_entropy(clicked, rate) == pytest.approx(1)
    assert metrics.calibration_error(clicked, rate, bins=5) == pytest.approx(0)
    assert metrics.calibration_error(clicked, rate + 0.1, bins=5) == pytest.approx(0.1)
