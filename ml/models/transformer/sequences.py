"""Histories as the sequential network reads them: ids, context, windows. Padding is on the right."""

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
"""Microseconds since 1970 UTC, or between two events."""


def hour_of(times: Moments) -> Moments:
    return times // HOUR_US % 24 + 1


def weekday_of(times: Moments) -> Moments:
    return (times // (24 * HOUR_US) + 3) % 7 + 1  # 1970 began on a Thursday


def gap_of(passed: Moments) -> Moments:
    """The bucket of the time between two events."""
    return np.asarray(np.minimum(np.floor(np.log2(passed / 1e6 + 1)) + 1, GAP_BUCKETS - 1), dtype=np.int64)


def sequence(
    items: npt.NDArray[np.integer[Any]],
    times: npt.NDArray[np.integer[Any]] | None,
    length: int,
    n_items: int,
) -> dict[str, Tensor]:
    """The network's view of a history: its beginning mark and events, the last ``length`` of them; int64 ``[<= length]``."""
    ids = np.concatenate([[n_items + 1], items])
    hour, weekday, gap = (np.zeros(len(ids), dtype=np.int64) for _ in range(3))
    if times is not None and len(times):
        hour[1:], weekday[1:], gap[2:] = hour_of(times), weekday_of(times), gap_of(np.diff(times))
    rows = {"item_ids": ids, "hour": hour, "weekday": weekday, "gap": gap}
    return {name: torch.as_tensor(row[-length:].astype(np.int64)) for name, row in rows.items()}


class Windows(Dataset[dict[str, Tensor]]):
    """Histories cut into windows of ``length`` events, so that every event is a label once.

    Nothing is copied: a batch is gathered from the interactions, which may lie on disk, when it is asked for. In a share of the
    windows the times are unknown, since they may be when the model is asked.
    """

    def __init__(self, train: Interactions, length: int, n_items: int, unknown_times: float, seed: int) -> None:
        self.train, self.n_items = train, n_items
        met = np.diff(train.starts)
        a_user = -(-met // length)
        self.user = user = np.repeat(np.arange(len(met)), a_user)
        newer = np.arange(len(user)) - np.repeat(np.cumsum(a_user) - a_user, a_user)  # windows of the same user after this one
        end = met[user] - newer * length
        self.place = np.maximum(end - length, 0)
        """Which of its user's events a window begins with, ``[W]``."""
        self.first = train.starts[:-1][user] + self.place
        """The row of that event, ``[W]``."""
        self.lengths = end - self.place
        """Events in a window, ``[W]``."""
        self.unknown = np.random.default_rng(seed).random(len(user)) < unknown_times

    def __len__(self) -> int:
        return len(self.first)

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Windows as a batch, each value int64 ``[B, L]``: what precedes each event, and the event as its label."""
        chosen = np.asarray(indices, dtype=np.int64)
        lengths, place = self.lengths[chosen, None], self.place[chosen, None] + np.arange(self.lengths[chosen].max(initial=0))
        inside = np.arange(place.shape[1]) < lengths
        label = np.where(inside, self.first[chosen, None] + np.arange(place.shape[1]), 0)
        met = inside & (place > 0)  # there is an event before
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


class LikeLengths(Sampler[int]):
    """Rows in an order in which those of a batch are of like length: padding all to the longest costs several times the work.

    Shuffled, sorted by length within each ``BATCHES_SORTED`` batches, and these batches shuffled again. The order follows from
    the seed and ``epoch`` alone, so that an epoch that is resumed, or shared by several processes, has the same one.
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
            last = batches.pop()  # it may be smaller, and batches are cut from the order
            for batch in [batches[i] for i in rng.permutation(len(batches))] + [last]:
                yield from batch.tolist()


def as_batch(rows: Sequence[dict[str, Tensor]], n_items: int) -> dict[str, Tensor]:
    """Rows of different lengths as one batch, each value int64 ``[B, L]``."""
    longest = max(len(row["item_ids"]) for row in rows)
    fills = {"item_ids": n_items, "hour": 0, "weekday": 0, "gap": 0}
    return {name: torch.stack([pad(row[name], longest, fill) for row in rows]) for name, fill in fills.items()}


def pad(row: Tensor, length: int, fill: int) -> Tensor:
    return torch.nn.functional.pad(row, (0, length - len(row)), value=fill)


@dataclass(frozen=True)
class CaseWindow:
    """A stretch of one user's history that answers several questions at once."""

    row: dict[str, Tensor]
    """The network's view of it, at most ``length`` events."""
    cases: npt.NDArray[np.int64]
    """Which questions."""
    places: npt.NDArray[np.int64]
    """Where in the row each is asked."""


def case_windows(cases: Cases, length: int, n_items: int) -> list[CaseWindow]:
    """Windows in which every question is asked once, with at least half of ``length`` events before it where there are as many.

    Args:
        cases: each user's in one run and in time order, so that a history holds those before it, as ``next_event_cases`` makes
            them; where an event came late, so that a history does not hold the one before it, a window of its own answers.
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
    """Runs of questions of one user of which each history begins with the one before it."""
    starts = [0]
    for case in range(1, len(cases)):
        before, history = cases.histories[case - 1], cases.histories[case]
        same_user = cases.user[case] == cases.user[case - 1]
        if not same_user or len(before) > len(history) or not np.array_equal(history[: len(before)], before):
            starts.append(case)
    return np.split(np.arange(len(cases)), starts[1:]) if len(cases) else []
