"""The evidence for a challenger: every recipe of its training and the champion, measured on the same test queries.

The evidence is all that the gate, a person, or a later reader needs to judge the version. It is stored with it as JSON.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.data.pinned_data import PinnedData
from ml.promotion.evidence_types import Evidence
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from ml.evaluation.evaluate import Evaluation

JUDGED_BY = "ndcg_at_10"
BY_QUERY = ("ndcg", "hit_rate", "mrr")
"""Metrics with an interval; if a query has one right item, recall equals the hit rate."""
OF_LISTS = ("coverage", "diversity", "novelty", "popularity_bias", "personalisation", "exposure_gap")
CATEGORY = "category: "


def gather(
    settings: Settings, pinned: PinnedData, runs: dict[str, "Run"], name: str, champion: "ModelVersion | None"
) -> Evidence:
    """The evidence for a recipe, against the other recipes and the champion.

    Args:
        settings: for MLflow and the lake.
        pinned: the pinned data of the training.
        runs: the finished run of each recipe.
        name: the chosen recipe.
        champion: the present champion, None without one.
    """
    from schemas.runtime.mlflow_rest import TAG

    seed, tested = pinned.seed, {other: test_queries(run) for other, run in runs.items()}
    own = tested[name]
    models = {
        other: {
            "run_id": run.info.run_id,
            "validation": chosen_metrics(run.data.metrics, "validation_"),
            **of_test(tested[other], chosen_metrics(run.data.metrics, "test_"), seed),
            "lead": None if other == name else lead_over(own, tested[other], seed),
        }
        for other, run in runs.items()
    }
    against, rival = None, tested["popularity"]
    if champion is not None:
        rival, seen_until = evaluate_champion(settings, pinned, champion)
        against = {
            "version": str(champion.version),
            "recipe": champion.tags.get(f"{TAG}recipe", "unknown"),
            "digest": champion.tags.get(f"{TAG}digest", ""),
            "train_until": seen_until,
            **of_test(rival, chosen_metrics(rival.metrics, ""), seed),
            "lead": lead_over(own, rival, seed),
        }
    run = runs[name]
    found = {
        "recipe": name,
        "run_id": run.info.run_id,
        "experiment_id": run.info.experiment_id,
        "digest": run.data.tags[f"{TAG}digest"],
        "training": pinned.training,
        "train_until": str(pinned.train_until),
        "valid_days": pinned.valid_days,
        "seed": seed,
        "snapshots": pinned.snapshots,
        "encoder": pinned.encoder,
        "code_version": run.data.tags[f"{TAG}code_version"],
        "cases": int(run.data.metrics["test_cases"]),
        "users": int(run.data.metrics["test_users"]),
        "models": models,
        "champion": against,
        "categories": {
            slice_name.removeprefix(CATEGORY): lead_in(slice_name, own, rival, seed)
            for slice_name in own.slices
            if slice_name.startswith(CATEGORY)
        },
    }
    return Evidence.model_validate(found)


def chosen_metrics(metrics: dict[str, float], prefix: str) -> dict[str, float]:
    """The metrics that evidence shows, without their prefix.

    Args:
        metrics: of a run.
        prefix: of the wanted metrics.

    >>> chosen_metrics({"test_ndcg_at_10": 0.2, "test_cases": 9.0}, "test_")
    {'ndcg_at_10': 0.2}
    """
    shown = [*(f"{name}_at_10" for name in (*BY_QUERY, *OF_LISTS)), *exposure_metrics()]
    return {key: metrics[f"{prefix}{key}"] for key in shown if f"{prefix}{key}" in metrics}


def exposure_metrics() -> list[str]:
    """Names of the metrics of each item group's share of the exposure, and of the right items."""
    from ml.evaluation.slices import ITEM_GROUPS

    return [*(f"exposure_{group}_at_10" for group in ITEM_GROUPS), *(f"answers_{group}" for group in ITEM_GROUPS)]


