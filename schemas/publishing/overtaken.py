"""Which of two builds from files is the newer one. A build from tables is ordered by its input snapshots, see ``Lake.replace``.

A build from landing files has no input snapshot; the set of files is its input. The publication of ``landing_files`` decides:
a build that read fewer files than the published one is superseded. The tables made from the same files follow that decision.
"""

import pyarrow as pa

from schemas.contract import load_contract
from schemas.lake.filters import one_of
from schemas.lake.lake import Lake
from schemas.lake.storage import open_parquet
from schemas.publishing import next_command
from schemas.publishing.staging import Manifest, StagedTable
from schemas.runtime.errors import Refused

COLUMNS = ["source_file", "sha256"]


def files_first(manifest: Manifest) -> list[str]:
    """The tables of a manifest in the order of publication: first the record of the landing files."""
    records = _records(manifest)
    return sorted(manifest.tables, key=lambda name: name not in records)


def overtaken(lake: Lake, manifest: Manifest, name: str) -> bool:
    """Whether another build of the same partitions, from newer files, was published since this one began.

    Args:
        lake: the lake.
        manifest: this build.
        name: one of its tables.

    Raises:
        Refused: another build was published, and neither has read all files of the other.
    """
    record = load_contract(name).landing_files
    if record in manifest.tables:
        values = manifest.tables[record].values
        return lake.published_manifests(record, values) != dict.fromkeys(values, manifest.digest)
    known = manifest.built_on.get(name)
    if known is None or lake.published_manifests(name, known) in (known, dict.fromkeys(known, manifest.digest)):
        return False
    if name in _records(manifest):
        ours, theirs = _staged(manifest.tables[name]), _published(lake, name, manifest.tables[name])
        if ours >= theirs:
            return False
        if ours < theirs:
            return True
    raise Refused(
        f"another build was published since this one began, and read other files; {manifest.job} run {manifest.run} "
        f"({manifest.where}); {next_command.build(manifest.job, manifest.run)}"
    )


def _records(manifest: Manifest) -> set[str | None]:
    return {load_contract(name).landing_files for name in manifest.tables} & manifest.tables.keys()


def _staged(table: StagedTable) -> set[tuple[str, ...]]:
    found = set[tuple[str, ...]]()
    for path in table.paths:
        with open_parquet(path) as file:
            found |= _rows(file.read(columns=COLUMNS))
    return found


def _published(lake: Lake, name: str, table: StagedTable) -> set[tuple[str, ...]]:
    kind = load_contract(name).arrow_schema.field(table.field).type
    values = pa.array(table.values).cast(kind).to_pylist()
    return _rows(lake.arrow(name, one_of(table.field, values), columns=COLUMNS))


def _rows(files: pa.Table) -> set[tuple[str, ...]]:
    return set(zip(*(files[column].to_pylist() for column in COLUMNS), strict=True))
