"""Popularity: the baseline that every other recipe has to beat."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.base import WEIGHTS_FILE, Log, Recommender, Scores, read_config, write_config
from ml.models.scoring import popularity


class Popularity(Recommender):
    """All users get the most popular items; the weight of an event halves every ``half_life_days``.

    Validation chooses ``half_life_days``; with 0 events keep their weight. It stays 0 if only the order of events is known.
    """

    name: ClassVar[str] = "popularity"
    complexity: ClassVar[int] = 0

    HALF_LIVES: ClassVar[tuple[float, ...]] = (0, 3, 7, 14, 30, 90)

    def __init__(self, half_life_days: float = 0) -> None:
        self.half_life_days = half_life_days
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
        """Count; with ``validation``, choose the half-life.

        Args:
            train: interactions to count.
            catalog, seed, log: not used.
            validation: queries to choose ``half_life_days`` on by NDCG@10.
        """
        if validation is not None and len(validation) and train.timed:
            self.half_life_days = max(self.HALF_LIVES, key=lambda days: self._judged(train, validation, days))
        self.popularity = popularity(train, self.half_life_days)
        return self

    def _judged(self, train: Interactions, validation: Cases, days: float) -> float:
        from ml.models.rank import tuning_score

        self.popularity = popularity(train, days)
        return tuning_score(self, validation)

    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        return np.tile(self.popularity, (len(histories), 1))

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        """All zero: popularity does not compare items."""
        return np.zeros(len(candidates), dtype=np.float32)

    def save(self, directory: Path) -> None:
        write_config(directory, self.name, self.settings)
        save_file({"popularity": self.popularity}, directory / WEIGHTS_FILE)

    @classmethod
    def load(cls, directory: Path) -> Self:
        model = cls(**read_config(directory)["settings"])
        model.popularity = load_file(directory / WEIGHTS_FILE)["popularity"]
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return {"half_life_days": self.half_life_days}

    @property
    def chosen(self) -> dict[str, Any]:
        return self.settings
