"""Every shipped mapping on a few lines of its source: which become events, and why the others do not."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.cleaning.candidates import Arrival, Parsed, parse, wanted_fields
from jobs.landing.readers import read
from schemas.contract import load_contract
from schemas.privacy.pseudonyms import pseudonym
from schemas.source import SOURCES, load_source

KEY = b"a key of the tests"
TESTED = {
    *("movielens", "online_retail", "web_log", "open_bandit", "rees46", "retailrocket", "ga4", "simulated_parquet"),
    *("snowplow", "segment", "matomo", "posthog", "mixpanel"),
    *("nginx_json", "iis", "cloudfront", "alb", "s3_access"),
    *("amazon_reviews", "otto", "yoochoose", "yoochoose_buys", "hm"),
}
ELSEWHERE = {"simulated"}  # simulate/test_cleaned.py checks it against the planted truth


def test_every_shipped_mapping_has_a_test() -> None:
    assert {path.stem for path in SOURCES.glob("*.yaml")} == TESTED | ELSEWHERE


PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
DOCUMENTED = dict(re.findall(r"^`(\w+)\.yaml`:\n\n```text\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def test_a_line_of_each_mapping_is_documented() -> None:
    in_columns = {"simulated_parquet"}
    assert {path.stem for path in SOURCES.glob("*.yaml")} - set(DOCUMENTED) == in_columns


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_the_documented_line_becomes_an_event(tmp_path: Path, name: str) -> None:
    found = parsed(name, DOCUMENTED[name], tmp_path, "txt")
    assert len(found.accepted) >= 1
    assert all(why[0].startswith("source.") for why in reasons(found).values())


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
        8: ["source.no_request", "source.not_get", "source.not_served"],
    }
    assert "192.0.2" not in repr(found.rejected["masked_line"].to_list())


BROWSER = '"-" "Mozilla/5.0 (X11; Linux x86_64)"'


@pytest.mark.parametrize(
    ("line", "page", "address"),
    [
        ('2001:db8::7 - - [{}] "GET /jam HTTP/2.0" 200 5 ' + BROWSER, "/jam", "2001:db8::7"),
        ('192.0.2.7 - - [{}] "GET /find?q=\\"red\\" HTTP/1.1" 200 5 ' + BROWSER, "/find", "192.0.2.7"),
        ('192.0.2.7 - ann of york [{}] "GET /a HTTP/1.1" 200 5 ' + BROWSER, "/a", "192.0.2.7"),
        ('192.0.2.7, 10.0.0.9 - - [{}] "GET /b HTTP/1.1" 200 5 ' + BROWSER, "/b", "192.0.2.7"),
        ('192.0.2.7 - - [{}] "GET /c d HTTP/1.1" 200 5 ' + BROWSER, "/c d", "192.0.2.7"),
        ('192.0.2.7 - - [{}] "GET /%D0%BF%D0%BE HTTP/1.1" 200 5 ' + BROWSER, "/по", "192.0.2.7"),
        ('192.0.2.7 - - [{}] "GET https://quince.example/e HTTP/1.1" 200 5 ' + BROWSER, "/e", "192.0.2.7"),
        ('quince.example:443 192.0.2.7 - - [{}] "GET /f HTTP/1.1" 200 5 ' + BROWSER, "/f", "192.0.2.7"),
        ('[2001:db8::1]:443 2001:db8::7 - - [{}] "GET /f HTTP/1.1" 200 5 ' + BROWSER, "/f", "2001:db8::7"),
        ('192.0.2.7 - - [{}] "GET /g HTTP/1.1" 200 5 ' + BROWSER + ' "198.51.100.4" 0.003', "/g", "192.0.2.7"),
    ],
)
def test_pages_of_a_web_log_in_all_its_forms(tmp_path: Path, line: str, page: str, address: str) -> None:
    found = parsed("web_log", line.format("17/May/2026:12:05:03 +0200") + "\n", tmp_path, "log")
    someone = pseudonym(KEY, f"{address} Mozilla/5.0 (X11; Linux x86_64)")
    assert found.accepted.select("item_id", "user_id").rows() == [(page, someone)]


def test_a_page_in_the_common_format_is_of_the_address_alone(tmp_path: Path) -> None:
    found = parsed("web_log", '192.0.2.7 - - [17/May/2026:12:05:03 +0200] "GET /h HTTP/1.1" 200 5\n', tmp_path, "log")
    assert found.accepted.select("item_id", "user_id").rows() == [("/h", pseudonym(KEY, "192.0.2.7"))]


@pytest.mark.parametrize("request_", ["\\x16\\x03\\x01\\x00\\xee", "-", "", "\\x05\\x01", "quit", "SSH-2.0-Go"])
def test_requests_that_are_not_of_http_are_set_aside(tmp_path: Path, request_: str) -> None:
    line = f'192.0.2.7 - - [17/May/2026:12:05:03 +0200] "{request_}" 400 226 "-" "-"\n'
    (why,) = reasons(parsed("web_log", line, tmp_path, "log")).values()
    assert why[0] == "source.no_request"


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


def kept(found: Parsed, *columns: str) -> list[tuple[Any, ...]]:
    return found.accepted.select(columns).rows()


def snowplow(**values: str) -> str:
    """A line of 131 fields."""
    return "\t".join(values.get(name, "") for name in load_source("snowplow").fields or ()) + "\n"


PRODUCT = '{"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": [{"data": {"sku": "L1"}}]}'
ADDED = '{"schema": "iglu:x/unstruct_event/jsonschema/1", "data": {"schema": "x", "data": {"sku": "L1", "unit_price": 2.5}}}'


def test_snowplow(tmp_path: Path) -> None:
    """The quotes of the JSON texts and of the agent are letters; the item stands in a text."""
    visit = {
        "domain_userid": "cookie-1",
        "collector_tstamp": "2026-03-02 08:00:01.123",
        "geo_country": "NO",
        "dvce_type": "Mobile",
    }
    visit |= {"useragent": 'Mozilla/5.0 (X11; "odd")', "page_title": 'The 5" lamp'}
    found = parsed(
        "snowplow",
        snowplow(event_id="e1", event_name="page_view", page_urlpath="/lamps", contexts=PRODUCT, **visit)
        + snowplow(event_id="e2", event_name="page_view", page_urlpath="/lamps", derived_tstamp="2026-03-02 07:59:00", **visit)
        + snowplow(event_id="e3", event_name="add_to_cart", unstruct_event=ADDED, user_id="ann", **visit)
        + snowplow(event_id="e4", event_name="page_ping", page_urlpath="/lamps", **visit)
        + snowplow(event_id="e5", event_name="page_view", page_urlpath="/account/orders", **visit),
        tmp_path,
        "tsv",
    )
    cookie, ann = pseudonym(KEY, "cookie-1"), pseudonym(KEY, "ann")
    assert kept(found, "event_id", "user_id", "event_type", "event_time", "item_id", "value") == [
        ("e1", cookie, "view", datetime(2026, 3, 2, 8, 0, 1, 123000, tzinfo=UTC), "L1", None),
        ("e2", cookie, "view", datetime(2026, 3, 2, 7, 59, tzinfo=UTC), "/lamps", None),
        ("e3", ann, "cart", datetime(2026, 3, 2, 8, 0, 1, 123000, tzinfo=UTC), "L1", 2.5),
    ]
    assert kept(found, "country", "device", "surface")[0] == ("NO", "Mobile", 'The 5" lamp')
    assert reasons(found) == {4: ["source.no_behaviour"], 5: ["source.account"]}


def test_segment(tmp_path: Path) -> None:
    found = parsed(
        "segment",
        '{"type": "track", "event": "Product Viewed", "messageId": "m1", "anonymousId": "anon-1", "userId": null,'
        ' "timestamp": "2026-03-02T08:00:00.000Z", "properties": {"product_id": "L1", "price": 2.5}}\n'
        '{"type": "identify", "messageId": "m2", "anonymousId": "anon-1", "userId": "ann", "timestamp": "2026-03-02T08:01Z"}\n'
        '{"type": "track", "event": "Order Completed", "messageId": "m3", "anonymousId": "anon-1", "userId": "ann",'
        ' "timestamp": "2026-03-02T08:02:00Z", "properties": {"revenue": 5, "products": [{"product_id": "L1", "price": 2.5},'
        ' {"product_id": "L2"}]}}\n'
        '{"type": "page", "messageId": "m4", "anonymousId": "anon-1", "originalTimestamp": "2026-03-02T08:03:00Z",'
        ' "context": {"page": {"path": "/lamps"}, "device": {"type": "mobile"}}, "properties": {"path": "/lamps"}}\n'
        '{"type": "page", "messageId": "m5", "anonymousId": "anon-1", "timestamp": "2026-03-02T08:04:00Z",'
        ' "context": {"page": {"path": "/account"}}, "properties": {"path": "/account"}}\n'
        '{"type": "track", "event": "Cart Viewed", "messageId": "m6", "userId": "ann", "timestamp": "2026-03-02T08:05:00Z"}\n',
        tmp_path,
        "jsonl",
    )
    anonymous, ann = pseudonym(KEY, "anon-1"), pseudonym(KEY, "ann")
    assert kept(found, "event_id", "user_id", "event_type", "item_id", "value") == [
        ("m1", anonymous, "view", "L1", 2.5),
        ("m3", ann, "purchase", "L1", 2.5),
        ("m4", anonymous, "view", "/lamps", None),
    ]
    assert reasons(found) == {2: ["source.not_a_call"], 5: ["source.account"], 6: ["source.no_behaviour"]}


def test_matomo(tmp_path: Path) -> None:
    """One line of Matomo's API is a list of visits, each with a list of actions."""
    found = parsed(
        "matomo",
        '[{"visitorId": "v1", "countryCode": "no", "deviceType": "Smartphone", "actionDetails": ['
        '{"type": "action", "url": "https://shop.example/lamps", "pageTitle": "Lamps", "timestamp": 1772438401},'
        '{"type": "search", "siteSearchKeyword": "red lamp", "timestamp": 1772438402},'
        '{"type": "goal", "timestamp": 1772438403}]},'
        ' {"visitorId": "v2", "userId": "ann", "countryCode": "no", "actionDetails": ['
        '{"type": "ecommerceOrder", "timestamp": 1772438461, "itemDetails": [{"itemSKU": "L1", "price": 2.5}]},'
        '{"type": "action", "url": "https://shop.example/account?tab=1", "timestamp": 1772438470}]}]\n',
        tmp_path,
        "json",
    )
    visitor, ann = pseudonym(KEY, "v1"), pseudonym(KEY, "ann")
    assert kept(found, "user_id", "event_type", "item_id", "value", "country", "text") == [
        (visitor, "view", "https://shop.example/lamps", None, "NO", None),
        (visitor, "search", None, None, "NO", "red lamp"),
        (ann, "purchase", "L1", 2.5, "NO", None),
    ]
    assert found.rejected["reasons"].to_list() == [["source.no_behaviour"], ["source.account"]]


