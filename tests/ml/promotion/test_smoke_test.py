"""The smoke test of a registered model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.data.splits import Split
from ml.models import save_recommender
from ml.models.cooccurrence import Cooccurrence
from ml.promotion import smoke_test
from schemas.runtime.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(walk: Split, tmp_path: Path) -> Path:
    save_recommender(Cooccurrence().fit(walk.fit, walk.catalog, seed=0), walk.catalog.item_ids, tmp_path / "model")
    return tmp_path / "model"


def test_a_working_model_passes_and_is_measured(folder: Path) -> None:
    found = smoke_test.smoke(folder, Settings(), seed=1)
    assert 0 < found["megabytes"] < 1
    assert 0 < found["ms_per_user"] < 50


def test_size_and_time_have_limits(folder: Path) -> None:
    with pytest.raises(ValueError, match="more than CLICKWRIGHT_GATE_MAX_MODEL_MB"):
        smoke_test.smoke(folder, Settings(gate_max_model_mb=0.001), seed=1)
    ticks = iter([0.0, 64 * 0.06])
    with pytest.raises(ValueError, match="it takes 60 ms a user, more than CLICKWRIGHT_GATE_MAX_MS_PER_USER"):
        smoke_test.smoke(folder, Settings(), seed=1, clock=lambda: next(ticks))


class Unsound(Cooccurrence):
    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def scores(self, histories: Sequence[Any], times: Sequence[Any] | None = None) -> Any:
        return self.change(np.ones((len(histories), 40), dtype=np.float32))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda scores: scores * np.nan, "not finite numbers for 64 users and 40 items"),
        (lambda scores: scores[:, 1:], "not finite numbers"),
        (lambda scores: scores * len(scores), "depend on the other users of the batch"),
    ],
)
def test_the_error_names_the_defect(folder: Path, monkeypatch: pytest.MonkeyPatch, change: Any, why: str) -> None:
    ids = [f"i{i:02d}" for i in range(40)]
    monkeypatch.setattr(smoke_test, "load_recommender", lambda _: (Unsound(change), ids))
    with pytest.raises(ValueError, match=why):
        smoke_test.smoke(folder, Settings(), seed=1)
