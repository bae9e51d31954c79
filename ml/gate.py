"""The gate before a promotion: refuses a challenger whose evidence is missing or not better.

A challenger must carry its evidence whole, must be the very model that was tested, on data that still exist, and must recommend
when it is tried. It must beat popularity and the present champion in NDCG@10 on the same test questions. Where it is surely
worse, than another baseline, or in a protected segment than the champion, it is refused; before there is a champion, popularity
is the rival in segments, but for new users, who get that anyway. That a lead is sure is not required: with few users intervals
are wide, they are shown, and a person decides after this.
"""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ml.promotion.conditions import AGAIN, conditions
from schemas.runtime.cli import log, run_id_default
from schemas.runtime.errors import NothingToDo, Refused
from schemas.runtime.settings import Settings, get_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

NOBODY = "none"


def refuse(version: str, why: str, remedy: str) -> Refused:
    return Refused(f"version {version} is refused: {why}; in the model registry; {remedy}")


def judge(version: str, evidence: dict[str, Any], champion: str | None, champion_digest: str | None) -> dict[str, Any]:
    """The gate's reasoning on evidence alone; returns the leads that let it pass.

    Args:
        version: the challenger's version.
        evidence: what :mod:`ml.register_challenger` gathered.
        champion: the version that is champion now, None when there is none.
        champion_digest: the digest of its model.

    Raises:
        Refused: with the piece that is missing or not better.
    """
    for condition in conditions(version, evidence, champion, champion_digest):
        if condition.broken:
            raise refuse(version, condition.broken, condition.remedy)
    rival = evidence["champion"]
    return {"popularity": evidence["models"]["popularity"]["lead"], "champion": None if rival is None else rival["lead"]}


def evidence_of(version: "ModelVersion") -> dict[str, Any]:
    """What a version carries as its evidence.

    Raises:
        Refused: it carries none, or none that can be read.
    """
    from ml.tracking.registry import tags_of

    number, text = str(version.version), tags_of(version).get("evidence")
    if not text:
        raise refuse(number, "it has no evidence", AGAIN)
    try:
        evidence: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError:
        raise refuse(number, "its evidence cannot be read", AGAIN) from None
    return evidence


def add_verdict(client: "MlflowClient", version: "ModelVersion", evidence: dict[str, Any], verdict: dict[str, Any]) -> None:
    """Say in the report what the gate said.

    Where a run is gone, or the evidence lacks what is to be shown, it stays as it is: that is no reason to judge otherwise.
    """
    from jinja2 import TemplateError
    from mlflow.exceptions import MlflowException

    from ml.promotion.report import log_report

    try:
        log_report(client, str(version.version), evidence, verdict)
    except (MlflowException, TemplateError, LookupError, TypeError) as error:
        log.warning("the report was left as it is", version=version.version, reason=repr(error))


def inspect(
    client: "MlflowClient", settings: Settings, version: "ModelVersion", evidence: dict[str, Any], seed: int
) -> dict[str, float]:
    """What a version needs, once the registered model has turned out to be the one that its evidence speaks of.

    Raises:
        Refused: run, signature, input example or a snapshot is missing, the model's files are not those that were
            tested, or it does not do what the nightly run needs.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.models import get_model_info

    from ml.mark_erased import ERASURE_DUE
    from ml.models import digest
    from ml.promotion.smoke_test import smoke
    from ml.tracking.registry import download, tags_of

    number, tags = str(version.version), tags_of(version)
    try:
        run = client.get_run(evidence.get("run_id", ""))
    except MlflowException:
        raise refuse(number, "the run that its evidence names is gone", "train again") from None
    if run.info.status != "FINISHED" or run.info.lifecycle_stage != "active":
        raise refuse(number, f"its run {run.info.run_id} is not finished", "train again")
    uri = f"models:/{settings.registered_model}/{number}"
    info = get_model_info(uri)
    if info.signature is None:
        raise refuse(number, "it has no signature", "train again")
    if info.saved_input_example_info is None:
        raise refuse(number, "it has no input example", "train again")
    folder = download(uri)
    if digest(folder) != evidence.get("digest"):
        raise refuse(number, "its files are not those that were tested", "train again")
    # An erasure takes the snapshots with the person in them away: that version is marked, and a warning says so.
    for table, snapshot in {} if ERASURE_DUE in tags else (evidence.get("snapshots") or {}).items():
        if not _exists(table, snapshot):
            raise refuse(number, f"snapshot {snapshot} of {table}, which it was trained on, is gone", "train again")
    try:
        return smoke(folder, settings, seed)
    except ValueError as error:
        raise refuse(number, f"tried as the nightly run will use it, {error}", "look at the model, or at the limit") from error


def _exists(table: str, snapshot: int) -> bool:
    from schemas.lake.lake import open_lake

    lake = open_lake()
    return lake.exists(table) and lake.table(table).snapshot_by_id(snapshot) is not None


def gate(run: str) -> dict[str, Any]:
    """Judge the challenger of a training; a pass is noted on the version, with the champion that it was measured against.

    A refusal takes an earlier pass back.

    Raises:
        Refused: it must not be promoted.
        NothingToDo: it was promoted already.
    """
    from ml.mark_erased import warn_of
    from ml.pin import read_pin
    from ml.tracking.registry import CHAMPION, TAG, by_alias, connect, of_training, tags_of

    settings, pinned = get_settings(), read_pin(run)
    client = connect(settings)
    version = of_training(client, settings, pinned["training"])
    if version is None:
        raise Refused(
            f"training {pinned['training']} has no challenger; in the model registry; "
            "run `python -m ml.register_challenger` for it first"
        )
    champion = by_alias(client, settings, CHAMPION)
    if champion is not None and champion.version == version.version:
        raise NothingToDo(
            f"version {version.version} is the champion already; in the model registry; there is nothing to promote"
        )
    evidence: dict[str, Any] = {}
    try:
        evidence = evidence_of(version)
        needs = inspect(client, settings, version, evidence, pinned["seed"])
        leads = judge(
            str(version.version),
            evidence,
            None if champion is None else str(champion.version),
            None if champion is None else tags_of(champion).get("digest"),
        )
    except Refused as refusal:
        client.delete_model_version_tag(settings.registered_model, version.version, f"{TAG}gate")  # it may have passed before
        add_verdict(client, version, evidence, {"refused": str(refusal)})
        raise
    add_verdict(client, version, evidence, {"refused": None, **needs})
    measured = NOBODY if champion is None else str(champion.version)
    client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}gate_champion", measured)
    client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}gate", "passed")
    log.info("passed the gate", version=version.version, champion=measured)
    return {
        "version": str(version.version),
        "recipe": tags_of(version)["recipe"],
        "champion": measured,
        "leads": leads,
        **needs,
        **warn_of(str(version.version), tags_of(version)),
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Refuse a training's challenger unless it beats popularity and the champion."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default=run_id_default(), help="name of the training run, as given to ml.pin")
    return gate(parser.parse_args(argv).run)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
