"""Compaction: fewer files with the same rows and the same lineage, in one commit."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.manifest import DataFile

from schemas.lake.lake import Lake, open_lake
from schemas.maintenance import compact
from schemas.publishing.staging import open_attempt
from schemas.runtime.errors import ClickwrightError
from tests.schemas.lakes import DAYS, FIELD, RAW, pass_audit, publish, rows_of, write_day


def write_scattered(table: str, day: Any, parts: int = 6, run: str = "scattered") -> pa.Table:
    """Publish a day of a table with one file per row."""
    import pyarrow.parquet as pq

    rows = rows_of(table, [f"{i}@people.example" for i in range(parts)], day, 1)
    with open_attempt("test", run, {"events": 7}) as attempt:
        folder = attempt.folder(table)
        folder.mkdir(parents=True)
        for i in range(rows.num_rows):
            pq.write_table(rows.slice(i, 1), folder / f"part-{i}.parquet", store_schema=False)
        attempt.replaces(table, FIELD[table], [day])
    pass_audit(run)
    publish.main(["--job", "test", "--run", run])
    return rows


def same_rows(lake: Lake, table: str, rows: pa.Table) -> bool:
    found = lake.arrow(table).to_pylist()
    return sorted(map(str, found)) == sorted(map(str, rows.to_pylist()))


@pytest.mark.parametrize("table", ["sessions", "events", "rejects", "profiles"])
def test_small_files_become_one_file_with_the_same_rows(table: str) -> None:
    lake = open_lake()
    rows = write_scattered(table, DAYS[0])
    snapshots = len(lake.table(table).snapshots())
    assert compact.compact(lake, table, "keep") == {"partitions": 1, "files": 6, "into": 1}
    assert len(lake.files(table)) == 1
    assert same_rows(lake, table, rows)
    assert len(lake.table(table).snapshots()) == snapshots + 1
    assert compact.compact(lake, table, "keep")["files"] == 0


def test_compaction_keeps_lineage() -> None:
    lake = open_lake()
    write_scattered("sessions", DAYS[0])
    origin = lake.current_commits("sessions")
    compact.compact(lake, "sessions", "keep")
    assert lake.current_commits("sessions") == origin
    newest = lake.commits("sessions")[0]
    assert (newest.run, newest.job, newest.notes["rows"]) == ("keep", "keep.compact", 6)
    assert newest.inputs == {"sessions": origin[str(DAYS[0])].snapshot_id}
    summary = lake.table("sessions").current_snapshot().summary  # type: ignore[union-attr]
    assert summary is not None
    assert f'"{DAYS[0]}": ["scattered", {origin[str(DAYS[0])].snapshot_id}]' in str(summary["clickwright.origin"])


def test_other_partitions_and_older_snapshots_are_unchanged() -> None:
    lake = open_lake()
    write_day("sessions", DAYS[1])
    rows = write_scattered("sessions", DAYS[0])
    before = lake.snapshot("sessions")
    compact.compact(lake, "sessions", "keep")
    assert lake.arrow("sessions", f"closed_on = '{DAYS[1]}'").num_rows == 3
    assert lake.arrow("sessions", f"closed_on = '{DAYS[0]}'", snapshot=before).num_rows == rows.num_rows


def test_a_concurrently_replaced_partition_keeps_its_new_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    lake = open_lake()
    write_scattered("sessions", DAYS[0])
    write_scattered("sessions", DAYS[1], run="other")
    written = compact.written_together

    def replaced_meanwhile(*args: Any) -> str:
        if lake.arrow("sessions", f"closed_on = '{DAYS[0]}'").num_rows == 6:
            write_day("sessions", DAYS[0], RAW[:1], run="meanwhile")
        return written(*args)

    monkeypatch.setattr(compact, "written_together", replaced_meanwhile)
    assert compact.compact(lake, "sessions", "keep")["into"] == 1
    assert lake.arrow("sessions", f"closed_on = '{DAYS[0]}'").num_rows == 1
    assert lake.arrow("sessions", f"closed_on = '{DAYS[1]}'").num_rows == 6


def test_compaction_is_refused_during_an_erasure() -> None:
    from schemas.lake.pseudonym_key import pseudonym_key
    from schemas.privacy.erasure_requests import write_request
    from schemas.runtime.settings import get_settings

    pseudonym_key(get_settings())
    write_request(get_settings(), {1: RAW[0]}, DAYS[2])
    with pytest.raises(ClickwrightError, match="erasure is not finished"):
        compact.main(["--date", "2026-11-20"])


def of_size(number: int, size: int) -> DataFile:
    return DataFile.from_args(file_path=f"{number:04d}", file_size_in_bytes=size, partition=None, record_count=1)


@given(st.lists(st.integers(1, 150), max_size=40))
def test_groups_hold_each_small_file_once_within_the_target(sizes: list[int]) -> None:
    files = [of_size(i, size) for i, size in enumerate(sizes)]
    groups = list(compact.groups(files, target_bytes=100, fewest=4))
    small = [file.file_path for file in files if file.file_size_in_bytes < 50]
    assert [file.file_path for group in groups for file in group] == (small if len(small) >= 4 else [])
    assert all(sum(file.file_size_in_bytes for file in group) <= 100 for group in groups)
