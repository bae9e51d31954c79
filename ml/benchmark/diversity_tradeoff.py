"""Accuracy against diversity: the lists of one recipe with several weights of relevance, on a file of interactions.

The recipe is tuned and fitted as by ``ml.benchmark`` (*strict*); ``ml.inference.diversity`` defines the weight. Intervals
are 95 % paired bootstrap intervals over users.

``python -m ml.benchmark.diversity_tradeoff --sequences ml-100k.inter --items ml-100k.item --model cooccurrence --relevance
1,0.9,0.8,0.7,0.5``
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ml import metrics
from ml.benchmark.options import add_file_options, read
from ml.compute.threads import limit_threads
from ml.data.cases import Cases
from ml.inference.diversity import Categories, diversified
from ml.inference.slates import Best, Lists
from ml.models import build
from ml.models.base import Recommender
from schemas.runtime.cli import parser_of
from schemas.runtime.settings import get_settings

K, BATCH = 10, 256


def candidates(model: Recommender, cases: Cases, n_items: int, wanted: int) -> Iterator[Lists]:
    """The best unseen items of every query, in batches of queries.

    Args:
        model: ranks the items.
        cases: the queries.
        n_items: number of items.
        wanted: items per query.
    """
    best = Best(model, np.ones(n_items, dtype=bool))
    for first in range(0, len(cases.first), BATCH):
        asked = cases.first[first : first + BATCH]
        times = None if cases.times is None else [cases.times[case] for case in asked]
        yield best([cases.histories[case] for case in asked], times, wanted)


def ranks_in(lists: npt.NDArray[np.int64], cases: Cases) -> npt.NDArray[np.int64]:
    """The rank of each right item in its query's list, from 1; ``UNRANKED`` if the list lacks it: ``[C]``.

    Args:
        lists: items of each query, ``[Q, K]``.
        cases: the queries with C right items.
    """
    row = np.unique(cases.query, return_inverse=True)[1]
    there = (lists[row] == cases.target[:, None]) & (cases.target[:, None] >= 0)
    return np.asarray(np.where(there.any(axis=1), there.argmax(axis=1) + 1, metrics.UNRANKED), dtype=np.int64)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print accuracy, diversity and coverage for each weight."""
    parser = parser_of(__doc__, "python -m ml.benchmark.diversity_tradeoff --sequences ml-100k.inter --items ml-100k.item")
    add_file_options(parser)
    parser.add_argument("--model", default="cooccurrence", help="recipe (default: cooccurrence)")
    parser.add_argument("--relevance", default="1,0.9,0.8,0.7,0.5,0.3", help="comma-separated weights of relevance")
    arguments = parser.parse_args(argv)
    limit_threads()
    settings = get_settings()
    split = read(arguments)
    model = build(arguments.model).fit(split.fit, split.catalog, seed=settings.seed, validation=split.validation)
    found = list(candidates(model, split.test, len(split.catalog), max(K, settings.recommend_candidates)))
    of_catalogue, user = Categories(split.catalog.categories), split.test.user[split.test.first]
    rows: dict[str, Any] = {}
    plain: npt.NDArray[np.float64] | None = None
    for weight in map(float, arguments.relevance.split(",")):
        lists = np.vstack([diversified(part, K, weight, of_catalogue).items[:, :K] for part in found])
        ndcg = metrics.ndcg(*metrics.hits_of(ranks_in(lists, split.test), split.test.query, K))
        by_user = metrics.mean_by_user(ndcg, user)
        plain = by_user if plain is None else plain
        rows[f"{weight:g}"] = {
            "ndcg": metrics.bootstrap_interval(by_user, seed=settings.seed),
            "change": metrics.bootstrap_interval(by_user - plain, seed=settings.seed),
            "diversity": float(metrics.mean_by_user(metrics.diversity(lists, split.catalog.category_matrix), user).mean()),
            "coverage": metrics.coverage(lists, len(split.catalog)),
        }
    print(table(rows), flush=True)
    return rows


def table(rows: dict[str, Any]) -> str:
    """The results as a Markdown table; changes are relative to the first weight."""
    lines = ["| relevance | NDCG@10 | change | diversity@10 | coverage@10 |", "|--:|--:|--:|--:|--:|"]
    for weight, row in rows.items():
        ndcg, change = ("{:.4f} ({:.4f} to {:.4f})".format(*row["ndcg"]), "{:+.4f} ({:+.4f} to {:+.4f})".format(*row["change"]))
        lines.append(f"| {weight} | {ndcg} | {change} | {row['diversity']:.3f} | {row['coverage']:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
