"""Train recipes on a pinned training's data, evaluate them, and log each as an MLflow run.

For each recipe: fit before the validation window, decide by validation; refit on everything before ``train_until`` with nothing
decided again; save, load, and test the very model that was saved. A finished run of the same training, recipe and code is kept.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.threads import share_the_machine
from schemas.cli import log, run_id_default
from schemas.errors import ConfigError
from schemas.settings import Settings, get_settings
from schemas.version import code_version

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from ml.evaluate import Evaluation
    from ml.models import Recommender
    from ml.models.base import Library
    from ml.splits import Split


@dataclass
class Fitted:
    """A recipe's final model, as loaded from ``folder``, and what was measured on the way."""

    model: "Recommender"
    folder: Path
    digest: str
    validation: "Evaluation"
    test: "Evaluation"
    epochs: list[dict[str, float]]
    """What the fit before the validation window said of itself."""
    refit_epochs: list[dict[str, float]]
    seconds: dict[str, float]


def fit_and_test(name: str, split: "Split", seed: int, folder: Path, library: "Library") -> Fitted:
    """Fit, decide by validation, refit, save to ``folder``, load, test. Deterministic by ``seed`` on one kind of machine."""
    import numpy as np

    from ml.evaluate import evaluate
    from ml.models import build, load_recommender, save_recommender

    epochs, refit_epochs = Epochs(), Epochs()
    began = time.perf_counter()
    tuned = build(name, library).fit_once(
        split.fit, split.catalog, seed=seed, library=library, validation=split.validation, log=epochs.log
    )
    counts = np.bincount(split.fit.item_index, minlength=len(split.catalog))
    validation = evaluate(tuned, split.validation, split.catalog, counts)
    fitted = time.perf_counter()
    final = build(name, library, **tuned.chosen).fit_once(
        split.refit, split.catalog, seed=seed, library=library, log=refit_epochs.log
    )
    digest = save_recommender(final, split.catalog.item_ids, folder)
    refitted = time.perf_counter()
    model, _ = load_recommender(folder)
    counts = np.bincount(split.refit.item_index, minlength=len(split.catalog))
    test = evaluate(model, split.test, split.catalog, counts)
    seconds = {
        "fit_seconds": fitted - began,
        "refit_seconds": refitted - fitted,
        "test_seconds": time.perf_counter() - refitted,
    }
    return Fitted(model, folder, digest, validation, test, epochs.rows, refit_epochs.rows, seconds)


