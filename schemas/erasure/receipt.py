"""The receipt of an erasure: counts and names of removed data, without anything that identifies the person."""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings

FOLDER = "receipts"


class ErasedFrom(BaseModel):
    """The data erased from one table."""

    model_config = ConfigDict(extra="forbid")

    rows: int = 0
    files_rewritten: int = 0
    files_deleted: int = 0
    snapshots: list[int] = []
    """Expired snapshots that held the persons."""
    tags: list[str] = []
    """Removed tags of such snapshots; the trainings with these tags can no longer be repeated from the lake."""


class Landing(BaseModel):
    """The findings of ``python -m jobs.erase_landing`` in the landing zone."""

    model_config = ConfigDict(extra="forbid")

    ours_to_rewrite: bool
    lines_blanked: dict[str, int] = {}
    """Number of blanked lines by file, relative to the landing zone."""
    still_hold: list[str] = []
    """Files that still hold the persons, relative to the landing zone."""
    not_searched: list[str] = []
    """Folders and files that were not looked at, relative to the landing zone: no mapping reads them."""


class ReceiptLine(BaseModel):
    """One line of the request."""

    model_config = ConfigDict(extra="forbid")

    line: int
    person: str
    """Name of the person's file on the suppression list: a keyed hash of the pseudonym."""
    is_pseudonym: bool
    """Whether the line looks like a pseudonym instead of a raw id; it was then searched for as both."""
    found_in: list[str]
    """Tables, ``pages``, ``files elsewhere``, ``landing``; empty if nobody was found, so the id may be wrong."""


class Receipt(BaseModel):
    """The receipt of one request. ``jobs.erase_landing`` sets ``landing``, and ``ml.mark_erased`` sets ``model_versions``."""

    model_config = ConfigDict(extra="forbid")

    request: str
    on: date
    persons: int
    lines: list[ReceiptLine] = []
    code_version: str
    tables: dict[str, ErasedFrom]
    pages_painted_over: list[str]
    files_elsewhere: list[str]
    """Files under the state folder that hold a pseudonym and stay: it is in their name, compressed, or not in a text file."""
    landing: Landing | None = None
    model_versions: list[str] | None = None
    """Registered model versions that were trained on the persons."""


def nobody_found(receipt: Receipt) -> list[int]:
    """The lines of a request that found nobody."""
    return [line.line for line in receipt.lines if not line.found_in]


def receipts(settings: Settings) -> list[Path]:
    """The paths of all receipts, sorted."""
    return sorted((settings.erasures / FOLDER).glob("[!.]*.json"))


def receipt_path(settings: Settings, request: str) -> Path:
    """The path of a request's receipt."""
    return settings.erasures / FOLDER / f"{request}.json"


def read_receipt(path: Path) -> Receipt:
    """Read a receipt."""
    return Receipt.model_validate_json(path.read_text(encoding="utf-8"))


def write_receipt(settings: Settings, receipt: Receipt) -> Path:
    """Write a receipt.

    Args:
        settings: the settings, with the folder of receipts.
        receipt: the receipt.

    Returns:
        Its path.
    """
    path = receipt_path(settings, receipt.request)
    write_atomically(path, receipt.model_dump_json(indent=1) + "\n")
    return path
