"""Ranking metrics, by hand on small tables and against RecBole."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import metrics
from ml.evaluation.evaluate import BY_RANK

K = 4
# Places of the right items in the list of four, and their number.
HITS = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
RELEVANT = np.array([1, 3, 2, 6])
SECOND, FOURTH = 1 / np.log2(3), 1 / np.log2(5)
IDEAL_OF_THREE = 1 + SECOND + 0.5


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (metrics.hit_rate, [1, 1, 0, 1]),
        (metrics.precision, [1 / 4, 2 / 4, 0, 1]),
        (metrics.recall, [1, 2 / 3, 0, 4 / 6]),
        (metrics.f1, [2 / 5, 4 / 7, 0, 8 / 10]),
        (metrics.ndcg, [1, (SECOND + FOURTH) / IDEAL_OF_THREE, 0, 1]),
        (metrics.mrr, [1, 1 / 2, 0, 1]),
        (metrics.average_precision, [1, (1 / 2 + 2 / 4) / 3, 0, 1]),
    ],
)
def test_metrics_by_hand(measure, expected) -> None:  # type: ignore[no-untyped-def]
    np.testing.assert_allclose(measure(HITS, RELEVANT), expected)


def test_ranks_become_places() -> None:
    hits, relevant = metrics.hits_of(np.array([2, 5, 1, 4]), np.array([7, 7, 8, 9]), k=4)
    assert hits.astype(int).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert relevant.tolist() == [2, 1, 1]


def test_tied_right_items_take_consecutive_places() -> None:
    # Two right items share the score of a wrong one: each counts itself and both others, so each has rank 3.
    hits, _ = metrics.hits_of(np.array([3, 3]), np.array([0, 0]), k=4)
    assert hits.astype(int).tolist() == [[0, 1, 1, 0]]
    hits, _ = metrics.hits_of(np.array([3, 3, 3, 4]), np.array([0, 0, 0, 0]), k=4)
    assert hits.astype(int).tolist() == [[1, 1, 1, 1]]


def test_no_queries() -> None:
    hits, relevant = metrics.hits_of(np.array([], dtype=np.int64), np.array([], dtype=np.int64), k=4)
    assert hits.shape == (0, 4)
    assert all(len(measure(hits, relevant)) == 0 for measure in BY_RANK.values())


@pytest.fixture(scope="module")
def recbole() -> Iterator[ModuleType]:
    """RecBole's metrics, patched for a newer NumPy and for the missing tools of its trainer."""
    with pytest.MonkeyPatch.context() as patch:
        tools = ModuleType("recbole.utils")
        tools.EvaluatorType = SimpleNamespace(RANKING=1, VALUE=2)  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "recbole.utils", tools)
        patch.setattr(np, "float", float, raising=False)
        yield importlib.import_module("recbole.evaluator.metrics")


@given(st.data())
def test_recbole_agrees(recbole: ModuleType, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 8))
    rows = data.draw(
        st.lists(st.tuples(st.lists(st.booleans(), min_size=k, max_size=k), st.integers(0, 5)), min_size=1, max_size=6)
    )
    hits = np.array([row for row, _ in rows])
    relevant = np.maximum(hits.sum(axis=1) + [missed for _, missed in rows], 1)
    theirs = {
        "precision": recbole.Precision.metric_info(None, hits),
        "recall": recbole.Recall.metric_info(None, hits, relevant),
        "hit_rate": recbole.Hit.metric_info(None, hits),
        "ndcg": recbole.NDCG.metric_info(None, hits, relevant),
        "mrr": recbole.MRR.metric_info(None, hits),
        "map": recbole.MAP.metric_info(None, hits, relevant),
    }
    for name, values in theirs.items():
        np.testing.assert_allclose(BY_RANK[name](hits, relevant), values[:, -1], err_msg=name)
