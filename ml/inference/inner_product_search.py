"""Exact top-k search for many users by inner product, at half the cost of scoring everything and sorting.

All items are scored in bfloat16, which takes half the time of float32. A few items with the longest vectors, whose bfloat16
scores would be the least accurate, are scored in float32. Maxima over groups of items, and over groups of groups, narrow down
the candidates, which are scored again in float32. For each user a bound on the bfloat16 error proves that no other item belongs
in the list. Users whose bound does not hold are scored again in float32, so results equal an exhaustive search.

Shapes: B users, I items offered, D width, M candidates, K places.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

GROUP, GROUPS = 16, 4
"""Items in a group, and groups in a group of groups."""
SPARE = 60
"""Number of candidates beyond the length of a list."""
APART = 512
"""Number of items with the longest vectors, which are scored in float32 from the start."""
ROWS_AT_ONCE = 128
"""Users scored at a time: their bfloat16 scores of 100,000 items stay in a processor's cache."""
ROUNDING = 2.0**-8
"""Upper bound of the relative error of rounding to bfloat16, which has eight significant bits."""


@dataclass(frozen=True)
class Found:
    """Best first; item -1 means that no item was left."""

    items: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    proven: int
    """Number of users whose bfloat16 search was proven exact."""


def is_quick() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32."""
    return bool(torch.cpu._is_avx512_bf16_supported())


class Search:
    """The best eligible items for the states of users: score = state . vector + bias."""

    def __init__(
        self, vectors: Tensor, bias: Tensor, offered: npt.NDArray[np.bool_], *, quick: bool | None = None, threads: int = 1
    ) -> None:
        """
        Args:
            vectors: float32 ``[all items, D]``.
            bias: float32 ``[all items]``.
            offered: whether the item may be found, ``[all items]``.
            quick: whether to search in bfloat16 if there are enough items; by default if the processor is fast at it.
            threads: number of threads, each for its own users.
        """
        self.index = torch.as_tensor(np.flatnonzero(offered), device=vectors.device)
        self.column = np.full(len(offered), -1, dtype=np.int64)
        self.column[offered] = np.arange(len(self.index))
        self.vectors, self.bias = vectors[self.index].contiguous(), bias[self.index].contiguous()
        self.quick = vectors.device.type == "cpu" and is_quick() if quick is None else quick
        self.threads = threads

    def best(self, states: Tensor, met: Sequence[npt.NDArray[np.integer[Any]]], k: int) -> Found:
        """The ``k`` best items of each user that are not excluded; on a tie the lower index comes first.

        Args:
            states: float32 ``[B, D]``.
            met: for each user the items to exclude, since the user has interacted with them.
            k: length of a list.
        """
        starts = range(0, len(states), ROWS_AT_ONCE)
        parts = [(states[first : first + ROWS_AT_ONCE], met[first : first + ROWS_AT_ONCE], k) for first in starts]
        if self.threads > 1 and len(parts) > 1:
            found = list(self._pool.map(lambda part: self._some(*part), parts))
        else:
            found = [self._some(*part) for part in parts]
        none = np.empty((0, min(k, len(self.index))))
        return Found(
            np.concatenate([none.astype(np.int64), *(part.items for part in found)]),
            np.concatenate([none.astype(np.float32), *(part.scores for part in found)]),
            sum(part.proven for part in found),
        )

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,))

    @torch.no_grad()
    def _some(self, states: Tensor, met: Sequence[npt.NDArray[np.integer[Any]]], k: int) -> Found:
        left_out = self._left_out(met)
        if not self.quick or (k + SPARE) * GROUP * GROUPS + APART > len(self.index):
            return self._found(*self._plain(states, left_out, k), proven=0)
        items, scores, proven = self._quickly(states, left_out, k)
        if not bool(proven.all()):
            doubtful = torch.nonzero(~proven)[:, 0]
            again = self._left_out([met[int(row)] for row in doubtful])
            items[doubtful], scores[doubtful] = self._plain(states[doubtful], again, k)
        return self._found(items, scores, proven=int(proven.sum()))

    def _left_out(self, met: Sequence[npt.NDArray[np.integer[Any]]]) -> tuple[Tensor, Tensor]:
        """Rows and columns of the excluded items."""
        rows = np.repeat(np.arange(len(met)), [len(items) for items in met])
        columns = self.column[np.concatenate([np.empty(0, np.int64), *met]).astype(np.int64)]
        device = self.vectors.device
        return torch.as_tensor(rows[columns >= 0], device=device), torch.as_tensor(columns[columns >= 0], device=device)

    def _found(self, items: Tensor, scores: Tensor, proven: int) -> Found:
        """Convert columns to item indices of the model."""
        real = torch.where(torch.isneginf(scores), -1, self.index[items])
        return Found(real.cpu().numpy(), scores.cpu().numpy(), proven)

    def _plain(self, states: Tensor, left_out: tuple[Tensor, Tensor], k: int) -> tuple[Tensor, Tensor]:
        scores_BI = torch.addmm(self.bias, states, self.vectors.T)
        scores_BI[left_out] = -torch.inf
        scores, columns = scores_BI.topk(min(k + SPARE, scores_BI.shape[1]))
        tied = (scores[:, -1] == scores[:, min(k, scores.shape[1]) - 1]) & torch.isfinite(scores[:, -1])
        if bool(tied.any()) and scores.shape[1] < scores_BI.shape[1]:  # ties may reach beyond the columns of topk
            scores, columns = scores_BI.sort(dim=1, descending=True, stable=True)
        return first_of_equals(columns, scores, k)

    def _quickly(self, states: Tensor, left_out: tuple[Tensor, Tensor], k: int) -> tuple[Tensor, Tensor, Tensor]:
        """Columns and scores ``[B, K]``, and for each user whether the list is proven exact."""
        rough, m = self._rough, k + SPARE
        states16_BD = states.bfloat16()
        ones = torch.ones(len(states), 2, dtype=torch.bfloat16)
        scores_BI = torch.mm(torch.cat([states16_BD, ones], dim=1), rough.vectors.T)
        scores_BI[left_out] = -torch.inf
        columns_BM, least_B = candidates(scores_BI, m)
        columns_BM = columns_BM.clamp_(max=len(self.index) - 1)  # padding counts as excluded
        vectors_BMD = torch.index_select(self.vectors, 0, columns_BM.view(-1)).view(len(states), m, -1)
        exact_BM = torch.bmm(vectors_BMD, states[:, :, None])[:, :, 0] + self.bias[columns_BM]
        exact_BM[torch.isneginf(scores_BI.gather(1, columns_BM))] = -torch.inf
        apart_BA = torch.addmm(self.bias[rough.apart], states, self.vectors[rough.apart].T)
        row, column = left_out
        place = rough.place[column]
        apart_BA[row[place >= 0], place[place >= 0]] = -torch.inf
        exact, best = torch.cat([exact_BM, apart_BA], dim=1).topk(m, sorted=False)
        columns = torch.cat([columns_BM, rough.apart.expand(len(states), -1)], dim=1).gather(1, best)
        columns_BK, exact_BK = first_of_equals(columns, exact, k)
        error_B = states.norm(dim=1) * rough.lost + (states - states16_BD.float()).norm(dim=1) * rough.longest
        bound_B = least_B + least_B.abs() * ROUNDING + error_B * (1 + ROUNDING) + rough.bias_lost
        last_B = exact_BK[:, -1]
        return columns_BK, exact_BK, (last_B - rough.centre > bound_B) & (last_B > exact.amin(dim=1))

    @cached_property
    def _rough(self) -> "_Rough":
        return _Rough.of(self.vectors, self.bias)


@dataclass(frozen=True)
class _Rough:
    """Vectors in bfloat16, padded to whole groups, and bounds of their errors."""

    vectors: Tensor
    """With the bias in two further columns, the second for the rounding error of the first: ``[padded, D + 2]``."""
    apart: Tensor
    """Columns of the items with the longest vectors, which are not among ``vectors``, ``[A]``."""
    place: Tensor
    """Each column's place in ``apart``, or -1, ``[I]``."""
    centre: float
    """Subtracted from every bias, so that the scores that matter are near 0, where bfloat16 is most precise."""
    lost: float
    """Largest distance between a rounded and an exact vector."""
    longest: float
    """Length of the longest vector."""
    bias_lost: float

    @classmethod
    def of(cls, vectors: Tensor, bias: Tensor) -> "_Rough":
        apart = vectors.norm(dim=1).topk(APART).indices.sort().values
        place = torch.full((len(vectors),), -1)
        place[apart] = torch.arange(APART)
        centre = float(bias.median())
        high = (bias - centre).bfloat16()
        low = (bias - centre - high.float()).bfloat16()
        rough = vectors.bfloat16()
        whole = torch.zeros(len(vectors) + -len(vectors) % (GROUP * GROUPS), vectors.shape[1] + 2, dtype=torch.bfloat16)
        whole[: len(vectors)] = torch.cat([rough, high[:, None], low[:, None]], dim=1)
        nowhere = torch.cat([apart, torch.arange(len(vectors), len(whole))])
        whole[nowhere] = 0
        whole[nowhere, -1] = -torch.inf
        rest = place < 0
        return cls(
            vectors=whole,
            apart=apart,
            place=place,
            centre=centre,
            lost=float((vectors - rough.float())[rest].norm(dim=1).max()),
            longest=float(rough[rest].float().norm(dim=1).max()),
            bias_lost=float((bias - centre - high.float() - low.float())[rest].abs().max()),
        )


