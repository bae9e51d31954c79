"""Every shipped mapping on a few lines of its source: which become events, and why the others do not."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from jobs.cleaning.candidates import Arrival, Parsed, parse, wanted_fields
from jobs.landing.readers import read
from schemas.contract import load_contract
from schemas.privacy.pseudonyms import pseudonym
from schemas.source import SOURCES, load_source

KEY = b"a key of the tests"
TESTED = {"movielens", "online_retail", "web_log", "open_bandit", "rees46", "retailrocket", "ga4", "simulated_parquet"}
ELSEWHERE = {"simulated"}  # simulate/test_cleaned.py checks it against the planted truth


def test_every_shipped_mapping_has_a_test() -> None:
    assert {path.stem for path in SOURCES.glob("*.yaml")} == TESTED | ELSEWHERE


def parsed(name: str, text: str, folder: Path, suffix: str = "csv") -> Parsed:
    """The candidates of a file, read as a history load."""
    source, events = load_source(name), load_contract("events")
    path = folder / f"part.{suffix}"
    path.write_text(text)
    arrival = Arrival(name, path.name, datetime(2030, 1, 1, tzinfo=UTC), date(2030, 1, 1), True)
    found = [parse(raw, source, KEY, arrival, events) for raw in read(path, source, wanted_fields(source))]
    return Parsed(pl.concat(p.accepted for p in found), pl.concat(p.rejected for p in found))


def reasons(found: Parsed) -> dict[int, list[str]]:
    return dict(found.rejected.select("line_number", "reasons").rows())


def test_movielens(tmp_path: Path) -> None:
    found = parsed(
        "movielens",
        '{"event_id": "1", "user": "u7", "type": "rating", "item": "242", "rating": 4, "time": "1998-04-16T14:20:05Z"}\n'
        '{"event_id": "2", "user": "u7", "type": "rating", "item": "242", "rating": 9, "time": "1998-04-16T14:20:05Z"}\n',
        tmp_path,
        "jsonl",
    )
    assert found.accepted.select("event_type", "item_id", "value").rows() == [("rating", "242", 4.0)]
    assert reasons(found) == {2: ["value.source_range"]}


def test_simulated_columns(tmp_path: Path) -> None:
    source, events, path = load_source("simulated_parquet"), load_contract("events"), tmp_path / "part.parquet"
    at = datetime(2026, 1, 5, 9, tzinfo=UTC)
    one = {"event_id": "e1", "user_id": "u1", "event_type": "cart", "event_time": at, "item_id": "p1"}
    pl.DataFrame([one, one | {"user_id": None}, one | {"event_type": "stare"}]).write_parquet(path)
    arrival = Arrival("simulated_parquet", path.name, datetime(2026, 1, 6, tzinfo=UTC), date(2026, 1, 5), False)
    (raw,) = read(path, source, wanted_fields(source))
    found = parse(raw, source, KEY, arrival, events)
    assert found.accepted.select("event_id", "user_id", "event_type", "event_time", "item_id").rows() == [
        ("e1", pseudonym(KEY, "u1"), "cart", at, "p1")
    ]
    assert reasons(found) == {2: ["user_id.required"], 3: ["event_type.unknown"]}


def test_online_retail(tmp_path: Path) -> None:
    found = parsed(
        "online_retail",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        '600001,21001A,"LAMP, RED",6,2011-07-01 09:30:00,2.5,15001.0,France\n'  # summer time: an hour ahead of UTC
        "600001,21001B,LAMP BLUE,6,2011-01-03 09:30:00,2.5,15001.0,France\n"
        "C600002,21001A,LAMP RED,-6,2011-07-01 10:00:00,2.5,15001.0,France\n"
        "600003,21001A,LAMP RED,1,2011-07-01 10:00:00,2.5,,France\n"
        "600004,POST,POSTAGE,1,2011-07-01 10:00:00,18.0,15001.0,France\n"
        "600005,21001A,lost,-3,2011-07-01 10:00:00,0.0,,France\n"
        "A600006,B,Adjust a debt,1,2011-07-01 10:00:00,-50.0,,France\n"
        "600007,21001A,LAMP RED,1,2011-07-01 10:00:00,0.0,15001.0,France\n"
        "600008,21001A,LAMP RED,1,1 July 2011,2.5,15001.0,France\n",
        tmp_path,
    )
    assert found.accepted.select("event_type", "event_time", "item_id", "value").rows() == [
        ("purchase", datetime(2011, 7, 1, 8, 30, tzinfo=UTC), "21001A", 2.5),
        ("purchase", datetime(2011, 1, 3, 9, 30, tzinfo=UTC), "21001B", 2.5),
    ]
    assert found.accepted["user_id"].unique().to_list() == [pseudonym(KEY, "15001")]
    assert reasons(found) == {
        4: ["source.cancelled", "source.returned"],
        5: ["source.no_customer"],
        6: ["source.no_article"],
        7: ["source.returned", "source.no_customer"],
        8: ["source.adjusted", "source.no_article", "source.no_customer"],
        9: ["value.source_range"],
        10: ["event_time.unreadable"],
    }


def test_web_log(tmp_path: Path) -> None:
    browser = '"https://shop.example/" "Mozilla/5.0 (X11; \\"odd\\")"'
    found = parsed(
        "web_log",
        f'192.0.2.77 - - [17/May/2026:12:05:03 +0200] "GET /shoes?size=40 HTTP/1.1" 200 512 {browser}\n'
        f'192.0.2.77 - ann [17/May/2026:12:06:03 +0200] "GET /hats HTTP/2.0" 304 - {browser}\n'
        f'192.0.2.77 - - [17/May/2026:12:06:04 +0200] "GET /img/hat.PNG HTTP/1.1" 200 5 {browser}\n'
        f'192.0.2.77 - - [17/May/2026:12:06:05 +0200] "GET /gone HTTP/1.1" 404 5 {browser}\n'
        f'192.0.2.77 - - [17/May/2026:12:06:06 +0200] "POST /cart HTTP/1.1" 200 5 {browser}\n'
        '192.0.2.88 - - [17/May/2026:12:06:07 +0200] "GET /hats HTTP/1.1" 200 5 "-" "ExampleBot/1.0"\n'
        '192.0.2.99 - - [17/May/2026:12:06:08 +0200] "GET /hats HTTP/1.1" 200 5 "-" "-"\n'
        '192.0.2.66 - - [17/May/2026:12:06:08 +0200] "\\x16\\x03" 400 5 "-" "-"\n',
        tmp_path,
        "log",
    )
    assert found.accepted.select("event_type", "event_time", "item_id").rows() == [
        ("view", datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC), "/shoes"),
        ("view", datetime(2026, 5, 17, 10, 6, 3, tzinfo=UTC), "/hats"),
        ("view", datetime(2026, 5, 17, 10, 6, 8, tzinfo=UTC), "/hats"),
    ]
    someone = pseudonym(KEY, '192.0.2.77 Mozilla/5.0 (X11; \\"odd\\")')
    assert found.accepted["user_id"].to_list() == [someone, someone, pseudonym(KEY, "192.0.2.99")]
    assert reasons(found) == {
        3: ["source.asset"],
        4: ["source.not_served"],
        5: ["source.not_get"],
        6: ["robot.declared"],
        8: ["line.no_match"],
    }
    assert "192.0.2" not in repr(found.rejected["masked_line"].to_list())


PRIVATE = {
    "/users/anna.meyer@example.com/orders": ["source.account", "source.address"],
    "/en/account/orders": ["source.account"],
    "/My-Account": ["source.account"],
    "/login": ["source.account"],
    "/password-reset/8f3c1d9e7a": ["source.reset"],
    "/confirm/8f3c1d": ["source.reset"],
    "/unsubscribe/8f3c1d": ["source.reset"],
    "/a;email=anna.example": ["source.token"],
    "/a;jsessionid=8F3C": ["source.token"],
    "/d/9f86d081884c7d659a2feaa0c55ad015": ["source.token"],
    "/d/123e4567-e89b-12d3-a456-426614174000": ["source.token"],
    "/d/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0": ["source.token"],
    "/people/bela%40people.example": ["source.address"],
    "/people/bela%2540people.example": ["source.address"],
}
PUBLIC = ["/p/242", "/shoes/how-to-tie-your-shoes-in-2026", "/news/1998/04/16", "/mens", "/keyboards", "/resetting-a-watch"]


def test_private_pages_of_a_web_log_become_no_items_and_leave_no_trace(tmp_path: Path) -> None:
    line = '192.0.2.77 - - [17/May/2026:12:05:03 +0200] "GET {} HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n'
    found = parsed("web_log", "".join(map(line.format, [*PRIVATE, *PUBLIC])), tmp_path, "log")
    assert found.accepted["item_id"].to_list() == PUBLIC
    assert list(reasons(found).values()) == list(PRIVATE.values())
    assert set(found.rejected["masked_line"]) == {None}


def test_ip_address_used_as_user_id_is_not_kept(tmp_path: Path) -> None:
    found = parsed(
        "web_log",
        '192.0.2.77 - - [17/May/2026:12:05:03 +0200] "GET /whois/192.0.2.77 HTTP/1.1" 200 512 "-" "Mozilla/5.0"\n',
        tmp_path,
        "log",
    )
    assert found.accepted["item_id"].to_list() == ["/whois/" + pseudonym(KEY, "192.0.2.77 Mozilla/5.0")]


def test_open_bandit(tmp_path: Path) -> None:
    visitor = "c0ffee,decade,facade,5eed"
    found = parsed(
        "open_bandit",
        ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2,user_feature_3\n"
        f"0,2019-11-24 00:00:17.004101+00:00,79,2,0,0.087125,{visitor}\n"
        f"1,2019-11-24 00:00:17.004101+00:00,14,1,1,0.0125,{visitor}\n"
        f"2,2019-11-24 00:00:19.715857+00:00,14,3,0,0.0125,{visitor}\n"
        f"3,2019-11-24 00:00:20.000000+00:00,14,3,0,1.5,{visitor}\n",
        tmp_path,
    )
    assert found.accepted.select("event_type", "item_id", "position", "propensity").rows() == [
        ("impression", "79", 2, 0.087125),
        ("click", "14", 1, 0.0125),
        ("impression", "14", 3, 0.0125),
    ]
    first, second, third = found.accepted["user_id"]
    assert first == second != third
    assert reasons(found) == {5: ["propensity.range"]}


def test_rees46(tmp_path: Path) -> None:
    found = parsed(
        "rees46",
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
        "2019-10-01 00:00:00 UTC,view,3001,201,,acme,35.79,541001,s-1\n"
        "2019-10-01 00:00:01 UTC,cart,3001,201,,acme,35.79,541001,s-1\n"
        "2019-10-01 00:00:02 UTC,remove_from_cart,3001,201,,acme,35.79,541001,s-1\n"
        "2019-10-01 00:00:03 UTC,wish,3001,201,,acme,35.79,541001,s-1\n"
        "2019-10-01 00:00:04 UTC,purchase,3001,201,,acme,,541001,s-1\n",
        tmp_path,
    )
    assert found.accepted.select("event_type", "event_time", "item_id", "value").rows() == [
        ("view", datetime(2019, 10, 1, tzinfo=UTC), "3001", 35.79),
        ("cart", datetime(2019, 10, 1, 0, 0, 1, tzinfo=UTC), "3001", 35.79),
        ("purchase", datetime(2019, 10, 1, 0, 0, 4, tzinfo=UTC), "3001", None),
    ]
    assert reasons(found) == {4: ["source.removed_from_cart"], 5: ["event_type.unknown"]}


def test_retailrocket(tmp_path: Path) -> None:
    found = parsed(
        "retailrocket",
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433221332117,257001,view,355901,\n"
        "1433221332118,257001,addtocart,355901,\n"
        "1433221332119,257001,transaction,355901,4001\n",
        tmp_path,
    )
    assert found.accepted.select("event_type", "event_time", "item_id").rows() == [
        ("view", datetime(2015, 6, 2, 5, 2, 12, 117000, tzinfo=UTC), "355901"),
        ("cart", datetime(2015, 6, 2, 5, 2, 12, 118000, tzinfo=UTC), "355901"),
        ("purchase", datetime(2015, 6, 2, 5, 2, 12, 119000, tzinfo=UTC), "355901"),
    ]
    assert found.rejected.is_empty()


def test_ga4(tmp_path: Path) -> None:
    found = parsed(
        "ga4",
        '{"event_timestamp": "1611234567890123", "event_name": "view_item", "user_pseudo_id": "1234567.1611",'
        ' "device": {"category": "mobile"}, "event_params": [{"key": "ga_session_id", "value": {"int_value": "5"}},'
        ' {"key": "page_title", "value": {"string_value": "Red lamp"}}],'
        ' "items": [{"item_id": "L1", "price": 2.5}, {"item_id": "L2"}]}\n'
        '{"event_timestamp": "1611234567890124", "event_name": "search", "user_pseudo_id": "1234567.1611",'
        ' "event_params": [{"key": "search_term", "value": {"string_value": "lamp"}}], "items": []}\n'
        '{"event_timestamp": "1611234567890125", "event_name": "session_start", "user_pseudo_id": "1234567.1611"}\n'
        '{"event_timestamp": "1611234567890126", "event_name": "sign_up", "user_pseudo_id": "1234567.1611"}\n',
        tmp_path,
        "jsonl",
    )
    assert found.accepted.select("event_type", "event_time", "item_id", "device", "surface", "value", "text").rows() == [
        ("view", datetime(2021, 1, 21, 13, 9, 27, 890123, tzinfo=UTC), "L1", "mobile", "Red lamp", 2.5, None),
        ("search", datetime(2021, 1, 21, 13, 9, 27, 890124, tzinfo=UTC), None, None, None, None, "lamp"),
    ]
    assert reasons(found) == {3: ["source.no_behaviour"], 4: ["event_type.unknown"]}


@pytest.mark.parametrize("name", sorted(TESTED))
def test_mapping_without_event_ids_says_so_in_a_comment(name: str) -> None:
    has_ids = "event_id" in load_source(name).columns
    assert has_ids != ("have no id: the id is a digest" in (SOURCES / f"{name}.yaml").read_text().replace("\n# ", " "))
