"""Staged attempts: rows that a job wrote where no reader looks, and the manifest that says exactly what was written.

An attempt writes into a folder of its own, so a retried or doubled attempt cannot touch another's files. The manifest is
written last, by one rename: a run's newest complete attempt is the one that is audited and published.
"""

import hashlib
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
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
from schemas.lake.storage import delete_folder, digest, upload
from schemas.runtime.errors import ClickwrightError, Refused
from schemas.runtime.local_files import slug, write_atomically
from schemas.runtime.settings import get_settings
from schemas.runtime.version import code_version

MANIFEST = "staged.json"
AT_ONCE = 8
"""Files that go to an object store, or come from it, at the same time."""


class StagedFile(BaseModel):
    """A Parquet file of one partition. ``sha256`` is of its content, so that publish takes only what was audited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    sha256: str
    rows: int
    value: str


class StagedTable(BaseModel):
    """The new rows of one table, and which partitions they replace (values of ``field``, as text)."""

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
    """All that an attempt staged, what from, and the figures it noted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: str
    run: str
    attempt: str
    code_version: str
    inputs: dict[str, int]
    tables: dict[str, StagedTable]
    notes: dict[str, Any]

    @property
    def digest(self) -> str:
        """Digest of the whole manifest, contents of the files included."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def where(self) -> str:
        """The partitions in words, for messages."""
        return "; ".join(f"{name} {_span(table)}" for name, table in self.tables.items())


def _span(table: StagedTable) -> str:
    values = table.values
    return f"{table.field}={values[0]}" + (f"..{values[-1]}" if len(values) > 1 else "")


def run_folder(job: str, run: str) -> Path:
    """Where a run's manifest and audit record lie."""
    return get_settings().staging / job / slug(run)


@dataclass
class Attempt:
    """An attempt while it writes. Use :func:`open_attempt`."""

    job: str
    run: str
    inputs: dict[str, int]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    notes: dict[str, Any] = field(default_factory=dict)
    replaced: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)
    listed: dict[str, list[str]] = field(default_factory=dict)

    def folder(self, table: str) -> Path:
        """The folder of this attempt's files of a table. The job, Spark or not, writes Parquet files under it."""
        return get_settings().table_files / table / self.id

    def replaces(self, table: str, field_name: str, values: Sequence[Any]) -> None:
        """Say which partitions the rows of a table replace; a value without rows empties its partition."""
        self.replaced[table] = (field_name, sorted(values))

    def wrote(self, table: str, paths: Sequence[str]) -> None:
        """Say which files hold the rows of a table. What else lies in the attempt's folder, of a task that was tried again, is
        not part of it."""
        self.listed[table] = sorted(paths)

    def write_arrow(self, table: str, rows: pa.Table, replaces: tuple[str, Sequence[Any]]) -> None:
        """Stage an Arrow table: one file for each partition."""
        contract = load_contract(table)
        if not rows.schema.equals(contract.arrow_schema):
            raise ClickwrightError(
                f"rows for {table} have another schema than its contract; in job {self.job}; "
                f"differs: {_difference(rows.schema, contract.arrow_schema)}"
            )
        self.replaces(table, *replaces)
        if rows.num_rows:
            parts = pa.schema([rows.schema.field(name) for name in contract.partition_by])
            # The folder names carry the partition a second time; the files keep the columns, as Iceberg wants them.
            renamed = {name: f"_{name}" for name in parts.names}
            for old, new in renamed.items():
                rows = rows.append_column(new, rows[old])
            target = ds.partitioning(pa.schema([(renamed[f.name], f.type) for f in parts]), flavor="hive")
            ds.write_dataset(rows, self.folder(table), format="parquet", partitioning=target, max_partitions=4096)

    def note(self, **figures: Any) -> None:
        """Figures for the manifest and the commit, such as lines read."""
        self.notes.update(figures)

    def manifest(self) -> Manifest:
        tables = {
            name: StagedTable(field=by, values=[str(v) for v in values], files=self._files(name, by))
            for name, (by, values) in self.replaced.items()
        }
        for name, table in tables.items():
            strays = sorted({file.value for file in table.files} - set(table.values))
            if strays:
                raise ClickwrightError(
                    f"rows for {table.field} {', '.join(strays)} were staged beside what {self.job} replaces; "
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
        )

    def _files(self, table: str, by: str) -> list[StagedFile]:
        found: list[StagedFile] = []
        listed = self.listed.get(table)
        paths = sorted(self.folder(table).rglob("*.parquet")) if listed is None else [Path(path) for path in listed]
        for path in paths:
            footer = pq.read_metadata(path)
            if footer.num_rows == 0:
                path.unlink()  # Iceberg takes empty files without a word; they are of no use
                continue
            value = _only_value(footer, by, path)
            found.append(StagedFile(path=str(path), sha256=digest(str(path)), rows=footer.num_rows, value=value))
        return found if get_settings().object_store is None else self._stored(table, found)

    def _stored(self, table: str, files: list[StagedFile]) -> list[StagedFile]:
        """The files of a table, moved to the object store."""
        here, there = self.folder(table), stored_folder(table, self.id)
        names = {file.path: f"{there}/{Path(file.path).relative_to(here).as_posix()}" for file in files}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(upload, map(Path, names), names.values()))
        shutil.rmtree(here, ignore_errors=True)
        return [file.model_copy(update={"path": names[file.path]}) for file in files]


