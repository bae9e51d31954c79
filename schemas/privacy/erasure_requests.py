"""Erasure requests while they are worked on: the one place outside the landing zone with raw ids in it, and only till then."""

import hashlib
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.privacy.pseudonyms import pseudonym
from schemas.privacy.suppression_list import digest_of
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings

SUFFIX = ".request.json"


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    on: date
    raw_ids: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """Who is to be erased. ``id`` follows from them by the key, so that asking again is the same request."""

    id: str
    on: date
    persons: tuple[str, ...] = field(repr=False)
    """Their pseudonyms."""
    path: Path


def pending(settings: Settings) -> list[Path]:
    """The requests that are not finished."""
    return sorted(settings.erasures.glob(f"[!.]*{SUFFIX}"))


def read_raw_ids(file: str) -> list[str]:
    """The raw user ids of a file, one a line; ``-`` is standard input.

    Raises:
        ConfigError: there is no such file.
    """
    if file != "-" and not Path(file).is_file():
        raise ConfigError(f"no such file; {file}; give a file of raw user ids, one a line, or - for standard input")
    text = sys.stdin.read() if file == "-" else Path(file).read_text()
    return [line.strip() for line in text.splitlines() if line.strip()]


def write_request(settings: Settings, raw_ids: Sequence[str], on: date) -> Path:
    """Write a request down, readable by its owner alone, before anything is done.

    Raises:
        ConfigError: it names nobody.
    """
    people = sorted({text.strip() for text in raw_ids} - {""})
    if not people:
        raise ConfigError("nobody is named; in the request; give raw user ids, one a line")
    stored = _Stored(on=on, raw_ids=tuple(people))
    settings.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.erasures / f"{_id(settings, [_pseudonym(settings, raw) for raw in people])}{SUFFIX}"
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(stored.model_dump_json())
    fresh.replace(path)
    return path


def read_request(settings: Settings, path: Path) -> Request:
    """A request that was written down.

    Raises:
        ConfigError: the file is none.
    """
    try:
        stored = _Stored.model_validate_json(path.read_text())
    except ValidationError:
        raise ConfigError(f"the erasure request is damaged; at {path}; remove it and ask again") from None
    persons = tuple(_pseudonym(settings, raw) for raw in stored.raw_ids)
    return Request(path.name.removesuffix(SUFFIX), stored.on, persons, path)


def _pseudonym(settings: Settings, raw: str) -> str:
    return pseudonym(settings.pseudonym_secret(), raw)


def _id(settings: Settings, persons: Sequence[str]) -> str:
    digests = sorted(digest_of(settings.pseudonym_secret(), person) for person in persons)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
