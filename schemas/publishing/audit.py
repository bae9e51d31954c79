"""The audit: run Great Expectations on the staged rows of a run, write Data Docs, and record a verdict bound to their content.

An audit passes if every expectation has a result, none raised an exception, and every rule with severity error is met. For
``events``, the row rules also run on the rejected candidates, and each count must equal the count of the reason in ``rejects``.

``python -m schemas.publishing.audit --job clean --run RUN``
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from schemas.contract import Contract, load_contract
from schemas.publishing import next_command
from schemas.publishing.audit_record import AuditRecord, RuleResult, met, write_audit
from schemas.publishing.staging import Manifest, StagedTable, read_manifest, run_folder
from schemas.runtime.cli import log, log_duration, parser_of, run_command, run_id_default
from schemas.runtime.errors import ClickwrightError, Refused
from schemas.runtime.settings import get_settings

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
SHOWN_FAILURES = 5


def audit(manifest: Manifest) -> AuditRecord:
    """Audit all tables of a manifest, and write the record and the Data Docs.

    Returns:
        The record, with the verdict in ``passed``.
    """
    from schemas.publishing.validator import Auditor  # heavy: Great Expectations takes seconds to import

    docs = get_settings().audits / manifest.job / run_folder(manifest.job, manifest.run).name
    with log_duration("great_expectations"):
        auditor = Auditor(docs, get_settings().audit_part_rows)
        results = {name: _audit_table(auditor, load_contract(name), table, manifest) for name, table in manifest.tables.items()}
        page = auditor.write_docs()
    record = AuditRecord(
        job=manifest.job,
        run=manifest.run,
        manifest=manifest.digest,
        passed=met(results),
        docs=str(page),
        tables=results,
    )
    write_audit(record)
    return record


def _audit_table(auditor: Any, contract: Contract, table: StagedTable, manifest: Manifest) -> list[RuleResult]:
    results: list[RuleResult] = auditor.validate(contract, table, manifest.notes)
    rejects = manifest.tables.get(contract.quarantine or "")
    if rejects is None:
        return results
    seen, reasons = auditor.quarantine(contract, rejects)
    return [_with_quarantine(result, seen, reasons) for result in results]


def _with_quarantine(result: RuleResult, seen: Counter[str], reasons: Counter[str]) -> RuleResult:
    """Compare a rule's count on the rejected candidates with the count of its reason in ``rejects``."""
    if result.rule not in seen:
        return result
    count = seen[result.rule]
    if count == reasons[result.rule]:
        return result.model_copy(update={"quarantined": count})
    error = f"the suite found {count} rejected candidates that break it, but rejects names it {reasons[result.rule]} times"
    return result.model_copy(update={"quarantined": count, "passed": False, "error": error})


def refusal(record: AuditRecord, manifest: Manifest) -> str:
    """The error message of a failed audit: tables, partitions, broken rules with observed values, and the Data Docs page.

    Args:
        record: the record of the failed audit.
        manifest: the audited manifest.
    """
    broken = []
    for name, rules in record.tables.items():
        table = manifest.tables[name]
        span = table.values[0] + (f"..{table.values[-1]}" if len(table.values) > 1 else "")
        wrong = [rule for rule in rules if not rule.passed and rule.severity == "error"]
        broken += [f"{name} [{table.field}={span}]: {_says(rule)}" for rule in wrong]
    more = f" and {len(broken) - SHOWN_FAILURES} more" if len(broken) > SHOWN_FAILURES else ""
    return (
        f"audit failed: {' | '.join(broken[:SHOWN_FAILURES])}{more}; the published tables are untouched; "
        f"see {record.docs}, fix the input or the contract, then clear the build task"
    )


def _says(rule: RuleResult) -> str:
    observed = rule.error or (f"{rule.broken} rows break it" if rule.broken else f"observed {rule.observed}")
    return f"{rule.sentence} ({observed})"


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Audit the staged rows of a run; refuse them if the audit fails."""
    parser = parser_of(
        "Audit the staged rows of a run with Great Expectations.", "python -m schemas.publishing.audit --job clean"
    )
    parser.add_argument("--job", required=True, help="job that staged the rows, such as clean")
    parser.add_argument("--run", default=run_id_default(), help="run that staged the rows (default: the run of this shell)")
    args = parser.parse_args(argv)
    manifest = read_manifest(args.job, args.run)
    record = audit(manifest)
    for name, rules in record.tables.items():
        for rule in rules:
            if not rule.passed:
                log.warning("not met", table=name, rule=rule.rule, severity=rule.severity, observed=_says(rule))
    if not record.passed:
        raise Refused(refusal(record, manifest))
    if not record.tables:
        raise ClickwrightError(f"nothing was staged by {args.job}; run {args.run}; {next_command.build(args.job, args.run)}")
    expectations = {name: len(rules) for name, rules in record.tables.items()}
    return {"passed": True, "expectations": expectations, "docs": record.docs}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
