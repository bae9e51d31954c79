"""Recipes against the best possible ranking, on a simulated world in which the probability of each click is known.

The task is to predict the items that a user clicks for the first time in the world's last days, from a list made before them.
The *planted optimum* ranks by the true probability of a click. It knows the user's interests on those days, the hidden quality
of the items and the shop's choice of items to show, but not chance (probability ranking principle: Robertson, 1977). A
recipe's share of the optimum is its NDCG@10 / the optimum's NDCG@10. Recipes are fitted without the validation window.
Intervals are 95 % paired bootstrap intervals over users. *AUC among new items* compares, among items without training
interactions, those that the user clicked with the others; 0.5 is chance.

``python -m jobs.simulate --events 400000 --days 21 --users 1200 --items 1000 --format parquet --choice-days 2``

``python -m ml.benchmark.simulated_optimum``
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ml.compute.threads import cpu_seconds, limit_threads
from schemas.runtime.cli import log, parser_of
from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import get_settings

if TYPE_CHECKING:
    import pyarrow as pa

    from ml.data.cases import Cases
    from ml.data.splits import Split
    from ml.evaluation.evaluate import Evaluation
    from ml.models.base import FittedModels, Scores

EVENTS, ITEMS = "simulated-parquet", "simulated-items"
OPTIMUM = "planted optimum"
SHOWN = ("ndcg", "hit_rate")


@dataclass(frozen=True)
class Planted:
    """A world's split, and for each test query the probability of a click on each item, up to a factor: ``[Q, I]``."""

    split: "Split"
    clicks: "Scores"


def read_world(landing: Path, truth: Path, valid_days: int) -> Planted:
    """Clicks, catalogue and choices that ``jobs.simulate`` wrote; the days with choices are the test window.

    Args:
        landing: the world's landing zone.
        truth: folder of the world's truth.
        valid_days: length of the validation window, in days.

    Raises:
        ConfigError: the world was written in another format, or without choices.
    """
    import pyarrow.dataset as ds

    from ml.data.event_log import gather
    from ml.data.splits import by_time

    events_folder, choices_folder = landing / EVENTS, truth / "choices"
    for folder, option in ((events_folder, "--format parquet"), (choices_folder, "--choice-days 2")):
        if not folder.is_dir():
            raise ConfigError(
                f"this world was written without {option}; {folder} is not there; simulate it again with {option}"
            )
    choices = ds.dataset(choices_folder).to_table()
    until: date = min(choices["day"].to_pylist())
    events, items = _clicks(events_folder), _items(landing / ITEMS, until)
    split = by_time(gather(events.to_batches()), items, until, valid_days, ask="window")

    names = [name for part in sorted((truth / "items").iterdir()) for name in _column(part, "item_id")]
    place = {name: i for i, name in enumerate(names)}
    users, row = np.unique(choices["user_id"].to_numpy(), return_inverse=True)
    clicks = np.zeros((len(users), len(names)), dtype=np.float32)
    np.add.at(clicks, row, np.stack(choices["clicks"].to_numpy()))

    # A session can reach into the test window from before it; a user with only such a session has no choices.
    asking = np.unique(events["user_id"].to_numpy())[split.test.user]
    kept = np.flatnonzero(np.isin(asking, users))
    test = split.test.take(kept)
    asked = np.searchsorted(users, asking[kept][test.first])
    columns = np.array([place[item] for item in split.catalog.item_ids])
    return Planted(replace(split, test=test), clicks[np.ix_(asked, columns)])


def _column(path: Path, name: str) -> list[str]:
    import pyarrow.parquet as pq

    values: list[str] = pq.read_table(path, columns=[name])[name].to_pylist()
    return values


def _clicks(folder: Path) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    from ml.data.event_log import SCHEMA

    clicks = ds.dataset(folder).to_table(filter=pc.field("event_type") == "click")
    day = clicks["event_time"].cast("date32")  # events arrive on the day on which they happen
    columns = [day if name == "arrived_on" else clicks[name].cast(SCHEMA.field(name).type) for name in SCHEMA.names]
    return pa.table(columns, schema=SCHEMA)