def of_test(found: "Evaluation", metrics: dict[str, float], seed: int) -> dict[str, Any]:
    """The test results of a model: ``test`` metrics, ``intervals`` (95 %, low and high) and ``calibration``.

    Args:
        found: the model's evaluation on the test.
        metrics: its metrics that evidence shows.
        seed: of the bootstrap.
    """
    from ml.evaluation.evaluate import interval

    bounds = {name: interval([found], seed=seed, measure=name) for name in BY_QUERY}
    return {
        "test": metrics,
        "intervals": {f"{name}_at_{found.k}": [bound["low"], bound["high"]] for name, bound in bounds.items()},
        "calibration": calibration(found),
    }


def calibration(found: "Evaluation") -> dict[str, Any] | None:
    """Predicted hit probabilities against the observed hit rate; None if the model predicts none.

    ``bins`` are rows of mean probability, share of queries with a hit, and number of queries; ``error`` is the expected
    calibration error over them. Every query has the same weight.
    """
    from ml.metrics import calibration_error, reliability

    if found.predicted_hit_probability is None or not len(found.predicted_hit_probability):
        return None
    hits = found.by_query["hit_rate"]
    return {
        "bins": reliability(hits, found.predicted_hit_probability).tolist(),
        "error": calibration_error(hits, found.predicted_hit_probability),
    }


def test_queries(run: "Run") -> "Evaluation":
    """The results of a run for each test query, in the order of the pinned data.

    Raises:
        ClickwrightError: the run has no such results.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    from ml.evaluation.query_table import FILE, read_queries

    try:
        return read_queries(Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/{FILE}")))
    except (MlflowException, OSError) as error:
        raise ClickwrightError(
            f"run {run.info.run_id} has no {FILE}; in MLflow; train that recipe again (older code trained it)"
        ) from error


def lead_over(own: "Evaluation", theirs: "Evaluation", seed: int) -> dict[str, Any]:
    """The lead in NDCG@10 with its interval, over all queries and in each protected slice with queries.

    Args:
        own: evaluation of the challenger.
        theirs: evaluation of the other model.
        seed: of the bootstrap.
    """
    from ml.evaluation.slices import PROTECTED

    slices = {name: lead_in(name, own, theirs, seed) for name in PROTECTED if own.slices[name].any()}
    return {**lead_in(None, own, theirs, seed), "slices": slices}


def lead_in(slice_name: str | None, own: "Evaluation", theirs: "Evaluation", seed: int) -> dict[str, float]:
    """The lead in one slice, or over all queries: ``difference``, ``low``, ``high``, ``users``, ``queries``.

    Args:
        slice_name: its name; None for all queries.
        own: evaluation of the challenger.
        theirs: evaluation of the other model.
        seed: of the bootstrap.
    """
    from ml.evaluation.evaluate import interval

    found = interval([own], [theirs], seed=seed, slice_name=slice_name)
    asked = len(own.user) if slice_name is None else int(own.slices[slice_name].sum())
    return {"difference": found.pop("mean"), **found, "queries": asked}


def evaluate_champion(settings: Settings, pinned: PinnedData, champion: "ModelVersion") -> tuple["Evaluation", str | None]:
    """Evaluate the champion on a training's test cases, within its own vocabulary.

    Args:
        settings: for MLflow.
        pinned: the pinned data of the training.
        champion: the present champion.

    Returns:
        The evaluation, and the day until which the champion was fitted (None if unknown).
    """
    from ml.data.cases import in_vocabulary
    from ml.data.splits import read_split
    from ml.evaluation.evaluate import evaluate
    from ml.tracking.registry import load_version
    from schemas.lake.lake import open_lake
    from schemas.runtime.mlflow_rest import TAG

    split = read_split(open_lake(), pinned)
    model, item_ids = load_version(settings, champion)
    own, cases = in_vocabulary(item_ids, split.catalog, split.test)
    places = [split.catalog.index.get(item) for item in item_ids]
    counts = np.array([0 if place is None else split.refit.item_counts[place] for place in places], dtype=np.int64)
    return evaluate(model, cases, own, counts), champion.tags.get(f"{TAG}train_until")