@pytest.mark.parametrize("as_text", [False, True])
def test_posthog(tmp_path: Path, as_text: bool) -> None:
    """Exports hold the properties as an object or as a text with one."""

    def line(uuid: str, event: str, **properties: Any) -> str:
        inner = json.dumps(properties) if as_text else properties
        times = {"timestamp": "2026-03-02T08:00:00.123000+00:00", "distinct_id": "0190-ann"}
        return json.dumps({"uuid": uuid, "event": event, "properties": inner, **times}) + "\n"

    agent = {"$raw_user_agent": "Googlebot/2.1"}
    found = parsed(
        "posthog",
        line("u1", "$pageview", **{"$pathname": "/lamps", "$device_type": "Mobile", "$geoip_country_code": "NO"})
        + line("u2", "Product Added", product_id="L1", price=2.5)
        + line("u3", "$autocapture")
        + line("u4", "$pageview", **{"$pathname": "/login"})
        + line("u5", "$pageview", **{"$pathname": "/lamps"}, **agent),
        tmp_path,
        "jsonl",
    )
    assert kept(found, "event_id", "event_type", "item_id", "value", "device", "country") == [
        ("u1", "view", "/lamps", None, "Mobile", "NO"),
        ("u2", "cart", "L1", 2.5, None, None),
    ]
    assert reasons(found) == {3: ["source.own"], 4: ["source.account"], 5: ["robot.declared"]}


