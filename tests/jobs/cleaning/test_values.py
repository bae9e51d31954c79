"""What becomes of the values of a line: ids, numbers, texts with personal data, and texts that are too long."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.cleaning.candidates import Arrival, Parsed, parse, wanted_fields, without_erased
from jobs.cleaning.number_texts import exact_ids
from jobs.cleaning.outcomes import near_duplicates, same_ids
from jobs.cleaning.rejected import reject_rows
from jobs.landing.readers import read
from schemas.contract import load_contract
from schemas.outcomes import Outcome
from schemas.privacy.pseudonyms import pseudonym
from schemas.source import Source

KEY = b"key"
DAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
COLUMNS: dict[str, Any] = {
    "user_id": {"path": "who"},
    "event_type": {"path": "what", "default": "view"},
    "event_time": {"path": "at", "default": "2026-03-02T08:00:00Z"},
    "item_id": {"path": "item"},
    "surface": {"path": "page"},
    "device": {"path": "device"},
    "position": {"path": "rank"},
    "value": {"path": "price"},
    "text": {"path": "q"},
}
TYPES = {"view": "view", "search": "search", "bought": "purchase"}


def parsed(folder: Path, *lines: dict[str, Any], columns: dict[str, Any] | None = None, **options: Any) -> Parsed:
    """The candidates of some lines of JSON."""
    path = folder / "part.jsonl"
    path.write_text("".join(json.dumps({"who": "kari-0001", "item": "jam", **line}) + "\n" for line in lines))
    source = Source.model_validate({"name": "shop", "columns": COLUMNS | (columns or {}), "event_types": TYPES, **options})
    (raw,) = read(path, source, wanted_fields(source))
    return parse(raw, source, KEY, Arrival("shop", "part.jsonl", NOON, DAY, True), load_contract("events"))


def column(found: Parsed, name: str) -> list[Any]:
    return found.accepted[name].to_list()


def test_an_id_that_looks_like_a_number_time_or_word_of_the_line_costs_no_event(tmp_path: Path) -> None:
    found = parsed(
        tmp_path,
        {"who": 128000, "price": 128000},
        {"who": "bought", "what": "bought"},
        {"who": "2026-03", "at": "2026-03-02T08:02:00Z"},
        {"who": 355908, "item": 355908},
        {"who": 135590, "item": 1355908},
        {"who": 222276, "item": "222276-7"},
    )
    assert len(found.rejected) == 0
    assert column(found, "value")[0] == 128000
    assert column(found, "item_id")[3:] == ["355908", "1355908", "222276-7"]


def test_no_part_of_an_id_that_names_the_person_stays_and_a_site_does(tmp_path: Path) -> None:
    mapped = {"user_id": {"paths": ["site", "uid"]}, "item_id": {"path": "page"}, "surface": {"path": "site"}}
    people = ["kari.hansen@example.org", "ola.nord@example.org", "per.berg", "77001234"]
    lines: list[dict[str, Any]] = [
        {"site": "acme-shop", "uid": uid, "page": f"/u/{uid}/orders", "q": f"I am {uid}"} for uid in people
    ]
    found = parsed(tmp_path, *lines, {"site": "acme-shop", "uid": "x@example.org", "page": "/acme-shop/jam"}, columns=mapped)
    kept = repr(found.accepted.rows()) + repr(found.rejected.rows())
    assert [uid for uid in people if uid in kept] == []
    assert column(found, "surface") == ["acme-shop"] * 5
    assert column(found, "item_id")[4] == "/acme-shop/jam"


def test_the_mapping_may_name_the_parts_that_name_the_person(tmp_path: Path) -> None:
    mapped = {"user_id": {"paths": ["site", "uid"], "person": ["uid"]}}
    found = parsed(
        tmp_path, {"site": "acme-1234567", "uid": "kari.h", "page": "acme-1234567", "q": "by kari.h"}, columns=mapped
    )
    assert column(found, "surface") == ["acme-1234567"]
    assert "kari" not in column(found, "text")[0]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("mail bela@people.example now", "mail [email] now"),
        ("/u/bela%40people.example/orders", "/u/[email]/orders"),
        ("/u/bela%2540people.example/orders", "/u/[email]/orders"),
        ("call +47 912 34 567", "call [phone]"),
        ("call (555) 123-4567 today", "call [phone] today"),
        ("my card 4111 1111 1111 1111", "my card [card]"),
        ("to NO93 8601 1117 947", "to [iban]"),
        ("/in?token=abc123&page=2", "/in?token=[secret]&page=2"),
        ("/in?reset_password_token=abc123", "/in?reset_password_token=[secret]"),
        ("password: hunter22", "password: [secret]"),
        ("https://kari:secret9@shop.example/x", "https://[secret]@shop.example/x"),
        ("t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3NyJ9.c2lnbmF0dXJl", "t [secret]"),
        ("/reset/9f86d081884c7d659a2feaa0c55ad015", "/reset/[secret]"),
        ("/accounts/reset/MTI0/c5p8x2-0123456789abcdef/", "/accounts/reset/MTI0/[secret]/"),
        ("/password-reset/AbCdEf0123456789AbCdEf01", "/password-reset/[secret]"),
        ('{"client_secret": "hunter22"}', '{"client_secret": "[secret]"}'),
        ('{"user_id": "bela99"}', '{"user_id": "[person]"}'),
        ("https://kari:hem@melig@shop.example/x", "https://[secret]@shop.example/x"),
        ("Authorization: Basic a2FyaTpwYXNz", "Authorization: Basic [secret]"),
        ("key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "key [secret]"),
        ("/page?user_id=77&sort=up", "/page?user_id=[person]&sort=up"),
    ],
)
def test_personal_data_is_redacted_in_texts_and_pages(tmp_path: Path, text: str, kept: str) -> None:
    found = parsed(tmp_path, {"page": text, "q": text, "item": text})
    assert found.accepted.select("surface", "text", "item_id").row(0) == (kept, kept, kept)
    assert sum(found.changed.values()) == 3
    assert all(name.startswith("redacted.") for name in found.changed)


@pytest.mark.parametrize(
    "text",
    ["ISBN 978-3-16-148410-0", "EAN 4006381333931", "art. 0663713001", "42 x 1 234 567", "1772438400000000", "logo@2x.png",
     "550e8400-e29b-41d4-a716-446655440000", "C++ in 24 hours", "author=Jane", "/c/red-shoes-size-42?page=2&sort=price",
     "Gold-Plated-Necklace-With-7-Small-Stones-2024-Edition", "12-10-2026 08:00", "4111 1111 1111 1112", "+20% off",
     "/invitations/wedding-invitation-gold", "/magic-the-gathering/booster-box-dominaria", "Basic Instinct_Collectors_Edition",
     "/activated-charcoal/bamboo-charcoal-100g", "54aad2fd6162330024040000", "/search?q=jam&client=safari&hl=en",
     "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"],
)  # fmt: skip
def test_other_numbers_and_texts_stay(tmp_path: Path, text: str) -> None:
    found = parsed(tmp_path, {"page": text, "q": text, "item": text})
    assert found.accepted.select("surface", "text", "item_id").row(0) == (text, text, text)
    assert found.changed == {}


def test_a_rejected_line_shows_no_personal_data_in_a_wrong_value(tmp_path: Path) -> None:
    found = parsed(tmp_path, {"price": "of kari-0001"}, {"at": "bela@people.example"}, {"rank": "call +47 912 34 567"})
    assert len(found.rejected) == 3
    assert [word for word in ("kari", "bela", "912") if word in repr(found.rejected.rows())] == []


def test_whole_numbers_as_ids_are_one_person_and_rounded_ones_are_refused(tmp_path: Path) -> None:
    same = ["17850", "17850.0", "17850.000", "1.785e4", "1.785E+04", 17850, 17850.0]
    found = parsed(tmp_path, *({"who": who, "item": str(n)} for n, who in enumerate(same)))
    assert set(column(found, "user_id")) == {pseudonym(KEY, "17850")}
    others = parsed(tmp_path, {"who": "1.23457E+12"}, {"who": "18446744073709551616.0"}, {"who": "1e4"}, {"who": "007.0"})
    assert others.rejected["reasons"].to_list() == [["user_id.not_exact"]] * 2
    assert len(set(column(others, "user_id"))) == 2


@pytest.mark.parametrize(("kind", "most"), [(pl.Float64(), 2**53), (pl.Float32(), 2**24), (pl.Float16(), 2**11)], ids=str)
def test_a_float_that_may_stand_for_several_ids_is_not_an_id(kind: pl.DataType, most: int) -> None:
    numbers = pl.Series([most - 1, most, -2 * most, float("nan"), float("inf"), 1.5], dtype=pl.Float64).cast(kind)
    texts, rounded = exact_ids(numbers)
    assert texts.to_list() == [str(most - 1), None, None, None, None, "1.5"]
    assert rounded is not None
    assert rounded.to_list() == [False, True, True, False, False, False]


def test_an_id_with_a_secret_stays_another_id(tmp_path: Path) -> None:
    ids = ["7 " + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "7 " + "0e86d081884c7d659a2feaa0c55ad015a3bf4f1b"]
    found = parsed(tmp_path, *({"id": id_} for id_ in ids), columns={"event_id": {"path": "id"}})
    assert len(set(column(found, "event_id"))) == 2
    assert not set(ids) & set(column(found, "event_id"))
    assert found.changed == {"redacted.secret": 2}


def test_no_raw_id_stays_in_the_candidate_of_a_reject(tmp_path: Path) -> None:
    """A wrong mapping may read the person's address as any column."""
    who = "ann@mail.example"
    everywhere = dict.fromkeys(("at", "what", "price", "rank", "land", "device", "page", "q", "item"), who)
    columns = {"country": {"path": "land"}, "device": {"path": "device"}}
    found = parsed(tmp_path, {"who": who, **everywhere}, columns=columns)
    rejects = reject_rows(found.rejected, load_contract("rejects"), load_contract("events"))
    assert len(rejects) == 1
    assert "ann" not in repr(rejects.rows()).lower()


