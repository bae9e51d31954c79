"""Maximal marginal relevance (Carbonell and Goldstein, 1998): lists of relevant items that differ from each other.

The next item maximizes  weight * relevance - (1 - weight) * (similarity to the most similar item chosen so far). Relevance is
the item's score, scaled from the user's worst candidate (0) to the best (1). Similarity is the cosine of the two items' sets of
categories: |A and B| / sqrt(|A| |B|).

Shapes: B users, M candidates, K places, C categories.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ml.inference.slates import NO_ITEM, Lists

EMPTY = -1e9
"""Gain of a place without an item, below that of any item."""


class Categories:
    """Each item's categories, as indices."""

    def __init__(self, categories: Sequence[Sequence[str]]) -> None:
        sets = [sorted(set(names)) for names in categories]
        number = {name: n for n, name in enumerate(sorted({name for names in sets for name in names}))}
        self.count = len(number)
        self.of = np.full((len(sets) + 1, max((len(names) for names in sets), default=0)), self.count, dtype=np.int64)
        """``[I + 1, most categories of an item]``, padded with ``count``; the last row stands for ``NO_ITEM``."""
        for row, names in enumerate(sets):
            self.of[row, : len(names)] = [number[name] for name in names]
        sizes = (self.of < self.count).sum(axis=1)
        self.weight = 1.0 / np.sqrt(np.maximum(sizes, 1))
        """1 / sqrt(|A|), ``[I + 1]``."""

    def likeness(self, items: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Cosine similarity of each user's items with one chosen item: ``[B, M]``.

        Args:
            items: ``[B, M]``.
            chosen: one item per user, ``[B]``.

        >>> Categories([["war"], ["war", "drama"], ["comedy"]]).likeness(np.array([[0, 1, 2]]), np.array([0])).round(3)
        array([[1.   , 0.707, 0.   ]])
        """
        rows = np.arange(len(items))
        own = np.zeros((len(items), self.count + 1))
        own[rows[:, None], self.of[chosen]] = self.weight[chosen][:, None]
        own[:, self.count] = 0.0
        shared = own[rows[:, None, None], self.of[items]].sum(axis=2)
        return np.asarray(shared * self.weight[items], dtype=np.float64)


def diversified(found: Lists, k: int, weight: float, categories: Categories) -> Lists:
    """The ``k`` items that maximal marginal relevance chooses from each user's candidates, in its order, then the others.

    Args:
        found: candidates, best first.
        k: number of items to choose.
        weight: of relevance; 1 leaves the order as it is.
        categories: of all items.

    >>> found = Lists(np.array([[0, 1, 2]]), np.array([[1.0, 0.9, 0.5]], dtype=np.float32), np.ones((1, 3)))
    >>> diversified(found, 2, 0.5, Categories([["war"], ["war"], ["comedy"]])).items
    array([[0, 2, 1]])
    """
    there = found.items != NO_ITEM
    rows = np.arange(len(found.items))
    worst = np.where(there, found.scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    best = np.where(there, found.scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    span = np.where(best > worst, best - worst, 1.0)
    relevance = np.where(there, (np.where(there, found.scores, 0.0) - np.where(np.isfinite(worst), worst, 0.0)) / span, 0.0)
    nearest = np.zeros(found.items.shape)
    open_ = np.ones(found.items.shape, dtype=bool)
    order = np.empty((len(rows), 0), dtype=np.int64)
    for _ in range(min(k, found.items.shape[1])):
        gain = np.where(there, weight * relevance - (1 - weight) * nearest, EMPTY)
        chosen = np.where(open_, gain, -np.inf).argmax(axis=1)  # on a tie the item with the better score
        order = np.column_stack([order, chosen])
        open_[rows, chosen] = False
        nearest = np.maximum(nearest, categories.likeness(found.items, found.items[rows, chosen]))
    others = np.argsort(~open_, axis=1, kind="stable")[:, : found.items.shape[1] - order.shape[1]]
    return found.ordered(np.column_stack([order, others]))
