"""The title that an ad may name beside its own comes from the columns of its recommendation, not from the sentence."""

import pytest

from ml.copywriter import near_title

ITEMS = {"i1": {"title": "Terminator, The (1984)"}, "i2": {"title": "Fargo (1996)"}}


@pytest.mark.parametrize(
    ("kind", "item", "expected"),
    [
        ("similar_item", "i1", "The Terminator"),
        ("similar_item", "gone", None),  # the catalogue does not hold it any longer
        ("shared_categories", "i1", None),  # named, but not as similar
        ("popular", None, None),
        (None, None, None),  # written before version 1.1.0
    ],
)
def test_only_a_similar_item_of_the_catalogue_is_named(kind: str | None, item: str | None, expected: str | None) -> None:
    assert near_title({"reason_kind": kind, "reason_item_id": item}, ITEMS) == expected
