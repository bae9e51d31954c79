"""What an erasure has found so far, written down before it is taken away: a run after a kill knows what the one before knew."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from schemas.erasure.receipt import Receipt, read_receipt, receipt_path
from schemas.privacy.erasure_requests import Request
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings

SUFFIX = ".progress.json"


class TableProgress(BaseModel):
    """Of one table; names of files, numbers of rows and snapshots, names of tags."""

    model_config = ConfigDict(extra="forbid")

    rows: dict[str, int] = {}
    """Rows of the persons in each data file that was rewritten."""
    snapshots: set[int] = set()
    tags: set[str] = set()
    doomed: set[str] = set()
    """Files that only snapshots with the persons referred to."""
    deleted: set[str] = set()


class Progress(BaseModel):
    """Of one request."""

    model_config = ConfigDict(extra="forbid")

    before: Receipt | None = None
    """Of an earlier time that the same was asked for."""
    tables: dict[str, TableProgress] = {}
    pages: set[str] = set()
    """Pages and records in which the pseudonyms were painted over."""

    def of(self, table: str) -> TableProgress:
        return self.tables.setdefault(table, TableProgress())


def _path(request: Request) -> Path:
    return request.path.with_name(f"{request.id}{SUFFIX}")


def read_progress(settings: Settings, request: Request) -> Progress:
    """What a run before this one found; nothing when there was none."""
    path, earlier = _path(request), receipt_path(settings, request.id)
    if path.exists():
        return Progress.model_validate_json(path.read_text())
    return Progress(before=read_receipt(earlier) if earlier.exists() else None)


def write_progress(request: Request, progress: Progress) -> None:
    write_atomically(_path(request), progress.model_dump_json())


def forget_progress(request: Request) -> None:
    _path(request).unlink(missing_ok=True)
