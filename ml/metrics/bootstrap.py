"""Means over users, with bootstrap confidence intervals."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
ROUNDS_AT_ONCE = 200
"""Draws in memory at a time; 1.6 GB for a million users."""


def mean_by_user(values: Floats, users: npt.NDArray[np.integer[Any]]) -> Floats:
    """Mean of each user's queries, users in ascending order: ``[users]``.

    Args:
        values: one per query, ``[Q]``.
        users: the user of each query, ``[Q]``.

    >>> mean_by_user(np.array([1.0, 0.0, 1.0]), users=np.array([7, 7, 3]))
    array([1. , 0.5])
    """
    _, inverse, counts = np.unique(users, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(inverse, weights=values) / counts, dtype=np.float64)


def bootstrap_interval(difference: Floats, *, seed: int, rounds: int = 2000, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of values over users, with its percentile bootstrap interval: (mean, low, high) (Efron and Tibshirani, 1993).

    Args:
        difference: one value per user, ``[users]``; for a paired comparison this model's mean minus the other's.
        seed: of the draws.
        rounds: number of draws.
        level: probability that the interval shall cover.

    >>> bootstrap_interval(np.full(4, 0.25), seed=1)
    (0.25, 0.25, 0.25)
    """
    if not len(difference):
        return 0.0, 0.0, 0.0
    means = _means(difference[:, None], seed, rounds)[:, 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(difference.mean()), float(low), float(high)


def bootstrap_share(
    ours: Floats, theirs: Floats, *, seed: int, rounds: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of ours / mean of theirs, with its percentile bootstrap interval: (share, low, high).

    A draw takes both values of a user together.

    Args:
        ours, theirs: one value per user, ``[users]``; the mean of theirs is above 0. Draws in which it is not are left out.
        seed, rounds, level: as for :func:`bootstrap_interval`.

    >>> bootstrap_share(np.array([0.5, 1.0]), np.array([1.0, 2.0]), seed=1)
    (0.5, 0.5, 0.5)
    """
    means = _means(np.stack([ours, theirs], axis=1), seed, rounds)
    means = means[means[:, 1] > 0]
    low, high = np.quantile(means[:, 0] / means[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return float(ours.mean() / theirs.mean()), float(low), float(high)


def _means(values: Floats, seed: int, rounds: int) -> Floats:
    """Column means of ``[users, M]`` over users drawn with replacement: ``[rounds, M]``."""
    n = len(values)
    rng, chances = np.random.default_rng(seed), np.full(n, 1.0 / n)
    parts = [min(ROUNDS_AT_ONCE, rounds - done) for done in range(0, rounds, ROUNDS_AT_ONCE)]
    return np.concatenate([rng.multinomial(n, chances, size=part) @ values / n for part in parts])


def safe_mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0
