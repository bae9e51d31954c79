"""The findings of an unfinished erasure. They are saved before anything is removed, so a run after a kill still has them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from schemas.erasure.receipt import Receipt, read_receipt, receipt_path
from schemas.privacy.erasure_requests import Request
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings

SUFFIX = ".progress.json"


class TableProgress(BaseModel):
    """The findings in one table: file names, row counts, snapshot ids and tags."""

    model_config = ConfigDict(extra="forbid")

    rows: dict[str, int] = {}
    """Number of the persons' rows in each rewritten data file."""
    snapshots: set[int] = set()
    tags: set[str] = set()
    doomed: set[str] = set()
    """Files that only snapshots with the persons refer to."""
    deleted: set[str] = set()
    persons: set[str] = set()
    """The persons of whom something was found."""


class Progress(BaseModel):
    """The findings of one request."""

    model_config = ConfigDict(extra="forbid")

    before: Receipt | None = None
    """The receipt of an earlier identical request."""
    tables: dict[str, TableProgress] = {}
    pages: set[str] = set()
    """Files in which pseudonyms were redacted."""
    persons: dict[str, set[str]] = {}
    """The persons who were found outside the tables, by place."""

    def of(self, table: str) -> TableProgress:
        """The findings in a table; empty at first."""
        return self.tables.setdefault(table, TableProgress())


def _path(request: Request) -> Path:
    return request.path.with_name(f"{request.id}{SUFFIX}")


def read_progress(settings: Settings, request: Request) -> Progress:
    """Read the findings of an earlier run of a request; empty if there was none.

    Args:
        settings: the settings, with the folder of receipts.
        request: the request.
    """
    path, earlier = _path(request), receipt_path(settings, request.id)
    if path.exists():
        return Progress.model_validate_json(path.read_text(encoding="utf-8"))
    return Progress(before=read_receipt(earlier) if earlier.exists() else None)


def write_progress(request: Request, progress: Progress) -> None:
    """Save the findings of a request."""
    write_atomically(_path(request), progress.model_dump_json())


def forget_progress(request: Request) -> None:
    """Delete the saved findings of a finished request."""
    _path(request).unlink(missing_ok=True)
