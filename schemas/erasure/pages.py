"""Redact pseudonyms in pages, records, reports and logs; the files stay, and processes may go on writing them."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import zstandard

from schemas.privacy.pseudonyms import shortened
from schemas.runtime.local_files import escaped_name
from schemas.runtime.settings import Settings

WIDTH = 64
"""Bytes of a pseudonym."""
PAINTED = b"(erased)".ljust(WIDTH, b"-")
"""As long as a pseudonym, so that it can take its place while another process appends to the file."""
SKIPPED = ("landing", "lake", "secrets", "spark", "java", "models", "erasures")
AT_ONCE = 1 << 20
PASSES = 5
"""How often the files are listed, while logs are rotated away during the search."""
PROBED = 8000
"""A file with a zero byte among so many first bytes is not text: the rule of Git (buffer_is_binary in xdiff-interface.c)."""


@dataclass
class Painted:
    """The files with pseudonyms, relative to the state folder, and the persons who were found."""

    done: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Files that hold a pseudonym in their name, compressed, or in another form than text; they stay as they are."""
    persons: dict[str, set[str]] = field(default_factory=lambda: {"pages": set(), "files elsewhere": set()})


def paint_over(settings: Settings, persons: Sequence[str]) -> Painted:
    """Redact pseudonyms in text files under the state folder: Data Docs, audit records, reports and logs.

    Args:
        settings: the settings, with the state folder.
        persons: the pseudonyms.
    """
    painted = Painted()
    for _ in range(PASSES):
        try:
            for path in _files(settings.var):
                _paint(path, escaped_name(path.relative_to(settings.var).as_posix()), persons, painted)
        except FileNotFoundError:  # a log was rotated away: it has another name now
            painted.elsewhere.clear()
            continue
        break
    return painted


def _paint(path: Path, name: str, persons: Sequence[str], painted: Painted) -> None:
    wanted = [person.encode() for person in persons]
    named = {person for person in persons if person in name}
    inside = {person.decode() for person in _found_in(path, wanted)}
    if inside and _is_text(path):
        _overwrite(path, wanted)
        painted.done.append(shortened(name))
        painted.persons["pages"] |= inside
        inside = set()
    if named | inside:
        painted.elsewhere.append(shortened(name))
        painted.persons["files elsewhere"] |= named | inside


def _overwrite(path: Path, wanted: Sequence[bytes]) -> None:
    """Overwrite the pseudonyms at their places: the file keeps its length, so lines that are appended meanwhile stay."""
    with path.open("r+b", buffering=0) as file:
        for at, person in list(_places(file, wanted)):
            file.seek(at)
            if file.read(WIDTH) == person:  # the file may have been truncated since
                file.seek(at)
                file.write(PAINTED)


def _found_in(path: Path, wanted: Sequence[bytes]) -> set[bytes]:
    """The pseudonyms in a file; of a damaged compressed file, those in its sound part."""
    found: set[bytes] = set()
    with suppress(gzip.BadGzipFile, EOFError, zlib.error, zstandard.ZstdError), _opened(path) as file:
        for _, person in _places(file, wanted):
            found.add(person)
    return found


def _opened(path: Path) -> IO[bytes]:
    """A file's content, uncompressed: rotated logs are compressed."""
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix in (".zst", ".zstd"):
        return cast(IO[bytes], zstandard.open(path))
    return path.open("rb")


def _places(file: IO[bytes], wanted: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """The offsets at which pseudonyms begin."""
    start, piece = 0, b""
    while more := file.read(AT_ONCE):
        piece += more
        for person in wanted:
            at = piece.find(person)
            while at >= 0:
                yield start + at, person
                at = piece.find(person, at + WIDTH)
        kept = piece[-(WIDTH - 1) :]
        start, piece = start + len(piece) - len(kept), kept


def _is_text(path: Path) -> bool:
    if path.suffix in (".gz", ".zst", ".zstd"):
        return False
    with path.open("rb") as file:
        return b"\0" not in file.read(PROBED)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0] not in SKIPPED and path.is_file() and not path.is_symlink():
            yield path
