"""The rows of one shard: lists for its users, batch by batch, and a reason for every item."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa

from ml.inference.cold_start import Popular
from ml.inference.diversity import Categories, diversified
from ml.inference.eligible_items import EligibleItems
from ml.inference.exploration import draws, explored
from ml.inference.shards import RECOMMENDATIONS, Inputs, Work
from ml.inference.slates import Best, Lists
from ml.inference.user_histories import UserHistories, behaviour
from ml.models.base import Recommender
from ml.reasons.sentences import History, Reason, reasons
from schemas.runtime.errors import ConfigError


@dataclass(frozen=True)
class Policy:
    """The settings by which scores become lists."""

    k: int
    batch_users: int
    candidates: int = 100
    """Number of best items from which diversity and exploration choose."""
    relevance: float = 1.0
    """Weight of relevance against diversity, see ``ml.inference.diversity``; 1 is relevance alone."""
    explored: int = 0
    """Number of last places that are drawn, see ``ml.inference.exploration``."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.explored >= self.k:
            raise ConfigError(
                f"{self.explored} places of {self.k} are to be drawn; in CLICKWRIGHT_RECOMMEND_EXPLORED; "
                "leave at least the first place to the model"
            )

    @property
    def wanted(self) -> int:
        """Number of candidates per user.

        >>> Policy(k=10, batch_users=1).wanted, Policy(k=10, batch_users=1, explored=2).wanted
        (10, 100)
        """
        return self.k if self.relevance == 1 and not self.explored else max(self.k, self.candidates)


@dataclass(frozen=True)
class Origin:
    """The columns of every row that say where it comes from."""

    served_on: date
    model_name: str
    model_version: str


@dataclass(frozen=True)
class Scorer:
    """Everything that determines a shard's rows, besides its users and their events."""

    model: Recommender
    offer: EligibleItems
    policy: Policy
    origin: Origin

    def finish(self, shard: int, inputs: Inputs, work: Work) -> dict[str, int]:
        """Make the rows of a shard and write them; returns the counts of :meth:`rows`.

        Args:
            shard: its number.
            inputs: users and events of each shard.
            work: folder of the finished shards.
        """
        rows, figures = self.rows(inputs.users(shard), inputs.events(shard))
        work.finish(shard, rows, figures)
        return figures

    def rows(self, users: pa.Table, events: pa.Table) -> tuple[pa.Table, dict[str, int]]:
        """Rows of ``recommendations``, by user and rank, and counts of rows and users.

        Args:
            users: in ``USER_COLUMNS``, sorted by ``user_id``.
            events: in ``EVENT_COLUMNS``; those of other users are ignored.
        """
        did = behaviour(events, users["user_id"].combine_chunks(), self.offer.item_ids)
        parts, new, fewer, without = [], 0, 0, 0
        for first in range(0, len(users), self.policy.batch_users):
            batch = range(first, min(first + self.policy.batch_users, len(users)))
            who = users.slice(first, len(batch))
            histories, found = self._lists(who, did, batch)
            parts.append(self._table(who["user_id"].combine_chunks(), histories, found))
            new += sum(len(history.items) == 0 for history in histories)
            fewer += int(((found.lengths > 0) & (found.lengths < self.policy.k)).sum())
            without += int((found.lengths == 0).sum())
        table = pa.concat_tables(parts) if parts else RECOMMENDATIONS.empty_table()
        return table, {
            "rows": table.num_rows,
            "users": len(users),
            "new_users": new,
            "users_with_fewer": fewer,
            "users_without": without,
        }

    def _lists(self, users: pa.Table, did: UserHistories, batch: range) -> tuple[list[History], Lists]:
        histories, times = map(list, zip(*(did.of(user) for user in batch), strict=True))
        found = self._best([history.items for history in histories], times, self.policy.wanted)
        segments = users["segment"].to_pylist()
        self._popular.instead(found, {row: segments[row] for row, one in enumerate(histories) if not len(one.items)})
        certain = self.policy.k - self.policy.explored
        if self.policy.relevance < 1:
            found = diversified(found, certain, self.policy.relevance, self._categories)
        if not self.policy.explored:
            return histories, found.places(0, certain)
        drawn = draws(users["user_id"].to_pylist(), self.policy.explored, f"{self.policy.seed}|{self.origin.served_on}")
        return histories, explored(found.places(0, certain), found.places(certain), self.policy.explored, drawn)

    @cached_property
    def _popular(self) -> Popular:
        return Popular(self.offer, min(self.policy.wanted, len(self.offer.item_ids)))

    @cached_property
    def _categories(self) -> Categories:
        return Categories(self.offer.titles.categories)

    @cached_property
    def _best(self) -> Best:
        return Best(self.model, self.offer.offered)

    def _table(self, users: pa.Array, histories: list[History], found: Lists) -> pa.Table:
        filled, lengths = found.items >= 0, found.lengths
        n = int(lengths.sum())
        why = list(self._reasons(histories, found))
        rank = np.concatenate([np.arange(1, length + 1) for length in lengths]) if n else np.empty(0)
        columns = {
            "served_on": pa.repeat(pa.scalar(self.origin.served_on, pa.date32()), n),
            "user_id": users.take(pa.array(np.repeat(np.arange(len(users)), lengths))),
            "rank": pa.array(rank.astype(np.int32)),
            "item_id": pa.array([self.offer.item_ids[item] for item in found.items[filled]], pa.string()),
            "score": pa.array(found.scores[filled].astype(np.float64)),
            "reason": pa.array([reason.sentence for reason in why], pa.string()),
            "reason_kind": pa.array([reason.kind.value for reason in why], pa.string()),
            "reason_item_id": pa.array(
                [None if reason.item is None else self.offer.item_ids[reason.item] for reason in why], pa.string()
            ),
            "propensity": pa.array(found.propensities[filled]),
            "model_name": pa.repeat(self.origin.model_name, n),
            "model_version": pa.repeat(self.origin.model_version, n),
        }
        return pa.table([columns[name] for name in RECOMMENDATIONS.names], schema=RECOMMENDATIONS)

    def _reasons(self, histories: list[History], found: Lists) -> Iterator[Reason]:
        for history, items, length in zip(histories, found.items, found.lengths, strict=True):
            chosen = items[:length].tolist()
            yield from reasons(chosen, history, self.offer.titles, self.model, self.offer.highest_rating)
