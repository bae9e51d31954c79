"""The checks of the promotion gate, and the messages of its refusals."""

import json
from typing import TYPE_CHECKING, Any

from ml.promotion.conditions import AGAIN, conditions
from schemas.runtime.errors import Refused
from schemas.runtime.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

NO_CHAMPION = "none"
"""Stands for the champion's version before the first promotion."""


def refuse(version: str, why: str, remedy: str) -> Refused:
    """The error for a refused version.

    Args:
        version: its number.
        why: the reason.
        remedy: the action to take.

    >>> str(refuse("5", "it has no signature", "train again"))
    'version 5 is refused: it has no signature; in the model registry; train again'
    """
    return Refused(f"version {version} is refused: {why}; in the model registry; {remedy}")


def judge(version: str, evidence: dict[str, Any], champion: str | None, champion_digest: str | None) -> dict[str, Any]:
    """Judge a challenger by its evidence alone; returns the leads with which it passes.

    Args:
        version: the challenger's version.
        evidence: of :mod:`ml.register_challenger`.
        champion: the present champion's version, None without one.
        champion_digest: digest of the champion's model.

    Raises:
        Refused: names the condition that fails.
    """
    for condition in conditions(version, evidence, champion, champion_digest):
        if condition.broken:
            raise refuse(version, condition.broken, condition.remedy)
    rival = evidence["champion"]
    return {"popularity": evidence["models"]["popularity"]["lead"], "champion": None if rival is None else rival["lead"]}


def evidence_of(version: "ModelVersion") -> dict[str, Any]:
    """The evidence of a version, from its tag.

    Raises:
        Refused: the version has no evidence, or it cannot be read.
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


def inspect(
    client: "MlflowClient", settings: Settings, version: "ModelVersion", evidence: dict[str, Any], seed: int
) -> dict[str, float]:
    """Check the registered model against its evidence, and run the smoke test; returns the test's measurements.

    Args:
        client: of MLflow.
        settings: name the registered model, and limit its size and time.
        version: the challenger.
        evidence: of the challenger.
        seed: of the smoke test.

    Raises:
        Refused: run, signature, input example or a snapshot is missing, the model's files are not those that were
            tested, or the model fails the smoke test.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.models import get_model_info

    from ml.promotion.smoke_test import smoke
    from ml.tracking.erasure_tag import ERASURE_DUE
    from ml.tracking.registry import download, tags_of
    from schemas.runtime.local_files import digest

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
    # An erasure deletes the snapshots that hold the user; such a version is marked, and a warning is logged instead.
    for table, snapshot in {} if ERASURE_DUE in tags else (evidence.get("snapshots") or {}).items():
        if not _exists(table, snapshot):
            raise refuse(number, f"snapshot {snapshot} of {table}, which it was trained on, is gone", "train again")
    try:
        return smoke(folder, settings, seed)
    except ValueError as error:
        raise refuse(number, f"in the smoke test {error}", "check the model, or change the limit") from error


def _exists(table: str, snapshot: int) -> bool:
    from schemas.lake.lake import open_lake

    lake = open_lake()
    return lake.exists(table) and lake.table(table).snapshot_by_id(snapshot) is not None
