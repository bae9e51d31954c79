"""The texts in a file, uncompressed. The compression is known by the first bytes, whatever the file is called.

gzip (RFC 1952), Zstandard (RFC 8878), bzip2, xz and zip are read; of a zip archive each member is a text of its own. Data
behind the end of the compressed data, apart from padding with zeros, is not read, and is a problem of its own.
"""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import zstandard

from jobs.landing.readers.problems import Problem

STARTS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
"""The bytes after the level in bzip2, in a file with data and in one without; a text may begin with "BZh" too."""
SKIPPABLE = b"\x2a\x4d\x18"
"""The end of the start of a frame of Zstandard that holds no data; its first byte is 0x50 to 0x5f."""
OTHER_STARTS = (
    b"\x04\x22\x4d\x18",  # LZ4
    b"\xff\x06\x00\x00sNaPpY",  # Snappy
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x1f\x9d",  # compress
    b"LZIP\x01",
    b"\x89LZO",
)
OTHER_FORMATS = (b"PAR1", b"Obj\x01", b"SQLite format 3\x00")
"""Files of other formats: Parquet, Avro, SQLite."""
WITHOUT_A_START = (".br", ".lzma", ".sz", ".lz4", ".snappy")
"""Names of compressed files that need not begin with known bytes."""
LONGEST_START = 10
START = 512
"""Bytes of a file that show whether it is a text."""
READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The methods of zip members that are read: nearly all archives have these."""
NOT_READ_FLAGS = 0x1 | 0x20 | 0x40
"""Flags of a zip member that is encrypted, a patch of another file, or strongly encrypted."""
IN_TAR = slice(257, 262)
"""Where a tar archive says ``ustar``."""
WIDEST_WINDOW = 1 << 31
"""Bytes of the longest window that the command line tool of Zstandard makes (``--long=31``)."""
MOST_MEMORY = 256 << 20
"""Bytes that xz may use; its strongest preset needs 65 MiB."""
COMPRESSED_AT_A_TIME = 1 << 10
"""Bytes given to Zstandard at once. It answers with all that they become: 4 bytes may be a block of 128 KiB."""
READ_AT_A_TIME = 1 << 16
EXPANDED_AT_A_TIME = 1 << 20
"""Bytes that bzip2 and xz return at once: a few may stand for 46 MB."""


class BrokenError(Exception):
    """Compressed data that is corrupt, or followed by other data."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


BROKEN = (BrokenError, EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)
"""The errors of compressed files that are cut off, corrupt, or followed by other data."""


class Part(NamedTuple):
    """A text in a file: the whole file or a member of an archive. If it cannot be read, only its problem."""

    file: io.BufferedIOBase | None
    problem: Problem | None = None


def problem_of(error: BaseException) -> Problem:
    """The problem that an error of ``BROKEN`` stands for.

    >>> str(problem_of(gzip.BadGzipFile("CRC check failed 0x1 != 0x2"))), str(problem_of(EOFError()))
    ('file.checksum', 'file.truncated')
    """
    if isinstance(error, BrokenError):
        return error.problem
    if isinstance(error, EOFError):
        return Problem.TRUNCATED
    said = str(error)
    if isinstance(error, gzip.BadGzipFile) and said.startswith("Not a gzipped file"):
        return Problem.TRAILING  # the first bytes were gzip's
    if said.startswith(("CRC check failed", "Incorrect length", "Bad CRC-32")):
        return Problem.CHECKSUM
    return Problem.UNREADABLE


def compression_of(path: Path) -> str | None:
    """The compression of a file, by its first bytes; None if it has none that is known."""
    with path.open("rb") as file:
        return _compression(file.read(LONGEST_START))


def _compression(start: bytes) -> str | None:
    if start[:1] in {bytes([code]) for code in range(0x50, 0x60)} and start[1:4] == SKIPPABLE:
        return "zstandard"
    found = next((name for begin, name in STARTS.items() if start.startswith(begin)), None)
    return None if found == "bzip2" and start[4:10] not in BZIP2_BLOCKS else found


def refusal_of(path: Path) -> Problem | None:
    """Why a file cannot be a text, by its first bytes and its name; None if it can."""
    with path.open("rb") as file:
        start = file.read(START)
    if _compression(start) is not None:
        return None
    return unreadable_start(start) or (Problem.UNKNOWN_COMPRESSION if path.name.endswith(WITHOUT_A_START) and start else None)


def unreadable_start(start: bytes) -> Problem | None:
    """Why a text that begins so is not read; None if it is.

    >>> str(unreadable_start(b"7z\\xbc\\xaf\\x27\\x1c")), unreadable_start(b"{}")
    ('file.unknown_compression', None)
    """
    if start.startswith(OTHER_STARTS) or start[IN_TAR] == b"ustar":
        return Problem.UNKNOWN_COMPRESSION
    return Problem.UNREADABLE if start.startswith(OTHER_FORMATS) else None


