"""Measures of ranked lists: one short function each, with its formula.

A case has one right item, and its rank r is 1 for the best place. Per-case measures take ranks ``[C]`` and return
float64 ``[C]``; measures of lists take the recommended item indices ``[C, k]`` and return a number or ``[C]``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Ranks = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Lists = npt.NDArray[np.integer[Any]]


def hit_rate(ranks: Ranks, k: int) -> Floats:
    """1 if r <= k, else 0."""
    return (ranks <= k).astype(np.float64)


def precision(ranks: Ranks, k: int) -> Floats:
    """Right items among the first k, divided by k: (1 if r <= k else 0) / k."""
    return hit_rate(ranks, k) / k


def recall(ranks: Ranks, k: int) -> Floats:
    """Right items among the first k, divided by the right items (there is one): equals the hit rate case by case."""
    return hit_rate(ranks, k)


def f1(ranks: Ranks, k: int) -> Floats:
    """2 P R / (P + R), 0 when both are: 2 / (k + 1) if r <= k."""
    p, r = precision(ranks, k), recall(ranks, k)
    return np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)


def ndcg(ranks: Ranks, k: int) -> Floats:
    """1 / log2(r + 1) if r <= k, else 0; the ideal list has the right item first, with gain 1."""
    return np.where(ranks <= k, 1.0 / np.log2(ranks + 1.0), 0.0)


def mrr(ranks: Ranks, k: int) -> Floats:
    """1 / r if r <= k, else 0."""
    return np.where(ranks <= k, 1.0 / ranks, 0.0)


def coverage(lists: Lists, n_items: int) -> float:
    """Different items in all lists, divided by the items of the catalogue."""
    return len(np.unique(lists)) / max(n_items, 1)


def diversity(lists: Lists, categories: npt.NDArray[np.float32]) -> Floats:
    """1 - the mean cosine of the categories over all pairs in a list; items without a category are like nothing.

    Args:
        categories: 0 or 1, ``[I, categories]``.
    """
    k = lists.shape[1]
    if k < 2:
        return np.zeros(len(lists))
    norm = np.linalg.norm(categories, axis=1, keepdims=True)
    unit = np.divide(categories, norm, out=np.zeros_like(categories), where=norm > 0)
    chosen = unit[lists]  # [C, k, categories]
    own = np.square(chosen).sum(axis=(1, 2))
    total = np.square(chosen.sum(axis=1)).sum(axis=1)  # sum over all ordered pairs, each with itself too
    return np.asarray(1.0 - (total - own) / (k * (k - 1)), dtype=np.float64)


def novelty(lists: Lists, counts: npt.NDArray[np.integer[Any]]) -> Floats:
    """Mean of -log2 p(i) over a list, with p(i) = (n_i + 1) / (N + I): bits of surprise.

    Args:
        counts: how often each item was met in training, ``[I]``.
    """
    p = (counts + 1.0) / (counts.sum() + len(counts))
    return np.asarray((-np.log2(p))[lists].mean(axis=1), dtype=np.float64)


def mean_by_user(values: Floats, users: npt.NDArray[np.integer[Any]]) -> Floats:
    """Mean of each user's cases, users in ascending order: ``[users]``."""
    _, inverse, counts = np.unique(users, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(inverse, weights=values) / counts, dtype=np.float64)


def bootstrap_interval(difference: Floats, *, seed: int, rounds: int = 2000, level: float = 0.95) -> tuple[float, float, float]:
    """Mean of paired differences over users, with its percentile bootstrap interval: (mean, low, high).

    Args:
        difference: one value a user: this model's mean minus the other's, ``[users]``.
    """
    n = len(difference)
    if n == 0:
        return 0.0, 0.0, 0.0
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=rounds)
    means = draws @ difference / n
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(difference.mean()), float(low), float(high)