def test_mixpanel(tmp_path: Path) -> None:
    found = parsed(
        "mixpanel",
        '{"event": "Product Viewed", "properties": {"time": 1772438400, "distinct_id": "ann", "$insert_id": "i1",'
        ' "mp_country_code": "no", "product_id": "L1", "price": 2.5}}\n'
        '{"event": "$mp_web_page_view", "properties": {"time": 1772438401, "$device_id": "d-1", "$insert_id": "i2",'
        ' "current_url_path": "/lamps"}}\n'
        '{"event": "$identify", "properties": {"time": 1772438402, "distinct_id": "ann", "$insert_id": "i3"}}\n',
        tmp_path,
        "jsonl",
    )
    assert kept(found, "event_id", "user_id", "event_type", "item_id", "value", "country") == [
        ("i1", pseudonym(KEY, "ann"), "view", "L1", 2.5, "NO"),
        ("i2", pseudonym(KEY, "d-1"), "view", "/lamps", None, None),
    ]
    assert reasons(found) == {3: ["source.own"]}


def test_nginx_json(tmp_path: Path) -> None:
    line = (
        '{{"time_iso8601": "2026-03-02T09:00:0{n}+01:00", "remote_addr": "2001:db8::7", "request": "{request}", "uri": "{uri}",'
        ' "status": "{status}", "http_user_agent": "{agent}"}}\n'
    )
    browser = {"agent": "Mozilla/5.0", "status": 200}
    found = parsed(
        "nginx_json",
        line.format(n=0, request='GET /lamps?q=\\"red\\" HTTP/2.0', uri="/lamps", **browser)
        + line.format(n=1, request="POST /cart HTTP/2.0", uri="/cart", **browser)
        + line.format(n=2, request="GET /gone HTTP/2.0", uri="/gone", agent="Mozilla/5.0", status=404)
        + line.format(n=3, request="GET /my/orders HTTP/2.0", uri="/my/orders", **browser)
        + line.format(n=4, request="GET /lamps HTTP/2.0", uri="/lamps", agent="ExampleBot/1.0", status=200),
        tmp_path,
        "jsonl",
    )
    assert kept(found, "user_id", "event_time", "item_id") == [
        (pseudonym(KEY, "2001:db8::7 Mozilla/5.0"), datetime(2026, 3, 2, 8, tzinfo=UTC), "/lamps")
    ]
    assert reasons(found) == {
        2: ["source.not_get"],
        3: ["source.not_served"],
        4: ["source.account"],
        5: ["robot.declared"],
    }


