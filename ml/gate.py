"""The gate before a promotion: it refuses a challenger whose evidence is incomplete or not better.

A challenger needs complete evidence. It must be the model that was tested, its training data must still exist, and it must
pass a smoke test. It must beat popularity and the present champion in NDCG@10 on the same test queries. The gate also
refuses a challenger that is significantly worse than another baseline, or than the champion in a protected slice. Before
there is a champion, popularity takes its place in the slices; new users are exempt, since they get popular items anyway. A
lead need not be significant: with few users intervals are wide. The report shows them, and a person decides after the gate.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ml.promotion.checks import NO_CHAMPION, evidence_of, inspect, judge
from schemas.runtime.cli import log, parser_of, run_id_default
from schemas.runtime.errors import NothingToDo, Refused
from schemas.runtime.settings import get_settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def add_verdict(client: "MlflowClient", version: "ModelVersion", evidence: dict[str, Any], verdict: dict[str, Any]) -> None:
    """Write the report again with the gate's verdict.

    If the run is gone, or the evidence lacks a value that the report shows, the report stays as it is. The verdict stands.

    Args:
        client: of MLflow.
        version: the challenger.
        evidence: of the challenger, possibly incomplete.
        verdict: ``refused`` (a message or None), and for a pass the measurements of the smoke test.
    """
    from jinja2 import TemplateError
    from mlflow.exceptions import MlflowException

    from ml.promotion.report import log_report

    try:
        log_report(client, str(version.version), evidence, verdict)
    except (MlflowException, TemplateError, LookupError, TypeError) as error:
        log.warning("could not add the verdict to the report", version=version.version, reason=repr(error))


def gate(run: str) -> dict[str, Any]:
    """Judge the challenger of a training; a pass is a record in the lake, with the champion it was compared with.

    A refusal withdraws an earlier pass. The tags on the version tell people the same; nothing relies on them.

    Raises:
        Refused: the challenger must not be promoted, or the champion with which it is compared went round the gate.
        NothingToDo: the challenger is the champion already.
    """
    from ml.data.pinned_data import read_pin
    from ml.promotion.gate_records import GateRecord, expect_pass, withdraw_pass, write_record
    from ml.tracking.erasure_tag import warn_of
    from ml.tracking.registry import by_alias, download, of_training, tags_of, version_uri
    from ml.tracking.runs import connect
    from schemas.runtime.mlflow_rest import CHAMPION, TAG

    settings, pinned = get_settings(), read_pin(run)
    client = connect(settings)
    version = of_training(client, settings, pinned.training)
    if version is None:
        raise Refused(
            f"training {pinned.training} has no challenger; in the model registry; "
            "run `python -m ml.register_challenger` for it first"
        )
    champion = by_alias(client, settings, CHAMPION)
    if champion is not None and champion.version == version.version:
        raise NothingToDo(
            f"version {version.version} is the champion already; in the model registry; there is nothing to promote"
        )
    number = str(version.version)
    rival = (
        None if champion is None else expect_pass(settings, str(champion.version), download(version_uri(settings, champion)))
    )
    evidence: dict[str, Any] = {}
    try:
        evidence = evidence_of(version)
        needs = inspect(client, settings, version, evidence, pinned.seed)
        leads = judge(number, evidence, None if rival is None else rival.version, None if rival is None else rival.digest)
    except Refused as refusal:
        withdraw_pass(settings, number)
        client.delete_model_version_tag(settings.registered_model, version.version, f"{TAG}gate")  # it may have passed before
        add_verdict(client, version, evidence, {"refused": str(refusal)})
        raise
    add_verdict(client, version, evidence, {"refused": None, **needs})
    measured = NO_CHAMPION if rival is None else rival.version
    write_record(settings, GateRecord(version=number, digest=evidence["digest"], champion=measured))
    client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}gate_champion", measured)
    client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}gate", "passed")
    log.info("passed the gate", version=number, champion=measured)
    return {
        "version": number,
        "recipe": tags_of(version)["recipe"],
        "champion": measured,
        "leads": leads,
        **needs,
        **warn_of(number, tags_of(version)),
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Refuse a training's challenger unless it beats popularity and the champion."""
    parser = parser_of(__doc__, "python -m ml.gate --run spring")
    parser.add_argument("--run", default=run_id_default(), help="name of the training run, as given to ml.pin")
    return gate(parser.parse_args(argv).run)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
