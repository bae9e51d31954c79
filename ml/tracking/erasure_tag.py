"""The tag of model versions that were trained on the data of erased users."""

from typing import Any

from schemas.runtime.cli import log

ERASURE_DUE = "erasure_due"
"""Tag of a version: the erasure request of a user whose data it was trained on."""


def warn_of(version: str, tags: dict[str, Any]) -> dict[str, str]:
    """Log a warning if a version was trained on an erased user; returns the entry to add to a command's result.

    Args:
        version: its number.
        tags: of the version, without their prefix.

    >>> warn_of("3", {"gate": "passed"})
    {}
    """
    if ERASURE_DUE not in tags:
        return {}
    log.warning("trained on an erased user; train again soon", version=version, request=tags[ERASURE_DUE])
    return {ERASURE_DUE: str(tags[ERASURE_DUE])}
