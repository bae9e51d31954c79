"""Measures of predicted probabilities: ``clicked`` is 0 or 1, ``predicted`` a probability, both ``[N]``."""

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]

SMALLEST = 1e-15
"""Probabilities are kept this far from 0 and 1, so that one wrong certainty is bad and not infinite."""


def auc(clicked: Floats, predicted: Floats) -> float:
    """The chance that a click is ranked before a non-click, ties counting half (Mann and Whitney, 1947); nan with one class."""
    positives = clicked.sum()
    negatives = len(clicked) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = rankdata(predicted)
    return float((ranks[clicked > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(clicked: Floats, predicted: Floats) -> float:
    """- mean of y log p + (1 - y) log(1 - p), in nats."""
    p = np.clip(predicted, SMALLEST, 1 - SMALLEST)
    return float(-(clicked * np.log(p) + (1 - clicked) * np.log1p(-p)).mean())


def normalised_entropy(clicked: Floats, predicted: Floats) -> float:
    """Log loss / the log loss of predicting the mean click rate for everyone (He et al., 2014); nan with one class."""
    rate = clicked.mean()
    if rate in (0.0, 1.0):
        return float("nan")
    return log_loss(clicked, predicted) / log_loss(clicked, np.full(len(clicked), rate))


def reliability(clicked: Floats, predicted: Floats, bins: int = 10) -> Floats:
    """A row a bin, lowest predictions first: mean prediction, click rate, how many, ``[bins, 3]``; no bin is empty.

    The bins hold equally many predictions (Nixon et al., 2019), since click rates are too small for bins of equal width.
    """
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return np.array([(predicted[part].mean(), clicked[part].mean(), len(part)) for part in parts]).reshape(-1, 3)


def calibration_error(clicked: Floats, predicted: Floats, bins: int = 10) -> float:
    """Expected calibration error: the mean over predictions of |click rate - mean prediction| in their bin."""
    said, came, many = reliability(clicked, predicted, bins).T
    return float((many * np.abs(came - said)).sum() / len(predicted))
