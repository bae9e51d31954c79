"""The pinned data of a training, as later tasks read it."""

import json
from pathlib import Path
from typing import Any

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_files import slug
from schemas.runtime.settings import get_settings


def training_folder(run: str) -> Path:
    """The folder of a training's files."""
    return get_settings().var / "training" / slug(run)


def read_pin(run: str) -> dict[str, Any]:
    """The pinned data of a training, as :mod:`ml.pin` wrote it.

    Raises:
        ClickwrightError: this run was not pinned.
    """
    path = training_folder(run) / "data.json"
    if not path.exists():
        raise ClickwrightError(f"training {run} has no pinned data; no {path}; run `python -m ml.pin` for it first")
    pinned: dict[str, Any] = json.loads(path.read_text())
    return pinned
