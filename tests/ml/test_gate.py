"""The gate's conditions case by case, and the choice of the challenger; no server needed."""

from types import SimpleNamespace
from typing import Any

import pytest

from ml.promotion.checks import judge
from ml.promotion.summary import markdown
from ml.register_challenger import choose
from schemas.runtime.errors import Refused

pytestmark = pytest.mark.slow


def plain(difference: float, users: int) -> dict[str, float]:
    return {"difference": difference, "low": difference - 0.02, "high": difference + 0.02, "users": users}


def lead(difference: float, users: int = 50, **slices: float) -> dict[str, Any]:
    return plain(difference, users) | {"slices": {name: plain(value, users) for name, value in slices.items()}}


def row(validation: float, test: float, ahead: float | None, **slices: float) -> dict[str, Any]:
    return {
        "run_id": "r",
        "validation": {"ndcg_at_10": validation},
        "test": {"ndcg_at_10": test, "hit_rate_at_10": 2 * test},
        "lead": None if ahead is None else lead(ahead, **slices),
    }


def evidence(**changes: Any) -> dict[str, Any]:
    return {
        "recipe": "markov",
        "run_id": "r",
        "digest": "abc",
        "training": "t",
        "train_until": "2024-03-01",
        "valid_days": 14,
        "snapshots": {"session_events": 1, "items": 2},
        "code_version": "0.1.0+1",
        "cases": 100,
        "users": 10,
        "models": {"markov": row(0.2, 0.19, None), "popularity": row(0.1, 0.09, 0.1)},
        "champion": None,
    } | changes


def champion(**changes: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "recipe": "item_knn",
        "digest": "old",
        "train_until": "2024-02-01",
        "test": {"ndcg_at_10": 0.15, "hit_rate_at_10": 0.3},
        "lead": lead(0.04),
    } | changes


def test_first_model_must_only_beat_popularity() -> None:
    assert judge("5", evidence(), None, None) == {"popularity": lead(0.1), "champion": None}


def test_new_users_are_exempt_from_the_popularity_comparison() -> None:
    models = {"markov": row(0.2, 0.19, None), "popularity": row(0.1, 0.09, 0.1, new=-0.03)}
    assert judge("5", evidence(models=models), None, None)["popularity"] == lead(0.1, new=-0.03)


def test_a_lead_with_a_wide_interval_passes() -> None:
    won = judge("5", evidence(champion=champion(lead=lead(0.01))), "4", "old")
    assert won["champion"]["low"] < 0 < won["champion"]["difference"]


@pytest.mark.parametrize(
    "against",
    [
        lead(0.04, new=0.05, long=-0.009),  # within the margin
        lead(0.04, new=-0.015),  # beyond it, but the interval holds zero
        lead(0.04, users=9, new=-0.05),  # too few users
        lead(0.04, **{"category: war": -0.5}),  # not protected
    ],
)
def test_no_significant_loss_in_a_protected_slice_passes(against: dict[str, Any]) -> None:
    assert judge("5", evidence(champion=champion(lead=against)), "4", "old")["champion"] == against


@pytest.mark.parametrize(
    ("changes", "present", "why"),
    [
        ({"code_version": ""}, None, "its evidence lacks code_version"),
        ({"snapshots": {}}, None, "its evidence lacks snapshots"),
        ({"models": {"markov": row(0.2, 0.19, None)}}, None, "lacks the comparison with popularity"),
        ({"recipe": "popularity"}, None, "popularity was the best of its training"),
        (
            {"models": {"markov": row(0.2, 0.09, None), "popularity": row(0.1, 0.09, 0.0)}},
            None,
            r"does not beat popularity \(test NDCG@10 \+0.0000, 95 % interval -0.0200 to \+0.0200\)",
        ),
        ({"digest": "old", "champion": champion()}, "4", "the same model as the champion, version 4"),
        ({"champion": champion()}, "5", "it is the champion"),
        ({"champion": None}, "4", "does not compare it with the champion, version 4"),
        ({"champion": champion(version="3")}, "4", "does not compare it with the champion, version 4"),
        ({"champion": champion()}, None, "does not compare it with the champion"),
        ({"champion": champion(train_until="2024-03-02")}, "4", "has seen some of the test data"),
        ({"champion": champion(train_until=None)}, "4", "fitted until None"),
        ({"champion": champion(lead=lead(-0.01))}, "4", "does not beat the champion, version 4"),
        ({"champion": champion(lead=lead(0.0))}, "4", "does not beat the champion, version 4"),
        (
            {"models": {"markov": row(0.2, 0.19, None), "popularity": row(0.1, 0.09, 0.1), "item_knn": row(0.19, 0.25, -0.03)}},
            None,
            r"item_knn is better \(test NDCG@10 -0.0300",
        ),
        (
            {"champion": champion(lead={"difference": 0.04, "low": 0.01, "high": 0.07})},
            "4",
            "lacks the comparison with the champion by slice",
        ),
        (
            {"models": {"markov": row(0.2, 0.19, None), "popularity": row(0.1, 0.09, 0.1, short=-0.03)}},
            None,
            r"worse than popularity for the slice short \(50 users, test NDCG@10 -0.0300",
        ),
        (
            {"champion": champion(lead=lead(0.04, new_items=-0.03))},
            "4",
            r"worse than the champion for the slice new items \(50 users, test NDCG@10 -0.0300",
        ),
    ],
)
def test_a_refusal_names_the_failed_condition(changes: dict[str, Any], present: str | None, why: str) -> None:
    with pytest.raises(Refused, match=why) as refusal:
        judge("5", evidence(**changes), present, "old")
    assert str(refusal.value).startswith("version 5 is refused: ")
    assert str(refusal.value).count("; ") == 2


def test_best_validation_wins_then_the_simpler_recipe() -> None:
    def runs(**by_recipe: float) -> Any:
        return {
            name: SimpleNamespace(data=SimpleNamespace(metrics={"validation_ndcg_at_10": value}))
            for name, value in by_recipe.items()
        }

    assert choose(runs(popularity=0.1, markov=0.2, transformer=0.3)) == "transformer"
    assert choose(runs(transformer=0.2, popularity=0.1, markov=0.2)) == "markov"
    assert choose(runs(popularity=0.4, markov=0.2)) == "popularity"


def test_the_summary_is_a_markdown_table() -> None:
    text = markdown(evidence(champion=champion()))
    assert "| **markov** | 0.2000 | 0.1900 | 0.3800 |  |" in text
    assert "| popularity | 0.1000 | 0.0900 | 0.1800 | +0.1000 (+0.0800 to +0.1200) |" in text
    assert "| champion: version 4, item_knn |  | 0.1500 | 0.3000 | +0.0400 (+0.0200 to +0.0600) |" in text
    text = markdown(evidence(champion=champion(lead=lead(0.04, new_items=-0.01))))
    assert "| test queries | users | lead over the champion in NDCG@10 |" in text
    assert "| new items | 50 | -0.0100 (-0.0300 to +0.0100) |" in text
