"""How good a model is: every question ranked against the whole catalogue, averaged within users, then over users.

Items that the user already met are left out of the ranking. Ties are counted against the model: the right item stands
behind everything that has the same score. (The lists that coverage, diversity and novelty look at break ties by item index.)
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
from ml.evaluation.slices import PROTECTED, item_groups, question_segments
from ml.metrics.bootstrap import _mean
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
    """What one model did on one set of cases."""

    k: int
    user: npt.NDArray[np.int64]
    """Who asked, ``[Q]``."""
    by_question: dict[str, npt.NDArray[np.float64]]
    """Each measure of ``BY_RANK``, ``[Q]``."""
    segments: dict[str, npt.NDArray[np.bool_]]
    """Which questions are in which segment, ``[Q]``."""
    shown: dict[str, float]
    """Measures of the lists, whether they were right or not, and the counts ``cases`` and ``users``."""
    claimed: npt.NDArray[np.float64] | None = None
    """The probability that the model gave to its list, ``[Q]``; None of one whose scores are no probabilities."""

    def by_user(self, measure: str, within: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
        """A measure's mean over each user's questions, perhaps only those ``within``; users in ascending order."""
        chosen = slice(None) if within is None else within
        return metrics.mean_by_user(self.by_question[measure][chosen], self.user[chosen])

    @cached_property
    def metrics(self) -> dict[str, float]:
        """``ndcg_at_10`` and so on over all questions, ``<segment>_ndcg_at_10`` and so on, ``<segment>_cases``."""
        result = dict(self.shown)
        result |= {f"{name}_at_{self.k}": _mean(self.by_user(name)) for name in BY_RANK}
        for segment in PROTECTED:
            within = self.segments[segment]
            result[f"{segment}_cases"] = float(within.sum())
            if within.any():
                result |= {f"{segment}_{name}_at_{self.k}": _mean(self.by_user(name, within)) for name in BY_RANK}
        return result


def evaluate(
    model: Recommender,
    cases: Cases,
    catalog: Catalog,
    counts: npt.NDArray[np.integer[Any]],
    *,
    k: int = K,
) -> Evaluation:
    """All measures of a model.

    Args:
        counts: how often each item was met in training ``[I]``: what is new, popular, novel.
    """
    ranks, lists, claimed = rank_cases(model, cases, k=k)
    hits, relevant = metrics.hits_of(ranks, cases.question, k)
    user = cases.user[cases.first]
    return Evaluation(
        k=k,
        user=user,
        by_question={name: measure(hits, relevant) for name, measure in BY_RANK.items()},
        segments=question_segments(cases, catalog, counts),
        shown={"cases": float(len(cases)), "users": float(len(np.unique(user)))}
        | (of_lists(lists, user, cases, catalog, counts) if len(cases) else {}),
        claimed=claimed,
    )


def of_lists(
    lists: npt.NDArray[np.int64],
    user: npt.NDArray[np.int64],
    cases: Cases,
    catalog: Catalog,
    counts: npt.NDArray[np.integer[Any]],
) -> dict[str, float]:
    """What is shown: how much of the catalogue, how varied, how popular, how different between users, how fair to items."""
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
    return {f"{name}_at_{k}": _mean(metrics.mean_by_user(values, user)) for name, values in means.items()} | {
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
    segment: str | None = None,
) -> dict[str, float]:
    """The ``mean`` of a measure over users, or its lead over ``theirs``, with the ``low`` and ``high`` of its 95 % interval.

    Args:
        ours: of one model, or of one recipe with several seeds: a user's value is the mean over them.
        theirs: for a paired comparison, over the same questions.
        segment: one of ours: what is new to one model may be known to the other.

    Raises:
        ValueError: the questions are not the same.
    """
    if not all(np.array_equal(ours[0].user, other.user) for other in theirs):
        raise ValueError("two evaluations can be compared over the same questions only")
    within = None if segment is None else ours[0].segments[segment]
    values = np.mean([one.by_user(measure, within) for one in ours], axis=0)
    if theirs:
        values = values - np.mean([one.by_user(measure, within) for one in theirs], axis=0)
    mean, low, high = metrics.bootstrap_interval(values, seed=seed)
    return {"mean": mean, "low": low, "high": high, "users": float(len(values))}
