"""Choose a training's best recipe by validation, put it before the present champion, and register it with the evidence.

The choice looks at validation NDCG@10 alone; between equals the simpler recipe wins. The evidence is the chosen model
on the test cases against every baseline and against the champion on the same cases, with 95 % paired bootstrap intervals
over users.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml.threads import share_the_machine
from schemas.cli import log, run_id_default
from schemas.errors import ClickwrightError
from schemas.settings import Settings, get_settings
from schemas.staging import write_atomically

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from ml.evaluate import Evaluation

JUDGED_BY = "ndcg_at_10"
SHOWN = (
    "ndcg_at_10",
    "hit_rate_at_10",
    "mrr_at_10",
    "recall_at_10",
    "coverage_at_10",
    "diversity_at_10",
    "novelty_at_10",
)


def choose(runs: dict[str, "Run"]) -> str:
    """The recipe with the best validation NDCG@10; equal ones are decided for the simpler."""
    from ml.models import recipe

    def merit(name: str) -> tuple[float, int]:
        return round(runs[name].data.metrics[f"validation_{JUDGED_BY}"], 9), -recipe(name).complexity

    return max(runs, key=merit)


def challenge(run: str) -> dict[str, Any]:
    """Register the best model of a training as ``@challenger``.

    Raises:
        ClickwrightError: the training has no finished run, or none of popularity, which everything is measured against.
    """
    share_the_machine()
    from ml.pin import read_pin
    from ml.registry import CHALLENGER, TAG, by_alias, choose_version, connect, finished_runs, newest_with

    settings, pinned = get_settings(), read_pin(run)
    client = connect(settings)
    runs = finished_runs(client, settings, pinned["training"])
    if "popularity" not in runs:
        raise ClickwrightError(
            f"training {pinned['training']} has no finished run of popularity (it has: {', '.join(sorted(runs)) or 'none'}); "
            "in MLflow; run `python -m ml.train` for it first"
        )
    name = choose(runs)
    champion = by_alias(client, settings, "champion")
    version = newest_with(client, settings, "run_id", runs[name].info.run_id)
    if version is not None and champion is not None and version.version == champion.version:
        # What it was promoted on stays its evidence; beside itself it would look like nobody.
        evidence = json.loads(version.tags[f"{TAG}evidence"])
        log.info("the best model of this training is the champion already", version=version.version)
        choose_version(client, settings, pinned["training"], str(version.version))
        return result(settings, str(version.version), evidence)
    evidence = gather(client, settings, pinned, runs, name, champion)
    if version is None:
        version = register(client, settings, runs[name])
    tags = {
        "training": pinned["training"],
        "run_id": runs[name].info.run_id,
        "recipe": name,
        "train_until": pinned["train_until"],
        "snapshots": json.dumps(pinned["snapshots"]),
        "reads": json.dumps(pinned.get("reads", {})),
        "code_version": runs[name].data.tags[f"{TAG}code_version"],
        "digest": runs[name].data.tags[f"{TAG}digest"],
        "evidence": json.dumps(evidence),
    }
    for key, value in tags.items():
        client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}{key}", value)
    client.delete_model_version_tag(settings.registered_model, version.version, f"{TAG}gate")
    choose_version(client, settings, pinned["training"], str(version.version))
    client.update_model_version(settings.registered_model, version.version, description=markdown(evidence))
    client.set_registered_model_alias(settings.registered_model, CHALLENGER, version.version)
    keep(client, pinned, evidence)
    log.info("challenger", recipe=name, version=version.version)
    return result(settings, str(version.version), evidence)


def result(settings: Settings, version: str, evidence: dict[str, Any]) -> dict[str, Any]:
    """What the command prints, and what the approval shows."""
    return {
        "version": version,
        "recipe": evidence["recipe"],
        "run_id": evidence["run_id"],
        "training": evidence["training"],
        "approvers": settings.approver_names,
        "evidence": markdown(evidence) + "\n\n" + links(settings, version, evidence),
    }


def links(settings: Settings, version: str, evidence: dict[str, Any]) -> str:
    """Where a person looks further: the run with its plots, and the version, in MLflow."""
    if not settings.mlflow_tracking_uri.startswith("http"):
        return f"Run {evidence['run_id']}, version {version}."
    where = settings.mlflow_tracking_uri.rstrip("/") + "/#"
    run = f"{where}/experiments/{evidence['experiment_id']}/runs/{evidence['run_id']}"
    return f"In MLflow: [the run]({run}) · [version {version}]({where}/models/{settings.registered_model}/versions/{version})"


def register(client: "MlflowClient", settings: Settings, run: "Run") -> "ModelVersion":
    """A new version for a run's model."""
    import mlflow

    from ml.registry import TAG

    tags = {f"{TAG}run_id": run.info.run_id}
    return mlflow.register_model(run.data.tags[f"{TAG}model_uri"], settings.registered_model, tags=tags)


