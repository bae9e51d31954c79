"""Choose a training's best recipe by validation, compare it with the champion, and register it with the evidence.

The choice uses validation NDCG@10 alone; on a tie the simpler recipe wins. The evidence compares the chosen model with every
baseline and with the champion on the same test cases, with 95 % paired bootstrap intervals over users.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ml.compute.threads import limit_threads
from ml.data.pinned_data import PinnedData
from ml.promotion.evidence import JUDGED_BY, gather
from ml.promotion.report import log_report
from ml.promotion.summary import links, markdown
from schemas.runtime.cli import log, parser_of, run_id_default
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings, get_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion


def choose(runs: dict[str, "Run"]) -> str:
    """The recipe with the best validation NDCG@10; on a tie the simplest wins."""
    from ml.models import recipe

    def merit(name: str) -> tuple[float, int]:
        return round(runs[name].data.metrics[f"validation_{JUDGED_BY}"], 9), -recipe(name).complexity

    return max(runs, key=merit)


def challenge(run: str) -> dict[str, Any]:
    """Register the best model of a training as ``@challenger``.

    Raises:
        ClickwrightError: the training has no finished run of popularity, the baseline of every comparison.
    """
    limit_threads()
    from ml.data.pinned_data import read_pin
    from ml.promotion.gate_records import withdraw_pass
    from ml.tracking.registry import by_alias, choose_version, newest_with
    from ml.tracking.runs import connect, finished_runs
    from ml.training import fitted_models
    from schemas.runtime.mlflow_rest import CHALLENGER, TAG

    settings, pinned = get_settings(), read_pin(run)
    client = connect(settings)
    runs = finished_runs(client, settings, pinned.training)
    if "popularity" not in runs:
        raise ClickwrightError(
            f"training {pinned.training} has no finished run of popularity (it has: {', '.join(sorted(runs)) or 'none'}); "
            "in MLflow; run `python -m ml.train` for it first"
        )
    fitted_models.remove(pinned)
    name = choose(runs)
    champion = by_alias(client, settings, "champion")
    version = newest_with(client, settings, "run_id", runs[name].info.run_id)
    if version is not None and champion is not None and version.version == champion.version:
        # Keep the evidence on which it was promoted: a comparison with itself would show no lead.
        evidence = json.loads(version.tags[f"{TAG}evidence"])
        log.info("the best model of this training is the champion already", version=version.version)
        choose_version(client, settings, pinned.training, str(version.version))
        return result(settings, str(version.version), evidence)
    evidence = gather(settings, pinned, runs, name, champion).model_dump(mode="json", exclude_unset=True)
    if version is None:
        version = register(client, settings, runs[name])
    tags = {
        "training": pinned.training,
        "run_id": runs[name].info.run_id,
        "recipe": name,
        "train_until": str(pinned.train_until),
        "snapshots": json.dumps(pinned.snapshots),
        "reads": json.dumps(pinned.reads),
        "code_version": runs[name].data.tags[f"{TAG}code_version"],
        "digest": runs[name].data.tags[f"{TAG}digest"],
        "evidence": json.dumps(evidence),
    }
    for key, value in tags.items():
        client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}{key}", value)
    withdraw_pass(settings, str(version.version))  # the gate judges the new evidence
    client.delete_model_version_tag(settings.registered_model, version.version, f"{TAG}gate")
    choose_version(client, settings, pinned.training, str(version.version))
    said = markdown(evidence) + "\n\n" + links(settings, str(version.version), evidence)
    client.update_model_version(settings.registered_model, version.version, description=said)
    client.set_registered_model_alias(settings.registered_model, CHALLENGER, version.version)
    keep(client, pinned, evidence)
    log_report(client, str(version.version), evidence)
    log.info("challenger", recipe=name, version=version.version)
    return result(settings, str(version.version), evidence)


def result(settings: Settings, version: str, evidence: dict[str, Any]) -> dict[str, Any]:
    """The result that the command prints and the approval shows.

    Args:
        settings: name the approvers and MLflow.
        version: number of the challenger.
        evidence: of the challenger.
    """
    return {
        "version": version,
        "recipe": evidence["recipe"],
        "run_id": evidence["run_id"],
        "training": evidence["training"],
        "approvers": settings.approver_names,
        "evidence": markdown(evidence) + "\n\n" + links(settings, version, evidence),
    }


def register(client: "MlflowClient", settings: Settings, run: "Run") -> "ModelVersion":
    """Register a run's model as a new version."""
    import mlflow

    from schemas.runtime.mlflow_rest import TAG

    tags = {f"{TAG}run_id": run.info.run_id}
    return mlflow.register_model(run.data.tags[f"{TAG}model_uri"], settings.registered_model, tags=tags)


def keep(client: "MlflowClient", pinned: PinnedData, evidence: dict[str, Any]) -> None:
    """Store the evidence and a plot, with the run and in the training's folder.

    Args:
        client: of MLflow.
        pinned: the pinned data of the training.
        evidence: of the challenger.
    """
    from ml.data.pinned_data import training_folder
    from ml.evaluation import plots

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
    folder: Path = training_folder(pinned.run)
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
    parser = parser_of(__doc__, "python -m ml.register_challenger --run spring")
    parser.add_argument("--run", default=run_id_default(), help="name of the training run, as given to ml.pin")
    return challenge(parser.parse_args(argv).run)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
