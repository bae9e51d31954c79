"""Where the network begins: with what counting knows of the items."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.sparse.linalg import svds

from ml.data import Catalog, Interactions
from ml.models.linear import pairs
from ml.models.network import SequenceModel

PART = 100_000


def initialise(network: SequenceModel, train: Interactions, catalog: Catalog) -> None:
    """Begin with what counting knows: identities from an SVD of the pair matrix of ``train``, biases from popularity."""
    n, width = len(catalog), network.config.width
    counts = train.met.astype(np.float64)
    with torch.no_grad():
        network.item_text.copy_(torch.as_tensor(catalog.text_embeddings))
        network.item_seen.copy_(torch.as_tensor((counts > 0).astype(np.float32)))
        network.bias.copy_(torch.as_tensor(np.log((counts + 1) / (counts.sum() + n))).float())
        network.identity.weight[:n] = torch.as_tensor(pair_vectors(train, width))


def by_users(train: Interactions) -> Iterator[Interactions]:
    """The log in parts of some users each, of about ``PART`` interactions: their pairs are many more."""
    begin = 0
    while begin < len(train):
        end = int(train.starts[np.searchsorted(train.starts, begin + PART, side="right") - 1])
        end = end if end > begin else int(train.starts[np.searchsorted(train.starts, begin, side="right")])
        yield replace(train, **{name: getattr(train, name)[begin:end] for name in Interactions.COLUMNS})
        begin = end


def pair_vectors(train: Interactions, width: int, window: int = 10) -> npt.NDArray[np.float32]:
    """Item vectors of mean length 1 from a truncated SVD of positive pointwise mutual information: ``[I, width]``."""
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
        u, s, _ = svds(ppmi, k=rank, v0=np.ones(n))
        vectors[:, :rank] = u[:, ::-1] * np.sqrt(s[::-1])
    return vectors / max(float(np.linalg.norm(vectors, axis=1).mean()), 1e-9)
