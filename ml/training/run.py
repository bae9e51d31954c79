"""One recipe trained as one MLflow run."""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.compute.distributed import broadcast
from ml.data.pinned_data import PinnedData
from schemas.runtime.cli import log
from schemas.runtime.errors import ConfigError
from schemas.runtime.mlflow_rest import TAG
from schemas.runtime.settings import Settings
from schemas.runtime.version import code_version

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from ml.data.splits import Split
    from ml.models.base import FittedModels
    from ml.training.fit import Fitted


def help_to_train(client: "MlflowClient", pinned: PinnedData, name: str, split: "Split", library: "FittedModels") -> None:
    """The part of all ranks except rank 0 in training a network.

    Args:
        client: of MLflow.
        pinned: the pinned data of the training.
        name: of the recipe.
        split: the interactions and the queries.
        library: fitted models that recipes share.
    """
    from ml.tracking.run_checkpoints import RunCheckpoints
    from ml.training.fit import fit, refit

    kept = RunCheckpoints(client, broadcast(""))
    tuned = fit(name, split, pinned.seed, library, kept, quick=pinned.quick)
    refit(name, tuned.chosen, split, pinned.seed, library, kept, quick=pinned.quick)


def expect_encoder(pinned: PinnedData) -> None:
    """Check that the sentence encoder is the pinned one, since metrics with different encoders are not comparable.

    Raises:
        ConfigError: the encoder has changed.
    """
    from ml.text.encoder import encoder_digest, encoder_source

    now, then = encoder_digest(), pinned.encoder
    if then is not None and now != then:  # older pins do not record the encoder
        raise ConfigError(
            f"the sentence encoder ({now[:12]}) is not the one that training {pinned.training} was pinned with "
            f"({then[:12]}); at {encoder_source()}; set CLICKWRIGHT_ENCODER back, or pin another --run"
        )


def checked(split: "Split", pinned: PinnedData) -> "Split":
    """The split, after a check that no part of it is empty.

    Args:
        split: to check.
        pinned: the pinned data of the training.

    Raises:
        ConfigError: a part of the split is empty.
    """
    for part, count in (
        (f"before {pinned.valid_from} to fit on", len(split.fit)),
        (f"from {pinned.valid_from} to {pinned.train_until} to validate on", len(split.validation)),
        (f"from {pinned.train_until} on to test on", len(split.test)),
    ):
        if count == 0:
            raise ConfigError(
                f"there are no events {part}; in session_events at snapshot {pinned.snapshots['session_events']}; "
                "choose another --train-until, or publish more days first"
            )
    return split


def train_one(
    client: "MlflowClient", settings: Settings, pinned: PinnedData, name: str, split: "Split", library: "FittedModels"
) -> dict[str, Any]:
    """Train one recipe in one MLflow run: an unfinished run of this code, or a new one.

    Args:
        client: of MLflow.
        settings: name the experiment.
        pinned: the pinned data of the training.
        name: of the recipe.
        split: the interactions and the queries.
        library: fitted models that recipes share.

    Returns:
        The headline metrics of the run.
    """
    import mlflow

    from ml.models import recipe
    from ml.tracking.run_checkpoints import RunCheckpoints
    from ml.tracking.runs import experiment_id
    from ml.training.fit import fit_and_test

    tags = {
        f"{TAG}training": pinned.training,
        f"{TAG}recipe": name,
        f"{TAG}code_version": code_version(),
        f"{TAG}train_until": str(pinned.train_until),
        f"{TAG}valid_from": str(pinned.valid_from),
        f"{TAG}snapshots": json.dumps(pinned.snapshots),
        f"{TAG}encoder": pinned.encoder or "",
    }
    # The environment may name another run, which must not be used here.
    os.environ.pop("MLFLOW_RUN_ID", None)
    with (
        tempfile.TemporaryDirectory() as scratch,
        mlflow.start_run(
            run_id=unfinished_run(client, settings, pinned.training, name),
            experiment_id=experiment_id(client, settings),
            run_name=f"{name} until {pinned.train_until}",
            tags=tags,
            description=f"`{name}`, fitted on data from before {pinned.train_until}, tested on later events.",
        ) as active,
    ):
        kept = None
        if recipe(name).by_gradient:
            kept = RunCheckpoints(client, broadcast(active.info.run_id))
        fitted = fit_and_test(name, split, pinned.seed, Path(scratch) / "recommender", library, kept, pinned.quick)
        log_run(pinned, name, split, fitted)
        if kept is not None:
            kept.clear()
    finished = client.get_run(active.info.run_id)
    log.info("trained", **summary(finished), seconds=round(sum(fitted.seconds.values()), 1))
    return summary(finished)


def unfinished_run(client: "MlflowClient", settings: Settings, training: str, name: str) -> str | None:
    """The newest unfinished run of a recipe by this code, or None; other unfinished runs are deleted.

    Args:
        client: of MLflow.
        settings: name the experiment.
        training: id of the training.
        name: of the recipe.
    """
    from ml.tracking.runs import training_runs

    found = None
    for run in training_runs(client, settings, training):
        if run.data.tags.get(f"{TAG}recipe") != name or run.info.status == "FINISHED":
            continue
        if found is None and run.data.tags.get(f"{TAG}code_version") == code_version():
            found = run.info.run_id
            log.info("resumes an interrupted run", recipe=name, run_id=found)
        else:
            client.delete_run(run.info.run_id)
            log.info("deletes an unfinished run", recipe=name, run_id=run.info.run_id)
    return found


def log_run(pinned: PinnedData, name: str, split: "Split", fitted: "Fitted") -> None:
    """Log parameters, data, metrics, plots and the model of the active run.

    Args:
        pinned: the pinned data of the training.
        name: of the recipe.
        split: the interactions and the queries.
        fitted: the model and its evaluations.
    """
    import mlflow

    from ml.evaluation import plots
    from ml.evaluation.query_table import write_queries
    from ml.tracking.datasets import log_data
    from ml.tracking.model_package import log_model

    mlflow.log_params(
        {
            **{f"recipe.{key}": value for key, value in fitted.model.settings.items()},
            "recipe": name,
            "seed": pinned.seed,
            "effort": pinned.effort,
            "train_until": str(pinned.train_until),
            "valid_days": pinned.valid_days,
            "fit_events": len(split.fit),
            "refit_events": len(split.refit),
            "users": split.refit.n_users,
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
    figures = {"ndcg_by_slice": plots.by_slice(fitted.test.metrics, name)}
    if any("loss" in row for row in fitted.epochs):
        figures["learning_curve"] = plots.learning_curve(fitted.epochs)
    for title, figure in figures.items():
        mlflow.log_figure(figure, f"plots/{title}.png")
        plots.close(figure)
    mlflow.log_artifact(str(write_queries(fitted.test, fitted.folder.parent)))  # for paired comparisons
    mlflow.set_tags({f"{TAG}model_uri": log_model(fitted.folder, fitted.digest, split.catalog), f"{TAG}digest": fitted.digest})


def summary(run: "Run") -> dict[str, Any]:
    """The headline metrics of a run."""
    figures = run.data.metrics
    return {
        "recipe": run.data.tags[f"{TAG}recipe"],
        "run_id": run.info.run_id,
        "validation_ndcg_at_10": round(figures["validation_ndcg_at_10"], 5),
        "test_ndcg_at_10": round(figures["test_ndcg_at_10"], 5),
        "test_hit_rate_at_10": round(figures["test_hit_rate_at_10"], 5),
    }