def test_an_erasure_holds_for_an_id_that_was_written_as_a_float(tmp_path: Path) -> None:
    class Listed:
        def among(self, names: Any) -> dict[str, str]:
            return {name: "request" for name in names if name == pseudonym(KEY, "17850.0")}

    found = without_erased(parsed(tmp_path, {"who": "17850.0"}, {"who": "12583.0"}), Listed())  # type: ignore[arg-type]
    assert found.rejected["reasons"].to_list() == [["person.erased"]]
    assert len(found.accepted) == 1


def test_numbers_are_read_as_the_mapping_says(tmp_path: Path) -> None:
    prices = ["12,50", "1.234,00", "1.234.567,8 €", "EUR 3", "-4,5", "1 234", "12.50", "3"]
    found = parsed(tmp_path, *({"price": price, "item": str(n)} for n, price in enumerate(prices)), decimal=",", thousands=".")
    assert column(found, "value") == [12.5, 1234.0, 1234567.8, 3.0, 3.0]
    reasons = found.rejected["reasons"].to_list()
    assert reasons == [["value.range"], ["value.unreadable"], ["value.unreadable"]]
    of_json = parsed(tmp_path, {"price": 1.234, "item": "a"}, {"price": 19.99, "item": "b"}, decimal=",", thousands=".")
    assert column(of_json, "value") == [1.234, 19.99]  # a number of JSON has a decimal point
    blanks = parsed(tmp_path, {"price": "1\u202f234,5"}, decimal=",", thousands=" ")
    assert column(blanks, "value") == [1234.5]


