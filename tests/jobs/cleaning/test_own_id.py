"""A person's own id is replaced in every other field, however it is written there; other texts stay as they are."""

from urllib.parse import quote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.cleaning.own_id import folded, replaced
from jobs.cleaning.pseudonymize import with_pseudonyms

ANNA = "Anna.Meyer@example.com"


def safe(user: str, text: str) -> str:
    """The text of one line after its ids were replaced, with the pseudonym shown as (P)."""
    found = with_pseudonyms(pl.DataFrame({"user_id": [user], "text": [text]}), [], b"key")
    return str(found["text"][0]).replace(found["user_id"][0], "(P)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("order of anna.meyer@example.com", "order of (P)"),
        ("ANNA.MEYER@EXAMPLE.COM", "(P)"),
        ("/account?email=anna.meyer%40example.com", "/account?email=(P)"),
        ("/u/Anna%2EMeyer%40example%2ecom/orders", "/u/(P)/orders"),
        ("/go?to=%2Fu%2FAnna.Meyer%2540example.com%2F", "/go?to=%2Fu%2F(P)%2F"),
        ("%61nna.meyer@example.com and Anna.Meyer@example.com", "(P) and (P)"),
        ("ünïcode before anna.meyer%40EXAMPLE.com, and 日本 after", "ünïcode before (P), and 日本 after"),
        ("bad bytes %FF%FE anna.meyer%40example.com", "bad bytes %FF%FE (P)"),
        ("of anna.meier@example.com", "of anna.meier@example.com"),
        ("100% of nothing", "100% of nothing"),
    ],
)
def test_the_own_id_is_replaced_in_any_case_and_encoding(text: str, shown: str) -> None:
    assert safe(ANNA, text) == shown


@pytest.mark.parametrize(
    "user", ["Åsa.Öberg@example.com", "STRASSE.1@example.com", "विकास-1234", "İbrahim-77", "a%40b.example"]
)
@pytest.mark.parametrize("write", [str, str.lower, str.upper, str.casefold, quote, lambda user: quote(quote(user))])
def test_ids_of_all_scripts_are_replaced(user: str, write) -> None:  # type: ignore[no-untyped-def]
    assert safe(user, f"<{write(user)}>") == "<(P)>"


def test_an_id_of_digits_is_not_replaced_inside_a_longer_number() -> None:
    assert safe("143322", "at 1433221332117 by 143322") == "at 1433221332117 by (P)"


def test_times_and_event_types_stay_as_they_are() -> None:
    raw = pl.DataFrame({"user_id": ["purchase", "143322"], "event_time": ["1", "143322"], "event_type": ["purchase", "view"]})
    assert with_pseudonyms(raw, [], b"key").drop("user_id").equals(raw.drop("user_id"))


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from([str, quote, str.lower]))
def test_the_text_around_the_id_stays(before: str, after: str, write) -> None:  # type: ignore[no-untyped-def]
    text = f"{before} {write('anna@shop.example')} {after}"
    assert replaced(text, folded("Anna@shop.example"), "(P)") == f"{before} (P) {after}"
