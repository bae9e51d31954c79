"""How good a model is: every case ranked against the whole catalogue, averaged within users, then over users.

Items that the user already met are left out of the ranking. Ties are counted against the model: the right item stands
behind everything that has the same score. (The lists that coverage, diversity and novelty look at break ties by item index.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml import metrics
from ml.data import Cases, Catalog
from ml.models.base import Recommender

K = 10
SEGMENTS = {"new": (0, 0), "short": (1, 9), "medium": (10, 49), "long": (50, 10**9)}
"""Segments of cases by how many events came before them, both ends included."""
BY_RANK = {
    "precision": metrics.precision,
    "recall": metrics.recall,
    "f1": metrics.f1,
    "hit_rate": metrics.hit_rate,
    "ndcg": metrics.ndcg,
    "mrr": metrics.mrr,
}


@dataclass(frozen=True)
class Evaluation:
    """What one model did on one set of cases."""

    metrics: dict[str, float]
    """``ndcg_at_10`` and so on over all cases, ``<segment>_ndcg_at_10``, and the counts ``cases`` and ``users``."""
    users: npt.NDArray[np.int64]
    """The users, ascending."""
    ndcg_by_user: npt.NDArray[np.float64]
    """Their NDCG, for paired comparisons."""


def rank_cases(
    model: Recommender, cases: Cases, *, k: int = K, batch_size: int = 256
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The right item's rank in each case ``[C]``, and the best ``k`` items ``[C, k]``."""
    ranks, lists = [], []
    for start in range(0, len(cases), batch_size):
        part = slice(start, start + batch_size)
        histories, target = cases.histories[part], cases.target[part]
        scores = np.array(model.scores(histories, cases.times[part]), dtype=np.float32)
        ranks.append(rank_of_target(scores, target, histories))
        lists.append(best(scores, k))
    if not ranks:
        return np.empty(0, dtype=np.int64), np.empty((0, k), dtype=np.int64)
    return np.concatenate(ranks), np.concatenate(lists)


def rank_of_target(
    scores: npt.NDArray[np.float32], target: npt.NDArray[np.int32], histories: Sequence[npt.NDArray[np.integer[Any]]]
) -> npt.NDArray[np.int64]:
    """The right items' ranks ``[B]``, the items of the histories left out; ``scores`` ``[B, I]`` is changed to show that."""
    for row, history in enumerate(histories):
        scores[row, history] = -np.inf
    own = np.where(target >= 0, scores[np.arange(len(target)), target], -np.inf)
    # The right item is counted among those that are at least as good as itself, so this starts at 1.
    ranks = np.where(target >= 0, (scores >= own[:, None]).sum(axis=1), scores.shape[1] + 1)
    return np.asarray(ranks, dtype=np.int64)


def best(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """The indices of the ``k`` highest scores of each row, best first, equal ones by index: ``[B, min(k, I)]``."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int64)


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
        counts: how often each item was met in training ``[I]``, for novelty.
    """
    ranks, lists = rank_cases(model, cases, k=k)
    users = np.unique(cases.user)
    result = summary(ranks, cases.user, k)
    result["cases"], result["users"] = float(len(cases)), float(len(users))
    if len(cases):
        result[f"coverage_at_{k}"] = metrics.coverage(lists, len(catalog))
        for name, values in (
            ("diversity", metrics.diversity(lists, catalog.category_matrix)),
            ("novelty", metrics.novelty(lists, counts)),
        ):
            result[f"{name}_at_{k}"] = float(metrics.mean_by_user(values, cases.user).mean())
    lengths = np.array([len(history) for history in cases.histories])
    for segment, (low, high) in SEGMENTS.items():
        within = (lengths >= low) & (lengths <= high) if len(lengths) else np.empty(0, dtype=bool)
        result[f"{segment}_cases"] = float(within.sum())
        if within.any():
            part = summary(ranks[within], cases.user[within], k)
            result |= {f"{segment}_{name}": value for name, value in part.items()}
    return Evaluation(result, users, metrics.mean_by_user(metrics.ndcg(ranks, k), cases.user))


def summary(ranks: npt.NDArray[np.int64], users: npt.NDArray[np.int64], k: int) -> dict[str, float]:
    """The measures of ranks, averaged within users and then over users."""
    if len(ranks) == 0:
        return {f"{name}_at_{k}": 0.0 for name in BY_RANK}
    return {f"{name}_at_{k}": float(metrics.mean_by_user(measure(ranks, k), users).mean()) for name, measure in BY_RANK.items()}


def compare(ours: Evaluation, theirs: Evaluation, *, seed: int) -> dict[str, float]:
    """The difference in NDCG over the same users, ours minus theirs, with its 95 % paired bootstrap interval."""
    if not np.array_equal(ours.users, theirs.users):
        raise ValueError("two evaluations can be compared over the same users only")
    mean, low, high = metrics.bootstrap_interval(ours.ndcg_by_user - theirs.ndcg_by_user, seed=seed)
    return {"difference": mean, "low": low, "high": high}
