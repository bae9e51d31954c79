"""Compressed files, whatever they are called: what is whole is read, and what is not is named."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.jobs.landing.readers.conftest import ReadBytes

LINES = b'{"u": "ann", "t": "1"}\n{"u": "bob", "t": "2"}'
READ = [(1, None, "ann", "1"), (2, None, "bob", "2")]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstandard": zstandard.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def problem(code: str) -> tuple[int, str, None, None]:
    return 0, code, None, None


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("name", ["a.jsonl", "part-0000", "LOG.JSONL.GZ", "a.gzip", "a.bz2", "a.zip", "a.zst"])
@pytest.mark.parametrize("kind", [*PACKED, None])
def test_compression_is_known_by_the_content(read_bytes: ReadBytes, name: str, kind: str | None) -> None:
    assert read_bytes(PACKED[kind](LINES) if kind else LINES, name) == READ


@pytest.mark.parametrize("kind", PACKED)
def test_padding_is_not_a_problem_and_other_data_behind_the_end_is(read_bytes: ReadBytes, kind: str) -> None:
    packed = PACKED[kind](LINES)
    assert read_bytes(packed + bytes(500), "a") == READ
    assert read_bytes(packed + b"garbage behind the end", "a") == [*READ, problem("file.trailing_data")]
    assert read_bytes(packed + bytes(70_000) + b"garbage", "a") == [*READ, problem("file.trailing_data")]


@pytest.mark.parametrize("kind", PACKED)
def test_streams_on_end_are_one_text(read_bytes: ReadBytes, kind: str) -> None:
    pack = PACKED[kind]
    assert read_bytes(pack(LINES[:30]) + pack(LINES[30:]), "a") == READ


@pytest.mark.slow
@pytest.mark.parametrize("kind", PACKED)
def test_cut_off_and_damaged_data(read_bytes: ReadBytes, kind: str) -> None:
    lines = b"".join(b'{"u": "%s", "t": "1"}\n' % os.urandom(8).hex().encode() for _ in range(100_000))
    packed = bytearray(PACKED[kind](lines))
    *read, last = read_bytes(bytes(packed[:-4000]), "a")
    assert last == problem("file.truncated")
    assert 10_000 < len(read) < 100_000
    middle = len(packed) // 2
    packed[middle : middle + 50] = bytes(50)
    assert read_bytes(bytes(packed), "a")[-1][1] in ("file.unreadable", "file.checksum")


def test_wrong_checksum_is_named(read_bytes: ReadBytes) -> None:
    packed = bytearray(gzip.compress(LINES))
    packed[-6] ^= 255
    assert read_bytes(bytes(packed), "a.gz") == [*READ, problem("file.checksum")]


def test_long_window_of_zstandard(read_bytes: ReadBytes) -> None:
    long = zstandard.ZstdCompressionParameters.from_level(1, window_log=28, enable_ldm=True, write_content_size=False)
    packed = zstandard.ZstdCompressor(compression_params=long)
    writer = packed.compressobj()
    assert read_bytes(writer.compress(LINES) + writer.flush(), "a.zst") == READ


def test_frames_of_zstandard_without_data_are_skipped(read_bytes: ReadBytes) -> None:
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00note"
    assert read_bytes(skipped + zstandard.compress(LINES) + skipped, "a.zst") == READ


def test_members_of_an_archive_follow_one_another(read_bytes: ReadBytes) -> None:
    first, second = LINES.split(b"\n")
    archive = zipped(**{"1.jsonl": first, "__MACOSX/1.jsonl": b"x", "d/2.jsonl": second, "d/.hidden": b"x"})
    assert read_bytes(archive, "a.zip") == READ


def test_member_that_cannot_be_read_is_named(read_bytes: ReadBytes) -> None:
    archive = zipped(a=LINES, b=gzip.compress(LINES), c=LINES)
    named = (3, "file.unknown_compression", None, None)
    assert read_bytes(archive, "a.zip") == [*READ, named, (4, None, "ann", "1"), (5, None, "bob", "2")]
    assert read_bytes(zipped(a=LINES)[:-30], "c.zip") == [(1, "file.unreadable", None, None)]


@pytest.mark.parametrize(
    ("place", "value"),
    [(8, 1), (8, 0x40), (10, 93), (6, 99)],
    ids=["encrypted", "strongly encrypted", "Zstandard in zip", "a version of tomorrow"],
)
def test_a_zip_that_the_library_cannot_expand_is_named(read_bytes: ReadBytes, place: int, value: int) -> None:
    """``place`` counts from the entry in the directory; the entry before the data has the same fields 2 bytes lower."""
    archive = bytearray(zipped(a=LINES))
    for start in (archive.index(b"PK\x01\x02") + place, place - 2):
        archive[start] = value
    assert read_bytes(bytes(archive), "b.zip") == [(1, "file.unknown_compression", None, None)]


def test_archives_and_other_formats_are_named(read_bytes: ReadBytes, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LINES)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.add(tmp_path / "log", "log")
    unknown, other = problem("file.unknown_compression"), problem("file.unreadable")
    assert read_bytes(tar.getvalue(), "a.tar") == [unknown]
    assert read_bytes(gzip.compress(tar.getvalue()), "a.tgz") == [unknown]
    assert read_bytes(b"7z\xbc\xaf\x27\x1c...", "a.7z") == [unknown]
    assert read_bytes(b"\x04\x22\x4d\x18...", "a.lz4") == [unknown]
    assert read_bytes(b"\x8b\x02\x80...", "a.br") == [unknown]
    assert read_bytes(b"PAR1...", "a.jsonl") == [other]
    assert read_bytes(zipped(**{"[Content_Types].xml": b"<x/>", "xl/a.xml": b"<x/>"}), "a.xlsx") == [(1, *other[1:])]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "LZMA"])
def test_members_of_other_methods_are_named_and_the_others_read(read_bytes: ReadBytes, method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", LINES)
        archive.writestr("b", LINES, compress_type=method)
    assert read_bytes(file.getvalue(), "a.zip") == [*READ, (3, "file.unknown_compression", None, None)]
