"""Popularity: the baseline that everything has to beat."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from ml.data import Cases, Catalog, Interactions
from ml.models.base import WEIGHTS_FILE, Log, Recommender, Scores, popularity, write_config


class Popularity(Recommender):
    """Everyone gets the items that were met most often."""

    name: ClassVar[str] = "popularity"
    complexity: ClassVar[int] = 0

    def __init__(self) -> None:
        self.popularity: Scores = np.empty(0, dtype=np.float32)

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        self.popularity = popularity(train)
        return self

    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        return np.tile(self.popularity, (len(histories), 1))

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """Popularity knows no likeness: all zero."""
        return np.zeros(len(candidates), dtype=np.float32)

    def save(self, directory: Path) -> None:
        write_config(directory, self.name, self.settings)
        save_file({"popularity": self.popularity}, directory / WEIGHTS_FILE)

    @classmethod
    def load(cls, directory: Path) -> Self:
        model = cls()
        model.popularity = load_file(directory / WEIGHTS_FILE)["popularity"]
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return {}
