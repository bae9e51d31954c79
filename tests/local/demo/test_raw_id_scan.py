"""The search for raw ids finds them in every kind of file."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from local.demo.raw_id_scan import BLOCK, scan

ID = b"shopper-0001@shop.example"


def parquet(path: Path) -> None:
    rows = pa.table({"a": [1], "deep": [[{"x": ID.decode()}]]})
    pq.write_table(rows, path, compression="zstd")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("table.parquet", parquet),
        ("catalog.db", lambda path: path.write_bytes(b"\x00" * 100 + ID)),
        ("logs/task.log", lambda path: path.write_bytes(b"user=" + ID + b"\n")),
        ("old.log.gz", lambda path: path.write_bytes(gzip.compress(ID))),
        ("border.bin", lambda path: path.write_bytes(b"x" * (BLOCK - 5) + ID)),
    ],
)
def test_raw_id_is_found(tmp_path: Path, name: str, write) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path / name)
    (tmp_path / "clean.txt").write_text("nothing here")
    result = scan(tmp_path, [ID])
    assert (result.found, result.files) == ([name], 2)


def test_landing_zone_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "part.jsonl").write_bytes(ID)
    assert scan(tmp_path, [ID]).found == []
