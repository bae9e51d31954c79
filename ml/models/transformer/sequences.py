"""Histories as input of the sequential network: ids, context, windows. Padding is on the right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ml.data.cases import Cases
from ml.data.interactions import Interactions
from ml.models.transformer.network import GAP_BUCKETS, IGNORED_LABEL

HOUR_US = 3_600_000_000


Moments = npt.NDArray[np.integer[Any]]
"""Microseconds, since 1970 UTC or between two events."""


def hour_of(times: Moments) -> Moments:
    """The hour of the day plus 1, since 0 means unknown.

    >>> hour_of(np.array([9 * HOUR_US]))
    array([10])
    """
    return times // HOUR_US % 24 + 1


def weekday_of(times: Moments) -> Moments:
    """The day of the week, from 1 for Monday to 7.

    >>> weekday_of(np.array([0, 24 * HOUR_US]))
    array([4, 5])
    """
    return (times // (24 * HOUR_US) + 3) % 7 + 1  # 1970 began on a Thursday


def gap_of(passed: Moments) -> Moments:
    """The bucket of the time between two events, see ``GAP_BUCKETS``.

    >>> gap_of(np.array([0, 3_000_000, 1023_000_000]))
    array([ 1,  3, 11])
    """
    return np.asarray(np.minimum(np.floor(np.log2(passed / 1e6 + 1)) + 1, GAP_BUCKETS - 1), dtype=np.int64)


def sequence(
    items: npt.NDArray[np.integer[Any]],
    times: npt.NDArray[np.integer[Any]] | None,
    length: int,
    n_items: int,
) -> dict[str, Tensor]:
    """The network's input for a history: a beginning mark and the events, of these the last ``length``; int64 ``[<= length]``.

    Args:
        items: item indices, oldest first.
        times: of the events, microseconds; None if unknown.
        length: the maximum length of the input.
        n_items: I.

    >>> sequence(np.array([4, 2]), None, length=8, n_items=10)["item_ids"]
    tensor([11,  4,  2])
    """
    ids = np.concatenate([[n_items + 1], items])
    hour, weekday, gap = (np.zeros(len(ids), dtype=np.int64) for _ in range(3))
    if times is not None and len(times):
        hour[1:], weekday[1:], gap[2:] = hour_of(times), weekday_of(times), gap_of(np.diff(times))
    rows = {"item_ids": ids, "hour": hour, "weekday": weekday, "gap": gap}
    return {name: torch.as_tensor(row[-length:].astype(np.int64)) for name, row in rows.items()}


class Windows(Dataset[dict[str, Tensor]]):
    """Histories cut into windows of ``length`` events, so that every event is a label once.

    Nothing is copied: a batch is read from the interactions, which may be on disk, when it is requested. A share of the windows
    hides its times, since times may be unknown at inference.
    """

    def __init__(self, train: Interactions, length: int, n_items: int, unknown_times: float, seed: int) -> None:
        self.train, self.n_items = train, n_items
        met = np.diff(train.starts)
        a_user = -(-met // length)
        self.user = user = np.repeat(np.arange(len(met)), a_user)
        newer = np.arange(len(user)) - np.repeat(np.cumsum(a_user) - a_user, a_user)  # later windows of the same user
        end = met[user] - newer * length
        self.place = np.maximum(end - length, 0)
        """Position of a window's first event in its user's history, ``[W]``."""
        self.first = train.starts[:-1][user] + self.place
        """The row of that event, ``[W]``."""
        self.lengths = end - self.place
        """Events in a window, ``[W]``."""
        self.unknown = np.random.default_rng(seed).random(len(user)) < unknown_times

    def __len__(self) -> int:
        return len(self.first)

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Windows as a batch, each value int64 ``[B, L]``: the event before each label, and the labels."""
        chosen = np.asarray(indices, dtype=np.int64)
        lengths, place = self.lengths[chosen, None], self.place[chosen, None] + np.arange(self.lengths[chosen].max(initial=0))
        inside = np.arange(place.shape[1]) < lengths
        label = np.where(inside, self.first[chosen, None] + np.arange(place.shape[1]), 0)
        met = inside & (place > 0)  # an earlier event exists
        before = np.where(met, label - 1, 0)
        mark = np.where(inside, self.n_items + 1, self.n_items)
        batch = {
            "item_ids": np.where(met, self.train.item_index[before], mark),
            "labels": np.where(inside, self.train.item_index[label], IGNORED_LABEL),
            **{name: np.zeros(place.shape, dtype=np.int64) for name in ("hour", "weekday", "gap")},
        }
        if self.train.timed:
            timed = met & ~self.unknown[chosen, None]
            after_another = timed & (place > 1)
            moment = self.train.time[before]
            batch["hour"] = np.where(timed, hour_of(moment), 0)
            batch["weekday"] = np.where(timed, weekday_of(moment), 0)
            passed = moment - self.train.time[np.where(after_another, before - 1, before)]
            batch["gap"] = np.where(after_another, gap_of(passed), 0)
        return {name: torch.as_tensor(values.astype(np.int64)) for name, values in batch.items()}


