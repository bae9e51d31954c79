"""The gate before a promotion: refuses a challenger whose evidence is missing or not better.

A challenger must carry its evidence whole, must be the very model that was tested, on data that still exist, and must recommend
when it is tried. It must beat popularity and the present champion in NDCG@10 on the same test questions. Where it is surely
worse, than another baseline, or than the champion in a protected segment, it is refused. That a lead is sure is not required:
with few users intervals are wide, they are shown, and a person decides after this.
"""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.cli import log, run_id_default
from schemas.errors import Refused
from schemas.settings import Settings, get_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PIECES = (
    "recipe",
    "run_id",
    "digest",
    "train_until",
    "snapshots",
    "code_version",
    "cases",
    "users",
    "models",
    "champion",
)
NOBODY = "none"
MARGIN = 0.01
"""So much NDCG@10 may be lost in a protected segment."""
FEWEST_USERS = 10
"""With fewer a segment decides nothing."""


def refuse(version: str, why: str, remedy: str) -> Refused:
    return Refused(f"version {version} is refused: {why}; in the model registry; {remedy}")


def judge(version: str, evidence: dict[str, Any], champion: str | None, champion_digest: str | None) -> dict[str, Any]:
    """The gate's reasoning on evidence alone; returns the leads that let it pass.

    Args:
        version: the challenger's version.
        evidence: what :mod:`ml.challenge` gathered.
        champion: the version that is champion now, None when there is none.
        champion_digest: the digest of its model.

    Raises:
        Refused: with the piece that is missing or not better.
    """
    again = "run `python -m ml.challenge` for its training again"
    for piece in PIECES:
        if piece not in evidence or (evidence[piece] in (None, "", {}) and piece != "champion"):
            raise refuse(version, f"its evidence lacks {piece}", again)
    if champion is not None and (champion == version or champion_digest == evidence["digest"]):
        same = "it is the champion" if champion == version else f"it is the same model as the champion, version {champion}"
        raise refuse(version, same, "there is nothing to promote")
    if evidence["recipe"] == "popularity":
        raise refuse(
            version,
            "popularity was the best of its training, so there is nothing personal in it",
            "train on more data, or look at why no recipe beats it",
        )
    baseline = evidence["models"].get("popularity", {}).get("lead")
    if baseline is None:
        raise refuse(version, "its evidence lacks the comparison with popularity", again)
    if baseline["difference"] <= 0:
        raise refuse(
            version,
            f"it does not beat popularity ({_told(baseline)})",
            "train on more data, or another recipe",
        )
    for name, row in evidence["models"].items():
        if row.get("lead") is not None and row["lead"]["high"] < 0:
            raise refuse(version, f"{name} is better ({_told(row['lead'])})", f"look at why, or promote {name}")
    rival = evidence["champion"]
    if (None if rival is None else rival["version"]) != champion:
        raise refuse(version, f"its evidence does not compare it with the champion, version {champion}", again)
    if rival is None:
        return {"popularity": baseline, "champion": None}
    if rival["train_until"] is None or rival["train_until"] > evidence["train_until"]:
        raise refuse(
            version,
            f"the champion was fitted until {rival['train_until']}, and so has seen some of the answers",
            f"train until {rival['train_until']} or later",
        )
    if rival["lead"]["difference"] <= 0:
        raise refuse(
            version,
            f"it does not beat the champion, version {champion} ({_told(rival['lead'])})",
            "the champion stays",
        )
    _protect(version, rival["lead"], again)
    return {"popularity": baseline, "champion": rival["lead"]}


def _protect(version: str, lead: dict[str, Any], again: str) -> None:
    """Refuse what is surely worse than the champion for some.

    Raises:
        Refused: with the segment, or because the evidence has none.
    """
    from ml.segments import PROTECTED

    if "segments" not in lead:
        raise refuse(version, "its evidence lacks the comparison with the champion by segment", again)
    for name in PROTECTED:
        part = lead["segments"].get(name)
        if part and part["users"] >= FEWEST_USERS and part["difference"] < -MARGIN and part["high"] < 0:
            raise refuse(
                version,
                f"it is worse than the champion for the segment {name.replace('_', ' ')} "
                f"({part['users']:.0f} users, {_told(part)})",
                "the champion stays",
            )


def _told(lead: dict[str, float]) -> str:
    return f"test NDCG@10 {lead['difference']:+.4f}, 95 % interval {lead['low']:+.4f} to {lead['high']:+.4f}"


def inspect(
    client: "MlflowClient", settings: Settings, version: "ModelVersion", seed: int
) -> tuple[dict[str, Any], dict[str, float]]:
    """A version's evidence and what it needs, once the registered model has turned out to be the one that it speaks of.

    Raises:
        Refused: evidence, run, signature, input example or a snapshot is missing, the model's files are not those that were
            tested, or it does not do what the nightly run needs.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.models import get_model_info

    from ml.erasure import ERASURE_DUE
    from ml.models import digest
    from ml.registry import download, tags_of
    from ml.smoke import smoke

    number, tags = str(version.version), tags_of(version)
    again = "run `python -m ml.challenge` for its training again"
    if not tags.get("evidence"):
        raise refuse(number, "it has no evidence", again)
    try:
        evidence: dict[str, Any] = json.loads(tags["evidence"])
        run = client.get_run(evidence.get("run_id", ""))
    except json.JSONDecodeError:
        raise refuse(number, "its evidence cannot be read", again) from None
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
        return evidence, smoke(folder, settings, seed)
    except ValueError as error:
        raise refuse(number, f"tried as the nightly run will use it, {error}", "look at the model, or at the limit") from error


def _exists(table: str, snapshot: int) -> bool:
    from schemas.lake import open_lake

    lake = open_lake()
    return lake.exists(table) and lake.table(table).snapshot_by_id(snapshot) is not None


def gate(run: str) -> dict[str, Any]:
    """Judge the challenger of a training; a pass is noted on the version, with the champion that it was measured against.

    Raises:
        Refused: it must not be promoted.
    """
    from ml.erasure import warn_of
    from ml.pin import read_pin
    from ml.registry import CHAMPION, TAG, by_alias, connect, of_training, tags_of

    settings, pinned = get_settings(), read_pin(run)
    client = connect(settings)
    version = of_training(client, settings, pinned["training"])
    if version is None:
        raise Refused(
            f"training {pinned['training']} has no challenger; in the model registry; run `python -m ml.challenge` for it first"
        )
    champion = by_alias(client, settings, CHAMPION)
    evidence, needs = inspect(client, settings, version, pinned["seed"])
    leads = judge(
        str(version.version),
        evidence,
        None if champion is None else str(champion.version),
        None if champion is None else tags_of(champion).get("digest"),
    )
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
    from schemas.cli import run_command

    raise SystemExit(run_command(main))
