"""Staged attempts: rows that readers do not see yet, and the manifest that lists their files.

Each attempt writes to its own folder, so retries and concurrent attempts cannot touch each other's files. The manifest is
written last and atomically. Audit and publish use a run's newest complete attempt.
"""

import hashlib
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.contract import load_contract
from schemas.lake.pseudonym_key import own_fingerprint
from schemas.lake.storage import delete_folder, digest, upload
from schemas.publishing import next_command
from schemas.runtime.errors import ClickwrightError, Refused
from schemas.runtime.local_files import slug, write_atomically
from schemas.runtime.settings import get_settings
from schemas.runtime.version import code_version

MANIFEST = "staged.json"
AT_ONCE = 8
"""Number of files that are transferred to or from an object store in parallel."""


class StagedFile(BaseModel):
    """A Parquet file of one partition. With ``sha256``, the digest of its content, publish detects changes after the audit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    sha256: str
    rows: int
    value: str


class StagedTable(BaseModel):
    """The new rows of one table, and the partitions that they replace (values of ``field``, as text)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str
    values: list[str]
    files: list[StagedFile]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def paths(self) -> list[str]:
        return [file.path for file in self.files]


class Manifest(BaseModel):
    """The tables that an attempt staged, their input snapshots, and the figures that the job noted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: str
    run: str
    attempt: str
    code_version: str
    inputs: dict[str, int]
    tables: dict[str, StagedTable]
    notes: dict[str, Any]
    built_on: dict[str, dict[str, str]] = {}
    """See :meth:`Attempt.builds_on`."""
    pseudonym_key: str | None = None
    """Fingerprint of the key of the job; None if it had none."""

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest. It covers the contents of the files through their digests."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def where(self) -> str:
        """The partitions as text, for messages."""
        return "; ".join(f"{name} {_span(table)}" for name, table in self.tables.items())


def _span(table: StagedTable) -> str:
    values = table.values
    return f"{table.field}={values[0]}" + (f"..{values[-1]}" if len(values) > 1 else "")


def run_folder(job: str, run: str) -> Path:
    """The folder of a run's manifest and audit record.

    Args:
        job: name of the job, such as ``clean``.
        run: name of the run.
    """
    return get_settings().staging / job / slug(run)


@dataclass
class Attempt:
    """An attempt of a job that is being written. Use :func:`open_attempt`."""

    job: str
    run: str
    inputs: dict[str, int]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    notes: dict[str, Any] = field(default_factory=dict)
    replaced: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)
    listed: dict[str, list[str]] = field(default_factory=dict)
    built_on: dict[str, dict[str, str]] = field(default_factory=dict)
    pseudonym_key: str | None = field(default_factory=lambda: own_fingerprint(get_settings()))

    def folder(self, table: str) -> Path:
        """The folder for this attempt's files of a table. The job writes its Parquet files under it."""
        return get_settings().table_files / table / self.id

    def replaces(self, table: str, field_name: str, values: Sequence[Any]) -> None:
        """Declare the partitions that the rows of a table replace. A value without rows empties its partition.

        Args:
            table: the table.
            field_name: the partition field.
            values: the replaced values of the field.
        """
        self.replaced[table] = (field_name, sorted(values))

    def builds_on(self, table: str, publications: Mapping[str, str]) -> None:
        """Declare which publications of its partitions the job knew before it listed its input files.

        Rows that come from files have no input snapshot. Publish uses this to detect that another build was faster.

        Args:
            table: the table.
            publications: partition value, as text -> digest of the published manifest; "" if it was never published.
        """
        self.built_on[table] = dict(publications)

    def wrote(self, table: str, paths: Sequence[str]) -> None:
        """Declare the files with the rows of a table. Other files in the attempt's folder, from retried tasks, are ignored.

        Args:
            table: the table.
            paths: the files.
        """
        self.listed[table] = sorted(paths)

    def write_arrow(self, table: str, rows: pa.Table, replaces: tuple[str, Sequence[Any]]) -> None:
        """Stage an Arrow table, with one file per partition.

        Args:
            table: name of the table.
            rows: the rows, with the contract's schema.
            replaces: the partition field, and its values to replace.

        Raises:
            ClickwrightError: the rows have another schema.
        """
        contract = load_contract(table)
        if not rows.schema.equals(contract.arrow_schema):
            raise ClickwrightError(
                f"rows for {table} do not have the schema of its contract; in job {self.job}; "
                f"difference: {_difference(rows.schema, contract.arrow_schema)}"
            )
        self.replaces(table, *replaces)
        if rows.num_rows:
            parts = pa.schema([rows.schema.field(name) for name in contract.partition_by])
            # Renamed copies become the folder names, so that the files keep the partition columns, as Iceberg requires.
            renamed = {name: f"_{name}" for name in parts.names}
            for old, new in renamed.items():
                rows = rows.append_column(new, rows[old])
            target = ds.partitioning(pa.schema([(renamed[f.name], f.type) for f in parts]), flavor="hive")
            ds.write_dataset(rows, self.folder(table), format="parquet", partitioning=target, max_partitions=4096)

    def note(self, **figures: Any) -> None:
        """Add figures to the manifest and the commit, such as ``records``."""
        self.notes.update(figures)

    def manifest(self) -> Manifest:
        """Make the manifest of the staged files.

        Raises:
            ClickwrightError: there are rows outside the replaced partitions, or a file mixes partitions.
        """
        tables = {
            name: StagedTable(field=by, values=[str(v) for v in values], files=self._files(name, by))
            for name, (by, values) in self.replaced.items()
        }
        for name, table in tables.items():
            strays = sorted({file.value for file in table.files} - set(table.values))
            if strays:
                raise ClickwrightError(
                    f"rows for {table.field} {', '.join(strays)} are outside the partitions that {self.job} replaces; "
                    f"in table {name}; nothing was published: correct the job"
                )
        return Manifest(
            job=self.job,
            run=self.run,
            attempt=self.id,
            code_version=code_version(),
            inputs=self.inputs,
            tables=tables,
            notes=self.notes,
            built_on=self.built_on,
            pseudonym_key=self.pseudonym_key or own_fingerprint(get_settings()),  # a job may have made it
        )

    def _files(self, table: str, by: str) -> list[StagedFile]:
        found: list[StagedFile] = []
        listed = self.listed.get(table)
        paths = sorted(self.folder(table).rglob("*.parquet")) if listed is None else [Path(path) for path in listed]
        for path in paths:
            footer = pq.read_metadata(path)
            if footer.num_rows == 0:
                path.unlink()  # Iceberg accepts empty files, but they are useless
                continue
            value = _only_value(footer, by, path)
            found.append(StagedFile(path=str(path), sha256=digest(str(path)), rows=footer.num_rows, value=value))
        return found if get_settings().object_store is None else self._stored(table, found)

    def _stored(self, table: str, files: list[StagedFile]) -> list[StagedFile]:
        """Move the files of a table to the object store."""
        here, there = self.folder(table), stored_folder(table, self.id)
        names = {file.path: f"{there}/{Path(file.path).relative_to(here).as_posix()}" for file in files}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(upload, map(Path, names), names.values()))
        shutil.rmtree(here, ignore_errors=True)
        return [file.model_copy(update={"path": names[file.path]}) for file in files]


