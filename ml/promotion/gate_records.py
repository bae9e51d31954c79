"""The gate's own record of the model files that it let pass, kept with the lake's files and not in MLflow.

Whoever may write to MLflow may also move an alias, set a tag or replace the files of a version. So the tags on a version are
for people to read, and these records decide: a version may be promoted, recommend, or be compared with a challenger only if
its files have the digest of a record. They lie in ``<the lake's folder>/gate/<model>/<version>.json``; every machine that
shares the lake sees them.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ml.promotion.checks import refuse
from schemas.lake.storage import delete, exists, read_bytes, write_bytes
from schemas.runtime.errors import Refused
from schemas.runtime.local_files import digest, slug
from schemas.runtime.settings import Settings


class GateRecord(BaseModel):
    """What the gate decided about the files of one version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    digest: str
    """Of the files that were judged (:func:`schemas.runtime.local_files.digest`)."""
    champion: str
    """The champion's version with which it was compared; ``none`` without one."""
    passed: bool = True
    """Whether the gate's last judgement was a pass."""
    promoted: bool = False
    """Whether it became the champion after a pass; it may become so again, whatever the gate said later."""
    accepted: bool = False
    """Whether a person accepted it in a shell instead of the gate."""


def _name(settings: Settings, version: str) -> str:
    return f"{settings.lake_files}/gate/{slug(settings.registered_model)}/{slug(version)}.json"


def read_record(settings: Settings, version: str) -> GateRecord | None:
    """The record of a version; None if the gate has not let it pass.

    Args:
        settings: name the lake and the registered model.
        version: its number.

    Raises:
        Refused: the record cannot be read.
    """
    name = _name(settings, version)
    if not exists(name):
        return None
    try:
        record = GateRecord.model_validate_json(read_bytes(name))
    except ValidationError:
        raise refuse(version, f"the gate's record {name} cannot be read", _judge_again(version)) from None
    return record if record.version == version else None


def write_record(settings: Settings, record: GateRecord) -> None:
    """Write the record of a version in place of an earlier one.

    Args:
        settings: name the lake and the registered model.
        record: the record.
    """
    write_bytes(_name(settings, record.version), (record.model_dump_json() + "\n").encode())


def withdraw_pass(settings: Settings, version: str) -> None:
    """Withdraw an earlier pass of a version; one that was the champion keeps its record.

    Args:
        settings: name the lake and the registered model.
        version: its number.
    """
    record = read_record(settings, version)
    if record is None or not record.promoted:
        delete(_name(settings, version))
    else:
        write_record(settings, record.model_copy(update={"passed": False}))


def expect_pass(settings: Settings, version: str, files: Path) -> GateRecord:
    """The record of a version whose files are those that the gate judged.

    Args:
        settings: name the lake and the registered model.
        version: its number.
        files: the folder of its model, as MLflow gives it now.

    Raises:
        Refused: the version went round the gate, or its files were changed afterwards.
    """
    record = read_record(settings, version)
    if record is None or not (record.passed or record.promoted):
        raise _went_round(version)
    if record.digest != digest(files):
        raise refuse(
            version,
            "its files are not those that passed the gate",
            f"find out who changed them, and promote another version; {_judge_again(version)}",
        )
    return record


def _went_round(version: str) -> Refused:
    return refuse(version, "it did not pass the gate", _judge_again(version))


def _judge_again(version: str) -> str:
    return (
        f"move @champion to a version that passed, or run `python -m ml.gate` for its training; if you know its files and "
        f"accept them without a judgement, run `python -m ml.promote --version {version} --accept-without-gate`"
    )
