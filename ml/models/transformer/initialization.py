"""Initial weights of the network: identities from pair counts, biases from popularity."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.linalg import svd
from scipy.sparse.linalg import LinearOperator, eigsh

from ml.data.catalog import Catalog
from ml.data.interactions import DAY_US, Interactions, spans
from ml.models.linear import pairs
from ml.models.transformer.network import SequenceModel

PART = 100_000
LAUNCH_US = 7 * DAY_US
"""How long an item is new after its first interaction."""


def initialise(network: SequenceModel, train: Interactions, catalog: Catalog, length: float = 1.0) -> None:
    """Set identities from an SVD of the pair matrix of ``train``, and biases from popularity.

    Args:
        network: changed in place.
        train: interactions to count.
        catalog: defines the item indices.
        length: mean length of the identities; the shorter, the less the first scores differ.
    """
    n, width = len(catalog), network.config.width
    counts = train.item_counts.astype(np.float64)
    share = np.where(counts > 0, (counts + 1) / (counts.sum() + n), launch_share(train))
    with torch.no_grad():
        network.item_text.copy_(torch.as_tensor(catalog.text_embeddings))
        network.item_seen.copy_(torch.as_tensor((counts > 0).astype(np.float32)))
        network.bias.copy_(torch.as_tensor(np.log(share)).float())
        network.identity.weight[:n] = torch.as_tensor(length * pair_vectors(train, width))


def launch_share(train: Interactions) -> float:
    """The share of all events that an item gets in the week after its first one, which is expected of new items.

    The mean over items whose first event is neither in the first nor in the last week of the log. Without such items, or
    without times, the smoothed share of an item without interactions.
    """
    least = 1 / (len(train) + train.n_items)
    if not train.timed or not len(train):
        return least
    begin, end = int(train.time.min()), int(train.time.max())
    first = np.full(train.n_items, end, dtype=np.int64)
    for rows in spans(len(train)):
        np.minimum.at(first, train.item_index[rows], train.time[rows])
    launched = (first >= begin + LAUNCH_US) & (first <= end - LAUNCH_US) & (train.item_counts > 0)
    if not launched.any():
        return least
    own = np.zeros(train.n_items, dtype=np.int64)
    a_day = np.zeros((end - begin) // DAY_US + 1, dtype=np.int64)
    for rows in spans(len(train)):
        item, time = train.item_index[rows], train.time[rows]
        own += np.bincount(item[time < first[item] + LAUNCH_US], minlength=train.n_items)
        a_day += np.bincount((time - begin) // DAY_US, minlength=len(a_day))
    until = np.concatenate([[0], np.cumsum(a_day)])
    day = (first[launched] - begin) // DAY_US
    meanwhile = until[day + LAUNCH_US // DAY_US] - until[day]
    return float(max(least, (own[launched] / np.maximum(meanwhile, 1)).mean()))


def by_users(train: Interactions) -> Iterator[Interactions]:
    """The log in parts of whole users with about ``PART`` interactions, since pairs need much more memory."""
    begin = 0
    while begin < len(train):
        end = int(train.starts[np.searchsorted(train.starts, begin + PART, side="right") - 1])
        end = end if end > begin else int(train.starts[np.searchsorted(train.starts, begin, side="right")])
        yield replace(train, **{name: getattr(train, name)[begin:end] for name in Interactions.COLUMNS})
        begin = end


def pair_vectors(train: Interactions, width: int, window: int = 10) -> npt.NDArray[np.float32]:
    """Item vectors of mean length 1 from a truncated SVD of positive pointwise mutual information: ``[I, width]``.

    Args:
        train: interactions whose pairs are counted.
        width: dimensions of a vector.
        window: the largest distance of a pair, in events.
    """
    n = train.n_items
    forward = sparse.csr_array((n, n), dtype=np.float64)
    for part in by_users(train):
        near = sparse.csr_array((n, n), dtype=np.float64)
        for distance in range(1, window + 1):
            earlier, later = pairs(part, distance)
            near = near + sparse.coo_array((np.full(len(earlier), distance**-0.5), (earlier, later)), shape=(n, n)).tocsr()
        forward = forward + near
    together = sparse.coo_array(forward + forward.T)
    total = np.asarray(together.sum(axis=0)).ravel()
    row, column = together.coords
    smoothed = total**0.75  # Levy, Goldberg and Dagan (2015)
    pmi = np.log(together.data * smoothed.sum() / (total[row] * smoothed[column]))
    ppmi = sparse.csr_array((np.maximum(pmi, 0.0), (row, column)), shape=(n, n))
    rank = min(width, n - 1)
    vectors = np.zeros((n, width), dtype=np.float32)
    if ppmi.nnz and rank > 0:
        u, s = left_vectors(ppmi, rank)
        vectors[:, :rank] = u * np.sqrt(s)
    return vectors / max(float(np.linalg.norm(vectors, axis=1).mean()), 1e-9)


def left_vectors(matrix: sparse.csr_array, rank: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Left singular vectors ``[I, rank]`` of the largest singular values, and these values ``[rank]``.

    SciPy's ``svds`` would do the same; but if the rank of the matrix is smaller than requested, it draws from a generator that
    cannot be seeded.

    Args:
        matrix: ``[I, I]``.
        rank: number of singular values, below I.
    """
    transposed, n = sparse.csc_array(matrix.T), matrix.shape[0]
    product = LinearOperator((n, n), matvec=lambda x: transposed @ (matrix @ x), dtype=np.float64)
    _, right = eigsh(product, k=rank, v0=np.ones(n), rng=np.random.default_rng(0))
    right, _ = np.linalg.qr(right)  # of equal eigenvalues they need not be orthogonal
    u, s, _ = svd(matrix @ right, full_matrices=False)
    return u, s
