"""Co-occurrence counts: ordered pairs up to a window apart, weighted by distance, direction and popularity."""

from typing import ClassVar

import numpy as np
from scipy import sparse

from ml.data import Interactions
from ml.models.linear import LinearRecommender, pairs


class Cooccurrence(LinearRecommender):
    """w_ij = (sum over pairs i then j of d^-decay + backward * sum over pairs j then i of d^-decay) / n_j^penalty.

    d is how many events lie between, up to ``window``; n_j is how often j was met. The query weighs recent items more
    (``half_life``). Validation chooses ``half_life`` and ``penalty`` from a small grid each time; the other defaults are the
    best of a coordinate search on MovieLens 100K, fitted before 1998-04-02 and judged on the 14 days after.
    """

    name: ClassVar[str] = "cooccurrence"
    complexity: ClassVar[int] = 3
    DEFAULTS: ClassVar[dict[str, float]] = {
        "half_life": 3.0,
        "last": 50,
        "neighbours": 1000,
        "window": 30,
        "decay": 0.5,
        "backward": 0.5,
        "penalty": 0.5,
    }
    GRID: ClassVar[dict[str, tuple[float, ...]]] = {
        "half_life": (3.0, 10.0),
        "penalty": (0.3, 0.5),
    }

    def item_matrix(self, train: Interactions) -> sparse.csr_array:
        n = len(train.items)
        forward = sparse.csr_array((n, n), dtype=np.float32)
        for distance in range(1, min(int(self._settings["window"]), len(train) - 1) + 1):
            earlier, later = pairs(train, distance)
            weight = np.full(len(earlier), distance ** -self._settings["decay"], dtype=np.float32)
            forward = forward + sparse.csr_array((weight, (earlier, later)), shape=(n, n))
        counts = sparse.csr_array(forward + self._settings["backward"] * forward.T)
        met = np.bincount(train.item_index, minlength=n)
        penalty = np.maximum(met, 1.0) ** -self._settings["penalty"]
        return sparse.csr_array(counts @ sparse.diags_array(penalty))