def _only_value(footer: pq.FileMetaData, column: str, path: Path) -> str:
    """The single value of the partition column in a file, from its footer."""
    position = footer.schema.to_arrow_schema().get_field_index(column)
    ends = set()
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(position).statistics
        ends |= {statistics.min, statistics.max}
    if len(ends) != 1:
        raise ClickwrightError(f"a staged file must hold a single {column}; {path.name} holds {len(ends)}; correct the job")
    value = ends.pop()
    return value.isoformat() if isinstance(value, date) else str(value)


def data_folder(table: str) -> str:
    """The folder of a table's data files, as a name for :mod:`schemas.lake.storage`. It has one subfolder per attempt."""
    return f"{get_settings().lake_files}/data/{table}"


def stored_folder(table: str, attempt: str) -> str:
    """The folder of an attempt's files of a table after staging."""
    return f"{data_folder(table)}/{attempt}"


def _difference(got: pa.Schema, wanted: pa.Schema) -> str:
    count = Counter(map(str, got)) - Counter(map(str, wanted))
    missing = Counter(map(str, wanted)) - Counter(map(str, got))
    return f"has {sorted(count)}, needs {sorted(missing)}" if count or missing else "the order of the columns"


@contextmanager
def open_attempt(job: str, run: str, inputs: dict[str, int]) -> Iterator[Attempt]:
    """Open an attempt of a job: stage rows inside the ``with`` block. Its end writes the manifest; an error removes the rows.

    Args:
        job: name of the job, such as ``clean``.
        run: name of the run.
        inputs: snapshot id of each lake table that the job reads.
    """
    attempt = Attempt(job, run, inputs)
    try:
        yield attempt
        manifest = attempt.manifest()
        write_atomically(run_folder(job, run) / MANIFEST, manifest.model_dump_json(indent=1))
    except BaseException:
        for table in {*attempt.replaced, *_tables_with(attempt.id)}:
            shutil.rmtree(attempt.folder(table), ignore_errors=True)
            with suppress(OSError):  # report the original error, not this one
                delete_folder(stored_folder(table, attempt.id))
        raise


def _tables_with(attempt: str) -> list[str]:
    return [path.parent.name for path in get_settings().table_files.glob(f"*/{attempt}")]


def read_manifest(job: str, run: str) -> Manifest:
    """Read the manifest of a run's newest complete attempt.

    Args:
        job: name of the job, such as ``clean``.
        run: name of the run.

    Raises:
        ClickwrightError: the run has no complete attempt.
        Refused: the manifest is damaged.
    """
    path = run_folder(job, run) / MANIFEST
    if not path.exists():
        raise ClickwrightError(f"nothing is staged for {job}, run {run}; at {path}; {next_command.build(job, run)}")
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise Refused(f"the manifest is damaged; at {path}; {next_command.build(job, run)}") from None
