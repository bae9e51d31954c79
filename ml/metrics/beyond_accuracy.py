"""Metrics of recommended lists that do not depend on the right answers.

``lists`` holds recommended item indices, best first, int ``[Q, k]``, without repetition in a row; I items, N interactions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Lists = npt.NDArray[np.integer[Any]]
Counts = npt.NDArray[np.integer[Any]]


def coverage(lists: Lists, n_items: int) -> float:
    """Distinct items in all lists / items of the catalogue.

    Args:
        lists: ``[Q, k]``.
        n_items: I.

    >>> coverage(np.array([[0, 1], [1, 2]]), n_items=6)
    0.5
    """
    return len(np.unique(lists)) / max(n_items, 1)


def diversity(lists: Lists, categories: npt.NDArray[np.float32]) -> Floats:
    """1 - the mean cosine over all pairs of a list, ``[Q]`` (Ziegler et al., 2005); items without categories match nothing.

    Args:
        lists: ``[Q, k]``.
        categories: 0 or 1, ``[I, categories]``.

    >>> diversity(np.array([[0, 1], [0, 2]]), np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32))
    array([0., 1.])
    """
    k = lists.shape[1]
    if k < 2:
        return np.zeros(len(lists))
    norm = np.linalg.norm(categories, axis=1, keepdims=True)
    unit = np.divide(categories, norm, out=np.zeros_like(categories), where=norm > 0)
    chosen = unit[lists]  # [Q, k, categories]
    own = np.square(chosen).sum(axis=(1, 2))
    total = np.square(chosen.sum(axis=1)).sum(axis=1)  # sum over all ordered pairs, each with itself too
    return np.asarray(1.0 - (total - own) / (k * (k - 1)), dtype=np.float64)


def novelty(lists: Lists, counts: Counts) -> Floats:
    """Mean of -log2 p(i) over a list, ``[Q]``, with p(i) = (n_i + 1) / (N + I): bits of surprise (Castells et al., 2011).

    Args:
        lists: ``[Q, k]``.
        counts: n_i, interactions with each item in training, ``[I]``.

    >>> novelty(np.array([[0, 1], [2, 2]]), counts=np.array([7, 3, 0, 2]))
    array([1.5, 4. ])
    """
    p = (counts + 1.0) / (counts.sum() + len(counts))
    return np.asarray((-np.log2(p))[lists].mean(axis=1), dtype=np.float64)


def popularity_bias(lists: Lists, counts: Counts) -> Floats:
    """Mean popularity percentile of a list: the share of less popular items, plus half of the equally popular ones, ``[Q]``.

    Random lists have a mean of 0.5. One blockbuster does not dominate a percentile, as it does the mean count of Abdollahpouri
    et al. (2019).

    Args:
        lists: ``[Q, k]``.
        counts: interactions with each item in training, ``[I]``.

    >>> popularity_bias(np.array([[0, 1], [3, 2]]), counts=np.array([9, 4, 4, 0]))
    array([0.6875, 0.3125])
    """
    order = np.sort(counts)
    below, up_to = np.searchsorted(order, counts, side="left"), np.searchsorted(order, counts, side="right")
    percentile = (below + up_to) / (2.0 * max(len(counts), 1))
    return np.asarray(percentile[lists].mean(axis=1), dtype=np.float64)


def personalisation(lists: Lists) -> float:
    """1 - the mean share of items that the lists of two users have in common; 0 for fewer than two users.

    An item in m of the U lists is common to m (m - 1) / 2 pairs, so no loop over pairs is needed.

    Args:
        lists: one row per user, ``[U, k]``.

    >>> personalisation(np.array([[1, 2], [1, 3]]))
    0.5
    """
    users, k = lists.shape
    if users < 2 or k == 0:
        return 0.0
    m = np.unique(lists, return_counts=True)[1].astype(np.float64)
    return float(1.0 - (m * (m - 1)).sum() / (users * (users - 1) * k))


def exposure(lists: Lists, group: npt.NDArray[np.integer[Any]], n_groups: int) -> Floats:
    """Each item group's share of the attention, ``[groups]``; place i has attention 1 / log2(i + 1) (Singh and Joachims, 2018).

    Args:
        lists: ``[Q, k]``.
        group: group of each item, from 0 to ``n_groups`` - 1, ``[I]``.
        n_groups: number of groups, empty ones included.

    >>> exposure(np.array([[0, 1], [2, 0]]), group=np.array([0, 1, 1]), n_groups=3)
    array([0.5, 0.5, 0. ])
    """
    attention = np.broadcast_to(1.0 / np.log2(np.arange(2, lists.shape[1] + 2)), lists.shape)
    shares = np.bincount(group[lists].ravel(), weights=attention.ravel(), minlength=n_groups)
    return np.asarray(shares / max(shares.sum(), 1e-12), dtype=np.float64)


def unfairness(got: Floats, due: Floats) -> float:
    """Half the sum of |got - due| over groups: the share of the attention that would have to move, 0 to 1.

    Args:
        got: each group's share of the exposure, ``[groups]``, sum 1.
        due: each group's deserved share, for example its share of the interactions, ``[groups]``, sum 1.

    >>> unfairness(np.array([1.0, 0.0]), np.array([0.75, 0.25]))
    0.25
    """
    return float(np.abs(got - due).sum() / 2)
