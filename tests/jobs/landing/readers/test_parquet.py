"""Parquet: columns keep their types, files are read in pieces, and damage costs only the rows it affects."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.landing.readers import read
from jobs.landing.readers.parquet import row_groups
from tests.jobs.landing.readers.conftest import WANTED, ReadBytes, shop

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
PARQUET = shop(format="parquet")


def write(path: Path, columns: dict[str, object], group: int | None = None) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=group, compression="none", use_dictionary=False)
    return path


def test_columns_keep_their_types_and_missing_ones_are_null(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", {"u": [7, None], "t": pa.array([NOON, None], pa.timestamp("us", "UTC")), "x": [1.5, 2.5]}
    )
    (frame,) = read(path, PARQUET, {**WANTED, "price": "x", "brand": "brand"})
    assert frame.rows() == [(1, None, None, 7, NOON, 1.5, None), (2, None, None, None, None, 2.5, None)]
    assert frame.schema["time"] == pl.Datetime("us", "UTC")
    assert frame.schema["price"] == pl.Float64


def test_paths_through_structs_and_lists(tmp_path: Path) -> None:
    rows = [
        {
            "page": {"at": "/a"},
            "items": [{"id": 1}, {"id": 2}],
            "params": [{"key": "q", "value": {"text": "hat"}}],
            "tags": ["x", "y"],
        },
        {"page": None, "items": [], "params": [{"key": "z", "value": {"text": "no"}}], "tags": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    wanted = {
        "page": "page.at",
        "item": "items[1].id",
        "query": "params[key=q].value.text",
        "none": "page.at.none",
        "tags": "tags",
    }
    (frame,) = read(tmp_path / "a.parquet", PARQUET, wanted, frozenset({"tags"}))
    assert frame.select(list(wanted)).rows() == [("/a", 2, "hat", None, ["x", "y"]), (None, None, None, None, None)]


def test_pieces_together_give_the_rows_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"u": [str(i) for i in range(1000)], "t": list(range(1000))}, group=100)
    whole = pl.concat(read(path, PARQUET, WANTED))
    assert whole["line_number"].to_list() == list(range(1, 1001))
    pieces = row_groups(path, bytes_a_piece=4500)
    assert [groups for groups, _ in pieces] == [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    assert pl.concat(frame for groups, _ in pieces for frame in read(path, PARQUET, WANTED, groups=groups)).equals(whole)


def test_file_that_is_not_parquet(read_bytes: ReadBytes, tmp_path: Path) -> None:
    assert read_bytes(b"", "a.parquet", format="parquet") == [(0, "file.empty", None, None)]
    assert read_bytes(b"PAR1 or so", "b.parquet", format="parquet") == [(0, "file.unreadable", None, None)]
    assert row_groups(tmp_path / "b.parquet", 1) == []


def test_damage_costs_the_rows_of_its_row_group(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"u": [f"user {i}" for i in range(300)], "t": list(range(300))})
    pq.write_table(table, path, row_group_size=100, compression="zstd", use_dictionary=False)
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    rows = pl.concat((f.select("line_number", "problem", "user") for f in read(path, PARQUET, WANTED)), how="vertical")
    assert rows["line_number"].to_list() == list(range(1, 301))
    damaged = rows.filter(pl.col("problem") == "row.damaged")
    assert damaged["line_number"].to_list() == list(range(101, 201))
    assert rows.filter(pl.col("problem").is_null())["user"].to_list() == [f"user {i}" for i in [*range(100), *range(200, 300)]]


def test_invalid_utf8_costs_only_its_own_row(tmp_path: Path) -> None:
    raw = pa.array([b"ann", b"zo\xeb", b"bob"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    path = write(tmp_path / "a.parquet", {"u": texts, "t": [1, 2, 3]})
    (frame,) = read(path, PARQUET, WANTED)
    assert frame.select("line_number", "problem", *WANTED).rows() == [
        (1, None, "ann", 1),
        (2, "line.not_utf8", None, None),
        (3, None, "bob", 3),
    ]
