"""The lake: Iceberg tables that follow their contracts. Reads, and the commit that replaces partitions.

Spark and PyTorch get files or Arrow batches from here; no other module knows where a table's files are. The catalog is any SQL
database, by default SQLite. Data files stay in the folder of the attempt that wrote them.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.table import DataScan, Table

from schemas.contract import load_contract, table_names
from schemas.lake.catalog import NAMESPACE, commit_with_retry, lost_catalog, open_catalog
from schemas.lake.commit_history import remembered
from schemas.lake.commits import Commit, _commits, _key, commit_summary
from schemas.lake.conform import check_filter, conformed, schema_of
from schemas.lake.create_table import create_table
from schemas.lake.erased_rows import refuse_erased
from schemas.lake.evolution import check_major, evolve
from schemas.lake.filters import one_of
from schemas.lake.pseudonym_key import check_key
from schemas.lake.storage import location, plain
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings, get_settings

warnings.filterwarnings("ignore", message="Delete operation did not match any records")
Where = str | BooleanExpression | None


class Lake:
    """All tables of one catalog and one folder of files."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.lake_dir
        settings.table_files.mkdir(parents=True, exist_ok=True)
        self.catalog = open_catalog(settings)
        check_key(self.catalog, settings)

    # ---- reading -------------------------------------------------------------------------------------------------

    def exists(self, table: str) -> bool:
        """Whether a table was ever published."""
        return self._find(table) is not None

    def _find(self, name: str) -> Table | None:
        try:
            return self.catalog.load_table((NAMESPACE, name))
        except NoSuchTableError:
            if self.catalog.namespace_exists(NAMESPACE):
                return None
            raise lost_catalog(self.settings) from None

    def table(self, name: str) -> Table:
        """Load the current Iceberg table.

        Raises:
            ClickwrightError: the table was never published.
        """
        load_contract(name)
        if (found := self._find(name)) is None:
            raise ClickwrightError(
                f"table {name} is empty; in {self.folder}; run `behaviour_day` for a day first, or the job that writes it"
            )
        return found

    def snapshot(self, name: str) -> int | None:
        """The id of the current snapshot, or None if nothing was published yet."""
        table = self._find(name)
        current = None if table is None else table.current_snapshot()
        return None if current is None else current.snapshot_id

    def arrow(
        self,
        name: str,
        where: Where = None,
        snapshot: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Read rows as one Arrow table with the contract's types, in no particular order.

        Args:
            name: the table.
            where: filter, as text or expression; default: all rows.
            snapshot: snapshot id; default: the current one.
            columns: columns to read, in this order; default: all.
        """
        reader = self.batches(name, where, snapshot, columns)
        return pa.Table.from_batches(reader, schema=reader.schema)

    def batches(
        self,
        name: str,
        where: Where = None,
        snapshot: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.RecordBatchReader:
        """Read rows as a stream of Arrow batches. Memory is bounded by the size of a few files.

        Args:
            name: the table.
            where: filter, as text or expression; default: all rows.
            snapshot: snapshot id; default: the current one.
            columns: columns to read, in this order; default: all.
        """
        contract = load_contract(name)
        schema = schema_of(contract, columns)
        scan = _scan(self.table(name), where, snapshot)
        held = [column for column in schema.names if column in scan.projection().column_names]
        reader = scan.select(*(held or contract.partition_by)).to_arrow_batch_reader()
        return pa.RecordBatchReader.from_batches(schema, (conformed(batch, contract, columns) for batch in reader))

    def files(self, name: str, where: Where = None, snapshot: int | None = None) -> list[str]:
        """Plan a read, from metadata only: the sorted paths of data files that may hold matching rows.

        The files can hold other rows too, so readers must still apply the filter.

        Args:
            name: the table.
            where: filter, as text or expression; default: all rows.
            snapshot: snapshot id; default: the current one.
        """
        return list(self.sized_files(name, where, snapshot))

    def sized_files(self, name: str, where: Where = None, snapshot: int | None = None) -> dict[str, int]:
        """The files of :meth:`files`, in the same order, with their sizes in bytes.

        Args:
            name: the table.
            where: filter, as text or expression; default: all rows.
            snapshot: snapshot id; default: the current one.
        """
        table = self._find(name)
        tasks = [] if table is None else _scan(table, where, snapshot).plan_files()
        return dict(sorted((plain(t.file.file_path), t.file.file_size_in_bytes) for t in tasks))

    def partitions(self, name: str, field: str, snapshot: int | None = None, where: Where = None) -> list[Any]:
        """The sorted values of a partition field that have rows, from metadata only.

        Args:
            name: the table.
            field: the partition field.
            snapshot: snapshot id; default: the current one.
            where: filter, as text or expression; default: all rows.
        """
        table = self._find(name)
        if table is None:
            return []
        position = next(i for i, part in enumerate(table.spec().fields) if part.name == field)
        kind = load_contract(name).arrow_schema.field(field).type
        values = {task.file.partition[position] for task in _scan(table, where, snapshot).plan_files()}
        return sorted(pa.array(list(values), pa.int32()).cast(kind).to_pylist() if pa.types.is_date(kind) else values)

    def newest_partition(self, name: str, field: str, up_to: Any, snapshot: int | None = None) -> Any:
        """The newest value of a partition field that is not after ``up_to``.

        Args:
            name: the table.
            field: the partition field.
            up_to: greatest allowed value, such as a date.
            snapshot: snapshot id; default: the current one.

        Raises:
            ClickwrightError: no such partition is published.
        """
        known = [value for value in self.partitions(name, field, snapshot) if value <= up_to]
        if not known:
            raise ClickwrightError(
                f"no {field} up to {up_to} is published; in table {name}; "
                "run `behaviour_day` for an earlier day first, or the job that writes it"
            )
        return known[-1]

    # ---- lineage -------------------------------------------------------------------------------------------------

    def history_folder(self, name: str) -> Path:
        """The folder of the saved commit history of a table, see ``schemas.lake.commit_history``."""
        return self.folder / "history" / name

    def _commits(self, table: Table, snapshot: int | None = None) -> Iterator[Commit]:
        return _commits(table, remembered(self.history_folder(table.name()[-1])), snapshot)

    def commits(self, name: str, snapshot: int | None = None) -> list[Commit]:
        """All commits up to a snapshot, newest first, including those of expired snapshots.

        Each publish is one entry, with the snapshot that it made current.

        Args:
            name: the table.
            snapshot: snapshot id; default: the current one.
        """
        return [] if not self.exists(name) else list(self._commits(self.table(name), snapshot))

    def publications(self, name: str, snapshot: int | None = None) -> list[Commit]:
        """The commits that published rows, without those of maintenance and erasure, newest first.

        Args:
            name: the table.
            snapshot: snapshot id; default: the current one.
        """
        return [commit for commit in self.commits(name, snapshot) if commit.is_publication]

    def current_commits(self, name: str, snapshot: int | None = None) -> dict[str, Commit]:
        """The commit that wrote the current rows of each partition, by partition value as text.

        Args:
            name: the table.
            snapshot: snapshot id; default: the current one.
        """
        current: dict[str, Commit] = {}
        for commit in self.publications(name, snapshot):
            for value in (v for values in commit.replaced.values() for v in values):
                current.setdefault(value, commit)
        return dict(sorted(current.items()))

    def published_manifests(self, name: str, values: Iterable[str]) -> dict[str, str]:
        """The digest of the manifest that each partition was last published from; "" if it was never published.

        Args:
            name: the table.
            values: partition values, as text.
        """
        current = self.current_commits(name)
        return {value: current[value].manifest if value in current else "" for value in values}

    def sequence(self, name: str, snapshot: int) -> int:
        """The sequence number of a snapshot in its table; 0 if the snapshot is unknown.

        Args:
            name: the table.
            snapshot: snapshot id.
        """
        return self._order(name).get(snapshot, 0)

    def tag(self, name: str, snapshot: int, tag: str) -> None:
        """Tag a snapshot, which protects it from expiry. It is idempotent.

        Args:
            name: the table.
            snapshot: snapshot id.
            tag: the tag.
        """
        table = self.table(name)
        ref = table.refs().get(tag)
        if ref is None or ref.snapshot_id != snapshot:
            table.manage_snapshots().create_tag(snapshot, tag).commit()

    # ---- writing -------------------------------------------------------------------------------------------------

    def replace(
        self,
        name: str,
        field: str,
        files_by_value: dict[Any, list[str]],
        properties: dict[str, Any],
        inputs: dict[str, int],
        unless: Callable[[], bool] = lambda: False,
    ) -> Commit | None:
        """Replace the files of partitions in one atomic commit.

        A partition that was already made from newer inputs is left unchanged. So the newest inputs win, whichever of two
        runs finishes last.

        Args:
            name: the table.
            field: the partition field whose values are replaced.
            files_by_value: new files by partition value; an empty list empties the partition.
            properties: facts to store with the commit, such as its run and job.
            inputs: snapshot id of each input table.
            unless: asked in each try, after the table's state was read: whether the rows are superseded for another reason.

        Returns:
            The commit, or None if every partition was superseded by newer inputs.

        Raises:
            Refused: a file holds rows of an erased person.
            ClickwrightError: other writers won every time.
        """
        contract = load_contract(name)

        def attempt() -> Commit | None:
            table = self._find(name) or create_table(self.catalog, contract)
            refuse_erased(contract, [file for files in files_by_value.values() for file in files])
            superseded = self._superseded(table, field, list(files_by_value), inputs)
            kept = {v: f for v, f in files_by_value.items() if v not in superseded}
            if not kept or unless():
                return None
            summary = commit_summary(properties, inputs, {field: [_key(v) for v in kept]})
            with table.transaction() as transaction:
                evolve(transaction, table, contract)
                if table.current_snapshot() is not None:
                    transaction.delete(one_of(field, kept), snapshot_properties=summary)
                files = sorted(file for paths in kept.values() for file in paths)
                if not files:  # an empty append still records the commit and its lineage
                    transaction.append(contract.arrow_schema.empty_table(), snapshot_properties=summary)
                else:
                    # No check for files that the table already has: such files were deleted above, and the check would
                    # read the manifests of all partitions.
                    names = [location(file) for file in files]
                    transaction.add_files(names, snapshot_properties=summary, check_duplicate_files=False)
            return next(self._commits(table), None)  # of the table as committed; another writer may have committed since

        return commit_with_retry(attempt, f"table {name}", "run publish again: the staged rows still exist")

    def _superseded(self, table: Table, field: str, values: list[Any], inputs: dict[str, int]) -> set[Any]:
        """The partitions that were already made from newer inputs."""
        newest: dict[str, Commit] = {}
        for commit in self._commits(table):
            for value in commit.replaced.get(field, []):
                newest.setdefault(value, commit)
        made_from = {value: newest[_key(value)].inputs for value in values if _key(value) in newest}
        known = {name for those in made_from.values() for name in those} & inputs.keys()
        order = {name: self._order(name) for name in known}
        return {
            value
            for value, those in made_from.items()
            if any(order[name].get(those[name], 0) > order[name].get(inputs[name], 0) for name in those.keys() & known)
        }

    def _order(self, name: str) -> dict[int, int]:
        """The sequence number of each snapshot of a table, including expired ones."""
        table = self._find(name)
        if table is None:
            return {}
        snapshots = [*remembered(self.history_folder(name)).values(), *table.snapshots()]
        return {s.snapshot_id: s.sequence_number or 0 for s in snapshots}


def _scan(table: Table, where: Where, snapshot: int | None) -> DataScan:
    contract = load_contract(table.name()[-1])
    check_major(table, contract)
    scan = table.scan(row_filter=AlwaysTrue() if where is None else where, snapshot_id=snapshot)
    check_filter(scan, contract)
    return scan


def open_lake(settings: Settings | None = None) -> Lake:
    """Open the lake of the settings; create it if it does not exist.

    Raises:
        ConfigError: this process has another key of pseudonyms than the lake, or the catalog's URI is invalid.
        ClickwrightError: the catalog does not answer, or was lost.
    """
    return Lake(settings or get_settings())


def row_counts(lake: Lake, names: Iterable[str] | None = None) -> dict[str, int]:
    """The number of rows of each table that exists, from metadata only.

    Args:
        lake: the lake.
        names: the tables; default: all.
    """
    tables = names if names is not None else table_names()
    return {n: sum(t.file.record_count for t in lake.table(n).scan().plan_files()) for n in tables if lake.exists(n)}
