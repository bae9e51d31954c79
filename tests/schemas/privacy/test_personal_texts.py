"""Personal data in free texts: each kind passes the quick test of whole columns, so that it is never overlooked."""

import polars as pl
import pytest

from schemas.privacy.personal_texts import redacted_texts

KEY = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
TEXTS = {
    "mail me at ann@example.org": "[email]",
    "call +49 170 1234567": "[phone]",
    "glpat-" + KEY[:20]: "[secret]",
    "AIza" + KEY[:35]: "[secret]",
    "ghp_" + KEY: "[secret]",
    "AKIA" + "ABCDEFGHIJKLMNOP": "[secret]",
    "https://shop.example/reset/" + KEY: "[secret]",
}


@pytest.mark.parametrize(("text", "kind"), TEXTS.items(), ids=[text[:12] for text in TEXTS])
def test_each_kind_is_found_in_a_column_of_plain_texts(text: str, kind: str) -> None:
    column = pl.Series(["plum jam", text, None])
    found, _ = redacted_texts(column)
    assert found[0] == "plum jam"
    assert kind in found[1]
    assert KEY[:20] not in found[1]
