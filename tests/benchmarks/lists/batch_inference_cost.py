"""The cost of one shard of batch inference, from Parquet files to a Parquet file, by step.

A transformer with the trained item vectors and bias of ``tests.benchmarks.lists.vectors`` recommends to synthetic users with 60
events each; its other weights are initial values, which does not change the cost. Titles are synthetic too. The hybrid
(``--recipe hybrid``) has that transformer, ALS with the same vectors, and co-occurrence and Markov models of the events.

``python -m tests.benchmarks.lists.batch_inference_cost --users 10000``
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load_file

from ml.compute.threads import limit_threads
from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.inference.eligible_items import offer_of
from ml.inference.scorer import Origin, Policy, Scorer
from ml.inference.shards import Inputs, Work
from ml.inference.slates import Best
from ml.inference.user_histories import EVENT_SCHEMA, UserHistories, behaviour
from ml.models.als import ALS
from ml.models.cooccurrence import Cooccurrence
from ml.models.hybrid import MEMBERS, Hybrid
from ml.models.markov import Markov
from ml.models.scoring import popularity
from ml.models.transformer.network import SequenceConfig, SequenceModel
from ml.models.transformer.recommender import Transformer
from schemas.runtime.cli import run_command
from schemas.runtime.settings import get_settings

DAY = date(2026, 1, 12)
EVENTS = 60


def transformer_of(vectors: dict[str, torch.Tensor]) -> Transformer:
    """A transformer with trained item vectors."""
    torch.manual_seed(0)
    items, width = vectors["items"].shape
    network = SequenceModel(SequenceConfig(n_items=items, width=width, text_width=1))
    with torch.no_grad():
        network.identity.weight[:items] = vectors["items"]
        network.bias.copy_(vectors["bias"])
    model = Transformer()
    model.network = network.eval()
    return model


def blend_of(transformer: Transformer, did: UserHistories, items: Sequence[str]) -> Hybrid:
    """A hybrid of the default members, each in its more expensive form.

    Args:
        transformer: the transformer.
        did: the events of the users.
        items: the item ids.
    """
    users = len(did.starts) - 1
    index = np.repeat(np.arange(users, dtype=np.int32), np.diff(did.starts))
    log = Interactions(users, len(items), index, did.items, did.times, did.times)
    catalog = Catalog(list(items), [""] * len(items), [[] for _ in items], [""] * len(items))
    als = ALS(rank=transformer.item_factors()[0].shape[1])
    als.item_factors, als.popularity = transformer.item_factors()[0].numpy(), popularity(log)
    counted = [recipe().fit(log, catalog, seed=0) for recipe in (Cooccurrence, Markov)]
    blend = Hybrid(blend=[{"member": name, "form": "log_share", "share": 0.2} for name in MEMBERS[1:]])
    blend.members = [transformer, als, *counted]
    return blend


def behaviour_of(users: list[str], items: list[str], seed: int) -> pa.Table:
    """Views of the last month, with a skewed item popularity.

    Args:
        users: the user ids.
        items: the item ids.
        seed: the seed of the choices.
    """
    rng = np.random.default_rng(seed)
    n = len(users) * EVENTS
    chosen = np.minimum(rng.pareto(1.0, n) * 100, len(items) - 1).astype(np.int64)
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(days=30)
    seconds = np.sort(rng.integers(0, 30 * 86_400, (len(users), EVENTS)), axis=1).ravel()
    columns = {
        "user_id": np.repeat(users, EVENTS),
        "event_time": (np.datetime64(start.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")),
        "event_id": [f"{i:012d}" for i in range(n)],
        "event_type": pa.repeat("view", n),
        "item_id": pa.array(items).take(pa.array(chosen)),
        "value": pa.nulls(n, pa.float64()),
    }
    return pa.table({f.name: pa.array(columns[f.name], f.type) for f in EVENT_SCHEMA}, schema=EVENT_SCHEMA)


def scored(best: Best, did: UserHistories, users: int, policy: Policy) -> None:
    """Find the best items of all users and discard them."""
    for first in range(0, users, policy.batch_users):
        batch = [did.of(user) for user in range(first, min(first + policy.batch_users, users))]
        best([history.items for history, _ in batch], [times for _, times in batch], policy.k)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Compute one shard and return its cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000, help="users of the shard")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--recipe", choices=("transformer", "hybrid"), default="transformer")
    parser.add_argument("--vectors", type=Path, help="(default: <var>/bench/vectors.safetensors)")
    args = parser.parse_args(argv)
    limit_threads()
    settings = get_settings()
    transformer = transformer_of(load_file(args.vectors or settings.var / "bench" / "vectors.safetensors"))
    items = [f"item {n}" for n in range(transformer.item_factors()[0].shape[0])]
    users = [f"{n:064x}" for n in range(args.users)]
    rows = [{"item_id": item, "title": f"Title of {item}", "categories": [f"kind {n % 50}"]} for n, item in enumerate(items)]
    spent: dict[str, list[float]] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = time.process_time()
        yield
        spent.setdefault(step, []).append(time.process_time() - began)

    with tempfile.TemporaryDirectory() as folder:
        inputs, work = Inputs(Path(folder), 1), Work(Path(folder), 1)
        events = behaviour_of(users, items, settings.seed)
        with timed("deal"):
            inputs.write_users(pa.table({"user_id": users, "segment": ["casual"] * len(users)}))
            inputs.write_events(events.to_batches(max_chunksize=1 << 16))
        with timed("offer"):
            offer = offer_of(pa.Table.from_pylist(rows), [(inputs.events(0), inputs.users(0))], items, DAY)
        did = behaviour(inputs.events(0), users, items)
        model = transformer if args.recipe == "transformer" else blend_of(transformer, did, items)
        scorer, best = Scorer(model, offer, Policy(args.k, 256), Origin(DAY, "recommender", "1")), Best(model, offer.offered)
        scored(best, did, len(users), scorer.policy)  # warm-up: one-time preparation does not count
        scorer.finish(0, inputs, work)
        for _ in range(args.rounds):
            with timed("score"):
                scored(best, did, len(users), scorer.policy)
            with timed("shard"):
                figures = scorer.finish(0, inputs, work)
    return {**figures, **{f"{step}_cpu_seconds": round(median(seconds), 2) for step, seconds in spent.items()}}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
