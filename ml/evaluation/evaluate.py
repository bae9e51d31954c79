"""Evaluates a model: each query is ranked against the whole catalogue, metrics are averaged within, then over users.

Items that the user has already seen are left out of the ranking. Ties count against the model: the right item ranks behind all
items with the same score. (The lists for coverage, diversity and novelty break ties by item index.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ml import metrics
from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.evaluation.slices import PROTECTED, item_groups, query_slices
from ml.metrics.bootstrap import safe_mean
from ml.models.base import Recommender
from ml.models.rank import K, rank_cases

BY_RANK = {
    "precision": metrics.precision,
    "recall": metrics.recall,
    "f1": metrics.f1,
    "hit_rate": metrics.hit_rate,
    "ndcg": metrics.ndcg,
    "mrr": metrics.mrr,
    "map": metrics.average_precision,
}


@dataclass(frozen=True)
class Evaluation:
    """The results of one model on one set of cases."""

    k: int
    user: npt.NDArray[np.int64]
    """User of each query, ``[Q]``."""
    by_query: dict[str, npt.NDArray[np.float64]]
    """Each metric of ``BY_RANK``, ``[Q]``."""
    slices: dict[str, npt.NDArray[np.bool_]]
    """For each slice, whether a query belongs to it, ``[Q]``."""
    shown: dict[str, float]
    """Metrics of the lists that do not depend on the right answers, and the counts ``cases`` and ``users``."""
    predicted_hit_probability: npt.NDArray[np.float64] | None = None
    """The probability that the model gives to its list, ``[Q]``; None if its scores are not probabilities."""

    def by_user(self, measure: str, within: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
        """A metric's mean over each user's queries, users in ascending order: ``[users]``.

        Args:
            measure: a name in ``BY_RANK``.
            within: the queries to use, ``[Q]``; None for all.
        """
        chosen = slice(None) if within is None else within
        return metrics.mean_by_user(self.by_query[measure][chosen], self.user[chosen])

    @cached_property
    def metrics(self) -> dict[str, float]:
        """``ndcg_at_10`` etc. over all queries, ``<slice>_ndcg_at_10`` etc., and ``<slice>_cases``."""
        result = dict(self.shown)
        result |= {f"{name}_at_{self.k}": safe_mean(self.by_user(name)) for name in BY_RANK}
        for slice_name in PROTECTED:
            within = self.slices[slice_name]
            result[f"{slice_name}_cases"] = float(within.sum())
            if within.any():
                result |= {f"{slice_name}_{name}_at_{self.k}": safe_mean(self.by_user(name, within)) for name in BY_RANK}
        return result


def evaluate(
    model: Recommender,
    cases: Cases,
    catalog: Catalog,
    counts: npt.NDArray[np.integer[Any]],
    *,
    k: int = K,
) -> Evaluation:
    """All metrics of a model.

    Args:
        model: fitted on ``catalog``.
        cases: queries to rank the catalogue for.
        catalog: defines the item indices.
        counts: interactions with each item in training, ``[I]``; they define new items, popularity and novelty.
        k: length of the lists.
    """
    ranks, lists, predicted_hit_probability = rank_cases(model, cases, k=k)
    hits, relevant = metrics.hits_of(ranks, cases.query, k)
    user = cases.user[cases.first]
    return Evaluation(
        k=k,
        user=user,
        by_query={name: measure(hits, relevant) for name, measure in BY_RANK.items()},
        slices=query_slices(cases, catalog, counts),
        shown={"cases": float(len(cases)), "users": float(len(np.unique(user)))}
        | (of_lists(lists, user, cases, catalog, counts) if len(cases) else {}),
        predicted_hit_probability=predicted_hit_probability,
    )


def of_lists(
    lists: npt.NDArray[np.int64],
    user: npt.NDArray[np.int64],
    cases: Cases,
    catalog: Catalog,
    counts: npt.NDArray[np.integer[Any]],
) -> dict[str, float]:
    """Metrics of the lists: coverage, diversity, novelty, popularity, personalisation, fairness to item groups.

    Args:
        lists: recommended items, ``[Q, k]``.
        user: user of each list, ``[Q]``.
        cases: the queries with their right items.
        catalog: defines the item indices.
        counts: interactions with each item in training, ``[I]``.
    """
    k = lists.shape[1]
    group, names = item_groups(counts)
    known = cases.target[cases.target >= 0]
    due = np.bincount(group[known], minlength=len(names)) / max(len(known), 1)
    got = metrics.exposure(lists, group, len(names))
    last_of_user = len(user) - 1 - np.unique(user[::-1], return_index=True)[1]
    means = {
        "diversity": metrics.diversity(lists, catalog.category_matrix),
        "novelty": metrics.novelty(lists, counts),
        "popularity_bias": metrics.popularity_bias(lists, counts),
    }
    return {f"{name}_at_{k}": safe_mean(metrics.mean_by_user(values, user)) for name, values in means.items()} | {
        f"coverage_at_{k}": metrics.coverage(lists, len(catalog)),
        f"personalisation_at_{k}": metrics.personalisation(lists[last_of_user]),
        f"exposure_gap_at_{k}": metrics.unfairness(got, due),
        **{f"exposure_{name}_at_{k}": float(share) for name, share in zip(names, got, strict=True)},
        **{f"answers_{name}": float(share) for name, share in zip(names, due, strict=True)},
    }


def interval(
    ours: Sequence[Evaluation],
    theirs: Sequence[Evaluation] = (),
    *,
    seed: int,
    measure: str = "ndcg",
    slice_name: str | None = None,
) -> dict[str, float]:
    """The ``mean`` of a metric over users, or its lead over ``theirs``, with the ``low`` and ``high`` of its 95 % interval.

    Args:
        ours: of one model, or of one recipe with several seeds; a user's value is the mean over them.
        theirs: for a paired comparison, over the same queries.
        seed: of the bootstrap draws.
        measure: a name in ``BY_RANK``.
        slice_name: limits the comparison to a slice of ``ours[0]``, since the items that are new differ between models.

    Raises:
        ValueError: the queries differ.
    """
    if not all(np.array_equal(ours[0].user, other.user) for other in theirs):
        raise ValueError("evaluations can only be compared over the same queries")
    within = None if slice_name is None else ours[0].slices[slice_name]
    values = np.mean([one.by_user(measure, within) for one in ours], axis=0)
    if theirs:
        values = values - np.mean([one.by_user(measure, within) for one in theirs], axis=0)
    mean, low, high = metrics.bootstrap_interval(values, seed=seed)
    return {"mean": mean, "low": low, "high": high, "users": float(len(values))}