def test_iis(tmp_path: Path) -> None:
    """The fields may change inside a file; the lines of the format itself are no rejects that count."""
    found = parsed(
        "iis",
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-03-02 08:00:00\n"
        "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "
        "cs(User-Agent) cs(Referer) sc-status\n"
        "2026-03-02 08:00:01 10.0.0.1 GET /caf%C3%A9 - 443 - 192.0.2.77 Mozilla/5.0+(Windows+NT+10.0) - 200\n"
        "2026-03-02 08:00:02 10.0.0.1 POST /cart - 443 - 192.0.2.77 Mozilla/5.0+(Windows+NT+10.0) - 200\n"
        "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)\n"
        "2026-03-02 08:00:03 192.0.2.77 GET /lamps 200 Mozilla/5.0+(Windows+NT+10.0)\n"
        "2026-03-02 08:00:04 192.0.2.77 GET /style.css 200 Mozilla/5.0+(Windows+NT+10.0)\n",
        tmp_path,
        "log",
    )
    someone = pseudonym(KEY, "192.0.2.77 Mozilla/5.0+(Windows+NT+10.0)")
    assert kept(found, "user_id", "event_time", "item_id") == [
        (someone, datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC), "/café"),
        (someone, datetime(2026, 3, 2, 8, 0, 3, tzinfo=UTC), "/lamps"),
    ]
    assert {line: why for line, why in reasons(found).items() if line in (6, 9)} == {6: ["source.not_get"], 9: ["source.asset"]}
    assert all(why[0].startswith("source.") for why in reasons(found).values())


