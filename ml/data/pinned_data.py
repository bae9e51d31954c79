"""The pinned data of a training, as :mod:`ml.pin` writes it and every later task reads it."""

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_files import slug
from schemas.runtime.settings import get_settings


class PinnedData(BaseModel):
    """The rows that a training sees: snapshots of tables, cut by dates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    """The name of the training, as the caller gave it."""
    training: str
    """The same, as it stands in names of files and tags."""
    tag: str
    """The tag of the snapshots in the lake."""
    snapshots: dict[str, int]
    """Snapshot id by table."""
    reads: dict[str, str] = {}
    """By table, the filter of the rows that a model is fitted on; lineage follows it."""
    train_until: date
    """Models are fitted on events that happened and arrived before this day."""
    valid_days: int
    """Length of the validation window before ``train_until``."""
    valid_from: date
    """First day of the validation window."""
    items_as_of: date | None
    """Day of the newest catalogue before ``train_until``; without one, items are known from events alone."""
    code_version: str
    seed: int
    encoder: str | None = None
    """Digest of the sentence encoder."""
    effort: Literal["full", "quick"] = "full"
    """How thoroughly recipes are tuned: ``quick`` tries fewer settings and trains networks for fewer epochs."""

    @property
    def quick(self) -> bool:
        return self.effort == "quick"


def training_folder(run: str) -> Path:
    """The folder of a training's files."""
    return get_settings().var / "training" / slug(run)


def read_pin(run: str) -> PinnedData:
    """The pinned data of a training.

    Raises:
        ClickwrightError: this run was not pinned, or its file is not as :mod:`ml.pin` writes it.
    """
    path = training_folder(run) / "data.json"
    if not path.exists():
        raise ClickwrightError(f"training {run} has no pinned data; no {path}; run `python -m ml.pin` for it first")
    try:
        return PinnedData.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, found["loc"])) or "JSON" for found in error.errors())
        raise ClickwrightError(
            f"the pinned data of training {run} cannot be read: {wrong}; in {path}; pin it again under another --run"
        ) from None
