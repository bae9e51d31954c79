"""Co-occurrence counts: ordered pairs up to a window apart, weighted by distance, direction and popularity."""

from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.linear import LinearRecommender, all_pairs, strongest

WIDEST = 30
STEPPED_OVER = 30
"""Strongest neighbours of an item, and of each of these, that a second step uses."""


class Cooccurrence(LinearRecommender):
    """w_ij = (f_ij + backward f_ji) / (n_i^source n_j^penalty), f_ij the sum of d^-decay over pairs i then j, d events apart.

    ``window`` is the largest d; n_i counts the interactions with i. Where pairs are rare, pairs two steps apart help (with the
    weight ``second``). Recent items of a history weigh more (``half_life``). Validation chooses all of these; the defaults are
    the start of its search.
    """

    name: ClassVar[str] = "cooccurrence"
    complexity: ClassVar[int] = 3
    DEFAULTS: ClassVar[dict[str, float]] = {
        "half_life": 3.0,
        "last": 50,
        "neighbours": 1000,
        "window": WIDEST,
        "decay": 0.5,
        "backward": 0.5,
        "source": 0.0,
        "penalty": 0.5,
        "second": 0.0,
    }
    SEARCH: ClassVar[dict[str, tuple[float, ...]]] = {
        "half_life": (0.5, 1.0, 2.0, 3.0, 5.0, 10.0),
        "source": (0.0, 0.3, 0.5, 0.7, 1.0),
        "penalty": (0.0, 0.2, 0.3, 0.4, 0.5, 0.6),
        "backward": (0.0, 0.25, 0.5, 0.75, 1.0),
        "decay": (0.25, 0.5, 0.75, 1.0, 1.5),
        "window": (5, 10, 20, WIDEST),
        "second": (0.0, 0.05, 0.1, 0.2, 0.3, 0.5),
    }

    def prepare(self, train: Interactions, catalog: Catalog) -> Any:
        """All pairs (earlier, later, distance), and the interactions with each item."""
        return *all_pairs(train, WIDEST), train.item_counts

    def item_matrix(self, prepared: Any) -> sparse.csr_array:
        earlier, later, distance, met = prepared
        s, n = self._settings, len(met)
        near = slice(0, int(np.searchsorted(distance, s["window"], side="right")))
        weight = (np.arange(WIDEST + 1, dtype=np.float32).clip(1) ** -s["decay"])[distance[near]].astype(np.float32)
        forward = sparse.coo_array((weight, (earlier[near], later[near])), shape=(n, n)).tocsr()
        counts = sparse.csr_array(forward + s["backward"] * forward.T)
        of_rows, of_columns = (sparse.diags_array(np.maximum(met, 1.0) ** -s[name]) for name in ("source", "penalty"))
        weights = sparse.csr_array(of_rows @ counts @ of_columns)
        return weights + s["second"] * two_steps(weights) if s["second"] else weights


def two_steps(weights: sparse.csr_array) -> sparse.csr_array:
    """Sums of w_ij w_jk over the strongest j of i and k of j, each row scaled to the largest weight of that row: ``[I, I]``.

    >>> two_steps(sparse.csr_array([[0.0, 2, 0], [0, 0, 1], [0, 0, 0]])).toarray()
    array([[0., 0., 2.],
           [0., 0., 0.],
           [0., 0., 0.]])
    """
    near = weights.copy()
    near.setdiag(0.0)
    near.eliminate_zeros()
    best = near.max(axis=1).toarray().ravel()
    near = strongest(near, STEPPED_OVER)
    reached = sparse.csr_array(near @ near)
    reached.setdiag(0.0)
    scale = best / np.maximum(reached.max(axis=1).toarray().ravel(), 1e-12)
    return sparse.csr_array(sparse.diags_array(scale) @ reached)
