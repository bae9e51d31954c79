"""The verdict of an audit, bound to the audited content. A module of its own, as the audit imports Great Expectations."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.publishing import next_command
from schemas.publishing.staging import run_folder
from schemas.runtime.errors import ClickwrightError, Refused
from schemas.runtime.local_files import write_atomically

RECORD = "audit.json"


class RuleResult(BaseModel):
    """The result of one rule: violations by staged rows (``broken``) and by rejected candidates (``quarantined``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    sentence: str
    severity: str
    passed: bool
    observed: Any = None
    broken: int = 0
    quarantined: int = 0
    error: str | None = None


class AuditRecord(BaseModel):
    """The audit of one manifest. ``manifest`` is the manifest's digest, and ``docs`` is the Data Docs page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: str
    run: str
    manifest: str
    passed: bool
    docs: str
    tables: dict[str, list[RuleResult]]


def met(tables: dict[str, list[RuleResult]]) -> bool:
    """Whether every rule with severity error is met. A rule that raised an error is not met.

    >>> broken = RuleResult(rule="user_id.required", sentence="", severity="warning", passed=False)
    >>> met({"sessions": [broken]})
    True
    >>> met({"sessions": [broken.model_copy(update={"severity": "error"})]})
    False
    """
    return all(rule.passed or rule.severity != "error" for rules in tables.values() for rule in rules)


def write_audit(record: AuditRecord) -> None:
    """Write an audit record to the folder of its run."""
    write_atomically(run_folder(record.job, record.run) / RECORD, record.model_dump_json(indent=1))


def read_audit(job: str, run: str) -> AuditRecord:
    """Read the audit record of a run.

    Args:
        job: name of the job, such as ``clean``.
        run: name of the run.

    Raises:
        ClickwrightError: the run was not audited.
        Refused: the record is damaged.
    """
    path: Path = run_folder(job, run) / RECORD
    if not path.exists():
        raise ClickwrightError(f"there is no audit of {job}, run {run}; at {path}; {next_command.audit(job, run)}")
    try:
        return AuditRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise Refused(f"the audit record is damaged; at {path}; {next_command.audit(job, run)}") from None