def candidates(scores: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """The columns of the ``m`` highest scores of each row, in any order, and the lowest of these scores.

    One of the ``m`` best columns is in a group whose maximum is among the ``m`` best: for any other column there are ``m``
    better ones.

    Args:
        scores: ``[B, I]``, I a multiple of ``GROUP * GROUPS`` and at least ``m`` times that.
        m: number of candidates.
    """
    rows = len(scores)
    groups = scores.view(rows, GROUP, -1).amax(dim=1)  # a group is every n-th column, which makes maxima fast
    outer = groups.view(rows, GROUPS, -1).amax(dim=1)
    of_outer = _members(outer.float().topk(m, sorted=False).indices, GROUPS, outer.shape[1])
    chosen = groups.gather(1, of_outer).float().topk(m, sorted=False).indices
    columns = _members(of_outer.gather(1, chosen), GROUP, groups.shape[1])
    best = scores.gather(1, columns).float().topk(m, sorted=False)
    return columns.gather(1, best.indices), best.values.amin(dim=1)


def _members(groups: Tensor, size: int, stride: int) -> Tensor:
    """The members of groups ``[B, M]`` of some size: ``[B, M * size]``."""
    return (groups[:, :, None] + torch.arange(size) * stride).view(len(groups), -1)


def first_of_equals(columns: Tensor, scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` best candidates, best first, on a tie the lower column first: columns and scores ``[B, K]``.

    Args:
        columns: of the candidates, ``[B, M]``.
        scores: of the candidates, ``[B, M]``.
        k: length of a list.

    >>> columns, scores = first_of_equals(torch.tensor([[7, 2, 9]]), torch.tensor([[1.0, 1.0, 3.0]]), 2)
    >>> columns.tolist(), scores.tolist()
    ([[9, 2]], [[3.0, 1.0]])
    """
    columns, order = columns.sort(dim=1)
    values, best = scores.gather(1, order).sort(dim=1, descending=True, stable=True)
    return columns.gather(1, best[:, :k]), values[:, :k]