def _items(folder: Path, until: date) -> "pa.Table":
    """The catalogue of the deliveries before a day."""
    import pyarrow as pa

    from ml.data.catalog import ITEM_FIELDS

    days = [day for day in sorted(folder.iterdir()) if day.name < f"arrived={until}"]
    files = [path for day in days for path in sorted(day.iterdir())]
    rows = [json.loads(line) for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]
    columns = {"item_id": "item", "title": "name", "categories": "tags", "text": "about"}
    return pa.table({column: [row[key] for row in rows] for column, key in columns.items()}, schema=ITEM_FIELDS)


def evaluate_scores(scores: "Scores", split: "Split", counts: npt.NDArray[np.integer[Any]]) -> "Evaluation":
    """Evaluate given scores on the test queries, without the metrics of whole lists.

    Args:
        scores: one row per test query, ``[Q, I]``.
        split: with the test queries.
        counts: training interactions of each item, ``[I]``.
    """
    from ml import metrics
    from ml.evaluation.evaluate import BY_RANK, Evaluation
    from ml.evaluation.slices import query_slices
    from ml.models.rank import K, mask_seen, rank_of_target

    cases = split.test
    scores = scores.copy()
    mask_seen(scores, [cases.histories[case] for case in cases.first])
    ranks = rank_of_target(scores[query_rows(cases)], cases.target)
    by_rank = metrics.hits_of(ranks, cases.query, K)
    return Evaluation(
        k=K,
        user=cases.user[cases.first],
        by_query={name: measure(*by_rank) for name, measure in BY_RANK.items()},
        slices=query_slices(cases, split.catalog, counts),
        shown={},
    )


def query_rows(cases: "Cases") -> npt.NDArray[np.int64]:
    """The query of each case, counted from 0: ``[C]``."""
    return np.repeat(np.arange(len(cases.first)), np.diff(np.append(cases.first, len(cases))))


def new_items_auc(scores: "Scores", cases: "Cases", counts: npt.NDArray[np.integer[Any]], seed: int) -> dict[str, float]:
    """AUC among items without training interactions that the user has not seen: clicked items against the others.

    Args:
        scores: one row per query, ``[Q, I]``.
        cases: the queries.
        counts: training interactions of each item, ``[I]``.
        seed: of the bootstrap.

    Returns:
        Mean over users with its interval, and the number of ``users`` who clicked a new item.
    """
    from ml import metrics

    new = np.flatnonzero(counts == 0)
    values, users = [], []
    for row, targets in enumerate(np.split(cases.target, cases.first[1:])):
        still = new[~np.isin(new, cases.histories[cases.first[row]])]
        clicked = np.isin(still, targets)
        if clicked.any() and not clicked.all():
            values.append(metrics.auc(clicked.astype(np.float64), scores[row, still].astype(np.float64)))
            users.append(cases.user[cases.first[row]])
    by_user = metrics.mean_by_user(np.array(values), np.array(users, dtype=np.int64)) if values else np.empty(0)
    mean, low, high = metrics.bootstrap_interval(by_user, seed=seed)
    return {"mean": mean, "low": low, "high": high, "users": float(len(by_user))}


