"""Recommenders that are one sparse matrix: scores = recent items of a user, weighted, times item-to-item weights.

Markov chains, item-kNN and co-occurrence counts differ only in the matrix and in how far back they look.
"""

import itertools
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy import sparse

from ml import metrics
from ml.data import Cases, Catalog, Interactions
from ml.models.base import (
    WEIGHTS_FILE,
    Log,
    Recommender,
    Scores,
    popularity,
    read_config,
    recency_weights,
    with_fallback,
    write_config,
)

TUNING_CASES = 2000


class LinearRecommender(Recommender):
    """Subclasses give ``DEFAULTS``, perhaps a ``GRID`` to try on validation, and ``item_matrix``."""

    DEFAULTS: ClassVar[dict[str, float]]
    """``half_life`` (events until a weight halves), ``last`` (events looked back), ``neighbours``, and the recipe's own."""
    GRID: ClassVar[dict[str, tuple[float, ...]]] = {}
    """Values to try for some of them; every combination is fitted, so keep it small."""

    def __init__(self, **settings: float) -> None:
        unknown = settings.keys() - self.DEFAULTS.keys()
        if unknown:
            raise TypeError(f"{self.name} has no setting {', '.join(sorted(unknown))}")
        self._settings = {**self.DEFAULTS, **settings}
        self.matrix = sparse.csr_array((0, 0), dtype=np.float32)
        self.popularity: Scores = np.empty(0, dtype=np.float32)

    @abstractmethod
    def item_matrix(self, train: Interactions) -> sparse.csr_array:
        """How much having met a row's item speaks for a column's: ``[I, I]``, not negative."""

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        """Count; with ``validation``, first choose the best of ``GRID`` by NDCG@10 on at most 2000 of its cases."""
        if validation is not None and len(validation) and self.GRID:
            self._settings |= self._best_of_grid(train, catalog, seed, validation)
        matrix = sparse.csr_array(self.item_matrix(train), dtype=np.float32)
        matrix.setdiag(0.0)
        matrix.eliminate_zeros()
        self.matrix = strongest(matrix, int(self._settings["neighbours"]))
        self.popularity = popularity(train)
        return self

    def _best_of_grid(self, train: Interactions, catalog: Catalog, seed: int, validation: Cases) -> dict[str, float]:
        from ml.evaluate import rank_cases

        sample = validation.sample(TUNING_CASES)
        best: tuple[float, dict[str, float]] = (-1.0, {})
        for values in itertools.product(*self.GRID.values()):
            candidate = dict(zip(self.GRID, values, strict=True))
            model = type(self)(**{**self._settings, **candidate}).fit(train, catalog, seed=seed)
            ranks, _ = rank_cases(model, sample)
            ndcg = float(metrics.mean_by_user(metrics.ndcg(ranks, 10), sample.user).mean())
            if ndcg > best[0]:
                best = (ndcg, candidate)
        return best[1]

    def scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None = None,
    ) -> Scores:
        query = recency_weights(
            histories,
            len(self.popularity),
            half_life=self._settings["half_life"],
            last=int(self._settings["last"]),
        )
        return with_fallback((query @ self.matrix).toarray(), self.popularity)

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        rows = self.matrix[np.asarray(candidates)]
        return np.asarray(rows[:, [item]].toarray().ravel(), dtype=np.float32)

    def save(self, directory: Path) -> None:
        write_config(directory, self.name, self.settings)
        tensors = {
            "data": self.matrix.data.astype(np.float32),
            "indices": self.matrix.indices.astype(np.int32),
            "indptr": self.matrix.indptr.astype(np.int64),
            "popularity": self.popularity,
        }
        save_file(tensors, directory / WEIGHTS_FILE)

    @classmethod
    def load(cls, directory: Path) -> Self:
        model = cls(**read_config(directory)["settings"])
        tensors = load_file(directory / WEIGHTS_FILE)
        model.popularity = tensors["popularity"]
        n = len(model.popularity)
        model.matrix = sparse.csr_array((tensors["data"], tensors["indices"], tensors["indptr"]), shape=(n, n))
        return model

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self._settings)

    @property
    def chosen(self) -> dict[str, Any]:
        return {name: self._settings[name] for name in self.GRID}


def pairs(train: Interactions, distance: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Items of one user that stand ``distance`` events apart: (earlier, later)."""
    same = train.user_index[:-distance] == train.user_index[distance:]
    earlier, later = train.item_index[:-distance][same], train.item_index[distance:][same]
    return earlier.astype(np.int64), later.astype(np.int64)


def strongest(matrix: sparse.csr_array, keep: int) -> sparse.csr_array:
    """The ``keep`` largest entries of each row, so that a large catalogue stays small."""
    if matrix.nnz == 0 or int(np.diff(matrix.indptr).max()) <= keep:
        return matrix
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, row))
    place = np.empty(matrix.nnz, dtype=np.int64)
    place[order] = np.arange(matrix.nnz) - matrix.indptr[row[order]]
    kept = np.flatnonzero(place < keep)
    return sparse.csr_array((matrix.data[kept], (row[kept], matrix.indices[kept])), shape=matrix.shape)
