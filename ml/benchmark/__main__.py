"""Compare recipes on a file of interactions, with leave-one-out as in papers, or by global time.

Settings, weights and early stopping are chosen on validation; the test is evaluated once, afterwards. ``strict`` is the model
fitted without the validation items, as most papers report; ``refit`` is fitted again with them, with the same settings.
Every item is ranked (Krichene and Rendle, 2020). Intervals are 95 % paired bootstrap intervals over users.

``python -m ml.benchmark --sequences Beauty.txt.gz --split leave-one-out --models popularity,cooccurrence --json beauty.json``
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.benchmark.options import add_file_options, read
from ml.compute.threads import cpu_seconds, limit_threads
from schemas.runtime.cli import log, parser_of
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import get_settings

if TYPE_CHECKING:
    from ml.data.splits import Split
    from ml.models.base import FittedModels

SHOWN = ("ndcg", "hit_rate")


def benchmark(split: "Split", models: Sequence[str], seeds: Sequence[int], against: str | None) -> dict[str, Any]:
    """Fit, evaluate and compare recipes.

    Args:
        split: the interactions and the queries.
        models: names of the recipes.
        seeds: for recipes with randomness; the others run once, with the first.
        against: recipe that leads are measured against; None: the best by validation.

    Returns:
        The content of the table and of the JSON file.
    """
    from ml.models import recipe

    for name in models:
        recipe(name)  # an unknown name fails now, not after an hour
    library: FittedModels = {}
    runs = {
        name: [run(name, split, seed, library) for seed in (seeds if recipe(name).seeded else seeds[:1])] for name in models
    }
    reference = against or max(models, key=lambda name: runs[name][0]["validation"].metrics["ndcg_at_10"])
    return {
        "users": split.refit.n_users,
        "items": len(split.catalog),
        "interactions": {"fit": len(split.fit), "refit": len(split.refit)},
        "queries": {"validation": len(split.validation), "test": len(split.test)},
        "against": reference,
        "models": {name: told(found, runs[reference], seeds[0]) for name, found in runs.items()},
    }


def run(name: str, split: "Split", seed: int, library: "FittedModels") -> dict[str, Any]:
    """Fit and evaluate one recipe with one seed.

    Args:
        name: of the recipe.
        split: the interactions and the queries.
        seed: of everything random.
        library: fitted models that recipes share.

    Returns:
        The evaluations, the chosen settings, and CPU seconds.
    """
    from ml.evaluation.evaluate import evaluate
    from ml.training.fit import fit, refit

    began = cpu_seconds()
    told_of = partial(progress, name, seed)
    tuned = fit(name, split, seed, library, log=told_of)
    chosen = cpu_seconds()
    validation = evaluate(tuned, split.validation, split.catalog, split.fit.item_counts)
    strict = evaluate(tuned, split.test, split.catalog, split.fit.item_counts)
    judged = cpu_seconds()
    final = refit(name, tuned.chosen, split, seed, library, log=told_of)
    refitted = cpu_seconds()
    with_all = evaluate(final, split.test, split.catalog, split.refit.item_counts)
    log.info("benchmarked", recipe=name, seed=seed, validation_ndcg=round(validation.metrics["ndcg_at_10"], 4))
    return {
        "seed": seed,
        "settings": tuned.settings,
        "validation": validation,
        "strict": strict,
        "refit": with_all,
        "cpu_seconds": {"fit": chosen - began, "refit": refitted - judged, "evaluation": judged - chosen},
    }


def progress(name: str, seed: int, values: dict[str, float], epoch: int) -> None:
    """Log the metrics of an epoch."""
    log.info("epoch", recipe=name, seed=seed, epoch=epoch, **{key: round(value, 5) for key, value in values.items()})


def told(runs: list[dict[str, Any]], reference: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """The metrics of a recipe, averaged over its seeds, and its lead over the reference.

    Args:
        runs: results of :func:`run`, one per seed.
        reference: the same for the reference recipe.
        seed: of the bootstrap.
    """
    from statistics import fmean

    from ml.evaluation.evaluate import interval

    result: dict[str, Any] = {"seeds": [found["seed"] for found in runs], "settings": [found["settings"] for found in runs]}
    for part in ("validation", "strict", "refit"):
        result[part] = {
            measure: interval([found[part] for found in runs], seed=seed, measure=measure)
            | {"by_seed": [found[part].metrics[f"{measure}_at_10"] for found in runs]}
            for measure in SHOWN
        }
    ours, theirs = ([found["strict"] for found in side] for side in (runs, reference))
    result["lead"] = {measure: interval(ours, theirs, seed=seed, measure=measure) for measure in SHOWN}
    result["slices"] = {
        slice_name: {"lead": interval(ours, theirs, seed=seed, slice_name=slice_name)}
        | interval(ours, seed=seed, slice_name=slice_name)
        for slice_name, within in ours[0].slices.items()
        if within.any()
    }
    lists = runs[0]["strict"].shown
    result["lists"] = {name: value for name, value in lists.items() if name.endswith("_at_10")}
    result["cpu_seconds"] = {step: fmean(found["cpu_seconds"][step] for found in runs) for step in runs[0]["cpu_seconds"]}
    return result


def table(found: dict[str, Any]) -> str:
    """The comparison as a Markdown table, best by validation first."""
    lines = [
        f"{found['users']:,} users, {found['items']:,} items, {found['interactions']['fit']:,} interactions to fit on, "
        f"{found['queries']['test']:,} test queries",
        "",
        "| model | validation | strict NDCG@10 | strict HR@10 | refit NDCG@10 | refit HR@10 "
        f"| lead over {found['against']}, strict NDCG@10 | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]

    def cell(value: dict[str, float], sign: str = "") -> str:
        return f"{value['mean']:{sign}.4f} ({value['low']:{sign}.4f} to {value['high']:{sign}.4f})"

    by_validation = sorted(found["models"].items(), key=lambda row: -row[1]["validation"]["ndcg"]["mean"])
    for name, row in by_validation:
        strict, refit = row["strict"], row["refit"]
        lead = "" if name == found["against"] else cell(row["lead"]["ndcg"], "+")
        lines.append(
            f"| {name} | {row['validation']['ndcg']['mean']:.4f} | {cell(strict['ndcg'])} | {strict['hit_rate']['mean']:.4f} "
            f"| {refit['ndcg']['mean']:.4f} | {refit['hit_rate']['mean']:.4f} | {lead} "
            f"| {sum(row['cpu_seconds'].values()):.0f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compare recipes on a file."""
    from ml.models import RECIPES

    parser = parser_of(__doc__, "python -m ml.benchmark --sequences ml-100k.inter --models popularity,cooccurrence")
    add_file_options(parser)
    parser.add_argument("--models", default=",".join(RECIPES), help="comma-separated recipes (default: all)")
    parser.add_argument("--against", help="recipe that leads are measured against (default: the best by validation)")
    parser.add_argument("--seeds", default=str(get_settings().seed), help="comma-separated seeds, for recipes with randomness")
    parser.add_argument("--json", type=Path, help="file for all results")
    arguments = parser.parse_args(argv)
    limit_threads()
    models = arguments.models.split(",")
    if arguments.against not in (None, *models):
        parser.error(f"--against {arguments.against} is not among --models")
    found = benchmark(read(arguments), models, [int(seed) for seed in arguments.seeds.split(",")], arguments.against)
    print(table(found), flush=True)
    if arguments.json:
        write_atomically(arguments.json, json.dumps(found, indent=1) + "\n")
    return {name: {part: row[part]["ndcg"]["mean"] for part in ("strict", "refit")} for name, row in found["models"].items()}


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
