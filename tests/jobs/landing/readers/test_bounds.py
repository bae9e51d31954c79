"""Files that become much larger than they are stored: each is one row with a reason, in little time and memory."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from jobs.landing.readers import Bounds, read
from tests.jobs.landing.readers.child import read_in_child
from tests.jobs.landing.readers.conftest import WANTED, shop

MEBIBYTE = 1 << 20
TEXT, PARQUET = shop(), shop(format="parquet")
REFUSED = [(0, "file.too_large")]


def in_pieces(size: int, piece: bytes, compressor: Callable[[], object], path: Path) -> Path:
    """A compressed file of a piece that is repeated until it has some bytes."""
    with path.open("wb") as file:
        packer = compressor()
        for _ in range(size // len(piece)):
            file.write(packer.compress(piece))  # type: ignore[attr-defined]
        file.write(packer.flush())  # type: ignore[attr-defined]
    return path


def gzip_packer() -> object:
    return zlib.compressobj(9, wbits=31)


def zstandard_packer() -> object:
    return zstandard.ZstdCompressor(level=3).compressobj()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "packer"), [("a.jsonl.gz", gzip_packer), ("a.jsonl.zst", zstandard_packer)])
@pytest.mark.parametrize("piece", [bytes(MEBIBYTE), b"{}\n" * (MEBIBYTE // 3), b"\n" * MEBIBYTE])
def test_compressed_bomb_is_one_row(tmp_path: Path, name: str, packer: Callable[[], object], piece: bytes) -> None:
    path = in_pieces(200 << 20, piece, packer, tmp_path / name)
    rows, seconds, megabytes = read_in_child(path)
    assert rows == REFUSED
    assert (seconds < 10, megabytes < 200) == (True, True), (seconds, megabytes)


@pytest.mark.parametrize("form", ["csv", "pattern"])
def test_compressed_bomb_in_the_other_text_formats(tmp_path: Path, form: str) -> None:
    source = shop(format=form, **({"pattern": r"(?P<u>\w+) (?P<t>\w+)"} if form == "pattern" else {}))
    path = in_pieces(64 << 20, b"u,t\n" * (MEBIBYTE // 4), zstandard_packer, tmp_path / "a.zst")
    assert [f.select("line_number", "problem").row(0) for f in read(path, source, WANTED)] == REFUSED


def texts(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))


def parquet_bomb(kind: str, path: Path) -> Path:
    long = "x" * 49_000
    match kind:
        case "dictionary":
            pq.write_table(pa.table({"u": texts(long, 90_000)}), path, store_schema=False)
        case "row groups":
            pq.write_table(pa.table({"u": texts(long, 90_000)}), path, row_group_size=1000, store_schema=False)
        case "many rows":
            pq.write_table(pa.table({"u": texts("x", 20_000_000)}), path, store_schema=False)
        case "plain pages":
            pq.write_table(pa.table({"u": [long] * 4000}), path, use_dictionary=False, compression="zstd")
        case "delta":
            column = {"u": pa.array([long] * 8000)}
            pq.write_table(
                pa.table(column), path, use_dictionary=False, column_encoding={"u": "DELTA_BYTE_ARRAY"}, compression="zstd"
            )
        case "nested":
            lists = pa.ListArray.from_arrays(pa.array([0, 90_000], pa.int32()), texts(long, 90_000))
            pq.write_table(pa.table({"u": pa.StructArray.from_arrays([lists], ["v"])}), path, store_schema=False)
        case "one row of a long list":
            lists = pa.ListArray.from_arrays(pa.array([0, 50_000_000], pa.int32()), pa.array([0] * 50_000_000, pa.int8()))
            pq.write_table(pa.table({"u": lists}), path)
        case "fixed size":
            pq.write_table(pa.table({"u": pa.array([long.encode()] * 4000, pa.binary(49_000))}), path, store_schema=False)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["dictionary", "row groups", "many rows", "plain pages", "delta", "nested", "one row of a long list", "fixed size"]
)
def test_parquet_bomb_is_one_row(tmp_path: Path, kind: str) -> None:
    path = parquet_bomb(kind, tmp_path / "a.parquet")
    assert path.stat().st_size < 300_000
    rows, seconds, megabytes = read_in_child(path, "parquet")
    assert rows == REFUSED
    assert (seconds < 10, megabytes < 500) == (True, True), (seconds, megabytes)


def test_column_that_is_not_read_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"u": ["ann"] * 5000, "t": ["1"] * 5000, "page": texts("x" * 10_000, 5000)}), path)
    assert sum(len(frame) for frame in read(path, PARQUET, WANTED)) == 5000


def test_pieces_of_a_large_file_are_measured_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pq.ParquetWriter(path, pa.schema({"u": pa.string(), "t": pa.string()})) as writer:
        for text in ("ann", "x" * 10_000):
            writer.write_table(pa.table({"u": [text] * 5000, "t": ["1"] * 5000}))
    sound, bomb = (pl.concat(read(path, PARQUET, WANTED, groups=(group, group))) for group in (0, 1))
    assert sound["problem"].null_count() == 5000
    assert bomb.select("line_number", "problem").rows() == [(5001, "file.too_large")]


@pytest.mark.slow
def test_logs_that_compress_well_are_read(tmp_path: Path) -> None:
    lines = b"".join(b'{"u": "user %d", "t": "1998-04-16T14:20:05Z", "page": "/same/for/all"}\n' % i for i in range(300_000))
    for name, pack in (("a.gz", gzip.compress), ("a.zst", zstandard.compress)):
        (tmp_path / name).write_bytes(pack(lines))
        assert sum(len(frame) for frame in read(tmp_path / name, TEXT, WANTED)) == 300_000


def test_bounds_are_settings(tmp_path: Path) -> None:
    (tmp_path / "plain.jsonl").write_bytes(b"{}\n" * 30_000)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 30_000))
    for bounds in (Bounds(gigabytes=0.00001), Bounds(gigabytes=0.00001, ratio=1e9)):
        for name in ("plain.jsonl", "packed.jsonl.gz"):
            (frame,) = read(tmp_path / name, TEXT, WANTED, bounds=bounds)
            assert frame.select("line_number", "problem").rows() == REFUSED
    (frame,) = read(tmp_path / "packed.jsonl.gz", TEXT, WANTED, bounds=Bounds(lines=20_000))
    assert frame.select("line_number", "problem").rows() == REFUSED


@pytest.mark.slow
@pytest.mark.parametrize(("name", "packer"), [("a.bz2", bz2.BZ2Compressor), ("a.xz", lzma.LZMACompressor)])
def test_bomb_of_a_denser_compression_is_one_row(tmp_path: Path, name: str, packer: Callable[[], object]) -> None:
    path = in_pieces(100 << 20, bytes(MEBIBYTE), packer, tmp_path / name)
    rows, seconds, megabytes = read_in_child(path)
    assert rows == REFUSED
    assert (seconds < 10, megabytes < 200) == (True, True), (seconds, megabytes)


@pytest.mark.slow
def test_zip_bomb_is_one_row(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.jsonl", bytes(50 << 20))
    rows, seconds, megabytes = read_in_child(tmp_path / "a.zip")
    assert rows == REFUSED
    assert (seconds < 10, megabytes < 200) == (True, True), (seconds, megabytes)


def test_compression_that_is_not_known_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + b"{}\n" * 1000)
    (frame,) = read(tmp_path / "a.jsonl.7z", TEXT, WANTED)
    assert frame.select("line_number", "problem").rows() == [(0, "file.unknown_compression")]


@pytest.mark.slow
@pytest.mark.parametrize("value", [b'"' + b"x" * 400_000 + b'"', b"[" + b"{}," * 130_000 + b"0]"], ids=["texts", "objects"])
def test_long_lines_are_not_gathered_in_memory(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for _ in range(500):
            file.write(b'{"u": ' + value + b"}\n")
    rows, _, megabytes = read_in_child(path)
    assert rows[0] == (1, None)
    assert megabytes < 400
