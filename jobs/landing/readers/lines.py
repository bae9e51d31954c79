"""Raw lines of a file, plain or compressed, each with its number; broken parts become lines with a problem."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple

import zstandard

LONGEST_LINE = 1 << 20
BLOCK_BYTES = 8 << 20
EXCERPT_BYTES = 200
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP, ZSTANDARD = (".gz",), (".zst", ".zstd")
COMPRESSED = GZIP + ZSTANDARD
UNKNOWN_COMPRESSION = (".bz2", ".xz", ".lzma", ".lz4", ".br", ".sz", ".zip", ".7z", ".Z", ".tar", ".tgz")
"""Names of compressed files that are not read: their bytes, read as lines, would each be a reject."""
COMPRESSED_AT_A_TIME = 1 << 10
"""Bytes given to Zstandard at once. It answers with all that they become: 4 bytes may be a block of 128 KiB."""
BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
"""The errors of compressed files that are cut off or corrupt."""


class Problem(StrEnum):
    """Why a line could not be read; the sentences are in ``jobs.cleaning.reject_reasons``."""

    NOT_JSON = "line.not_json"
    NOT_AN_OBJECT = "line.not_an_object"
    NOT_A_LIST = "line.not_a_list"
    NO_ELEMENTS = "line.no_elements"
    TOO_MANY_ELEMENTS = "line.too_many_elements"
    NOT_UTF8 = "line.not_utf8"
    WRONG_ENCODING = "line.wrong_encoding"
    TOO_LONG = "line.too_long"
    WRONG_FIELDS = "line.wrong_fields"
    BROKEN_QUOTES = "line.broken_quotes"
    HEADER_AGAIN = "line.header_again"
    NO_HEADER = "line.no_header"
    NO_MATCH = "line.no_match"
    DAMAGED = "row.damaged"
    EMPTY = "file.empty"
    TRUNCATED = "file.truncated"
    UNREADABLE = "file.unreadable"
    UNKNOWN_COMPRESSION = "file.unknown_compression"
    TOO_LARGE = "file.too_large"
    BAD_NAME = "file.bad_name"
    NOT_A_FILE = "file.not_a_file"
    OUTSIDE = "file.outside"


class RawLine(NamedTuple):
    """A line's number (0 for the file itself), its bytes, and its problem."""

    number: int
    content: bytes
    problem: Problem | None


class Block(NamedTuple):
    """Consecutive whole lines, each with its line feed, and the number of the first.

    A block with a problem is an excerpt of one line, or the file itself (number 0, no content).
    """

    first: int
    content: bytes
    problem: Problem | None


def blocks(path: Path, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """The lines of a file in blocks. The rest of a line that is too long is skipped in pieces.

    Args:
        path: the file, plain or compressed.
        size: bytes of a block, about.
    """
    number, rest = 1, b""
    try:
        with open_lines(path) as file:
            for piece in _pieces(file, size):
                if number == 1 and not rest:
                    piece = piece.removeprefix(BYTE_ORDER_MARK)
                end = piece.rfind(b"\n") + 1
                if not end:
                    rest += piece
                    if len(rest) > LONGEST_LINE + 2:
                        excerpt = rest[:EXCERPT_BYTES]
                        while piece and not piece.endswith(b"\n"):
                            piece = file.readline(LONGEST_LINE)
                        yield Block(number, excerpt, Problem.TOO_LONG)
                        number, rest = number + 1, b""
                    continue
                content, rest = rest + piece[:end], piece[end:]
                yield from _without_long_lines(number, content)
                number += content.count(b"\n")
            if rest:
                yield from _without_long_lines(number, rest + b"\n")
    except EOFError:
        yield Block(0, b"", Problem.TRUNCATED)
    except BROKEN:
        yield Block(0, b"", Problem.UNREADABLE)


def _pieces(file: io.BufferedIOBase, size: int) -> Iterator[bytes]:
    """The bytes of a file in pieces, including those before the place where it is broken."""
    gathered: list[bytes] = []
    wanted = size
    try:
        while piece := file.read1(wanted):
            gathered.append(piece)
            wanted -= len(piece)
            if wanted <= 0:
                whole, gathered, wanted = b"".join(gathered), [], size
                yield whole
    except BROKEN:
        yield b"".join(gathered)
        raise
    yield b"".join(gathered)


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file in pieces, up to its end or to the place where it is broken."""
    with suppress(*BROKEN), open_lines(path) as file:
        yield from _pieces(file, BLOCK_BYTES)


def _without_long_lines(number: int, content: bytes) -> Iterator[Block]:
    """The block as it is, or divided where a line is too long."""
    start = 0
    while len(content) - start > LONGEST_LINE:
        found = _long_line(content, start)
        if found is None:
            break
        begin, end = found
        if begin > start:
            yield Block(number, content[start:begin], None)
            number += content.count(b"\n", start, begin)
        yield Block(number, content[begin : begin + EXCERPT_BYTES], Problem.TOO_LONG)
        number, start = number + 1, end
    if start < len(content):
        yield Block(number, content[start:], None)


def _long_line(content: bytes, start: int) -> tuple[int, int] | None:
    """Start and end of the first line from ``start`` on that is too long. Jumps over short lines without scanning them."""
    while start < len(content):
        end = content.rfind(b"\n", start, start + LONGEST_LINE + 2) + 1
        if not end:
            return start, content.index(b"\n", start) + 1
        start = end
    return None


def numbered_lines(path: Path) -> Iterator[RawLine]:
    """Every line that is not blank, without its line end."""
    for block in blocks(path):
        if block.problem is not None:
            yield RawLine(*block)
            continue
        for number, raw in enumerate(block.content.split(b"\n")[:-1], block.first):
            line = raw.rstrip(b"\r")
            if line.strip():
                yield RawLine(number, line, None)


def text_of(content: bytes) -> str:
    r"""The text of a line with a problem: decoded as UTF-8, or as Latin-1 if that fails.

    >>> text_of("é".encode()), text_of(b"\xe9")
    ('é', 'é')
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def not_decoded(encoding: str) -> Problem:
    """The problem of a line that cannot be decoded with the mapping's encoding.

    >>> str(not_decoded("utf-8")), str(not_decoded("cp1252"))
    ('line.not_utf8', 'line.wrong_encoding')
    """
    return Problem.NOT_UTF8 if encoding == "utf-8" else Problem.WRONG_ENCODING


def open_lines(path: Path) -> io.BufferedIOBase:
    """The bytes of a file, uncompressed."""
    if path.name.endswith(GZIP):
        return gzip.open(path, "rb")
    if path.name.endswith(ZSTANDARD):
        return io.BufferedReader(_Zstandard(path.open("rb")), 1 << 20)
    return path.open("rb")


class _Zstandard(io.RawIOBase):
    """Decompresses Zstandard. Unlike ``zstandard.open``, and like ``gzip``, it raises EOFError if the file is truncated."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._compressed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            compressed = self._compressed or self._file.read(COMPRESSED_AT_A_TIME)
            if not compressed:
                if self._frame is not None:
                    raise EOFError("the file ends in the middle of a frame")
                return 0
            if self._frame is None:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(compressed))
            self._compressed = self._frame.unused_data if self._frame.eof else b""
            self._frame = None if self._frame.eof else self._frame
        given = self._ready[: len(buffer)]
        self._ready = self._ready[len(given) :]
        buffer[: len(given)] = given
        return len(given)
