"""The search engines, each run as a separate process: ``python engines.py ENGINE VECTORS OUT``; the libraries differ.

An engine prepares the trained vectors untimed, runs on some users as a warm-up, and is then timed on all users.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

K, THREADS, BATCH = 100, 2, 256
Find = Callable[[np.ndarray], np.ndarray]
"""States ``[B, D]`` -> items ``[B, K]``, best first."""


def plain(items: np.ndarray, bias: np.ndarray) -> Find:
    """Plain PyTorch: multiply in float32, then topk."""
    import torch

    torch.set_num_threads(THREADS)
    vectors, offset = torch.from_numpy(items).T, torch.from_numpy(bias)

    def find(states: np.ndarray) -> np.ndarray:
        parts = torch.from_numpy(states).split(BATCH)
        return torch.cat([torch.topk(torch.addmm(offset, part, vectors), K).indices for part in parts]).numpy()

    return find


def clickwright(items: np.ndarray, bias: np.ndarray) -> Find:
    """``ml.inference.inner_product_search``."""
    import torch

    from ml.inference.inner_product_search import Search

    torch.set_num_threads(1)  # the search uses its own threads
    search = Search(torch.from_numpy(items), torch.from_numpy(bias), np.ones(len(items), dtype=bool), threads=THREADS)
    nothing = np.empty(0, dtype=np.int64)
    return lambda states: search.best(torch.from_numpy(states), [nothing] * len(states), K).items


def faiss_flat(items: np.ndarray, bias: np.ndarray) -> Find:
    """faiss, exact; the bias is an additional dimension."""
    return _faiss(items, bias, "Flat")


def faiss_ivf(items: np.ndarray, bias: np.ndarray) -> Find:
    """faiss, approximate: searches 32 of 256 cells."""
    return _faiss(items, bias, "IVF256,Flat", nprobe=32)


def _faiss(items: np.ndarray, bias: np.ndarray, kind: str, **settings: int) -> Find:
    import faiss

    faiss.omp_set_num_threads(THREADS)
    vectors = np.hstack([items, bias[:, None]])
    index = faiss.index_factory(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    for name, value in settings.items():
        setattr(index, name, value)
    return lambda states: index.search(np.hstack([states, np.ones((len(states), 1), states.dtype)]), K)[1]


def implicit(items: np.ndarray, bias: np.ndarray) -> Find:
    """The multi-threaded search that implicit's models use."""
    from implicit.cpu.topk import topk

    vectors = np.hstack([items, bias[:, None]])
    return lambda states: topk(vectors, np.hstack([states, np.ones((len(states), 1), states.dtype)]), K, num_threads=THREADS)[0]


def through_parquet(find: Find, states: np.ndarray, folder: Path) -> Callable[[], np.ndarray]:
    """The same search, with users read from Parquet and lists written to Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = pa.FixedSizeListArray.from_arrays(pa.array(states.ravel()), states.shape[1])
    users = pa.array([f"{n:064x}" for n in range(len(states))])
    pq.write_table(pa.table({"user_id": users, "state": flat}), folder / "users.parquet")

    def whole() -> np.ndarray:
        rows = pq.read_table(folder / "users.parquet")
        read = rows["state"].combine_chunks().flatten().to_numpy().reshape(rows.num_rows, -1)
        found = find(read)
        which = pa.array(np.repeat(np.arange(len(found), dtype=np.int32), K))
        user = pa.DictionaryArray.from_arrays(which, rows["user_id"].combine_chunks())
        rank = np.tile(np.arange(1, K + 1, dtype=np.int16), len(found))
        table = pa.table({"user_id": user, "rank": rank, "item": found.ravel().astype(np.int32)})
        pq.write_table(table, folder / "lists.parquet", compression="zstd", use_dictionary=["user_id", "rank"])
        return found

    return whole


ENGINES = {engine.__name__: engine for engine in (plain, clickwright, faiss_flat, faiss_ivf, implicit)}
PARQUET = "clickwright_parquet"


def main(name: str, vectors: str, out: str) -> None:
    found = load_file(vectors)
    states = np.ascontiguousarray(found["users"])
    find = ENGINES[name.removesuffix("_parquet")](found["items"], found["bias"])
    find(states[: 4 * BATCH])
    work = (lambda: find(states)) if name != PARQUET else through_parquet(find, states, Path(out).parent)
    wall, cpu = time.perf_counter(), time.process_time()
    lists = work()
    cost = {"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu, "users": len(states)}
    np.save(out, lists.astype(np.int32))
    print(json.dumps(cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
