"""Raw lines of a file, plain or compressed, each with its number; broken parts become lines with a problem."""

import codecs
import io
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from jobs.landing.readers.compression import (
    BROKEN,
    START,
    BrokenError,
    compression_of,
    open_part,
    parts,
    problem_of,
    unreadable_start,
)
from jobs.landing.readers.problems import Problem

LONGEST_LINE = 1 << 20
BLOCK_BYTES = 8 << 20
EXCERPT_BYTES = 200
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WIDE = ("utf-16", "utf-32")
"""Encodings in which a line end has several bytes."""
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NOT_DECODED = "clickwright.not_decoded"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Bytes that cannot be decoded become half a surrogate pair, which makes their line invalid as UTF-8."""
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error(NOT_DECODED, _mark)


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


def blocks(path: Path, size: int = BLOCK_BYTES, encoding: str = "utf-8") -> Iterator[Block]:
    """The lines of a file in blocks, in UTF-8. The rest of a line that is too long is skipped in pieces.

    Members of an archive follow one another, and a problem of a member has a line number of its own.

    Args:
        path: the file, plain or compressed.
        size: bytes of a block, about.
        encoding: of the file; bytes that it does not have make their line invalid as UTF-8.
    """
    archive, number = compression_of(path) == "zip", 1
    for part in parts(path):
        problem = part.problem
        if part.file is not None:
            number, problem = yield from _blocks_of(part.file, number, size, encoding)
        if problem is not None:
            yield Block(number if archive else 0, b"", problem)
            number += archive


def _blocks_of(
    file: io.BufferedIOBase, number: int, size: int, encoding: str
) -> Generator[Block, None, tuple[int, Problem | None]]:
    """The blocks of a text whose first line has a number; returns the number after its last line, and its problem."""
    rest, whole, problem = b"", True, None
    pieces = _as_utf8(_pieces(file, size), encoding)
    try:
        for piece in pieces:
            end = piece.rfind(b"\n") + 1
            if not end:
                rest += piece
                if len(rest) > LONGEST_LINE + 2:
                    yield Block(number, rest[:EXCERPT_BYTES], Problem.TOO_LONG)
                    number, rest = number + 1, b""
                    while piece and b"\n" not in piece:
                        piece = next(pieces, b"")
                    rest = piece[piece.find(b"\n") + 1 :] if piece else b""
                    end = rest.rfind(b"\n") + 1
                    if end:
                        content, rest = rest[:end], rest[end:]
                        yield from _without_long_lines(number, _without_marks(content))
                        number += content.count(b"\n")
                continue
            content, rest = rest + piece[:end], piece[end:]
            yield from _without_long_lines(number, _without_marks(content))
            number += content.count(b"\n")
    except BROKEN as error:
        problem = problem_of(error)
        whole = problem in (Problem.TRAILING, Problem.CHECKSUM)
    if rest and whole:
        yield from _without_long_lines(number, _without_marks(rest + b"\n"))
        number += 1
    return number, problem


def _without_marks(content: bytes) -> bytes:
    """Whole lines without byte order marks: files with one each may have been put on end."""
    content = content.removeprefix(BYTE_ORDER_MARK)
    return content.replace(b"\n" + BYTE_ORDER_MARK, b"\n") if b"\n" + BYTE_ORDER_MARK in content else content


def _as_utf8(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """A text in UTF-8, with line feeds at the ends of its lines. The pieces stay as they are if the text is so already."""
    returns: bool | None = None
    for piece in _from_first_line(_decoded(pieces, encoding)):
        if returns is None:
            returns = _only_returns(piece)
        yield piece.replace(b"\r", b"\n") if returns else piece


def _decoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    first = next(pieces, b"")
    _refuse_other(first[:START], encoding)
    if encoding == "utf-8":
        yield first
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)(NOT_DECODED)
    for piece in chain([first], pieces):
        yield decoder.decode(piece).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


def _from_first_line(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces, the first of which reaches beyond the first line, so that it shows how lines end."""
    start = b""
    try:
        for piece in pieces:
            start += piece
            if b"\n" in start or len(start) > LONGEST_LINE:
                break
    except BROKEN:
        yield start
        raise
    yield start
    yield from pieces


def _only_returns(start: bytes) -> bool:
    """Whether lines end with carriage returns alone."""
    return b"\r" in start and b"\n" not in start


def _refuse_other(start: bytes, encoding: str) -> None:
    """Raise the problem of a text that is another format or in UTF-16 without a word of it in the mapping."""
    if (problem := unreadable_start(start)) is not None:
        raise BrokenError(problem)
    if not encoding.startswith(WIDE) and _is_wide(start):
        raise BrokenError(Problem.UTF16)


def _is_wide(start: bytes) -> bool:
    """Whether a text is in UTF-16: it has its mark, or nearly every second byte is 0, as in Latin script."""
    zeros = max(start[0::2].count(0), start[1::2].count(0))
    return start.startswith(WIDE_MARKS) or (len(start) >= 8 and start.count(0) == zeros and zeros > 0.4 * len(start))


def rewritable(path: Path, encoding: str) -> bool:
    """Whether single lines of a file can be replaced: it is not an archive, and its lines end with a line feed.

    Args:
        path: the file.
        encoding: of the file.
    """
    if compression_of(path) == "zip" or encoding.startswith(WIDE):
        return False
    try:
        with open_part(path, compression_of(path)) as file:
            return not _only_returns(next(_from_first_line(_pieces(file, BLOCK_BYTES)), b""))
    except BROKEN:
        return False


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


def numbered_lines(path: Path, encoding: str = "utf-8") -> Iterator[RawLine]:
    """Every line that is not blank, in UTF-8 without its line end.

    Args:
        path: the file, plain or compressed.
        encoding: of the file.
    """
    for block in blocks(path, encoding=encoding):
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
        pass
    try:
        return content.decode("utf-8", "surrogatepass").encode("utf-8", "replace").decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def not_decoded(encoding: str) -> Problem:
    """The problem of a line that cannot be decoded with the mapping's encoding.

    >>> str(not_decoded("utf-8")), str(not_decoded("cp1252"))
    ('line.not_utf8', 'line.wrong_encoding')
    """
    return Problem.NOT_UTF8 if encoding == "utf-8" else Problem.WRONG_ENCODING