CLOUDFRONT_FIELDS = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query "
    "cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for "
    "ssl-protocol ssl-cipher x-edge-response-result-type "
    "cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte "
    "x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
)


def test_cloudfront(tmp_path: Path) -> None:
    """The fields are named with blanks between them, and divided by tabs."""

    def line(number: int, agent: str, page: str) -> str:
        values = {
            "date": "2026-03-02",
            "time": f"08:00:0{number}",
            "c-ip": "192.0.2.77",
            "cs-method": "GET",
            "sc-status": "200",
        }
        values |= {"cs-uri-stem": page, "cs(User-Agent)": agent, "x-edge-request-id": f"r{number}=="}
        return "\t".join(values.get(name, "-") for name in CLOUDFRONT_FIELDS.split()) + "\n"

    found = parsed(
        "cloudfront",
        f"#Version: 1.0\n#Fields: {CLOUDFRONT_FIELDS}\n"
        + line(1, "Mozilla/5.0%20(X11)", "/caf%C3%A9")
        + line(2, "Googlebot/2.1", "/lamps")
        + line(3, "Mozilla/5.0%20(X11)", "/users/ann"),
        tmp_path,
        "log",
    )
    assert kept(found, "event_id", "user_id", "event_time", "item_id") == [
        ("r1==", pseudonym(KEY, "192.0.2.77 Mozilla/5.0%20(X11)"), datetime(2026, 3, 2, 8, 0, 1, tzinfo=UTC), "/café")
    ]
    assert {line: why for line, why in reasons(found).items() if line > 3} == {4: ["robot.declared"], 5: ["source.account"]}
    assert all(why[0].startswith("source.") for line, why in reasons(found).items() if line < 3)


def test_alb(tmp_path: Path) -> None:
    """Older lines end earlier, and newer ones have fields that nobody knew."""

    def line(request_: str, status: int = 200, end: str = "") -> str:
        return (
            "https 2026-03-02T08:00:01.186641Z app/shop/50dc6c495c0c9188 192.0.2.77:2817 10.0.0.1:80 0.086 0.048 0.037 "
            f'{status} {status} 0 57 "{request_}" "Mozilla/5.0 (X11)" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
            f'arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/t/73 "Root=1-58337281-1d84f3d7"{end}\n'
        )

    found = parsed(
        "alb",
        line("GET https://shop.example:443/caf%C3%A9?a=1 HTTP/1.1")
        + line(
            "GET https://shop.example:443/lamps HTTP/2.0",
            end=' "shop.example" "arn:aws:acm:1" 0 2026-03-02T08:00:01Z "forward" "-"',
        )
        + line("GET https://shop.example:443/ HTTP/1.1")
        + line("GET https://shop.example:443 HTTP/1.1")
        + line("- http://shop.example:80- -", 400)
        + line("GET https://shop.example:443/lamps HTTP/1.1", 503),
        tmp_path,
        "log",
    )
    someone = pseudonym(KEY, "192.0.2.77 Mozilla/5.0 (X11)")
    at = datetime(2026, 3, 2, 8, 0, 1, 186641, tzinfo=UTC)
    assert kept(found, "user_id", "event_time", "item_id") == [(someone, at, page) for page in ("/café", "/lamps", "/", "/")]
    assert reasons(found) == {5: ["source.no_request", "source.not_get", "source.not_served"], 6: ["source.not_served"]}


