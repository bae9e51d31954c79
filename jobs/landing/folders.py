"""The entries of the landing zone: which folders are arrival hours, and which entries can be read.

Collectors write here, so an entry may be anything: a pipe, a link to a file elsewhere, a name that is not text. An entry that
cannot be read is a reject with a reason, like a line, and costs no other file a line.
"""

import errno
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from jobs.landing.readers.problems import Problem
from schemas.runtime.cli import log
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_files import escaped_name

FOLDER_FORMAT = "arrived=%Y-%m-%dT%H"
IGNORED = (".", "_")
"""Names that begin so are hidden or temporary."""
UNFINISHED = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".inprogress",
    ".in-progress",
    ".crdownload",
    "._copying_",
    "~",
)
"""Names that end so are of files that are still being written, by Flume, WinSCP, rsync, Flink, browsers, Hadoop, editors."""
BEING_WRITTEN = ".inprogress."
"""Stands in names that Flink makes unique at their end."""
CHECKSUMS = (".crc", ".md5", ".sha1", ".sha256", ".sha512")
"""Names that end so are of checksums beside files."""


def hour_of(name: str) -> datetime | None:
    """The arrival hour that a folder's name gives, UTC; None if it gives none.

    >>> hour_of("arrived=1998-04-16T15"), hour_of("arrived=1998-04-16"), hour_of("arrived=1998-04-16T7")
    (datetime.datetime(1998, 4, 16, 15, 0, tzinfo=datetime.timezone.utc), None, None)
    """
    try:
        hour = datetime.strptime(name, FOLDER_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return hour if hour.strftime(FOLDER_FORMAT) == name else None


def entries(folder: Path) -> list[Path]:
    """The entries of a folder by name, without hidden and temporary ones; none if the folder does not exist.

    Raises:
        ClickwrightError: the folder cannot be listed.
    """
    try:
        found = list(folder.iterdir())
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return []
        raise ClickwrightError(
            f"a folder of the landing zone cannot be listed ({error.strerror}); {escaped_name(folder)}; "
            "make it readable for this user, then clear this task"
        ) from None
    return sorted(path for path in found if not path.name.startswith(IGNORED))


def files_in(folder: Path) -> list[Path]:
    """The entries of an arrival hour and of its sub-folders, by name; a link to a folder is an entry itself.

    Files that are still being written, and checksums, are left alone.
    """
    found: list[Path] = []
    for path in entries(folder):
        name = path.name.lower()
        if not name.endswith((*UNFINISHED, *CHECKSUMS)) and BEING_WRITTEN not in name:
            found += files_in(path) if path.is_dir() and not path.is_symlink() else [path]
    return found


def hour_folders(folder: Path) -> list[tuple[datetime, Path]]:
    """The arrival hours of a source's folder, in order."""
    found = [(hour, path) for path in entries(folder) if (hour := hour_of(path.name)) is not None and path.is_dir()]
    return sorted(found)


def problem_of(path: Path, landing: Path) -> Problem | None:
    """Why an entry is not read; None if it is a file in the landing zone.

    Args:
        path: the entry.
        landing: the landing zone; what a link in it leads to must lie in it too.
    """
    if (name := str(path.relative_to(landing))) != escaped_name(name):
        return Problem.BAD_NAME
    try:
        real = path.resolve(strict=True)
        regular = stat.S_ISREG(real.stat().st_mode)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return Problem.NOT_A_FILE
    if not real.is_relative_to(landing.resolve()):
        return Problem.OUTSIDE
    return None if regular else Problem.NOT_A_FILE


def tell_strays(landing: Path, folders: Iterable[str]) -> list[str]:
    """Log what lies in folders of sources but in no arrival hour: no job reads it.

    Args:
        landing: the landing zone.
        folders: the folders of the sources.

    Returns:
        The names, relative to the landing zone.
    """
    strays = [
        escaped_name(path.relative_to(landing))
        for folder in folders
        for path in entries(landing / folder)
        if hour_of(path.name) is None or not path.is_dir()
    ]
    if strays:
        log.warning(
            "not an arrival hour (arrived=YYYY-MM-DDTHH), so nothing of it is read", entries=strays[:20], of=len(strays)
        )
    return strays
