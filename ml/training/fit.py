"""A recipe on a split: fit and decide, refit, save, load, test. What :mod:`ml.train` does to each of them."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.data.splits import Split
from ml.evaluation.evaluate import Evaluation, evaluate
from ml.models import build, load_recommender, save_recommender
from ml.models.base import Library, Log, Recommender
from ml.models.checkpoints import Checkpoints
from schemas.runtime.cli import log


@dataclass
class Fitted:
    """A recipe's final model, as loaded from ``folder``, and what was measured on the way."""

    model: Recommender
    folder: Path
    digest: str
    validation: Evaluation
    test: Evaluation
    epochs: list[dict[str, float]]
    """What the fit before the validation window said of itself."""
    refit_epochs: list[dict[str, float]]
    seconds: dict[str, float]


def fit_and_test(name: str, split: Split, seed: int, folder: Path, library: Library, kept: Checkpoints | None = None) -> Fitted:
    """Fit, decide by validation, refit, save to ``folder``, load, test. Deterministic by ``seed`` on one kind of machine.

    Args:
        kept: where fits that take long keep their progress.
    """
    epochs, refit_epochs = Epochs(), Epochs()
    began = time.perf_counter()
    tuned = fit(name, split, seed, library, kept, epochs.log)
    validation = evaluate(tuned, split.validation, split.catalog, split.fit.met)
    fitted = time.perf_counter()
    final = refit(name, tuned.chosen, split, seed, library, kept, refit_epochs.log)
    digest = save_recommender(final, split.catalog.item_ids, folder)
    refitted = time.perf_counter()
    model, _ = load_recommender(folder)
    test = evaluate(model, split.test, split.catalog, split.refit.met)
    seconds = {
        "fit_seconds": fitted - began,
        "refit_seconds": refitted - fitted,
        "test_seconds": time.perf_counter() - refitted,
    }
    return Fitted(model, folder, digest, validation, test, epochs.rows, refit_epochs.rows, seconds)


def fit(
    name: str, split: Split, seed: int, library: Library, kept: Checkpoints | None = None, log: Log | None = None
) -> Recommender:
    """A recipe fitted before the validation window, its settings decided by it."""
    model = build(name, library)
    model.checkpoints = kept and kept.of("fit")
    return model.fit_once(split.fit, split.catalog, seed=seed, library=library, validation=split.validation, log=log)


def refit(
    name: str,
    chosen: dict[str, Any],
    split: Split,
    seed: int,
    library: Library,
    kept: Checkpoints | None = None,
    log: Log | None = None,
) -> Recommender:
    """A recipe with its settings, fitted on everything before the test."""
    model = build(name, library, **chosen)
    model.checkpoints = kept and kept.of("refit")
    return model.fit_once(split.refit, split.catalog, seed=seed, library=library, log=log)


class Epochs:
    """Collects what a model logs: one row an epoch."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def log(self, values: dict[str, float], epoch: int) -> None:
        if not self.rows or self.rows[-1]["epoch"] != epoch:
            self.rows.append({"epoch": float(epoch)})
        self.rows[-1] |= values
        log.info("epoch", epoch=epoch, **{name: round(value, 5) for name, value in values.items()})
