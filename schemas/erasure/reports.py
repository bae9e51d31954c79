"""Remove what reports say about erased persons; redacting the pseudonym alone would leave a person's history in them."""

import json
from collections.abc import Sequence

from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import Settings

FIGURES, REPORT = "demo.json", "demo.html"
SAMPLES = b"Unexpected Value"
"""Part of the heading above sampled values in Data Docs; audits have written none since version 0.2."""


def forget_reports(settings: Settings, persons: Sequence[str]) -> list[str]:
    """Remove the persons' examples from the demonstration's figures, and pages that cannot be searched for the persons.

    These are the demonstration's report, which shortens pseudonyms (``python -m local.demo.report`` makes it again), and pages
    of older audits that show sampled values of rows, such as comments, without their users.

    Args:
        settings: the settings, with the state folder.
        persons: the pseudonyms.

    Returns:
        The changed and removed files, relative to the state folder.
    """
    return [*_forget_examples(settings, persons), *_forget_samples(settings)]


def _forget_examples(settings: Settings, persons: Sequence[str]) -> list[str]:
    figures, report = settings.var / FIGURES, settings.var / REPORT
    try:
        said = json.loads(figures.read_text(encoding="utf-8"))
        kept = [story for story in said["stories"] if story["user"] not in persons]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []
    if len(kept) == len(said["stories"]):
        return []
    write_atomically(figures, json.dumps({**said, "stories": kept}, indent=1) + "\n")
    report.unlink(missing_ok=True)
    return [FIGURES, REPORT]


def _forget_samples(settings: Settings) -> list[str]:
    found = [path for path in sorted(settings.audits.rglob("*.html")) if SAMPLES in path.read_bytes()]
    for path in found:
        path.unlink()
    return [path.relative_to(settings.var).as_posix() for path in found]
