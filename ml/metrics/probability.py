"""Metrics of predicted probabilities: ``clicked`` is 0 or 1, ``predicted`` a probability, both ``[N]``."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]

SMALLEST = 1e-15
"""Probabilities are clipped this far from 0 and 1, so that one wrong certainty does not make the loss infinite."""


def auc(clicked: Floats, predicted: Floats) -> float:
    """Probability that a click is ranked before a non-click, ties counting half (Mann and Whitney, 1947); NaN with one class.

    Args:
        clicked: 0 or 1, ``[N]``.
        predicted: any score that rises with the probability, ``[N]``.

    >>> float(auc(np.array([1.0, 0, 1, 0]), np.array([0.8, 0.2, 0.4, 0.4])))
    0.875
    """
    positives = clicked.sum()
    negatives = len(clicked) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = rankdata(predicted)
    return float((ranks[clicked > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(clicked: Floats, predicted: Floats) -> float:
    """- mean of y log p + (1 - y) log(1 - p), in nats.

    Args:
        clicked: y, 0 or 1, ``[N]``.
        predicted: p, ``[N]``.

    >>> round(log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.5])), 4)
    0.6931
    """
    p = np.clip(predicted, SMALLEST, 1 - SMALLEST)
    return float(-(clicked * np.log(p) + (1 - clicked) * np.log1p(-p)).mean())


def normalised_entropy(clicked: Floats, predicted: Floats) -> float:
    """Log loss / the log loss of always predicting the mean click rate (He et al., 2014); NaN with one class.

    Args:
        clicked: 0 or 1, ``[N]``.
        predicted: probabilities, ``[N]``.

    >>> normalised_entropy(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    1.0
    """
    rate = clicked.mean()
    if rate in (0.0, 1.0):
        return float("nan")
    return log_loss(clicked, predicted) / log_loss(clicked, np.full(len(clicked), rate))


def reliability(clicked: Floats, predicted: Floats, bins: int = 10) -> Floats:
    """Mean prediction, click rate and number of predictions of each bin, lowest predictions first: ``[bins, 3]``.

    Bins hold equally many predictions (Nixon et al., 2019), since click rates are too small for bins of equal width.

    Args:
        clicked: 0 or 1, ``[N]``.
        predicted: probabilities, ``[N]``.
        bins: number of bins; empty ones are left out.

    >>> reliability(np.array([1.0, 0, 1, 0]), np.array([0.75, 0.25, 0.5, 0.25]), bins=2).tolist()
    [[0.25, 0.0, 2.0], [0.625, 1.0, 2.0]]
    """
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return np.array([(predicted[part].mean(), clicked[part].mean(), len(part)) for part in parts]).reshape(-1, 3)


def calibration_error(clicked: Floats, predicted: Floats, bins: int = 10) -> float:
    """Expected calibration error: the mean over predictions of |click rate - mean prediction| in their bin.

    Args:
        clicked: 0 or 1, ``[N]``.
        predicted: probabilities, ``[N]``.
        bins: number of bins of equally many predictions.

    >>> calibration_error(np.array([1.0, 0, 1, 0]), np.array([0.75, 0.25, 0.5, 0.25]), bins=2)
    0.3125
    """
    said, came, many = reliability(clicked, predicted, bins).T
    return float((many * np.abs(came - said)).sum() / len(predicted))
