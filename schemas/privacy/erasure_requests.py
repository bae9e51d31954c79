"""Pending erasure requests. Only they and the landing zone hold raw ids; finished requests are deleted."""

import codecs
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.privacy.number_ids import exact_id
from schemas.privacy.pseudonyms import PSEUDONYM, pseudonym
from schemas.privacy.suppression_list import digest_of
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings

SUFFIX = ".request.json"
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""Byte-order marks with which programs begin a text file, and its encoding."""
INVISIBLE = "\ufeff\u200b\u2060"
"""Characters without width that a copied text may begin or end with; they are not white space."""


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    on: date
    raw_ids: tuple[str, ...]
    lines: tuple[int, ...] = ()
    """The line of each id in the request's file; a request of an earlier version has none."""


@dataclass(frozen=True)
class RequestedLine:
    """One line of a request."""

    number: int
    persons: tuple[str, ...] = field(repr=False)
    """The pseudonym of the raw id; for a line that is a pseudonym itself, also that one."""
    is_pseudonym: bool


@dataclass(frozen=True)
class Request:
    """The persons to erase. ``id`` is a keyed hash of the persons, so a repeated request has the same id."""

    id: str
    on: date
    persons: tuple[str, ...] = field(repr=False)
    """Their pseudonyms."""
    path: Path
    lines: tuple[RequestedLine, ...] = field(default=(), repr=False)


def pending(settings: Settings) -> list[Path]:
    """The paths of unfinished requests, sorted."""
    return sorted(settings.erasures.glob(f"[!.]*{SUFFIX}"))


def read_raw_ids(file: str) -> dict[int, str]:
    """Read raw user ids from a file, one per line; ``-`` is standard input.

    Returns:
        The id of each line that is not empty, by line number.

    Raises:
        ConfigError: the file does not exist, or is not text.
    """
    if file != "-" and not Path(file).is_file():
        raise ConfigError(f"no such file; {file}; give a file with raw user ids, one per line, or - for standard input")
    if file != "-":
        content = Path(file).read_bytes()
    else:
        content = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise ConfigError(f"this is not text in UTF-8; {file}; save it as UTF-8, one raw user id per line") from None
    return numbered_ids(re.split(r"\r\n|\r|\n", text))


def numbered_ids(lines: Sequence[str]) -> dict[int, str]:
    """The ids of some lines by line number, without what surrounds them; empty lines are left out.

    >>> numbered_ids(["\ufeffanna ", "", "bela"])
    {1: 'anna', 3: 'bela'}
    """
    bare = {number: _trimmed(line) for number, line in enumerate(lines, 1)}
    return {number: line for number, line in bare.items() if line}


def _trimmed(line: str) -> str:
    while (shorter := line.strip().strip(INVISIBLE)) != line:
        line = shorter
    return line


def write_request(settings: Settings, raw_ids: Mapping[int, str], on: date) -> Path:
    """Save a request to a file that only its owner can read, before anything is erased.

    Args:
        settings: the settings, with the folder of requests and the key of the pseudonyms.
        raw_ids: raw user ids, by line number.
        on: day of the request.

    Returns:
        Path of the request.

    Raises:
        ConfigError: there are no ids.
    """
    if not raw_ids:
        raise ConfigError("no user id is given; in the request; give raw user ids, one per line")
    stored = _Stored(on=on, raw_ids=tuple(raw_ids.values()), lines=tuple(raw_ids))
    settings.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.erasures / f"{_id(settings, _all_persons(_lines(settings, stored)))}{SUFFIX}"
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(stored.model_dump_json())
    fresh.replace(path)
    return path


def read_request(settings: Settings, path: Path) -> Request:
    """Read a saved request.

    Args:
        settings: the settings, with the key of the pseudonyms.
        path: path of the request.

    Raises:
        ConfigError: the file is damaged.
    """
    try:
        stored = _Stored.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError:
        raise ConfigError(f"the erasure request is damaged; at {path}; remove it and make the request again") from None
    lines = _lines(settings, stored)
    return Request(path.name.removesuffix(SUFFIX), stored.on, _all_persons(lines), path, lines)


def persons_of(key: bytes, raw: str) -> tuple[str, ...]:
    """The pseudonyms that an id of a request stands for: its own, and for a text that is a pseudonym also that one.

    An id that is written as the number 17850.0 is that of the person 17850 too, see ``schemas.privacy.number_ids``.
    A receipt, a log or a table shows pseudonyms, so people give them; but a source may also have raw ids of 64 digits.

    Args:
        key: the key of the pseudonyms.
        raw: the id.

    >>> persons_of(b"key", "anna") == (pseudonym(b"key", "anna"),)
    True
    >>> persons_of(b"key", "0A" * 32)[1] == "0a" * 32
    True
    """
    given = raw.lower()
    written = dict.fromkeys([raw, exact_id(raw)[0] or raw])
    return (*(pseudonym(key, text) for text in written), *([given] if PSEUDONYM.fullmatch(given) else []))


def _lines(settings: Settings, stored: _Stored) -> tuple[RequestedLine, ...]:
    key = settings.pseudonym_secret()
    numbers = stored.lines or range(1, len(stored.raw_ids) + 1)
    found = ((number, persons_of(key, raw)) for number, raw in zip(numbers, stored.raw_ids, strict=True))
    return tuple(RequestedLine(number, persons, len(persons) > 1) for number, persons in found)


def _all_persons(lines: Sequence[RequestedLine]) -> tuple[str, ...]:
    return tuple(sorted({person for line in lines for person in line.persons}))


def _id(settings: Settings, persons: Sequence[str]) -> str:
    digests = sorted(digest_of(settings.pseudonym_secret(), person) for person in persons)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
