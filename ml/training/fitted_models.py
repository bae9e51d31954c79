"""Fitted members of the hybrid, kept on disk while a training lasts, so that its tasks do not fit and tune them again.

One task trains the baselines, another one the networks and the hybrid, whose members are baselines. Models that the first task
has finished by then are read here; otherwise the second task fits its own, with the same result. They belong to one version of
the code, and ``ml.register_challenger``, which follows both tasks, removes them.
"""

import shutil
from pathlib import Path

from ml.data.pinned_data import PinnedData
from ml.data.splits import Split
from ml.models import build, recipe
from ml.models.base import FittedModels, Recommender
from ml.models.hybrid import MEMBERS
from schemas.runtime.cli import log
from schemas.runtime.local_files import slug
from schemas.runtime.settings import get_settings
from schemas.runtime.version import code_version

TUNED, FINAL = "tuned", "final"


class KeptModels:
    """The kept models of one training and version of the code.

    Args:
        pinned: the pinned data of the training.
        split: its interactions and queries.
        library: the models of this process.
    """

    def __init__(self, pinned: PinnedData, split: Split, library: FittedModels) -> None:
        self.folder = folder_of(pinned) / slug(code_version())
        self.pinned, self.split, self.library = pinned, split, library

    def names(self) -> list[str]:
        """The members that are kept; a network is trained in the task of the hybrid."""
        return [name for name in MEMBERS if not recipe(name).by_gradient]

    def read(self) -> None:
        """Add the kept models to the library of this process."""
        for name in self.names():
            own = self.folder / name
            if not own.exists():
                continue
            tuned, final = (recipe(name).load(own / stage) for stage in (TUNED, FINAL))
            for model in (tuned, final):
                model.quick = self.pinned.quick
            self.library.setdefault(self._tuned_from(name), tuned)
            self.library.setdefault(final.origin(self.split.refit, None, self.pinned.seed), final)
            log.info("reads the member that another task fitted", recipe=name)

    def keep(self, name: str) -> None:
        """Write a member that this process has fitted.

        Args:
            name: of the recipe; nothing is written for one that is not a member.
        """
        own = self.folder / name
        tuned = self.library.get(self._tuned_from(name)) if name in self.names() else None
        if tuned is None or own.exists():
            return
        fresh = build(name, **tuned.chosen)
        fresh.quick = self.pinned.quick
        final: Recommender = self.library[fresh.origin(self.split.refit, None, self.pinned.seed)]
        writing = own.with_name(f".{name}.part")
        shutil.rmtree(writing, ignore_errors=True)
        tuned.save(writing / TUNED)
        final.save(writing / FINAL)
        writing.rename(own)

    def _tuned_from(self, name: str) -> tuple[object, ...]:
        model = build(name)
        model.quick = self.pinned.quick
        return model.origin(self.split.fit, self.split.validation, self.pinned.seed)


def folder_of(pinned: PinnedData) -> Path:
    """The folder of the kept models of a training."""
    return get_settings().var / "scratch" / "fitted" / pinned.training


def remove(pinned: PinnedData) -> None:
    """Remove the kept models of a training."""
    shutil.rmtree(folder_of(pinned), ignore_errors=True)
