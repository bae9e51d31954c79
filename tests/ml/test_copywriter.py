"""The similar title of an ad comes from the columns of its recommendation, not from the sentence."""

import pytest

from ml.copywriter import near_title

ITEMS = {"i1": {"title": "Terminator, The (1984)"}, "i2": {"title": "Fargo (1996)"}}


@pytest.mark.parametrize(
    ("kind", "item", "expected"),
    [
        ("similar_item", "i1", "The Terminator"),
        ("similar_item", "gone", None),  # no longer in the catalogue
        ("shared_categories", "i1", None),  # named, but not as similar
        ("popular", None, None),
        (None, None, None),  # written before version 1.1.0
    ],
)
def test_near_title_is_a_similar_item_of_the_catalogue(kind: str | None, item: str | None, expected: str | None) -> None:
    assert near_title({"reason_kind": kind, "reason_item_id": item}, ITEMS) == expected
