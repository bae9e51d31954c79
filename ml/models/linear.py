"""Recommenders with one sparse matrix: scores = weighted recent items of a user times item-to-item weights.

Markov chains, item-kNN and co-occurrence counts differ only in the matrix and in how far they look back.
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from scipy import sparse

from ml.data.cases import Cases
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.base import WEIGHTS_FILE, Log, Recommender, Scores, read_config, settled, write_config
from ml.models.coordinate_ascent import ascend, nearby
from ml.models.scoring import popularity, recency_weights, with_fallback

TUNING_QUERIES = 6000
ROUNDS = 2
DENSE_CELLS, DENSE_SHARE = 16_000_000, 0.1
"""A matrix of at most so many cells (64 MB), with more than this share of them filled, is multiplied as a dense one."""
OF_THE_QUERY = ("half_life", "last")
"""Settings of the history's weights, which do not change the matrix."""


class LinearRecommender(Recommender):
    """Subclasses define ``DEFAULTS``, ``item_matrix``, and optionally a ``SEARCH`` of values to try on validation."""

    DEFAULTS: ClassVar[dict[str, float]]
    """``half_life`` (events until a weight halves), ``last`` (events looked back), ``neighbours``, and the recipe's own."""
    SEARCH: ClassVar[dict[str, tuple[float, ...]]] = {}
    """Values to try (:mod:`ml.models.coordinate_ascent`)."""

    def __init__(self, **settings: float) -> None:
        self._settings = settled(self.name, self.DEFAULTS, settings)
        self.matrix = sparse.csr_array((0, 0), dtype=np.float32)
        self.popularity: Scores = np.empty(0, dtype=np.float32)
        self._dense: tuple[sparse.csr_array, Scores | None] | None = None

    def prepare(self, train: Interactions, catalog: Catalog) -> Any:
        """Compute the data that the item matrix needs, independent of the settings.

        Args:
            train: interactions to count.
            catalog: defines the item indices.
        """
        return train

    @abstractmethod
    def item_matrix(self, prepared: Any) -> sparse.csr_array:
        """How strongly the item of a row speaks for the item of a column: ``[I, I]``, not negative.

        Args:
            prepared: the result of ``prepare``.
        """

    def fit(
        self,
        train: Interactions,
        catalog: Catalog,
        *,
        seed: int,
        validation: Cases | None = None,
        log: Log | None = None,
    ) -> Self:
        """Count; with ``validation``, also search for the best settings.

        Args:
            train: interactions to count.
            catalog: defines the item indices.
            seed, log: not used.
            validation: queries to tune on by NDCG@10, of which at most 6000 are used.
        """
        self.popularity = popularity(train)
        prepared = self.prepare(train, catalog)
        self.matrix = self._matrix(prepared)
        if validation is not None and len(validation) and self.SEARCH:
            self._search(prepared, validation.sample(TUNING_QUERIES))
        return self

    def _matrix(self, prepared: Any) -> sparse.csr_array:
        matrix = sparse.csr_array(self.item_matrix(prepared), dtype=np.float32)
        matrix.setdiag(0.0)
        matrix.eliminate_zeros()
        return strongest(matrix, int(self._settings["neighbours"]))

    def _search(self, prepared: Any, cases: Cases) -> None:
        from ml.models.rank import tuning_score

        def changed(model: LinearRecommender, name: str, value: float) -> LinearRecommender:
            other = type(self)(**{**model._settings, name: value})
            other.popularity = self.popularity
            other.matrix = model.matrix if name in OF_THE_QUERY else other._matrix(prepared)
            return other

        def judged(model: LinearRecommender) -> float:
            return tuning_score(model, cases)

        search = nearby(self.SEARCH, self._settings) if self.quick else self.SEARCH
        found: LinearRecommender = ascend(self, search, changed, judged, 1 if self.quick else ROUNDS)
        self._settings, self.matrix = found._settings, found.matrix

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
        return with_fallback(self._product(query), self.popularity)

    def _product(self, query: sparse.csr_array) -> Scores:
        """``query @ matrix`` as a dense array; the sums are the same either way."""
        if self._dense is None or self._dense[0] is not self.matrix:
            self._dense = self.matrix, self.matrix.toarray() if is_filled(self.matrix) else None
        dense = self._dense[1]
        return np.asarray((query @ self.matrix).toarray() if dense is None else query @ dense, dtype=np.float32)

    def similar(self, item: int, candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        return np.asarray(self.similar_to([item], candidates)[0], dtype=np.float32)

    def similar_to(self, items: Sequence[int], candidates: npt.NDArray[np.integer[Any]]) -> Scores:
        rows = self.matrix[np.asarray(candidates)]
        return np.asarray(rows[:, np.asarray(items)].toarray().T, dtype=np.float32)

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
        return {name: self._settings[name] for name in self.SEARCH}


def is_filled(matrix: sparse.csr_array) -> bool:
    """Whether products with a matrix are faster when it is stored densely; they were measured three times as fast.

    >>> is_filled(sparse.eye_array(1000).tocsr()), is_filled(sparse.csr_array(np.ones((10, 10))))
    (False, True)
    """
    cells = matrix.shape[0] * matrix.shape[1]
    return bool(cells <= DENSE_CELLS and matrix.nnz > DENSE_SHARE * cells)


def pairs(train: Interactions, distance: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Pairs of items of one user, ``distance`` events apart: (earlier, later).

    Args:
        train: interactions, sorted by user and time.
        distance: events between them, at least 1.

    >>> log = Interactions(2, 3, np.array([0, 0, 0, 1]), np.array([2, 0, 1, 0]), np.arange(4), np.zeros(4))
    >>> pairs(log, 1)
    (array([2, 0]), array([0, 1]))
    """
    same = train.user_index[:-distance] == train.user_index[distance:]
    return train.item_index[:-distance][same], train.item_index[distance:][same]


def all_pairs(train: Interactions, window: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """All ordered pairs up to ``window`` events apart, nearest first: (earlier, later, distance).

    Args:
        train: interactions, sorted by user and time.
        window: the largest distance, at most 127.

    >>> log = Interactions(1, 3, np.zeros(3, np.int32), np.array([2, 0, 1]), np.arange(3), np.zeros(3))
    >>> [values.tolist() for values in all_pairs(log, window=2)]
    [[2, 0, 2], [0, 1, 1], [1, 1, 2]]
    """
    distances = range(1, min(window, len(train) - 1) + 1)
    found = [pairs(train, distance) for distance in distances]
    none = np.empty(0, dtype=np.int32)
    earlier, later = (np.concatenate([none, *(pair[side] for pair in found)]) for side in (0, 1))
    far = np.repeat(np.array(distances, dtype=np.int8), [len(pair[0]) for pair in found])
    return earlier, later, far


def strongest(matrix: sparse.csr_array, keep: int) -> sparse.csr_array:
    """The ``keep`` largest entries of each row, ties by lower column, so that the matrix of a large catalogue stays small.

    Args:
        matrix: ``[I, I]``.
        keep: entries per row.

    >>> strongest(sparse.csr_array([[1.0, 3, 2], [4, 4, 4]]), keep=2).toarray()
    array([[0., 3., 2.],
           [4., 4., 0.]])
    """
    lengths = np.diff(matrix.indptr)
    if not len(lengths) or lengths.max(initial=0) <= keep:
        return matrix
    matrix.sort_indices()
    kept = np.ones(matrix.nnz, dtype=bool)
    for row in np.flatnonzero(lengths > keep):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        kept[span] = False
        kept[matrix.indptr[row] + np.argsort(-matrix.data[span], kind="stable")[:keep]] = True
    starts = np.concatenate([[0], np.cumsum(np.minimum(lengths, keep))])
    return sparse.csr_array((matrix.data[kept], matrix.indices[kept], starts), shape=matrix.shape)
