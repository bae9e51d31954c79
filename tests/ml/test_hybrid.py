"""The blend: what it is made of, how it is chosen, and that its members are not trained twice."""

from typing import Any

import numpy as np
import pytest

from ml.evaluate import ndcg_of, rank_cases
from ml.models import build
from ml.models.base import Library
from ml.models.cooccurrence import Cooccurrence
from ml.models.hybrid import FORMS, Hybrid, standard
from ml.models.transformer import Transformer
from ml.splits import Split

QUICK: dict[str, Any] = {"width": 16, "max_length": 16, "max_epochs": 2, "batch_size": 16, "learning_rate": 1e-2}
MEMBERS: dict[str, dict[str, Any]] = {"cooccurrence": {}, "transformer": QUICK}


def test_forms_make_rows_comparable() -> None:
    scores = np.array([[0.0, 1.0, 8.0, 0.0], [5.0, 5.0, 5.0, 5.0]], dtype=np.float32)
    for form in FORMS.values():
        out = form(scores)
        np.testing.assert_allclose(out.mean(axis=1), 0, atol=1e-6)
        np.testing.assert_allclose(out.std(axis=1), [1, 0], atol=1e-5)
        assert out[0].argsort(kind="stable").tolist() == [0, 3, 1, 2]
    # The logarithm brings the middle nearer to the best.
    assert FORMS["log_share"](scores)[0, 1] > standard(scores)[0, 1]


def test_the_blend_is_no_worse_than_its_members_where_it_was_chosen(walk: Split) -> None:
    library: Library = {}
    fit = {"seed": 3, "library": library, "validation": walk.validation}
    members = [member.fit_once(walk.fit, walk.catalog, **fit) for member in (Cooccurrence(), Transformer(**QUICK))]
    hybrid = build("hybrid", library, members=MEMBERS)
    assert isinstance(hybrid, Hybrid)
    hybrid.fit(walk.fit, walk.catalog, seed=3, validation=walk.validation)
    assert [ours is theirs for ours, theirs in zip(hybrid.members, members, strict=True)] == [True, True]

    def ndcg(model: Any) -> float:
        return ndcg_of(rank_cases(model, walk.validation).ranks, walk.validation)

    assert ndcg(hybrid) >= max(map(ndcg, members))
    assert 0 <= hybrid.chosen["weight"] <= 1
    assert hybrid.chosen["members"]["transformer"] == {**QUICK, "epochs": members[1].chosen["epochs"]}


def test_other_data_or_settings_are_fitted_anew(walk: Split) -> None:
    library: Library = {}
    one = Cooccurrence().fit_once(walk.fit, walk.catalog, seed=3, library=library)
    assert Cooccurrence().fit_once(walk.fit, walk.catalog, seed=3, library=library) is one
    assert Cooccurrence(window=5).fit_once(walk.fit, walk.catalog, seed=3, library=library) is not one
    assert Cooccurrence().fit_once(walk.refit, walk.catalog, seed=3, library=library) is not one
    assert Cooccurrence().fit_once(walk.fit, walk.catalog, seed=4, library=library) is not one
    tuned = Cooccurrence().fit_once(walk.fit, walk.catalog, seed=3, library=library, validation=walk.validation)
    assert tuned is not one


@pytest.mark.parametrize(("weight", "expected"), [(0.0, "cooccurrence"), (1.0, "transformer")])
def test_a_weight_at_its_end_ranks_as_one_member_does(walk: Split, weight: float, expected: str) -> None:
    hybrid = Hybrid(MEMBERS, weight=weight).fit(walk.fit, walk.catalog, seed=3)
    (member,) = [member for member in hybrid.members if member.name == expected]
    histories = walk.validation.histories[:5]
    np.testing.assert_allclose(hybrid.scores(histories), standard(member.scores(histories)), atol=1e-6)
