"""Slices of queries and items."""

import numpy as np

from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.evaluation.slices import item_groups, query_slices


def test_queries_by_activity_new_items_and_category() -> None:
    catalog = Catalog(["a", "b", "c"], ["", "", ""], [["drama"], ["drama", "war"], []], ["", "", ""])
    histories = [np.arange(0), np.zeros(9, dtype=np.int32), np.zeros(9, dtype=np.int32), np.zeros(50, dtype=np.int32)]
    cases = Cases(np.arange(4), np.array([0, 1, 1, 2]), np.array([0, 1, 2, -1]), histories, None)
    found = query_slices(cases, catalog, counts=np.array([5, 3, 0]))
    assert {name: within.tolist() for name, within in found.items()} == {
        "new": [True, False, False],
        "short": [False, True, False],
        "medium": [False, False, False],
        "long": [False, False, True],
        "new_items": [False, True, True],  # c has no interactions, the last is not in the catalogue
        "category: drama": [True, True, False],
        "category: war": [False, True, False],
    }


def test_head_items_have_half_of_the_interactions() -> None:
    group, names = item_groups(np.array([1, 5, 0, 2, 2]))
    assert [names[g] for g in group] == ["tail", "head", "new", "tail", "tail"]
