"""The steps of :mod:`ml.train` for a recipe: fit, choose settings, refit, save, load, test."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.data.splits import Split
from ml.evaluation.evaluate import Evaluation, evaluate
from ml.models import build, load_recommender, recipe, save_recommender
from ml.models.base import FittedModels, Log, Recommender
from ml.models.checkpoints import Checkpoints
from schemas.runtime.cli import log


@dataclass
class Fitted:
    """A recipe's final model, as loaded from ``folder``, with its evaluations and timings."""

    model: Recommender
    folder: Path
    digest: str
    validation: Evaluation
    test: Evaluation
    epochs: list[dict[str, float]]
    """Metrics per epoch of the fit before the validation window."""
    refit_epochs: list[dict[str, float]]
    """Metrics per epoch of the refit."""
    seconds: dict[str, float]


def fit_and_test(
    name: str,
    split: Split,
    seed: int,
    folder: Path,
    library: FittedModels,
    kept: Checkpoints | None = None,
    quick: bool = False,
) -> Fitted:
    """Fit, choose settings by validation, refit, save, load and test; reproducible by ``seed`` on one kind of machine.

    Args:
        name: of the recipe.
        split: the interactions and the queries.
        seed: of everything random.
        folder: for the saved model.
        library: fitted models that recipes share.
        kept: stores the checkpoints of long fits.
        quick: whether to tune in a fraction of the time.
    """
    epochs, refit_epochs = Epochs(), Epochs()
    began = time.perf_counter()
    with recipe(name).ready(len(split.refit)):
        tuned = fit(name, split, seed, library, kept, epochs.log, quick)
        validation = evaluate(tuned, split.validation, split.catalog, split.fit.item_counts)
        fitted = time.perf_counter()
        final = refit(name, tuned.chosen, split, seed, library, kept, refit_epochs.log, quick)
    digest = save_recommender(final, split.catalog.item_ids, folder)
    refitted = time.perf_counter()
    model, _ = load_recommender(folder)
    test = evaluate(model, split.test, split.catalog, split.refit.item_counts)
    seconds = {
        "fit_seconds": fitted - began,
        "refit_seconds": refitted - fitted,
        "test_seconds": time.perf_counter() - refitted,
    }
    return Fitted(model, folder, digest, validation, test, epochs.rows, refit_epochs.rows, seconds)


def fit(
    name: str,
    split: Split,
    seed: int,
    library: FittedModels,
    kept: Checkpoints | None = None,
    log: Log | None = None,
    quick: bool = False,
) -> Recommender:
    """Fit a recipe on the interactions before the validation window, and choose its settings by validation.

    Args:
        name: of the recipe.
        split: the interactions and the queries.
        seed: of everything random.
        library: fitted models that recipes share.
        kept: stores the checkpoints of long fits.
        log: gets the metrics of each epoch.
        quick: whether to tune in a fraction of the time.
    """
    model = build(name, library)
    model.checkpoints, model.quick = kept and kept.of("fit"), quick
    return model.fit_once(split.fit, split.catalog, seed=seed, library=library, validation=split.validation, log=log)


def refit(
    name: str,
    chosen: dict[str, Any],
    split: Split,
    seed: int,
    library: FittedModels,
    kept: Checkpoints | None = None,
    log: Log | None = None,
    quick: bool = False,
) -> Recommender:
    """Fit a recipe with chosen settings on all interactions before the test.

    Args:
        name: of the recipe.
        chosen: its settings.
        split: the interactions and the queries.
        seed: of everything random.
        library: fitted models that recipes share.
        kept: stores the checkpoints of long fits.
        log: gets the metrics of each epoch.
        quick: whether to tune in a fraction of the time.
    """
    model = build(name, library, **chosen)
    model.checkpoints, model.quick = kept and kept.of("refit"), quick
    return model.fit_once(split.refit, split.catalog, seed=seed, library=library, log=log)


class Epochs:
    """Collects the metrics that a model logs, one row per epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def log(self, values: dict[str, float], epoch: int) -> None:
        if not self.rows or self.rows[-1]["epoch"] != epoch:
            self.rows.append({"epoch": float(epoch)})
        self.rows[-1] |= values
        log.info("epoch", epoch=epoch, **{name: round(value, 5) for name, value in values.items()})
