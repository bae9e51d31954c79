"""Evidence as a type: what a training stores is what the gate reads; anything else is named."""

from typing import Any

import pytest

from ml.promotion.evidence_types import Evidence, Lead, read_evidence
from tests.ml.test_gate import champion, evidence, lead, row


@pytest.mark.parametrize("changes", [{}, {"champion": champion()}, {"encoder": "e" * 64, "seed": 7}])
def test_stored_evidence_is_read_unchanged(changes: dict[str, Any]) -> None:
    stored = evidence(**changes)
    assert Evidence.model_validate(stored).model_dump(mode="json", exclude_unset=True) == stored


def test_a_lead_of_an_earlier_version_is_read() -> None:
    """It says segments and questions."""
    figures = {"difference": 0.1, "low": 0.0, "high": 0.2, "users": 3}
    before = Lead.model_validate(figures | {"questions": 7, "segments": {"cold": figures | {"questions": 2}}})
    assert before == Lead.model_validate(figures | {"queries": 7, "slices": {"cold": figures | {"queries": 2}}})


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"digest": ""}, ["digest"]),
        ({"snapshots": {}, "code_version": None}, ["snapshots", "code_version"]),
        ({"models": {"markov": row(0.2, 0.1, 0.1) | {"lead": {"difference": "much"}}}}, ["models"]),
        ({"champion": champion(lead=lead(0.1) | {"hihg": 1.0})}, ["champion"]),
        ({"recipies": "markov"}, ["recipies"]),
    ],
)
def test_missing_and_wrong_parts_are_named(changes: dict[str, Any], lacking: list[str]) -> None:
    assert read_evidence(evidence(**changes)) == (None, lacking)
