"""The hybrid: its blend, the choice of the blend, and members that are trained only once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.data.splits import Split
from ml.models import build
from ml.models.base import FittedModels, write_config
from ml.models.cooccurrence import Cooccurrence
from ml.models.hybrid import FORMS, Hybrid, standard
from ml.models.item_knn import ItemKNN
from ml.models.rank import ndcg_of, rank_cases
from ml.models.transformer.recommender import Transformer

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {"width": 16, "max_length": 16, "max_epochs": 2, "batch_size": 16, "learning_rate": 1e-2}
MEMBERS: dict[str, dict[str, Any]] = {"transformer": QUICK, "item_knn": {}, "cooccurrence": {}}


def test_forms_make_rows_comparable() -> None:
    scores = np.array([[0.0, 1.0, 8.0, 0.0], [5.0, 5.0, 5.0, 5.0]], dtype=np.float32)
    for form in FORMS.values():
        out = form(scores)
        np.testing.assert_allclose(out.mean(axis=1), 0, atol=1e-6)
        np.testing.assert_allclose(out.std(axis=1), [1, 0], atol=1e-5)
        assert out[0].argsort(kind="stable").tolist() == [0, 3, 1, 2]
    # The logarithm moves the middle closer to the best.
    assert FORMS["log_share"](scores)[0, 1] > standard(scores)[0, 1]


def test_hybrid_is_not_worse_than_members_on_validation(walk: Split) -> None:
    library: FittedModels = {}
    fit = {"seed": 3, "library": library, "validation": walk.validation}
    recipes = (Transformer(**QUICK), ItemKNN(), Cooccurrence())
    members = [member.fit_once(walk.fit, walk.catalog, **fit) for member in recipes]
    hybrid = build("hybrid", library, members=MEMBERS)
    assert isinstance(hybrid, Hybrid)
    hybrid.fit(walk.fit, walk.catalog, seed=3, validation=walk.validation)
    assert [ours is theirs for ours, theirs in zip(hybrid.members, members, strict=True)] == [True, True, True]

    def ndcg(model: Any) -> float:
        return ndcg_of(rank_cases(model, walk.validation).ranks, walk.validation)

    assert ndcg(hybrid) >= max(map(ndcg, members))
    assert [part["member"] for part in hybrid.chosen["blend"]] == ["item_knn", "cooccurrence"]
    assert all(part["form"] in FORMS and 0 <= part["share"] <= 1 for part in hybrid.chosen["blend"])
    assert hybrid.chosen["members"]["transformer"] == {**QUICK, "epochs": members[0].chosen["epochs"]}


def test_library_refits_for_other_data_or_settings(walk: Split) -> None:
    library: FittedModels = {}
    one = Cooccurrence().fit_once(walk.fit, walk.catalog, seed=3, library=library)
    assert Cooccurrence().fit_once(walk.fit, walk.catalog, seed=3, library=library) is one
    assert Cooccurrence(window=5).fit_once(walk.fit, walk.catalog, seed=3, library=library) is not one
    assert Cooccurrence().fit_once(walk.refit, walk.catalog, seed=3, library=library) is not one
    assert Cooccurrence().fit_once(walk.fit, walk.catalog, seed=4, library=library) is not one
    tuned = Cooccurrence().fit_once(walk.fit, walk.catalog, seed=3, library=library, validation=walk.validation)
    assert tuned is not one


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0, 0), {"transformer": 1}),
        ((1, 0), {"item_knn": 1}),
        ((0.5, 1), {"cooccurrence": 1}),
        ((0.5, 0.2), {"transformer": 0.4, "item_knn": 0.4, "cooccurrence": 0.2}),
    ],
)
def test_shares_apply_in_turn(walk: Split, tmp_path: Path, shares: tuple[float, float], expected: dict[str, float]) -> None:
    blend = [
        {"member": name, "form": "standard", "share": share}
        for name, share in zip(("item_knn", "cooccurrence"), shares, strict=True)
    ]
    hybrid = Hybrid(MEMBERS, blend).fit(walk.fit, walk.catalog, seed=3)
    histories = walk.validation.histories[:5]
    parts = {member.name: standard(member.scores(histories)) for member in hybrid.members}
    weighted = sum(weight * parts[name] for name, weight in expected.items())
    np.testing.assert_allclose(hybrid.scores(histories), weighted, atol=1e-6)
    hybrid.save(tmp_path)
    assert [member.name for member in Hybrid.load(tmp_path).members] == list(MEMBERS)


def test_old_format_of_two_members_is_read(walk: Split, tmp_path: Path) -> None:
    blend = [{"member": "cooccurrence", "form": "log_share", "share": 0.75}]
    hybrid = Hybrid({"transformer": QUICK, "cooccurrence": {}}, blend).fit(walk.fit, walk.catalog, seed=3)
    hybrid.save(tmp_path)
    write_config(tmp_path, "hybrid", {"members": hybrid.settings["members"], "form": "log_share", "weight": 0.25})
    histories = walk.validation.histories[:5]
    np.testing.assert_array_equal(Hybrid.load(tmp_path).scores(histories), hybrid.scores(histories))
