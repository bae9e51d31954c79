"""Histories as the sequential network reads them: ids, context, windows. Padding is on the right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ml.data import Cases, Interactions
from ml.models.network import GAP_BUCKETS, IGNORED_LABEL

HOUR_US = 3_600_000_000


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
        hour[1:] = times // HOUR_US % 24 + 1
        weekday[1:] = (times // (24 * HOUR_US) + 3) % 7 + 1  # 1970 began on a Thursday
        seconds = np.diff(times) / 1e6
        gap[2:] = np.minimum(np.floor(np.log2(seconds + 1)) + 1, GAP_BUCKETS - 1)
    rows = {"item_ids": ids, "hour": hour, "weekday": weekday, "gap": gap}
    return {name: torch.as_tensor(row[-length:].astype(np.int64)) for name, row in rows.items()}


def pad(row: Tensor, length: int, fill: int) -> Tensor:
    return torch.nn.functional.pad(row, (0, length - len(row)), value=fill)


class Windows(Dataset[dict[str, Tensor]]):
    """Histories cut into windows of ``length`` events, so that every event is a label once.

    In a share of the windows the times are unknown, since they may be when the model is asked.
    """

    def __init__(self, train: Interactions, length: int, n_items: int, unknown_times: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rows: list[dict[str, Tensor]] = []
        histories = train.histories()
        moments = train.times()
        for user, items in enumerate(histories):
            times = None if moments is None else moments[user]
            whole = sequence(items, times, len(items) + 1, n_items)
            labels = whole["item_ids"][1:]
            for end in range(len(items), 0, -length):
                start = max(end - length, 0)
                row = {name: values[start:end] for name, values in whole.items()}
                if rng.random() < unknown_times:
                    row |= {name: torch.zeros(end - start, dtype=torch.int64) for name in ("hour", "weekday", "gap")}
                row["labels"] = labels[start:end]
                self.rows.append(row)
        self.lengths = [len(row["item_ids"]) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.rows[index]


def as_batch(rows: Sequence[dict[str, Tensor]], n_items: int) -> dict[str, Tensor]:
    """Rows of different lengths as one batch, each value int64 ``[B, L]``."""
    longest = max(len(row["item_ids"]) for row in rows)
    fills = {"item_ids": n_items, "hour": 0, "weekday": 0, "gap": 0}
    return {name: torch.stack([pad(row[name], longest, fill) for row in rows]) for name, fill in fills.items()}


def collate(rows: Sequence[dict[str, Tensor]], n_items: int) -> dict[str, Tensor]:
    """A batch with its labels."""
    longest = max(len(row["labels"]) for row in rows)
    return as_batch(rows, n_items) | {"labels": torch.stack([pad(row["labels"], longest, IGNORED_LABEL) for row in rows])}


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