class Epochs:
    """Collects what a model logs: one row an epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def log(self, values: dict[str, float], epoch: int) -> None:
        if not self.rows or self.rows[-1]["epoch"] != epoch:
            self.rows.append({"epoch": float(epoch)})
        self.rows[-1] |= values
        log.info("epoch", epoch=epoch, **{name: round(value, 5) for name, value in values.items()})


def train(run: str, recipes: list[str]) -> dict[str, Any]:
    """Train ``recipes`` for a pinned training; returns for each its MLflow run and headline figures."""
    share_the_machine()
    from ml.models import recipe
    from ml.pin import read_pin
    from ml.registry import connect, finished_runs
    from ml.splits import read_split
    from schemas.lake import open_lake

    for name in recipes:
        recipe(name)  # an unknown one fails now, not after an hour
    settings, pinned = get_settings(), read_pin(run)
    client = connect(settings)
    kept = {
        name: found
        for name, found in finished_runs(client, settings, pinned["training"]).items()
        if found.data.tags.get("clickwright.code_version") == code_version()
    }
    results: dict[str, Any] = {}
    split: Split | None = None
    library: Library = {}
    for name in recipes:
        if name in kept:
            log.info(
                "kept: this recipe was trained on this data by this code",
                recipe=name,
                run_id=kept[name].info.run_id,
            )
            results[name] = summary(kept[name]) | {"reused": True}
            continue
        if split is None:
            split = checked(read_split(open_lake(), pinned), pinned)
        results[name] = train_one(client, settings, pinned, name, split, library) | {"reused": False}
    return {"training": pinned["training"], "recipes": results}


def checked(split: "Split", pinned: dict[str, Any]) -> "Split":
    """The split, if there is something to learn from and to be tested on.

    Raises:
        ConfigError: a part of it is empty.
    """
    for part, count in (
        (f"before {pinned['valid_from']} to fit on", len(split.fit)),
        (f"from {pinned['valid_from']} to {pinned['train_until']} to choose by", len(split.validation)),
        (f"from {pinned['train_until']} on to test on", len(split.test)),
    ):
        if count == 0:
            raise ConfigError(
                f"there are no events {part}; in session_events at snapshot {pinned['snapshots']['session_events']}; "
                "choose another --train-until, or publish more days first"
            )
    return split


def train_one(
    client: "MlflowClient", settings: Settings, pinned: dict[str, Any], name: str, split: "Split", library: "Library"
) -> dict[str, Any]:
    """One recipe, one MLflow run. A run of it that was begun and never finished is deleted: this one replaces it."""
    import mlflow

    from ml.registry import TAG, experiment_id, training_runs

    for stale in training_runs(client, settings, pinned["training"]):
        if stale.data.tags.get(f"{TAG}recipe") == name and stale.info.status != "FINISHED":
            client.delete_run(stale.info.run_id)
            log.info("replaces a run that never finished", recipe=name, run_id=stale.info.run_id)
    tags = {
        f"{TAG}training": pinned["training"],
        f"{TAG}recipe": name,
        f"{TAG}code_version": code_version(),
        f"{TAG}train_until": pinned["train_until"],
        f"{TAG}valid_from": pinned["valid_from"],
        f"{TAG}snapshots": json.dumps(pinned["snapshots"]),
    }
    # The environment may name a run of its own; this run belongs to nobody else.
    os.environ.pop("MLFLOW_RUN_ID", None)
    with (
        tempfile.TemporaryDirectory() as scratch,
        mlflow.start_run(
            experiment_id=experiment_id(client, settings),
            run_name=f"{name} until {pinned['train_until']}",
            tags=tags,
            description=f"`{name}`, fitted on what was known before {pinned['train_until']}, tested on what came after.",
        ) as active,
    ):
        fitted = fit_and_test(name, split, pinned["seed"], Path(scratch) / "recommender", library)
        log_run(pinned, name, split, fitted)
    finished = client.get_run(active.info.run_id)
    log.info("trained", **summary(finished), seconds=round(sum(fitted.seconds.values()), 1))
    return summary(finished)


def log_run(pinned: dict[str, Any], name: str, split: "Split", fitted: Fitted) -> None:
    """Everything that a reader of the run wants: parameters, data, metrics, pictures, the model."""
    import mlflow

    from ml import plots
    from ml.question_table import write_questions
    from ml.registry import TAG
    from ml.tracking import log_data, log_model

    mlflow.log_params(
        {
            **{f"recipe.{key}": value for key, value in fitted.model.settings.items()},
            "recipe": name,
            "seed": pinned["seed"],
            "train_until": pinned["train_until"],
            "valid_days": pinned["valid_days"],
            "fit_events": len(split.fit),
            "refit_events": len(split.refit),
            "users": len(split.refit.users),
            "items": len(split.catalog),
        }
    )
    log_data(pinned)
    for prefix, rows in (("epoch", fitted.epochs), ("refit", fitted.refit_epochs)):
        for row in rows:
            values = {f"{prefix}/{key}": value for key, value in row.items() if key != "epoch"}
            mlflow.log_metrics(values, step=int(row["epoch"]))
    mlflow.log_metrics(
        {f"validation_{key}": value for key, value in fitted.validation.metrics.items()}
        | {f"test_{key}": value for key, value in fitted.test.metrics.items()}
        | fitted.seconds
    )
    figures = {"ndcg_by_segment": plots.by_segment(fitted.test.metrics, name)}
    if any("loss" in row for row in fitted.epochs):
        figures["learning_curve"] = plots.learning_curve(fitted.epochs)
    for title, figure in figures.items():
        mlflow.log_figure(figure, f"plots/{title}.png")
        plots.close(figure)
    mlflow.log_artifact(str(write_questions(fitted.test, fitted.folder.parent)))  # what paired comparisons need
    mlflow.set_tags({f"{TAG}model_uri": log_model(fitted, split), f"{TAG}digest": fitted.digest})


def summary(run: "Run") -> dict[str, Any]:
    """The headline figures of a run."""
    figures = run.data.metrics
    return {
        "recipe": run.data.tags["clickwright.recipe"],
        "run_id": run.info.run_id,
        "validation_ndcg_at_10": round(figures["validation_ndcg_at_10"], 5),
        "test_ndcg_at_10": round(figures["test_ndcg_at_10"], 5),
        "test_hit_rate_at_10": round(figures["test_hit_rate_at_10"], 5),
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train the recipes of a pinned training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=run_id_default(), help="name of the training run, as given to ml.pin")
    parser.add_argument(
        "--recipes",
        default="popularity,markov,item_knn,content,cooccurrence,als,transformer,hybrid",
        help="comma-separated recipes (default: all)",
    )
    arguments = parser.parse_args(argv)
    recipes = [name.strip() for name in arguments.recipes.split(",") if name.strip()]
    if not recipes:
        parser.error("--recipes names none")
    return train(arguments.run, recipes)


if __name__ == "__main__":
    from schemas.cli import run_command

    raise SystemExit(run_command(main))
