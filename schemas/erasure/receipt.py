"""The receipt of an erasure: what went and from where, without a raw id, a pseudonym, or anything that one follows from."""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings

FOLDER = "receipts"


class ErasedFrom(BaseModel):
    """Of one table."""

    model_config = ConfigDict(extra="forbid")

    rows: int = 0
    files_rewritten: int = 0
    files_deleted: int = 0
    snapshots: list[int] = []
    """Snapshots that held the persons; they are expired."""
    tags: list[str] = []
    """Names that such snapshots had; a training of that name cannot be repeated from the lake."""


class Landing(BaseModel):
    """What ``python -m jobs.erase_landing`` found of the persons in the landing zone."""

    model_config = ConfigDict(extra="forbid")

    ours_to_rewrite: bool
    lines_blanked: dict[str, int] = {}
    """How many lines in which file, relative to the landing zone."""
    still_hold: list[str] = []
    """Files that hold them still, relative to the landing zone."""


class Receipt(BaseModel):
    """Of one request. ``landing`` and ``model_versions`` are filled in by those who know of them."""

    model_config = ConfigDict(extra="forbid")

    request: str
    on: date
    persons: int
    code_version: str
    tables: dict[str, ErasedFrom]
    pages_painted_over: list[str]
    files_elsewhere: list[str]
    """Files under the folder of all state that are no texts and hold a pseudonym."""
    landing: Landing | None = None
    model_versions: list[str] | None = None
    """Registered versions that were trained on the persons."""


def receipts(settings: Settings) -> list[Path]:
    """All receipts there are."""
    return sorted((settings.erasures / FOLDER).glob("[!.]*.json"))


def receipt_path(settings: Settings, request: str) -> Path:
    return settings.erasures / FOLDER / f"{request}.json"


def read_receipt(path: Path) -> Receipt:
    return Receipt.model_validate_json(path.read_text())


def write_receipt(settings: Settings, receipt: Receipt) -> Path:
    """Write a receipt.

    Returns:
        Where it is.
    """
    path = receipt_path(settings, receipt.request)
    write_atomically(path, receipt.model_dump_json(indent=1) + "\n")
    return path