def test_s3_access(tmp_path: Path) -> None:
    """Also pictures are items of a bucket; fields may follow behind the user agent."""

    def line(request_id: str, operation: str, key: str, agent: str = '"Mozilla/5.0 (X11)"') -> str:
        return (
            f"79a59df bucket [02/Mar/2026:08:00:00 +0000] 192.0.2.3 - {request_id} {operation} {key} "
            f'"GET /{key} HTTP/1.1" 200 - 113 113 7 6 "-" {agent} - host= SigV4 ECDHE AuthHeader bucket.example TLSV1.2 - -\n'
        )

    found = parsed(
        "s3_access",
        line("R1", "REST.GET.OBJECT", "pics/red%20lamp.jpg")
        + line("R2", "WEBSITE.GET.OBJECT", "lamps.html")
        + line("R3", "REST.PUT.OBJECT", "pics/lamp.jpg")
        + line("R4", "REST.GET.OBJECT", "users/ann.jpg")
        + line("R5", "REST.GET.OBJECT", "pics/lamp.jpg", '"curl/8.0"')
        + line("R6", "REST.GET.BUCKET", "-", "-"),
        tmp_path,
        "log",
    )
    assert kept(found, "event_id", "item_id") == [("R1", "pics/red lamp.jpg"), ("R2", "lamps.html")]
    assert found.accepted["user_id"][0] == pseudonym(KEY, "192.0.2.3 Mozilla/5.0 (X11)")
    assert reasons(found) == {3: ["source.not_get"], 4: ["source.account"], 5: ["robot.declared"], 6: ["source.not_get"]}


def test_amazon_reviews(tmp_path: Path) -> None:
    found = parsed(
        "amazon_reviews",
        '{"rating": 5.0, "title": "Fine", "text": "Shines", "asin": "B1", "parent_asin": "B0", "user_id": "AF",'
        ' "timestamp": 1588687728923, "helpful_vote": 0, "verified_purchase": true}\n'
        '{"rating": 0.0, "title": "", "text": "", "parent_asin": "B0", "user_id": "AF", "timestamp": 1588687728923}\n',
        tmp_path,
        "jsonl",
    )
    at = datetime(2020, 5, 5, 14, 8, 48, 923000, tzinfo=UTC)
    assert kept(found, "event_type", "event_time", "item_id", "value", "text") == [("rating", at, "B0", 5.0, "Shines")]
    assert reasons(found) == {2: ["value.source_range"]}


def test_otto(tmp_path: Path) -> None:
    """One line is a session, and each of its events becomes one."""
    found = parsed(
        "otto",
        '{"session": 42, "events": [{"aid": 1, "ts": 1661200010000, "type": "clicks"},'
        ' {"aid": 2, "ts": 1661200020000, "type": "carts"}, {"aid": 2, "ts": 1661200030000, "type": "orders"}]}\n',
        tmp_path,
        "jsonl",
    )
    assert kept(found, "event_type", "item_id") == [("click", "1"), ("cart", "2"), ("purchase", "2")]
    assert found.accepted["user_id"].unique().to_list() == [pseudonym(KEY, "42")]


def test_yoochoose(tmp_path: Path) -> None:
    clicks = parsed("yoochoose", "1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:54:09.868Z,214536500,S\n", tmp_path)
    assert kept(clicks, "event_type", "item_id") == [("click", "214536502"), ("click", "214536500")]
    bought = "1,2014-04-07T11:51:09.277Z,214536500,2450,1\n1,2014-04-07T11:51:10.277Z,214536502,0,1\n"
    buys = parsed("yoochoose_buys", bought, tmp_path)
    assert kept(buys, "event_type", "item_id", "value") == [("purchase", "214536500", 2450.0), ("purchase", "214536502", None)]
    assert buys.accepted["user_id"][0] == clicks.accepted["user_id"][0]


