"""Item-kNN: items with the same users are similar (Sarwar et al., 2001)."""

from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.linear import LinearRecommender


class ItemKNN(LinearRecommender):
    """Cosine of the items' user vectors, shrunk: w_ij = n_ij / (sqrt(n_i n_j) + shrink), n_ij counts users of both.

    Validation chooses ``half_life`` and ``shrink``.
    """

    name: ClassVar[str] = "item_knn"
    complexity: ClassVar[int] = 2
    DEFAULTS: ClassVar[dict[str, float]] = {
        "half_life": 2.0,
        "last": 20,
        "neighbours": 500,
        "shrink": 3.0,
    }
    SEARCH: ClassVar[dict[str, tuple[float, ...]]] = {
        "half_life": (0.5, 1.0, 2.0, 4.0, 10.0),
        "shrink": (0.0, 3.0, 10.0, 30.0),
    }

    def prepare(self, train: Interactions, catalog: Catalog) -> Any:
        """Numbers of users of each pair of items, and of each item."""
        shape = (train.n_users, train.n_items)
        met = sparse.csr_array((np.ones(len(train), dtype=np.float32), (train.user_index, train.item_index)), shape=shape)
        met.data[:] = 1.0  # repetitions count once
        both = sparse.coo_array(met.T @ met)
        count = np.asarray(met.sum(axis=0)).ravel()
        return both, count

    def item_matrix(self, prepared: Any) -> sparse.csr_array:
        both, count = prepared
        row, column = both.coords
        weight = both.data / (np.sqrt(count[row] * count[column]) + self._settings["shrink"])
        return sparse.csr_array((weight, (row, column)), shape=both.shape)