class LengthBucketSampler(Sampler[int]):
    """An order of rows in which those of a batch have similar lengths; random batches would cost several times the work.

    Rows are shuffled, sorted by length within every ``BATCHES_SORTED`` batches, and these batches are shuffled again. The order
    depends on the seed and ``epoch`` alone, so it is the same in a resumed epoch and in every process.
    """

    BATCHES_SORTED: ClassVar[int] = 50

    def __init__(self, lengths: npt.NDArray[np.int64], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.lengths))
        some = self.BATCHES_SORTED * self.batch_size
        for first in range(0, len(order), some):
            part = order[first : first + some]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches = np.array_split(part, range(self.batch_size, len(part), self.batch_size))
            last = batches.pop()  # it may be smaller, so it stays last: batches are cut from the order
            for batch in [batches[i] for i in rng.permutation(len(batches))] + [last]:
                yield from batch.tolist()


def as_batch(rows: Sequence[dict[str, Tensor]], n_items: int) -> dict[str, Tensor]:
    """Rows of different lengths as one padded batch, each value int64 ``[B, L]``.

    Args:
        rows: results of ``sequence``.
        n_items: I, which is also the padding id.

    >>> as_batch([sequence(np.array(items), None, 8, n_items=10) for items in ([4, 2], [7])], 10)["item_ids"]
    tensor([[11,  4,  2],
            [11,  7, 10]])
    """
    longest = max(len(row["item_ids"]) for row in rows)
    fills = {"item_ids": n_items, "hour": 0, "weekday": 0, "gap": 0}
    return {name: torch.stack([pad(row[name], longest, fill) for row in rows]) for name, fill in fills.items()}


def pad(row: Tensor, length: int, fill: int) -> Tensor:
    """Append ``fill`` to a row up to ``length``.

    Args:
        row: at most ``length`` values.
        length: of the result.
        fill: the padding value.

    >>> pad(torch.tensor([4, 2]), 3, fill=10)
    tensor([ 4,  2, 10])
    """
    return torch.nn.functional.pad(row, (0, length - len(row)), value=fill)


@dataclass(frozen=True)
class CaseWindow:
    """A stretch of one user's history that answers several queries at once."""

    row: dict[str, Tensor]
    """The network's input, at most ``length`` events."""
    cases: npt.NDArray[np.int64]
    """Indices of the queries."""
    places: npt.NDArray[np.int64]
    """Position of each query in the row."""


def case_windows(cases: Cases, length: int, n_items: int) -> list[CaseWindow]:
    """Windows that ask every query once, each after at least half of ``length`` events if its history has as many.

    Args:
        cases: consecutive for each user, in time order, as from ``next_event_cases``. A query gets its own window if its
            history does not extend the one before, because of a late event.
        length: maximum length of a window.
        n_items: I.
    """
    windows = []
    for block in nested(cases):
        last = int(block[-1])
        times = None if cases.times is None else cases.times[last]
        whole = sequence(cases.histories[last], times, len(cases.histories[last]) + 1, n_items)
        places = np.array([len(cases.histories[case]) for case in block])
        stop = len(block)
        while stop > 0:
            end = int(places[stop - 1])
            start = max(end - length + 1, 0)
            begin = int(np.searchsorted(places, start + length // 2 if start else 0))
            row = {name: values[start : end + 1] for name, values in whole.items()}
            windows.append(CaseWindow(row, block[begin:stop], places[begin:stop] - start))
            stop = begin
    return windows


def nested(cases: Cases) -> list[npt.NDArray[np.int64]]:
    """Runs of queries of one user in which each history extends the one before."""
    starts = [0]
    for case in range(1, len(cases)):
        before, history = cases.histories[case - 1], cases.histories[case]
        same_user = cases.user[case] == cases.user[case - 1]
        if not same_user or len(before) > len(history) or not np.array_equal(history[: len(before)], before):
            starts.append(case)
    return np.split(np.arange(len(cases)), starts[1:]) if len(cases) else []