def compare(world: Planted, models: Sequence[str], seed: int) -> dict[str, Any]:
    """Fit every recipe and compare it with the optimum and with popularity.

    Args:
        world: of :func:`read_world`.
        models: names of the recipes, with popularity.
        seed: of everything random.

    Returns:
        The content of the table and of the JSON file.
    """
    from ml import metrics
    from ml.benchmark.__main__ import progress
    from ml.evaluation.evaluate import interval
    from ml.models import recipe
    from ml.training.fit import fit

    for name in models:
        recipe(name)  # an unknown name fails now, not after an hour
    split = world.split
    counts = split.fit.item_counts
    histories = [split.test.histories[case] for case in split.test.first]
    times = None if split.test.times is None else [split.test.times[case] for case in split.test.first]
    scores, seconds = {OPTIMUM: world.clicks}, {OPTIMUM: 0.0}
    library: FittedModels = {}
    for name in models:
        began = cpu_seconds()
        model = fit(name, split, seed, library, log=partial(progress, name, seed))
        scores[name] = model.scores(histories, times)
        seconds[name] = cpu_seconds() - began
        log.info("fitted", recipe=name, cpu_seconds=round(seconds[name], 1))
    found = {name: evaluate_scores(values, split, counts) for name, values in scores.items()}
    result: dict[str, Any] = {}
    for name, evaluation in found.items():
        row: dict[str, Any] = {measure: interval([evaluation], seed=seed, measure=measure) for measure in SHOWN}
        mean, low, high = metrics.bootstrap_share(evaluation.by_user("ndcg"), found[OPTIMUM].by_user("ndcg"), seed=seed)
        row["share"] = {"mean": mean, "low": low, "high": high}
        row["lead"] = interval([evaluation], [found["popularity"]], seed=seed)
        row["new_items_auc"] = new_items_auc(scores[name], split.test, counts, seed)
        result[name] = row | {"cpu_seconds": seconds[name]}
    return {
        "users": split.fit.n_users,
        "items": {"all": len(split.catalog), "new": int((counts == 0).sum())},
        "interactions": len(split.fit),
        "queries": len(split.test.first),
        "models": result,
    }


def table(found: dict[str, Any]) -> str:
    """The comparison as a Markdown table, best first."""
    lines = [
        f"{found['users']:,} users, {found['items']['all']:,} items of which {found['items']['new']:,} are new, "
        f"{found['interactions']:,} clicks to fit on, {found['queries']:,} test queries",
        "",
        "| model | NDCG@10 | share of the optimum | HR@10 | lead over popularity, NDCG@10 | AUC among new items | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]

    def cell(value: dict[str, float], form: str = ".4f") -> str:
        return f"{value['mean']:{form}} ({value['low']:{form}} to {value['high']:{form}})"

    for name, row in sorted(found["models"].items(), key=lambda row: -row[1]["ndcg"]["mean"]):
        lines.append(
            f"| {name} | {cell(row['ndcg'])} | {cell(row['share'], '.1%')} | {row['hit_rate']['mean']:.4f} "
            f"| {cell(row['lead'], '+.4f')} | {cell(row['new_items_auc'], '.3f')} | {row['cpu_seconds']:.0f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compare recipes with the planted optimum of a simulated world."""
    from ml.models import RECIPES

    settings = get_settings()
    parser = parser_of(__doc__, "python -m ml.benchmark.simulated_optimum --models popularity,cooccurrence")
    parser.add_argument("--landing", type=Path, default=settings.landing_dir, help="the world's landing zone")
    parser.add_argument("--truth", type=Path, default=settings.var / "truth" / "simulated", help="the world's truth")
    parser.add_argument("--valid-days", type=int, default=4, help="days of the validation window (4)")
    parser.add_argument(
        "--models", default=",".join(RECIPES), help="comma-separated recipes, including popularity (default: all)"
    )
    parser.add_argument("--seed", type=int, default=settings.seed, help="seed of everything random (default: CLICKWRIGHT_SEED)")
    parser.add_argument("--json", type=Path, help="file for all results")
    arguments = parser.parse_args(argv)
    models = arguments.models.split(",")
    if "popularity" not in models:
        parser.error("--models must include popularity, since leads are measured against it")
    limit_threads()
    found = compare(read_world(arguments.landing, arguments.truth, arguments.valid_days), models, arguments.seed)
    print(table(found), flush=True)
    if arguments.json:
        write_atomically(arguments.json, json.dumps(found, indent=1) + "\n")
    return {name: row["share"]["mean"] for name, row in found["models"].items()}


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
