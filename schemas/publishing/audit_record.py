"""What an audit decided, bound to the content of what it saw. Kept apart from the audit, which needs Great Expectations."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.publishing.staging import run_folder
from schemas.runtime.errors import ClickwrightError, Refused
from schemas.runtime.local_files import write_atomically

RECORD = "audit.json"


class RuleResult(BaseModel):
    """What the suite saw for one rule: on the staged rows, and (``quarantined``) on the rejected candidates."""

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
    """The audit of one manifest. ``manifest`` is the digest of what was audited; ``docs`` the Data Docs page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: str
    run: str
    manifest: str
    passed: bool
    docs: str
    tables: dict[str, list[RuleResult]]


def met(tables: dict[str, list[RuleResult]]) -> bool:
    """Whether every rule of severity error is met; one that could not be judged is not."""
    return all(rule.passed or rule.severity != "error" for rules in tables.values() for rule in rules)


def write_audit(record: AuditRecord) -> None:
    write_atomically(run_folder(record.job, record.run) / RECORD, record.model_dump_json(indent=1))


def read_audit(job: str, run: str) -> AuditRecord:
    """The audit of a run.

    Raises:
        ClickwrightError: there was none.
        Refused: the file is no audit record.
    """
    path: Path = run_folder(job, run) / RECORD
    if not path.exists():
        raise ClickwrightError(f"nothing was audited for {job}, run {run}; at {path}; run the audit first")
    try:
        return AuditRecord.model_validate_json(path.read_text())
    except ValidationError:
        raise Refused(f"the audit record is damaged; at {path}; run the audit again") from None
