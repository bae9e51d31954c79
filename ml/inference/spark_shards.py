"""Shards made by the tasks of a Spark cluster, with the same code and so with the same rows.

A task gets shard numbers (``schemas.spark.distribute``). Inputs and shards are in the lake's folder, which every worker can
reach, as for all jobs. Each worker receives the champion's files once (``addArchive``), and the eligible items once (a
broadcast). Its Python process loads the model once for all its shards.
"""

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ml.compute.threads import limit_threads
from ml.inference.eligible_items import EligibleItems
from ml.inference.scorer import Origin, Policy, Scorer
from ml.inference.shards import Inputs, Work
from ml.models import Recommender, load_recommender
from schemas.runtime.cli import log
from schemas.spark.distribute import distribute
from schemas.spark.session import end_session, spark_session


@dataclass(frozen=True)
class Task:
    """Everything that a task needs besides its shard numbers."""

    model: str
    """Path of the champion's folder below the files that Spark ships."""
    offer: Any
    """A broadcast :class:`EligibleItems`."""
    policy: Policy
    origin: Origin
    inputs: Inputs
    work: Work

    def __call__(self, shard: int) -> str:
        from pyspark import SparkFiles

        offer: EligibleItems = self.offer.value
        scorer = Scorer(_loaded(SparkFiles.get(self.model)), offer, self.policy, self.origin)
        scorer.finish(shard, self.inputs, self.work)
        return str(shard)


@lru_cache(maxsize=1)
def _loaded(folder: str) -> Recommender:
    limit_threads()
    return load_recommender(Path(folder))[0]


def finish_shards(scorer: Scorer, files: Path, inputs: Inputs, work: Work) -> None:
    """Make the shards that are not finished, each in its own task.

    Args:
        scorer: with the model that ``files`` holds.
        files: the champion's folder.
        inputs: users and events of each shard.
        work: folder of the finished shards.
    """
    spark = spark_session(f"recommend {scorer.origin.served_on}")
    try:
        with TemporaryDirectory() as scratch:
            # Spark ships no folders to a cluster; each worker unpacks an archive into a folder of the archive's name.
            archive = Path(shutil.make_archive(f"{scratch}/champion", "tar", files.parent, files.name))
            spark.sparkContext.addArchive(str(archive))
            offer = spark.sparkContext.broadcast(scorer.offer)
            task = Task(f"{archive.name}/{files.name}", offer, scorer.policy, scorer.origin, inputs, work)
            finished = distribute(spark, work.waiting, task, work.shards)
            log.info("recommended", shards=len(finished), master=spark.sparkContext.master)
    finally:
        end_session(spark)