def _only_value(footer: pq.FileMetaData, column: str, path: Path) -> str:
    """The one value of the partition column in a file, from its footer."""
    position = footer.schema.to_arrow_schema().get_field_index(column)
    ends = set()
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(position).statistics
        ends |= {statistics.min, statistics.max}
    if len(ends) != 1:
        raise ClickwrightError(f"a staged file must hold one {column}; {path.name} holds {len(ends)}; correct the job")
    value = ends.pop()
    return value.isoformat() if isinstance(value, date) else str(value)


def data_folder(table: str) -> str:
    """The folder of a table's data files, as :mod:`schemas.lake.storage` names it; in it is one folder an attempt."""
    return f"{get_settings().lake_files}/data/{table}"


def stored_folder(table: str, attempt: str) -> str:
    """The folder of an attempt's files of a table, once they are staged."""
    return f"{data_folder(table)}/{attempt}"


def _difference(got: pa.Schema, wanted: pa.Schema) -> str:
    count = Counter(map(str, got)) - Counter(map(str, wanted))
    missing = Counter(map(str, wanted)) - Counter(map(str, got))
    return f"has {sorted(count)}, wants {sorted(missing)}" if count or missing else "the order of the columns"


@contextmanager
def open_attempt(job: str, run: str, inputs: dict[str, int]) -> Iterator[Attempt]:
    """An attempt of a job: stage rows inside the ``with``; leaving it writes the manifest, an error removes the rows.

    Args:
        job: name of the job, such as ``clean``.
        run: name of the run that the attempt is for.
        inputs: snapshot of every lake table that the job reads.
    """
    attempt = Attempt(job, run, inputs)
    try:
        yield attempt
        manifest = attempt.manifest()
        write_atomically(run_folder(job, run) / MANIFEST, manifest.model_dump_json(indent=1))
    except BaseException:
        for table in {*attempt.replaced, *_tables_with(attempt.id)}:
            shutil.rmtree(attempt.folder(table), ignore_errors=True)
            with suppress(OSError):  # the error that brought us here is the one to tell
                delete_folder(stored_folder(table, attempt.id))
        raise


def _tables_with(attempt: str) -> list[str]:
    return [path.parent.name for path in get_settings().table_files.glob(f"*/{attempt}")]


def read_manifest(job: str, run: str) -> Manifest:
    """The manifest of a run's newest complete attempt.

    Raises:
        ClickwrightError: no attempt was completed.
        Refused: the file is no manifest.
    """
    path = run_folder(job, run) / MANIFEST
    if not path.exists():
        raise ClickwrightError(f"nothing is staged for {job}, run {run}; at {path}; run its build first")
    try:
        return Manifest.model_validate_json(path.read_text())
    except ValidationError:
        raise Refused(f"the manifest is damaged; at {path}; run the build again") from None