def test_hm(tmp_path: Path) -> None:
    found = parsed(
        "hm",
        "t_dat,customer_id,article_id,price,sales_channel_id\n"
        "2018-09-20,000058a12d5b43e67d225668fa1f8d618c13dc232df0cad8ffe7ad4a1091e318,0663713001,0.050830508474576264,2\n"
        "2018-09-21,000058a12d5b43e67d225668fa1f8d618c13dc232df0cad8ffe7ad4a1091e318,0663713001,0.050830508474576264,1\n",
        tmp_path,
    )
    assert kept(found, "event_time", "item_id", "surface") == [
        (datetime(2018, 9, 20, tzinfo=UTC), "0663713001", "online"),
        (datetime(2018, 9, 21, tzinfo=UTC), "0663713001", "store"),
    ]


GA4 = (
    '{"event_timestamp": "1772438400000000", "event_name": "page_view", "user_pseudo_id": "1234567.1611", "event_params": ['
    '{"key": "page_title", "value": {"string_value": "%s"}}, {"key": "page_location", "value": {"string_value": "%s"}}, '
    '{"key": "batch_ordering_id", "value": {"int_value": "%s"}}]}\n'
)


@pytest.mark.parametrize(
    "pages",
    [
        [
            ("Jam", "https://shop.example/Jam", 1),
            ("Bread", "https://shop.example/Bread", 1),
            ("Tea", "https://shop.example/Tea", 1),
        ],
        [
            ("Shop", "https://shop.example/Jam", 1),
            ("Shop", "https://shop.example/Bread", 1),
            ("Shop", "https://shop.example/Tea", 1),
        ],
        [
            ("Jam", "https://shop.example/Jam", 1),
            ("Jam", "https://shop.example/Jam", 2),
            ("Jam", "https://shop.example/Jam", 3),
        ],
    ],
)
def test_events_of_one_batch_of_ga4_are_told_apart(tmp_path: Path, pages: list[tuple[str, str, int]]) -> None:
    """All events of a batch have its time. Page views of different titles, places or numbers were one event with two copies."""
    found = parsed("ga4", "".join(GA4 % page for page in pages + pages[:1]), tmp_path, "jsonl")
    first, second, third, copy = found.accepted["event_id"]
    assert len({first, second, third}) == 3
    assert copy == first


def test_a_purchase_of_ga4_is_not_lost_for_a_long_title_or_page(tmp_path: Path) -> None:
    """Google Analytics allows titles of 300 characters, and pages of 1000."""
    line = GA4 % ("L" * 300, "https://shop.example/" + "L" * 900, 1)
    found = parsed("ga4", line.replace("page_view", "purchase"), tmp_path, "jsonl")
    assert found.accepted["event_type"].to_list() == ["purchase"]


@pytest.mark.parametrize("name", sorted(TESTED))
def test_mapping_without_event_ids_says_so_in_a_comment(name: str) -> None:
    has_ids = "event_id" in load_source(name).columns
    assert has_ids != ("have no id: the id is a digest" in (SOURCES / f"{name}.yaml").read_text().replace("\n# ", " "))


@pytest.mark.parametrize(
    ("agent", "declared"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", True),
        ("AhrefsBot", True),
        ("bot", True),
        ("Mozilla/5.0 (Linux; Android 9; CUBOT_X19) Mobile Safari", False),  # a maker of telephones
    ],
)
def test_bots_of_a_web_log(agent: str, declared: bool) -> None:
    robots = load_source("web_log").robots
    assert robots is not None
    assert pl.Series([agent]).str.contains(robots.pattern)[0] is declared
