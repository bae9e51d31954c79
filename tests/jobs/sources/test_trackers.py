"""The mappings of analytics tools: which messages become events, and why the others do not."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.privacy.pseudonyms import pseudonym
from schemas.source import load_source
from tests.jobs.sources.lines import KEY, kept, parsed, reasons


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
