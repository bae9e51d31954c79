"""A training of little effort, and members of the hybrid that one task fits and another one reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.data.splits import Split
from ml.models import build
from ml.models.base import FittedModels
from ml.models.cooccurrence import Cooccurrence
from ml.models.linear import LinearRecommender
from ml.models.rank import ndcg_of, rank_cases, tuning_score
from ml.models.transformer.recommender import QUICK, Transformer
from ml.training import fitted_models
from ml.training.fit import fit, fit_and_test
from ml.training.fitted_models import KeptModels
from tests.ml.conftest import SMALL, pinned


def trials(monkeypatch: pytest.MonkeyPatch, split: Split, quick: bool) -> int:
    """The number of matrices that tuning the co-occurrence counts makes."""
    made: list[LinearRecommender] = []
    matrix = LinearRecommender._matrix
    with monkeypatch.context() as patch:
        patch.setattr(LinearRecommender, "_matrix", lambda self, of: (made.append(self), matrix(self, of))[1])
        fit("cooccurrence", split, 3, {}, quick=quick)
    return len(made)


def test_quick_tuning_tries_a_third_or_less(walk: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 3 * trials(monkeypatch, walk, quick=True) <= trials(monkeypatch, walk, quick=False)


def test_quick_network_trains_for_few_epochs_with_one_schedule(walk: Split) -> None:
    model = Transformer(**SMALL["transformer"])
    model.quick = True
    model.fit(walk.fit, walk.catalog, seed=3, validation=walk.validation)
    assert model.settings["max_epochs"] == QUICK["max_epochs"]
    assert 1 <= model.chosen["epochs"] <= QUICK["max_epochs"]


def test_tuning_score_equals_ndcg_of_the_ranking(walk: Split) -> None:
    model = Cooccurrence().fit(walk.fit, walk.catalog, seed=3)
    assert tuning_score(model, walk.validation) == ndcg_of(rank_cases(model, walk.validation).ranks, walk.validation)


def test_dense_products_equal_sparse_ones(walk: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Cooccurrence().fit(walk.fit, walk.catalog, seed=3)
    dense = model.scores(walk.validation.histories)
    assert model._dense is not None
    assert model._dense[1] is not None
    monkeypatch.setattr("ml.models.linear.DENSE_CELLS", 0)
    model._dense = None
    np.testing.assert_array_equal(model.scores(walk.validation.histories), dense)


def test_second_task_reads_the_members_of_the_first(walk: Split, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pin, first, second = pinned("one"), FittedModels(), FittedModels()
    for name in ("cooccurrence", "markov"):
        fit_and_test(name, walk, pin.seed, tmp_path / name, first)
        KeptModels(pin, walk, first).keep(name)
    monkeypatch.setattr(Cooccurrence, "fit", None)  # whoever fits again, fails
    KeptModels(pin, walk, second).read()
    members: dict[str, Any] = {"markov": {}, "cooccurrence": {}}
    blend = [{"member": "cooccurrence", "form": "standard", "share": 0.5}]
    hybrid = build("hybrid", second, members=members, blend=blend)
    hybrid.fit(walk.fit, walk.catalog, seed=pin.seed, validation=walk.validation)
    refitted = build("hybrid", second, **hybrid.chosen).fit(walk.refit, walk.catalog, seed=pin.seed)
    ours = {member.name: member for member in refitted.members}["cooccurrence"]  # type: ignore[attr-defined]
    theirs = next(model for key, model in first.items() if key[0] == "cooccurrence" and key[3] == id(walk.refit))
    np.testing.assert_array_equal(ours.scores(walk.test.histories), theirs.scores(walk.test.histories))
    fitted_models.remove(pin)
    assert not fitted_models.folder_of(pin).exists()


def test_members_of_other_code_are_not_read(walk: Split, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pin, first, second = pinned("one"), FittedModels(), FittedModels()
    fit_and_test("markov", walk, pin.seed, tmp_path / "markov", first)
    KeptModels(pin, walk, first).keep("markov")
    monkeypatch.setattr("ml.training.fitted_models.code_version", lambda: "another")
    KeptModels(pin, walk, second).read()
    assert not second