def test_a_position_may_be_written_as_a_float(tmp_path: Path) -> None:
    found = parsed(tmp_path, {"rank": "3.0"}, {"rank": 4.0}, {"rank": 3.5})
    assert column(found, "position") == [3, 4]
    assert found.rejected["reasons"].to_list() == [["position.unreadable"]]


def test_events_that_differ_in_page_or_position_are_different_events(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [{"page": "Jam"}, {"page": "Cheese"}, {"page": "Jam", "rank": 2}, {"page": "Jam"}]
    frame = parsed(tmp_path, *lines).accepted.with_row_index("_row")
    duplicates, conflicts, _ = same_ids(frame)
    assert (duplicates[Outcome.EXACT_DUPLICATE].to_list(), conflicts.to_list()) == ([3], [])
    assert near_duplicates(frame[:3].with_columns(outcome=pl.lit(str(Outcome.EVENT))), 2).to_list() == []


def test_a_describing_text_that_is_too_long_is_cut_and_an_id_is_refused(tmp_path: Path) -> None:
    found = parsed(tmp_path, {"page": "p" * 240}, {"device": "d" * 101, "item": "a"}, {"item": "i" * 201})
    assert [len(page or "") for page in column(found, "surface")] == [200, 0]
    assert found.changed == {"cut.surface": 1, "cut.device": 1}
    assert found.rejected["reasons"].to_list() == [["item_id.length"]]
