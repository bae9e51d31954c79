"""Lines of files: numbered and complete, with each problem reported once."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jobs.landing.readers.lines import LONGEST_LINE, blocks, numbered_lines, rewritable
from jobs.landing.readers.problems import Problem


def lines_of(path: Path) -> list[tuple[int, bytes, Problem | None]]:
    return [tuple(line) for line in numbered_lines(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_blank_lines_are_numbered_but_not_returned(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbffirst\r\n\n  \nfourth\nno end")
    assert lines_of(path) == [(1, b"first", None), (4, b"fourth", None), (5, b"no end", None)]


def test_line_of_fifty_megabytes_is_skipped(path: Path) -> None:
    path.write_bytes(b"a\n" + b"x" * 50_000_000 + b"\nb\n")
    assert lines_of(path) == [(1, b"a", None), (2, b"x" * 200, Problem.TOO_LONG), (3, b"b", None)]


def test_long_line_within_a_block_is_skipped(path: Path) -> None:
    path.write_bytes(b"a\nb\n" + b"x" * (LONGEST_LINE + 2) + b"\n" + b"c\n" * 3 + b"y" * LONGEST_LINE + b"\nd")
    assert [(number, problem) for number, _, problem in lines_of(path)] == [
        (1, None), (2, None), (3, Problem.TOO_LONG), (4, None), (5, None), (6, None), (7, None), (8, None),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "compress"), [("log.gz", gzip.compress), ("log.zst", zstandard.compress)])
def test_truncated_compressed_file(tmp_path: Path, name: str, compress: object) -> None:
    text = b"".join(b"%d %d\n" % (i, i * i * 7919) for i in range(200_000))
    whole = compress(text)  # type: ignore[operator]
    path = tmp_path / name
    path.write_bytes(whole)
    assert len(lines_of(path)) == 200_000
    path.write_bytes(whole[: len(whole) * 2 // 3])
    *read, last = lines_of(path)
    assert last == (0, b"", Problem.TRUNCATED)
    assert 100_000 < len(read) < 200_000
    assert [content for _, content, _ in read] == text.split(b"\n")[: len(read)]


@pytest.mark.parametrize("name", ["log.gz", "log.zst"])
def test_plain_file_named_as_a_compressed_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"plain text, and not a little of it")
    assert lines_of(tmp_path / name) == [(1, b"plain text, and not a little of it", None)]


def test_lines_that_end_with_carriage_returns_only(path: Path) -> None:
    path.write_bytes(b"a\rb\r")
    assert lines_of(path) == [(1, b"a", None), (2, b"b", None)]


def test_byte_order_marks_of_files_put_on_end(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n")
    assert lines_of(path) == [(1, b"a", None), (2, b"b", None)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_encodings_are_read_as_utf8(path: Path, encoding: str, size: int) -> None:
    path.write_bytes("smørrebrød\r\n\nÅse\n".encode(encoding))
    assert b"".join(block.content for block in blocks(path, size, encoding)).decode() == "smørrebrød\r\n\nÅse\n"


def test_bytes_that_an_encoding_does_not_have_cost_their_line(path: Path) -> None:
    half = "\ud83d".encode("utf-16-le", "surrogatepass")
    path.write_bytes("a\n".encode("utf-16") + half + "\nb\n".encode("utf-16-le"))
    first, second, third = (content for _, content, _ in numbered_lines(path, "utf-16"))
    assert (first, third) == (b"a", b"b")
    with pytest.raises(UnicodeDecodeError):
        second.decode()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_that_nobody_named(path: Path, encoding: str) -> None:
    path.write_bytes("user,item\nann,a\n".encode(encoding))
    assert lines_of(path) == [(0, b"", Problem.UTF16)]


def test_concatenated_compressed_parts(tmp_path: Path) -> None:
    for name, compress in (("log.gz", gzip.compress), ("log.zst", zstandard.compress)):
        (tmp_path / name).write_bytes(compress(b"a\nb") + compress(b"c\nd\n"))
        assert [content for _, content, _ in lines_of(tmp_path / name)] == [b"a", b"bc", b"d"]


@given(
    st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line and line[:3] != b"\xef\xbb\xbf")), st.integers(1, 40)
)
def test_blocks_of_any_size_hold_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int
) -> None:
    path = tmp_path_factory.mktemp("blocks") / "log"
    path.write_bytes(b"first\n" + b"".join(line + b"\n" for line in lines))
    found = list(blocks(path, size))
    assert b"".join(block.content for block in found) == path.read_bytes()
    number = 1
    for block in found:
        assert (block.first, block.problem) == (number, None)
        number += block.content.count(b"\n")


def test_files_of_which_single_lines_cannot_be_replaced(path: Path) -> None:
    """Erasure lists them instead: their lines are not numbered by line feeds."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "a\nb\n")
    for content, encoding, expected in (
        (b"a\nb\n", "utf-8", True),
        (gzip.compress(b"a\nb\n"), "latin-1", True),
        (b"a\rb\r", "utf-8", False),
        ("a\n".encode("utf-16"), "utf-16", False),
        (archive.getvalue(), "utf-8", False),
    ):
        path.write_bytes(content)
        assert rewritable(path, encoding) is expected, content
