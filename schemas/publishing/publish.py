"""Publish staged rows that passed their audit, with one atomic commit per table.

``python -m schemas.publishing.publish --job clean --run RUN``
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import Any

from schemas.contract import load_contract
from schemas.lake.lake import Lake, open_lake
from schemas.lake.pseudonym_key import expect_key
from schemas.lake.storage import digest, exists
from schemas.privacy.personal_data import is_personal
from schemas.publishing import next_command
from schemas.publishing.audit_record import AuditRecord, met, read_audit
from schemas.publishing.overtaken import files_first, overtaken
from schemas.publishing.staging import AT_ONCE, Manifest, StagedFile, StagedTable, read_manifest
from schemas.runtime.cli import log, log_duration, parser_of, run_command, run_id_default
from schemas.runtime.errors import Refused


def publish(lake: Lake, manifest: Manifest, audit: AuditRecord) -> dict[str, Any]:
    """Commit every staged table of a manifest.

    Args:
        lake: the lake.
        manifest: the staged tables.
        audit: their audit.

    Returns:
        For each table, the number of rows and the snapshot, or ``superseded`` if rows from newer inputs are already published.

    Raises:
        Refused: the audit did not pass or belongs to other rows, or a staged file changed after the audit.
        ConfigError: the pseudonyms of the rows were made with another key than those of the lake.
    """
    check(manifest, audit)
    if any(is_personal(load_contract(name)) for name in manifest.tables):
        expect_key(lake.catalog, lake.settings, manifest.pseudonym_key)
    return {name: _publish_table(lake, name, manifest.tables[name], manifest, audit) for name in files_first(manifest)}


def check(manifest: Manifest, audit: AuditRecord) -> None:
    """Check that the audit passed, and that the staged files are byte for byte the audited ones.

    Args:
        manifest: the staged tables.
        audit: their audit.

    Raises:
        Refused: one of these conditions is not met.
    """
    what = f"{manifest.job} run {manifest.run} ({manifest.where})"
    again, build = next_command.audit(manifest.job, manifest.run), next_command.build(manifest.job, manifest.run)
    if audit.manifest != manifest.digest:
        raise Refused(f"the audit belongs to other rows; {what}; {again}")
    if not (audit.passed and met(audit.tables)):
        raise Refused(f"the audit did not pass; {what}; see {audit.docs}")
    for name in manifest.tables:
        judged = {result.rule for result in audit.tables.get(name, [])}
        if lacking := sorted(load_contract(name).sentences.keys() - judged):
            raise Refused(f"the audit did not check {', '.join(lacking)} of {name}; {what}; {again}")
    files = [file for table in manifest.tables.values() for file in table.files]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for file, same in zip(files, pool.map(_as_audited, files), strict=True):
            if not same:
                raise Refused(f"a staged file was changed or removed after its audit; {file.path}; {build}")


def _as_audited(file: StagedFile) -> bool:
    return exists(file.path) and digest(file.path) == file.sha256


def _publish_table(lake: Lake, name: str, table: StagedTable, manifest: Manifest, audit: AuditRecord) -> dict[str, Any]:
    is_date = "date" in str(load_contract(name).arrow_schema.field(table.field).type)
    files: dict[Any, list[str]] = {date.fromisoformat(v) if is_date else v: [] for v in table.values}
    for file in table.files:
        files[date.fromisoformat(file.value) if is_date else file.value].append(file.path)
    properties = {
        "run": manifest.run,
        "job": manifest.job,
        "code-version": manifest.code_version,
        "contract": str(load_contract(name).version),
        "manifest": manifest.digest,
        "notes": json.dumps(manifest.notes, default=str),
        "audit": json.dumps(
            {
                "expectations": len(audit.tables[name]),
                "quarantined": {r.rule: r.quarantined for r in audit.tables[name] if r.quarantined},
                "docs": audit.docs,
            }
        ),
    }
    commit = lake.replace(
        name, table.field, files, properties, manifest.inputs, unless=partial(overtaken, lake, manifest, name)
    )
    result = {"rows": table.rows, "partitions": len(table.values)}
    if commit is None:
        log.info("superseded", table=name, reason="already published from newer inputs")
        return {**result, "superseded": True}
    log.info("published", table=name, snapshot=commit.snapshot_id, **result)
    return {**result, "snapshot": commit.snapshot_id}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Publish the audited rows of a run."""
    parser = parser_of(
        "Publish audited rows, with one atomic commit per table.", "python -m schemas.publishing.publish --job clean"
    )
    parser.add_argument("--job", required=True, help="job that staged the rows, such as clean")
    parser.add_argument("--run", default=run_id_default(), help="run that staged the rows (default: the run of this shell)")
    args = parser.parse_args(argv)
    lake, manifest, audit = open_lake(), read_manifest(args.job, args.run), read_audit(args.job, args.run)
    with log_duration("iceberg"):
        return publish(lake, manifest, audit)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