def gather(
    client: "MlflowClient",
    settings: Settings,
    pinned: dict[str, Any],
    runs: dict[str, "Run"],
    name: str,
    champion: "ModelVersion | None",
) -> dict[str, Any]:
    """The evidence for ``name``: all that a gate, a person, or a reader a year later needs to judge it."""
    from ml.registry import TAG

    own = test_questions(runs[name])

    def lead(theirs: "Evaluation") -> dict[str, Any]:
        return lead_over(own, theirs, pinned["seed"])

    models = {
        other: {
            "run_id": run.info.run_id,
            "validation": chosen_metrics(run.data.metrics, "validation_"),
            "test": chosen_metrics(run.data.metrics, "test_"),
            "lead": None if other == name else lead(test_questions(run)),
        }
        for other, run in runs.items()
    }
    against = None
    if champion is not None:
        test, seen_until = evaluate_champion(settings, pinned, champion)
        against = {
            "version": str(champion.version),
            "recipe": champion.tags.get(f"{TAG}recipe", "unknown"),
            "digest": champion.tags.get(f"{TAG}digest", ""),
            "train_until": seen_until,
            "test": chosen_metrics(test.metrics, ""),
            "lead": lead(test),
        }
    run = runs[name]
    return {
        "recipe": name,
        "run_id": run.info.run_id,
        "experiment_id": run.info.experiment_id,
        "digest": run.data.tags[f"{TAG}digest"],
        "training": pinned["training"],
        "train_until": pinned["train_until"],
        "valid_days": pinned["valid_days"],
        "snapshots": pinned["snapshots"],
        "code_version": run.data.tags[f"{TAG}code_version"],
        "cases": int(run.data.metrics["test_cases"]),
        "users": int(run.data.metrics["test_users"]),
        "models": models,
        "champion": against,
    }


def chosen_metrics(metrics: dict[str, float], prefix: str) -> dict[str, float]:
    """The measures that evidence shows, without their prefix."""
    return {key: metrics[f"{prefix}{key}"] for key in SHOWN if f"{prefix}{key}" in metrics}


def test_questions(run: "Run") -> "Evaluation":
    """What a run noted of each question of its test, in the order of the pinned data.

    Raises:
        ClickwrightError: it noted nothing.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    from ml.question_table import FILE, read_questions

    try:
        return read_questions(Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/{FILE}")))
    except (MlflowException, OSError) as error:
        raise ClickwrightError(
            f"run {run.info.run_id} has no {FILE}; in MLflow; train that recipe again (it was trained by code from before)"
        ) from error


def lead_over(own: "Evaluation", theirs: "Evaluation", seed: int) -> dict[str, Any]:
    """The lead in NDCG@10 with its interval, over all questions and in each segment that is asked."""
    from ml.evaluate import interval
    from ml.segments import PROTECTED

    def lead(segment: str | None = None) -> dict[str, float]:
        found = interval([own], [theirs], seed=seed, segment=segment)
        return {"difference": found.pop("mean"), **found}

    return {**lead(), "segments": {name: lead(name) for name in PROTECTED if own.segments[name].any()}}


def evaluate_champion(settings: Settings, pinned: dict[str, Any], champion: "ModelVersion") -> tuple["Evaluation", str | None]:
    """The champion on this training's test cases, asked in its own vocabulary; and the day until which it was fitted."""
    from ml.cases import in_vocabulary
    from ml.evaluate import evaluate
    from ml.registry import TAG, load_version
    from ml.splits import read_split
    from schemas.lake import open_lake

    split = read_split(open_lake(), pinned)
    model, item_ids = load_version(settings, champion)
    own, cases = in_vocabulary(item_ids, split.catalog, split.test)
    places = [split.catalog.index.get(item) for item in item_ids]
    counts = np.array([0 if place is None else split.refit.met[place] for place in places], dtype=np.int64)
    return evaluate(model, cases, own, counts), champion.tags.get(f"{TAG}train_until")


