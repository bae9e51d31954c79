"""A saved evaluation can be compared like a new one."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ml.data.splits import Split
from ml.evaluation.evaluate import evaluate, interval
from ml.evaluation.query_table import read_queries, write_queries
from ml.models.cooccurrence import Cooccurrence
from ml.models.popularity import Popularity


def test_read_evaluation_compares_like_the_written_one(walk: Split, tmp_path: Path) -> None:
    ours, theirs = (
        evaluate(model.fit(walk.fit, walk.catalog, seed=0), walk.validation, walk.catalog, walk.fit.item_counts)
        for model in (Cooccurrence(), Popularity())
    )
    assert read_queries(write_queries(ours, tmp_path)).predicted_hit_probability is None
    kept = read_queries(write_queries(replace(ours, predicted_hit_probability=np.linspace(0, 1, len(ours.user))), tmp_path))
    assert kept.predicted_hit_probability is not None
    assert (kept.predicted_hit_probability[0], kept.predicted_hit_probability[-1]) == (0, 1)
    assert kept.k == 10
    assert kept.slices.keys() == ours.slices.keys()
    for name in (None, "short", "category: genre 0"):
        assert interval([kept], [theirs], seed=1, slice_name=name) == interval([ours], [theirs], seed=1, slice_name=name)
