"""Slices of an evaluation: users by activity, new items, categories."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ml.data.cases import Cases
from ml.data.catalog import Catalog

NEW = "new"
ACTIVITY = {NEW: (0, 0), "short": (1, 9), "medium": (10, 49), "long": (50, 10**9)}
"""Slices by number of events in the history: (lowest, highest), inclusive."""
PROTECTED = (*ACTIVITY, "new_items")
"""Slices that every run measures and that a promotion must not worsen; category slices are only recorded."""
ITEM_GROUPS = ("new", "tail", "head")
"""``new`` items have no training interactions; the few ``head`` items have half of them, ``tail`` items the rest."""
CATEGORIES = 12
"""How many of the most frequent categories of right items become slices."""


def query_slices(cases: Cases, catalog: Catalog, counts: npt.NDArray[np.integer[Any]]) -> dict[str, npt.NDArray[np.bool_]]:
    """For each slice, whether a query belongs to it, ``[Q]``: ``ACTIVITY``, ``new_items``, top ``category: <name>``.

    A query with several right items is in an item slice if one of them is.

    Args:
        cases: the queries.
        catalog: defines the item indices.
        counts: interactions with each item in training, ``[I]``.
    """
    lengths = np.array([len(cases.histories[case]) for case in cases.first], dtype=np.int64)
    slices = {name: (lengths >= low) & (lengths <= high) for name, (low, high) in ACTIVITY.items()}
    known = cases.target >= 0
    met = np.where(known, counts[np.maximum(cases.target, 0)] if len(counts) else 0, 0) > 0
    slices["new_items"] = _any(~met, cases)
    matrix = catalog.category_matrix
    within = matrix[np.maximum(cases.target, 0)] * known[:, None] if len(catalog) else np.zeros((len(cases), 0))
    asked = within.sum(axis=0)
    largest = np.argsort(-asked, kind="stable")[:CATEGORIES]
    names = catalog.category_names
    return slices | {f"category: {names[j]}": _any(within[:, j] > 0, cases) for j in largest if asked[j]}


def _any(rows: npt.NDArray[np.bool_], cases: Cases) -> npt.NDArray[np.bool_]:
    return np.logical_or.reduceat(rows, cases.first) if len(cases) else np.zeros(0, dtype=np.bool_)


def item_groups(counts: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """The group of each item as an index into the names, ``[I]``, and the names.

    >>> group, names = item_groups(np.array([1, 5, 0, 2, 2]))
    >>> [names[index] for index in group]
    ['tail', 'head', 'new', 'tail', 'tail']
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    group = np.empty(len(counts), dtype=np.int64)
    group[order] = np.where(before < counts.sum() / 2, 2, 1)
    group[counts == 0] = 0
    return group, ITEM_GROUPS
