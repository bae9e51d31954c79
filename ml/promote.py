"""Move the alias @champion: to the challenger of a training that passed the gate, or back to an earlier version.

``--run`` promotes the challenger that passed the gate. If the champion has changed since then, nothing moves, and the result
names the version that overtook it: compare again, then ask for approval again. ``--version`` promotes a given version, which
is how to roll back. What counts is the gate's record in the lake (`ml/promotion/gate_records.py`), not a tag in MLflow.
``--accept-without-gate`` makes such a record for a version that the gate did not judge: a person vouches for its files.

The next batch run follows the alias. Promotions on all machines that share the lake take turns, so
exactly one of several concurrent promotions moves the alias. A move by hand in MLflow takes no turn; the last write wins.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.lake.lock import promotion_lock
from schemas.runtime.cli import log, parser_of
from schemas.runtime.errors import Refused
from schemas.runtime.local_files import digest
from schemas.runtime.settings import Settings, get_settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


def promote(run: str | None = None, number: str | None = None, *, accept: bool = False) -> dict[str, Any]:
    """Make a version the champion; nothing changes if it is the champion already.

    Args:
        run: promote the challenger of this training, or
        number: promote this version, if it passed the gate, or was promoted before.
        accept: promote ``number`` also if it did neither.

    Returns:
        Whether the alias ``moved``, and ``overtaken_by``: the version that became champion after the gate, with which this
        one was not compared.

    Raises:
        Refused: the version did not pass the gate, or the champion changed while a rollback waited for another promotion.
    """
    from ml.data.pinned_data import read_pin
    from ml.promotion.checks import NO_CHAMPION
    from ml.promotion.gate_records import read_record, write_record
    from ml.tracking.erasure_tag import warn_of
    from ml.tracking.registry import by_alias, numbered, of_training, tags_of
    from ml.tracking.runs import connect
    from schemas.runtime.mlflow_rest import CHAMPION, TAG

    settings = get_settings()
    client = connect(settings)
    seen = by_alias(client, settings, CHAMPION)
    if accept and number is not None:
        accept_files(settings, numbered(client, settings, number))
    # In the registry the last write wins. So promotions take turns, and each reads the champion again when its turn comes.
    with promotion_lock(settings):
        if number is not None:
            version = numbered(client, settings, number)
        else:
            training = read_pin(run or "").training
            found = of_training(client, settings, training)
            if found is None:
                raise Refused(
                    f"training {training} has no challenger; in the model registry; "
                    "run `python -m ml.register_challenger` first"
                )
            version = found
        champion = by_alias(client, settings, CHAMPION)
        present = NO_CHAMPION if champion is None else str(champion.version)
        answer = {
            "version": str(version.version),
            "recipe": tags_of(version).get("recipe"),
            "previous": present,
            "overtaken_by": None,
            **warn_of(str(version.version), tags_of(version)),
        }
        if present == str(version.version):
            return answer | {"moved": False}
        record = read_record(settings, str(version.version))
        if record is None or not (record.passed or (number is not None and record.promoted)):
            raise Refused(
                f"version {version.version} did not pass the gate; in the model registry; "
                "run `python -m ml.gate` for its training first"
            )
        if number is not None and present != (NO_CHAMPION if seen is None else str(seen.version)):
            raise Refused(
                f"version {present} has just become the champion; in the model registry; "
                f"to make version {number} the champion all the same, run this again"
            )
        if number is None and record.champion != present:
            log.warning("overtaken", version=version.version, champion=present, measured_against=record.champion)
            return answer | {"moved": False, "overtaken_by": present}
        write_record(settings, record.model_copy(update={"promoted": True}))
        client.set_registered_model_alias(settings.registered_model, CHAMPION, version.version)
        client.set_model_version_tag(settings.registered_model, version.version, f"{TAG}promoted_over", present)
    log.info("promoted", version=version.version, previous=present)
    return answer | {"moved": True}


def accept_files(settings: Settings, version: "ModelVersion") -> None:
    """Record that a person accepts the present files of a version, although the gate did not let them pass.

    Args:
        settings: name the lake and the registered model.
        version: the version.
    """
    from ml.promotion.checks import NO_CHAMPION
    from ml.promotion.gate_records import GateRecord, write_record
    from ml.tracking.registry import download, version_uri

    files = digest(download(version_uri(settings, version)))
    record = GateRecord(version=str(version.version), digest=files, champion=NO_CHAMPION, accepted=True)
    write_record(settings, record)
    log.warning("accepted without the gate", version=version.version, digest=files)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Move the alias @champion."""
    parser = parser_of(__doc__, "python -m ml.promote --version 3")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", help="name of the training run whose challenger passed the gate")
    which.add_argument("--version", help="a version that passed the gate or was promoted before, to roll back to")
    parser.add_argument(
        "--accept-without-gate", action="store_true", help="with --version: vouch for its files, which the gate did not judge"
    )
    arguments = parser.parse_args(argv)
    if arguments.accept_without_gate and arguments.version is None:
        parser.error("--accept-without-gate needs --version")
    return promote(arguments.run, arguments.version, accept=arguments.accept_without_gate)


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
