"""First-order Markov chain: counts of the items right after the last one."""

from typing import ClassVar

import numpy as np
from scipy import sparse

from ml.data.interactions import Interactions
from ml.models.linear import LinearRecommender, pairs


class Markov(LinearRecommender):
    """The next item depends on the last one alone: P(j | i) = (n_ij) / (n_i + smoothing), n_ij counts j right after i.

    ``smoothing`` only matters relative to the small popularity term that every linear model adds.
    """

    name: ClassVar[str] = "markov"
    complexity: ClassVar[int] = 1
    DEFAULTS: ClassVar[dict[str, float]] = {
        "half_life": 1.0,
        "last": 1,
        "neighbours": 1000,
        "smoothing": 5.0,
    }

    def item_matrix(self, prepared: Interactions) -> sparse.csr_array:
        n = prepared.n_items
        earlier, later = pairs(prepared, 1)
        counts = sparse.csr_array((np.ones(len(earlier), dtype=np.float32), (earlier, later)), shape=(n, n))
        out = np.asarray(counts.sum(axis=1)).ravel()
        scale = sparse.diags_array(1.0 / np.maximum(out + self._settings["smoothing"], 1e-9))
        return sparse.csr_array(scale @ counts)
