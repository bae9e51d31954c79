"""Pending erasure requests. Only they and the landing zone hold raw ids; finished requests are deleted."""

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
    """The persons to erase. ``id`` is a keyed hash of the persons, so a repeated request has the same id."""

    id: str
    on: date
    persons: tuple[str, ...] = field(repr=False)
    """Their pseudonyms."""
    path: Path


def pending(settings: Settings) -> list[Path]:
    """The paths of unfinished requests, sorted."""
    return sorted(settings.erasures.glob(f"[!.]*{SUFFIX}"))


def read_raw_ids(file: str) -> list[str]:
    """Read raw user ids from a file, one per line; ``-`` is standard input.

    Raises:
        ConfigError: the file does not exist.
    """
    if file != "-" and not Path(file).is_file():
        raise ConfigError(f"no such file; {file}; give a file with raw user ids, one per line, or - for standard input")
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def write_request(settings: Settings, raw_ids: Sequence[str], on: date) -> Path:
    """Save a request to a file that only its owner can read, before anything is erased.

    Args:
        settings: the settings, with the folder of requests and the key of the pseudonyms.
        raw_ids: raw user ids.
        on: day of the request.

    Returns:
        Path of the request.

    Raises:
        ConfigError: there are no ids.
    """
    people = sorted({text.strip() for text in raw_ids} - {""})
    if not people:
        raise ConfigError("no user id is given; in the request; give raw user ids, one per line")
    stored = _Stored(on=on, raw_ids=tuple(people))
    settings.erasures.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.erasures / f"{_id(settings, [_pseudonym(settings, raw) for raw in people])}{SUFFIX}"
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
    persons = tuple(_pseudonym(settings, raw) for raw in stored.raw_ids)
    return Request(path.name.removesuffix(SUFFIX), stored.on, persons, path)


def _pseudonym(settings: Settings, raw: str) -> str:
    return pseudonym(settings.pseudonym_secret(), raw)


def _id(settings: Settings, persons: Sequence[str]) -> str:
    digests = sorted(digest_of(settings.pseudonym_secret(), person) for person in persons)
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
