"""How good a model is: every question ranked against the whole catalogue, averaged within users, then over users.

Items that the user already met are left out of the ranking. Ties are counted against the model: the right item stands
behind everything that has the same score. (The lists that coverage, diversity and novelty look at break ties by item index.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ml import metrics
from ml.data.interactions import Cases, Catalog
from ml.evaluation.slices import PROTECTED, item_groups, question_segments
from ml.models.base import Recommender
from ml.models.rank import best, leave_out

K = 10
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


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


class Ranked(NamedTuple):
    """What a model answers."""

    ranks: npt.NDArray[np.int64]
    """The right item's rank in each case, ``[C]``."""
    lists: npt.NDArray[np.int64]
    """The best ``k`` items of each question, ``[Q, k]``."""
    claimed: npt.NDArray[np.float64] | None
    """See :class:`Evaluation`."""


def rank_cases(model: Recommender, cases: Cases, *, k: int = K, batch_size: int = 256) -> Ranked:
    """Every item ranked for every question."""
    ranks = np.empty(len(cases), dtype=np.int64)
    lists: list[npt.NDArray[np.int64]] = []
    claimed: list[npt.NDArray[np.float64]] = []
    starts = np.append(cases.first, len(cases))
    for first in range(0, len(starts) - 1, batch_size):
        asked = starts[first : first + batch_size + 1]
        histories = [cases.histories[case] for case in asked[:-1]]
        times = None if cases.times is None else [cases.times[case] for case in asked[:-1]]
        scores = model.scores(histories, times)
        leave_out(scores, histories)
        row = np.repeat(np.arange(len(histories)), np.diff(asked))
        for begin in range(0, len(row), batch_size):
            part = row[begin : begin + batch_size]
            chosen = slice(asked[0] + begin, asked[0] + begin + len(part))
            ranks[chosen] = rank_of_target(scores[part], cases.target[chosen])
        lists += [best(row, k) for row in scores]
        if model.probabilistic:
            claimed.append(share_of_best(scores, k))
    return Ranked(
        ranks,
        np.stack(lists) if lists else np.empty((0, k), dtype=np.int64),
        np.concatenate([*claimed, np.empty(0)]) if model.probabilistic else None,
    )


def share_of_best(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float64]:
    """The part of a softmax over ``scores`` ``[B, I]`` that the best ``k`` have, ``[B]``; -inf has none."""
    most = scores.max(axis=1, keepdims=True)
    weights = np.exp(scores.astype(np.float64) - np.where(np.isfinite(most), most, 0))
    top = -np.partition(-weights, k - 1, axis=1)[:, :k] if scores.shape[1] > k else weights
    # Nothing is left where everything was met: a list of nothing claims nothing.
    return np.asarray(top.sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300), dtype=np.float64)


def ndcg_of(ranks: npt.NDArray[np.int64], cases: Cases, k: int = K) -> float:
    """Mean NDCG at ``k`` over users: what models are tuned by."""
    ndcg = metrics.ndcg(*metrics.hits_of(ranks, cases.question, k))
    return _mean(metrics.mean_by_user(ndcg, cases.user[cases.first]))


def rank_of_target(scores: npt.NDArray[np.float32], target: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The right items' ranks in ``scores`` ``[B, I]``: ``[B]``; one that the catalogue does not hold is behind everything."""
    own = np.where(target >= 0, scores[np.arange(len(target)), np.maximum(target, 0)], -np.inf)
    # The right item is counted among those that are not worse than itself, so this starts at 1; a score that is no number is
    # worse than none, and none is worse than it, so it counts against the model.
    ranks = np.where(target >= 0, (~(scores < own[:, None])).sum(axis=1), metrics.BEHIND)
    return np.asarray(ranks, dtype=np.int64)


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
