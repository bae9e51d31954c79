"""Smoke test of a registered model: does it load, recommend, and is it small and fast enough for the nightly run?"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ml.models import load_recommender
from schemas.runtime.settings import Settings

USERS = 64
LONGEST = 200


def smoke(folder: Path, settings: Settings, seed: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Recommend to synthetic users, one of them without a history; returns ``megabytes`` and ``ms_per_user``.

    Args:
        folder: of the model.
        settings: limit the model's size and time.
        seed: of the histories.
        clock: seconds.

    Raises:
        ValueError: names the defect of the model.
    """
    megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    if megabytes > settings.gate_max_model_mb:
        raise ValueError(f"it has {megabytes:.3g} MB, more than CLICKWRIGHT_GATE_MAX_MODEL_MB, {settings.gate_max_model_mb}")
    model, item_ids = load_recommender(folder)
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.geometric(0.05, USERS) - 1, min(LONGEST, len(item_ids) - 1))
    histories = [rng.choice(len(item_ids), length, replace=False).astype(np.int32) for length in (0, *lengths[1:])]
    began = clock()
    scores = model.scores(histories)
    ms_per_user = 1000 * (clock() - began) / USERS
    if scores.shape != (USERS, len(item_ids)) or not np.isfinite(scores).all():
        raise ValueError(f"its scores are not finite numbers for {USERS} users and {len(item_ids)} items")
    alone = model.scores(histories[-1:])
    if not np.allclose(alone[0], scores[-1], rtol=1e-3, atol=1e-4):
        raise ValueError("a user's scores depend on the other users of the batch")
    if ms_per_user > settings.gate_max_ms_per_user:
        raise ValueError(f"it takes {ms_per_user:.0f} ms a user, more than CLICKWRIGHT_GATE_MAX_MS_PER_USER")
    return {"megabytes": round(megabytes, 4), "ms_per_user": round(ms_per_user, 3)}
