"""The mappings of public data sets and of the simulated world on a few lines of each."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from jobs.cleaning.candidates import Arrival, parse, wanted_fields
from jobs.landing.readers import read
from schemas.contract import load_contract
from schemas.privacy.pseudonyms import pseudonym
from schemas.source import load_source
from tests.jobs.sources.lines import KEY, kept, parsed, reasons


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
