"""Clean with other formats than JSON Lines: large Parquet files, several sources in one day, and `skip` rules."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.exchange import tasks
from jobs.landing import files
from schemas.publishing import audit
from schemas.source import Source
from tests.jobs.conftest import Deliver, line

pytestmark = pytest.mark.slow
Cleaned = Callable[..., dict[str, Any]]
START = datetime(1998, 4, 16, 9, tzinfo=UTC)
COLUMNS = {
    "user_id": {"path": "who"},
    "event_type": {"constant": "view"},
    "event_time": {"path": "at"},
    "item_id": {"path": "item"},
}
TYPED = Source.model_validate({"name": "typed", "format": "parquet", "columns": COLUMNS, "event_types": {"view": "view"}})
SHOP = Source.model_validate(
    {
        "name": "shop",
        "format": "csv",
        "columns": COLUMNS,
        "event_types": {"view": "view"},
        "skip": {"internal": {"path": "who", "pattern": "^staff-"}},
    }
)


def write_typed(path: Path, rows: int, group: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    at = [START + timedelta(seconds=5 * i) for i in range(rows)]
    who = [None if i % 100 == 7 else i % 50 for i in range(rows)]
    table = pa.table({"who": who, "at": pa.array(at, pa.timestamp("us", "UTC")), "item": list(range(rows))})
    pq.write_table(table, path, row_group_size=group)


def test_large_parquet_file_in_pieces_gives_the_same_rows(cleaned: Cleaned, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = var / "landing" / "typed" / "arrived=1998-04-16T15" / "part.parquet"
    write_typed(path, 2000, 200)
    whole = cleaned(sources=[TYPED])
    monkeypatch.setattr(tasks, "BYTES_A_TASK", path.stat().st_size // 4)
    arrived = files.arrival_files(var / "landing", "typed", "typed", START.date())
    assert len(files.pieces_by_task(arrived, {"typed": TYPED})) >= 4
    pieces = cleaned(sources=[TYPED], run="pieces")
    assert pieces["figures"] == whole["figures"]
    assert (whole["figures"]["lines_read"], whole["figures"]["events"]) == (2000, 1980)
    by_line = {table: sorted(pieces[table], key=lambda row: row["line_number"]) for table in ("events", "rejects")}
    assert by_line == {table: sorted(whole[table], key=lambda row: row["line_number"]) for table in by_line}
    assert [row["line_number"] for row in by_line["rejects"]] == [i + 1 for i in range(2000) if i % 100 == 7]


def test_day_with_several_formats_and_broken_files(deliver: Deliver, cleaned: Cleaned, var: Path) -> None:
    from schemas.source import load_source

    deliver(line())
    deliver("who,at,item", "ann,1998-04-16T09:00:00Z,1", "bob,1998-04-16T09:00:00Z", source="shop", name="part.csv.gz")
    (var / "landing/shop/arrived=1998-04-16T15/empty.csv").touch()
    typed = var / "landing/typed/arrived=1998-04-16T15"
    write_typed(typed / "good.parquet", 10, 10)
    (typed / "bad.parquet").write_bytes(b"PAR1 and then nothing")
    result = cleaned(sources=[load_source("movielens"), SHOP, TYPED])
    figures = result["figures"]
    assert figures["lines_read"] == figures["events"] + figures["rejects"] + figures["duplicates"] == 15
    assert figures["reasons"] == {"file.empty": 1, "file.unreadable": 1, "line.wrong_fields": 1, "user_id.required": 1}
    assert {row["source"] for row in result["events"]} == {"movielens", "shop", "typed"}


def test_skipped_lines_do_not_fail_the_audit(deliver: Deliver, cleaned: Cleaned) -> None:
    people = [f"user-{i},1998-04-16T09:00:00Z,1" for i in range(8)]
    staff = [f"staff-{i},never,1" for i in range(12)]  # no other rule applies to them
    deliver("who,at,item", *people, *staff, source="shop", name="part.csv.gz")
    result = cleaned(sources=[SHOP])
    assert (result["figures"]["events"], result["figures"]["rejects"], result["figures"]["set_aside"]) == (8, 12, 12)
    audit.main(["--job", "clean", "--run", "r"])


def test_broken_lines_besides_skipped_ones_fail_the_audit(deliver: Deliver, cleaned: Cleaned) -> None:
    staff = [f"staff-{i},1998-04-16T09:00:00Z,1" for i in range(8)]
    deliver("who,at,item", "ann,1998-04-16T09:00:00Z,1", *staff, *["broken"] * 3, source="shop", name="part.csv.gz")
    cleaned(sources=[SHOP])
    with pytest.raises(audit.Refused, match="at most 20 % of records, set_aside not counted"):
        audit.main(["--job", "clean", "--run", "r"])
