"""Measures of what is shown, whether it was right or not.

``lists`` are recommended item indices, best first, int ``[Q, k]``, without a repetition in a row; I items, N interactions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Lists = npt.NDArray[np.integer[Any]]
Counts = npt.NDArray[np.integer[Any]]


def coverage(lists: Lists, n_items: int) -> float:
    """Different items in all lists / items of the catalogue."""
    return len(np.unique(lists)) / max(n_items, 1)


def diversity(lists: Lists, categories: npt.NDArray[np.float32]) -> Floats:
    """1 - the mean cosine over all pairs of a list, ``[Q]`` (Ziegler et al., 2005); items without a category are like nothing.

    Args:
        categories: 0 or 1, ``[I, categories]``.
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
        counts: n_i, how often each item was met in training, ``[I]``.
    """
    p = (counts + 1.0) / (counts.sum() + len(counts))
    return np.asarray((-np.log2(p))[lists].mean(axis=1), dtype=np.float64)


def popularity_bias(lists: Lists, counts: Counts) -> Floats:
    """Mean over a list of the share of items that were met less often than the recommended one, half of the equals: ``[Q]``.

    0.5 is what random lists come to, 1 is nothing but the most popular item. A percentile, so that one blockbuster does not
    decide it, as it would the mean count of Abdollahpouri et al. (2019).
    """
    order = np.sort(counts)
    below, up_to = np.searchsorted(order, counts, side="left"), np.searchsorted(order, counts, side="right")
    percentile = (below + up_to) / (2.0 * max(len(counts), 1))
    return np.asarray(percentile[lists].mean(axis=1), dtype=np.float64)


def personalisation(lists: Lists) -> float:
    """1 - the mean share of items that two different users' lists have in common; 0 for fewer than two users.

    Args:
        lists: one row a user.

    Over all pairs at once: an item in m of the U lists is common to m (m - 1) / 2 pairs.
    """
    users, k = lists.shape
    if users < 2 or k == 0:
        return 0.0
    m = np.unique(lists, return_counts=True)[1].astype(np.float64)
    return float(1.0 - (m * (m - 1)).sum() / (users * (users - 1) * k))


def exposure(lists: Lists, group: npt.NDArray[np.integer[Any]], n_groups: int) -> Floats:
    """Each item group's share of the attention, ``[groups]``: place i gets 1 / log2(i + 1) of it (Singh and Joachims, 2018).

    Args:
        group: of every item, from 0 to ``n_groups`` - 1, ``[I]``.
    """
    attention = np.broadcast_to(1.0 / np.log2(np.arange(2, lists.shape[1] + 2)), lists.shape)
    shares = np.bincount(group[lists].ravel(), weights=attention.ravel(), minlength=n_groups)
    return np.asarray(shares / max(shares.sum(), 1e-12), dtype=np.float64)


def unfairness(got: Floats, due: Floats) -> float:
    """Half the sum of |got - due| over groups: the share of the attention that would have to move, 0 to 1.

    Args:
        got: each group's share of the exposure, ``[groups]``, sum 1.
        due: what it deserves, for example its share of the interactions, ``[groups]``, sum 1.
    """
    return float(np.abs(got - due).sum() / 2)
