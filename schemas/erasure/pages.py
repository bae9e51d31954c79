"""Redact pseudonyms in pages, records and reports; the files stay."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.runtime.settings import Settings

TEXTS = (".html", ".json", ".jsonl", ".csv", ".txt", ".log", ".md", ".js", ".svg")
PAINTED = b"(erased)"
SKIPPED = ("landing", "lake", "secrets", "spark", "java", "models", "erasures")


def paint_over(settings: Settings, persons: Sequence[str]) -> tuple[list[str], list[str]]:
    """Redact pseudonyms in text files under the state folder: Data Docs, audit records, reports and logs.

    Args:
        settings: the settings, with the state folder.
        persons: the pseudonyms.

    Returns:
        The redacted files, and the files that hold a pseudonym but are not text files; relative to the state folder.
    """
    done, left = [], []
    for path in _files(settings.var):
        content = path.read_bytes()
        found = [person.encode() for person in persons if person.encode() in content]
        if not found:
            continue
        name = path.relative_to(settings.var).as_posix()
        if path.suffix not in TEXTS:
            left.append(name)
            continue
        for person in found:
            content = content.replace(person, PAINTED)
        fresh = path.with_name(f".{path.name}.painted")
        fresh.write_bytes(content)
        fresh.replace(path)
        done.append(name)
    return done, left


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0] not in SKIPPED and path.is_file() and not path.is_symlink():
            yield path