def markdown(evidence: dict[str, Any]) -> str:
    """The evidence as a table for people, best by validation first."""
    lines = [
        f"**{evidence['recipe']}**, fitted on what was known before {evidence['train_until']}, tested on the "
        f"{evidence['cases']} next events of {evidence['users']} users after it.",
        "",
        "| model | validation NDCG@10 | test NDCG@10 | test hit rate@10 | lead of the challenger in NDCG@10 (95 % interval) |",
        "|---|---|---|---|---|",
    ]
    models = evidence["models"]
    for name in sorted(models, key=lambda n: -models[n]["validation"][JUDGED_BY]):
        row = models[name]
        shown = f"**{name}**" if name == evidence["recipe"] else name
        lines.append(_row(shown, f"{row['validation'][JUDGED_BY]:.4f}", row["test"], row["lead"]))
    champion = evidence["champion"]
    if champion is not None:
        shown = f"champion: version {champion['version']}, {champion['recipe']}"
        lines.append(_row(shown, "", champion["test"], champion["lead"]))
    lines += by_segment(evidence)
    lines += ["", "There is no champion yet."] if champion is None else [""]
    lines.append(f"Code {evidence['code_version']}; snapshots {json.dumps(evidence['snapshots'])}.")
    return "\n".join(lines)


def by_segment(evidence: dict[str, Any]) -> list[str]:
    """The lead over the champion, or over popularity, for each segment: where it is won, and where it is paid for."""
    champion = evidence["champion"]
    name, rival = ("popularity", evidence["models"]["popularity"]) if champion is None else ("the champion", champion)
    if rival["lead"] is None:
        return []
    segments = rival["lead"].get("segments", {}).items()
    rows = [f"| {segment.replace('_', ' ')} | {lead['users']:.0f} | {_ahead(lead)} |" for segment, lead in segments]
    return ["", f"| test questions | users | lead over {name} in NDCG@10 |", "|---|---|---|", *rows] if rows else []


def _ahead(lead: dict[str, float]) -> str:
    return f"{lead['difference']:+.4f} ({lead['low']:+.4f} to {lead['high']:+.4f})"


def _row(name: str, validation: str, test: dict[str, float], lead: dict[str, float] | None) -> str:
    ahead = "" if lead is None else _ahead(lead)
    return f"| {name} | {validation} | {test[JUDGED_BY]:.4f} | {test['hit_rate_at_10']:.4f} | {ahead} |"


def keep(client: "MlflowClient", pinned: dict[str, Any], evidence: dict[str, Any]) -> None:
    """Leave the evidence with the run and in the training's folder, with a picture."""
    from ml import plots
    from ml.pin import training_folder

    rows = [
        {"name": name, "validation": row["validation"][JUDGED_BY], "test": row["test"][JUDGED_BY]}
        for name, row in evidence["models"].items()
    ]
    if evidence["champion"] is not None:
        champion = evidence["champion"]
        rows.append(
            {
                "name": f"champion (version {champion['version']})",
                "validation": None,
                "test": champion["test"][JUDGED_BY],
            }
        )
    folder: Path = training_folder(pinned["run"])
    write_atomically(folder / "evidence.json", json.dumps(evidence, indent=1) + "\n")
    write_atomically(folder / "evidence.md", markdown(evidence) + "\n")
    figure = plots.comparison(rows, evidence["recipe"])
    figure.savefig(folder / "comparison.png")
    client.log_figure(evidence["run_id"], figure, "plots/comparison.png")
    plots.close(figure)
    client.log_artifact(evidence["run_id"], str(folder / "evidence.json"))
    client.log_artifact(evidence["run_id"], str(folder / "evidence.md"))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Register the best model of a training as @challenger, with its evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=run_id_default(), help="name of the training run, as given to ml.pin")
    return challenge(parser.parse_args(argv).run)


if __name__ == "__main__":
    from schemas.cli import run_command

    raise SystemExit(run_command(main))
