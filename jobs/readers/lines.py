"""Raw lines out of a file, plain or compressed, each with its number; what is wrong becomes a line with a problem."""

import gzip
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple, cast

import zstandard

LONGEST_LINE = 1 << 20
EXCERPT_BYTES = 200
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Problem(StrEnum):
    """Why a line could not be read at all."""

    NOT_JSON = "line.not_json"
    NOT_UTF8 = "line.not_utf8"
    TOO_LONG = "line.too_long"
    TRUNCATED = "file.truncated"
    UNREADABLE = "file.unreadable"


class RawLine(NamedTuple):
    """A line's number (0 for the file itself), its bytes, and what is wrong with it."""

    number: int
    content: bytes
    problem: Problem | None


def numbered_lines(path: Path) -> Iterator[RawLine]:
    """Every line that is not blank, without its end. A line too long to hold is passed over in pieces."""
    try:
        with _open(path) as file:
            number = 0
            while raw := file.readline(LONGEST_LINE + 2):
                number += 1
                if number == 1:
                    raw = raw.removeprefix(BYTE_ORDER_MARK)
                if not raw.endswith(b"\n") and len(raw) > LONGEST_LINE:
                    excerpt = raw[:EXCERPT_BYTES]
                    while raw and not raw.endswith(b"\n"):
                        raw = file.readline(LONGEST_LINE)
                    yield RawLine(number, excerpt, Problem.TOO_LONG)
                    continue
                line = raw.rstrip(b"\r\n")
                if line.strip():
                    yield RawLine(number, line, None)
    except EOFError:
        yield RawLine(0, b"", Problem.TRUNCATED)
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError):
        yield RawLine(0, b"", Problem.UNREADABLE)


def text_of(content: bytes) -> str:
    """The text of a line that cannot be used: as UTF-8 where it is, byte by byte where it is not."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _open(path: Path) -> IO[bytes]:
    if path.name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.name.endswith((".zst", ".zstd")):
        return cast(IO[bytes], zstandard.open(path, "rb"))
    return path.open("rb")
