"""A day's users in shards: their events are dealt to the shards, and each unfinished shard is scored."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from ml.inference.eligible_items import offer_of
from ml.inference.scorer import Origin, Policy, Scorer
from ml.inference.shards import Inputs, Work, open_inputs
from ml.models.base import Recommender
from schemas.runtime.cli import log, log_duration


@dataclass(frozen=True)
class Served:
    """A model with its files, and the rules by which it makes lists."""

    model: Recommender
    item_ids: Sequence[str]
    files: Path
    policy: Policy
    origin: Origin


def make_shards(
    served: Served,
    users: pa.Table,
    events: Iterable[pa.RecordBatch],
    catalogue: pa.Table | None,
    work: Work,
    on: Literal["here", "spark"],
) -> None:
    """Make the shards that are not finished; nothing is read if all are.

    Args:
        served: the model and its rules.
        users: in ``USER_COLUMNS``, one row a user.
        events: in ``EVENT_SCHEMA``.
        catalogue: ``item_id``, ``title``, ``categories``; None without a catalogue.
        work: folder of the finished shards.
        on: the maker of the shards: this process, or the tasks of a Spark cluster.
    """
    waiting = len(work.waiting)
    if not waiting:
        return
    log.info("shards", finished=work.shards - waiting, waiting=waiting)
    with open_inputs(work) as inputs, log_duration("pytorch"):
        inputs.write_users(users)
        inputs.write_events(events)
        parts = ((inputs.events(shard), inputs.users(shard)) for shard in range(work.shards))
        offer = offer_of(catalogue, parts, served.item_ids, served.origin.served_on)
        scorer = Scorer(served.model, offer, served.policy, served.origin)
        if on == "spark":
            from ml.inference import spark_shards  # PySpark is needed only here

            spark_shards.finish_shards(scorer, served.files, inputs, work)
        else:
            finish_shards(scorer, inputs, work)


def finish_shards(scorer: Scorer, inputs: Inputs, work: Work) -> None:
    """Make the shards that are not finished, one after the other in this process.

    Args:
        scorer: makes the rows.
        inputs: users and events of each shard.
        work: folder of the finished shards.
    """
    waiting, began = work.waiting, time.perf_counter()
    for done, shard in enumerate(waiting, start=1):
        scorer.finish(shard, inputs, work)
        log.info("recommending", shards=done, of=len(waiting), seconds=round(time.perf_counter() - began, 1))