def parts(path: Path) -> Iterator[Part]:
    """The texts in a file, one after the other; each is closed before the next."""
    kind = compression_of(path)
    if kind == "zip":
        yield from _members(path)
        return
    with open_part(path, kind) as file:
        yield Part(file)


def open_part(path: Path, kind: str | None) -> io.BufferedIOBase:
    """The bytes of a file that is not an archive, uncompressed.

    Args:
        path: the file.
        kind: its compression.
    """
    match kind:
        case "gzip":
            return gzip.open(path, "rb")
        case "zstandard":
            new: Callable[[], Any] = lambda: zstandard.ZstdDecompressor(max_window_size=WIDEST_WINDOW).decompressobj()  # noqa: E731
        case "bzip2":
            new = bz2.BZ2Decompressor
        case "xz":
            new = lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MOST_MEMORY)  # noqa: E731
        case _:
            return path.open("rb")
    return io.BufferedReader(_Expanded(path.open("rb"), kind, new), EXPANDED_AT_A_TIME)


def _members(path: Path) -> Iterator[Part]:
    try:
        archive = zipfile.ZipFile(path)
    except NotImplementedError:  # its version is newer than the library
        yield Part(None, Problem.UNKNOWN_COMPRESSION)
        return
    except (zipfile.BadZipFile, ValueError):
        yield Part(None, Problem.UNREADABLE)
        return
    with archive:
        if "[Content_Types].xml" in archive.namelist():  # a document of Office Open XML, such as .xlsx
            yield Part(None, Problem.UNREADABLE)
            return
        for member in archive.infolist():
            hidden = any(part.startswith((".", "_")) for part in PurePosixPath(member.filename).parts)
            if member.is_dir() or hidden:
                continue
            if not _can_expand(member):
                yield Part(None, Problem.UNKNOWN_COMPRESSION)
                continue
            try:
                with io.BufferedReader(archive.open(member)) as file:  # type: ignore[type-var]
                    start = file.peek(LONGEST_START)[:LONGEST_START]
                    yield Part(None, Problem.UNKNOWN_COMPRESSION) if _compression(start) is not None else Part(file)
            except BROKEN as error:
                yield Part(None, problem_of(error))


def _can_expand(member: zipfile.ZipInfo) -> bool:
    """Whether a member is not encrypted, and is compressed by a method that is read (APPNOTE 6.3.10, 4.4.4 and 4.4.5)."""
    return not member.flag_bits & NOT_READ_FLAGS and member.compress_type in READ_METHODS


class _Expanded(io.RawIOBase):
    """Expands streams that follow one another, with zeros between them at most.

    Unlike the libraries' own files it raises EOFError if the last is cut off, and an error for data that follows them.
    """

    def __init__(self, file: IO[bytes], kind: str, new: Callable[[], Any]) -> None:
        self._file, self._kind, self._new = file, kind, new
        self._stream: Any = None
        self._compressed = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            if not self._may_expand():
                return 0
            self._expand()
        given = self._ready[: len(buffer)]
        self._ready = self._ready[len(given) :]
        buffer[: len(given)] = given
        return len(given)

    def _may_expand(self) -> bool:
        """Whether a stream is open, after compressed bytes were read if it needs some; False at the end of the file."""
        at_once = COMPRESSED_AT_A_TIME if self._kind == "zstandard" else READ_AT_A_TIME
        if self._stream is not None:
            if not self._compressed and getattr(self._stream, "needs_input", True):
                self._compressed = self._file.read(at_once)
                if not self._compressed:
                    raise EOFError("the file ends in the middle of a stream")
            return True
        while len(self._compressed) < LONGEST_START and (more := self._file.read(at_once)):
            self._compressed = (self._compressed + more).lstrip(b"\x00")
        if not self._compressed:
            return False
        if _compression(self._compressed[:LONGEST_START]) != self._kind:
            raise BrokenError(Problem.TRAILING)
        self._stream = self._new()
        return True

    def _expand(self) -> None:
        try:
            if self._kind == "zstandard":
                expanded = self._stream.decompress(self._compressed)
            else:
                expanded = self._stream.decompress(self._compressed, EXPANDED_AT_A_TIME)
        except (zstandard.ZstdError, lzma.LZMAError, OSError, ValueError):
            raise BrokenError(Problem.UNREADABLE) from None
        self._ready, self._compressed = memoryview(expanded), b""
        if self._stream.eof:
            self._compressed, self._stream = self._stream.unused_data.lstrip(b"\x00"), None


def uncompressed(path: Path, size: int) -> Iterator[bytes]:
    """The bytes of all texts of a file in pieces, each up to its end or to the place where it is broken.

    Args:
        path: the file.
        size: bytes of a piece at most.
    """
    for part in parts(path):
        with suppress(*BROKEN):
            while part.file is not None and (piece := part.file.read1(size)):
                yield piece
