"""The tag of model versions that were trained on the data of erased users."""

from typing import Any

from schemas.runtime.cli import log

ERASURE_DUE = "erasure_due"
"""Tag of a version: the request of an erasure whose persons it was trained on."""


def warn_of(version: str, tags: dict[str, Any]) -> dict[str, str]:
    """Say that a version was trained on an erased person, where it was; what a command adds to its result."""
    if ERASURE_DUE not in tags:
        return {}
    log.warning("trained on a person who was erased; train again soon", version=version, request=tags[ERASURE_DUE])
    return {ERASURE_DUE: str(tags[ERASURE_DUE])}
