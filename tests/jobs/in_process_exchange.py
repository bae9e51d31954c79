"""Both stages of an exchange in this process: the jobs' own code without a JVM, for tests with many small cases."""

import json
from typing import Any

import pyarrow as pa

from jobs import clean, items, profiles, sessionize
from jobs.exchange.exchange import Consume, Produce, _first_stage, _second_stage


def exchange_here(work: Any, buckets: int, produce: Produce, consume: Consume) -> list[dict[str, Any]]:
    items = pa.record_batch({"task": range(len(work)), "work": [json.dumps(item) for item in work]}) if work else None
    blocks = list(_first_stage(produce, buckets, iter([items] if items else [])))
    results = _second_stage(consume, iter(blocks))
    return [json.loads(text) for batch in results for text in batch["result"].to_pylist()]


class NoSpark:
    """Replaces the Spark session of a job."""

    def stop(self) -> None:
        pass


def run_jobs_here() -> None:
    """Make the commands of the jobs run in this process, without a JVM."""
    for job in (clean, items, profiles, sessionize):
        vars(job).update(
            exchange=lambda spark, *rest: exchange_here(*rest),
            spark_session=lambda *_: NoSpark(),
        )
