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

from ml.compute.threads import share_the_machine
from ml.promotion.evidence import JUDGED_BY, gather
from ml.promotion.report import FILE, log_report
from schemas.publishing.staging import write_atomically
from schemas.runtime.cli import log, run_id_default
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings, get_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion


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
    from ml.tracking.registry import CHALLENGER, TAG, by_alias, choose_version, connect, finished_runs, newest_with

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
    evidence = gather(settings, pinned, runs, name, champion)
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
    said = markdown(evidence) + "\n\n" + links(settings, str(version.version), evidence)
    client.update_model_version(settings.registered_model, version.version, description=said)
    client.set_registered_model_alias(settings.registered_model, CHALLENGER, version.version)
    keep(client, pinned, evidence)
    log_report(client, str(version.version), evidence)
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
    """Where a person looks further: the report, the run, and the version, in MLflow."""
    if not settings.mlflow_tracking_uri.startswith("http"):
        return f"Run {evidence['run_id']}, version {version}."
    where = settings.mlflow_tracking_uri.rstrip("/") + "/#"
    run = f"{where}/experiments/{evidence['experiment_id']}/runs/{evidence['run_id']}"
    return (
        f"In MLflow: [the report]({run}/artifacts/{FILE}) · [the run]({run}) · "
        f"[version {version}]({where}/models/{settings.registered_model}/versions/{version})"
    )


def register(client: "MlflowClient", settings: Settings, run: "Run") -> "ModelVersion":
    """A new version for a run's model."""
    import mlflow

    from ml.tracking.registry import TAG

    tags = {f"{TAG}run_id": run.info.run_id}
    return mlflow.register_model(run.data.tags[f"{TAG}model_uri"], settings.registered_model, tags=tags)


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
    from ml.evaluation import plots
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
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
