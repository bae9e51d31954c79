"""The report: it renders, is self-contained, escapes its data, and draws the figures in their places."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from local.demo.report import clock, day_bars, flow, leads, link, main, number, render, sparkline, write_report
from schemas.runtime.errors import ClickwrightError


def figures() -> dict[str, Any]:
    """Small but complete figures in the form of ``var/demo.json``."""

    def day(arrived_on: str, lines: int, rejects: int, duplicates: int, history: bool = False) -> dict[str, Any]:
        return {
            "arrived_on": arrived_on,
            "lines": lines,
            "events": lines - rejects - duplicates,
            "rejects": rejects,
            "duplicates": duplicates,
            "late_events": 1,
            "history": history,
            "balanced": True,
            "reasons": {"line.not_json": rejects},
        }

    def model(recipe: str, ndcg: float, champion: bool = False) -> dict[str, Any]:
        metrics = {
            "validation_ndcg_at_10": ndcg + 0.01,
            "test_ndcg_at_10": ndcg,
            "test_hit_rate_at_10": ndcg * 2,
        }
        return {
            "recipe": recipe,
            "champion": champion,
            "run_id": f"run-{recipe}",
            "url": f"http://127.0.0.1:5000/#/experiments/1/runs/run-{recipe}",
            "seconds": 75.0,
            "params": {},
            "metrics": metrics,
            "lead": None if champion else {"difference": 0.07, "low": 0.01, "high": 0.13},
        }

    days = [day("1998-04-15", 97_722, 0, 0, True), day("1998-04-16", 393, 5, 3), day("1998-04-17", 796, 98, 4)]
    story = {
        "user": "9f" * 32,
        "source": "movielens",
        "segment": "regular",
        "events": 412,
        "first_seen": "1997-10-01",
        "last_seen": "1998-04-22",
        "interests": ["Drama", "Film-Noir"],
        "history": [{"when": "1998-04-22 20:11", "what": "rating", "title": "<b>Heat</b> & Dust", "value": 4.0}],
        "recommendations": [
            {"rank": 1, "title": "Fargo", "categories": ["Crime"], "score": 0.9, "reason": "because you liked Heat"}
        ],
        "creatives": [
            {
                "title": "Fargo",
                "headline": "A crime with manners",
                "body": "Fargo, from 1996.",
                "origin": "language_model",
                "language_model": "SmolLM2-135M-Instruct",
                "checks": ["facts", "length"],
            }
        ],
    }
    total = {k: sum(d[k] for d in days) for k in ("lines", "events", "rejects", "duplicates", "late_events")}
    return {
        "code_version": "0.1.0+abc",
        "data": {
            "name": "MovieLens 100K and a simulated shop",
            "command": "make demo",
            "sources": {"movielens": "films", "simulated": "shop"},
            "effort": "quick",
            "terms": "Collected by GroupLens. Full terms: https://example.org/terms",
            "licence": "https://example.org/terms",
            "history_since": "1997-09-20",
            "first_day": "1998-04-16",
            "last_day": "1998-04-22",
        },
        "tables": [
            {
                "table": "events",
                "what": "One behaviour.",
                "rows": 98_801,
                "partitioned_by": "event_date",
                "partitions": 208,
                "snapshot": 8377410834438382072,
            }
        ],
        "accounts": {"days": days, "total": {**total, "balanced": True, "reasons": {}}},
        "planted": [
            {
                "kind": "broken_json",
                "what": "a line cut off in the middle",
                "expected": "rejected",
                "planted": 8,
                "found": 8,
                "reasons": {"line.not_json": 8},
                "missed": [],
            }
        ],
        "sessions": {
            "sessions": 1234,
            "users": 943,
            "events": 98_801,
            "median_events": 24.0,
            "median_minutes": 12.5,
            "longest_minutes": 300.0,
            "closed_on": {"1998-04-14": 5, "1998-04-15": 10, "1998-04-16": 2},
        },
        "training": {
            "champion": {"model": "recommender", "version": "1", "run_id": "run-transformer", "tags": {}},
            "models": [model("transformer", 0.12, champion=True), model("popularity", 0.05)],
        },
        "advertising": {
            "served_on": "1998-04-23",
            "rows": 9430,
            "users": 943,
            "titles": 300,
            "model_versions": ["1"],
            "creatives": 36,
            "creatives_by_origin": {"language_model": 30, "template": 6},
            "language_models": ["SmolLM2-135M-Instruct"],
        },
        "behaviour": [
            {"source": "movielens", "kind": "rating", "events": 98_801},
            {"source": "simulated", "kind": "impression", "events": 271},
            {"source": "simulated", "kind": "purchase", "events": 2},
        ],
        "shop_days": [
            {
                "arrived_on": "1998-04-16",
                "history": False,
                "search": 12,
                "impression": 271,
                "ad_impression": 27,
                "click": 31,
                "ad_click": 3,
                "view": 31,
                "like": 3,
                "comment": 1,
                "cart": 11,
                "purchase": 2,
                "click_through": 31 / 271,
                "conversion": 2 / 31,
            }
        ],
        "own_items": [{"source": "simulated", "users": 113, "own": 1057, "other": 73}],
        "stories": [story],
        "audits": [
            {
                "table": "events",
                "job": "clean",
                "run": "behaviour_day.x",
                "rules": 29,
                "broken": 0,
                "docs": "/place/var/audits/clean/x/index.html",
            }
        ],
        "stages": [
            {
                "workflow": "behaviour_day",
                "run": "x",
                "name": "1998-04-16",
                "state": "success",
                "seconds": 30.0,
                "tasks": [
                    {"task": "clean.build", "state": "success", "seconds": 20.0},
                    {"task": "clean.audit", "state": "success", "seconds": 10.0},
                    {"task": "arrivals", "state": "success", "seconds": 0.1},
                ],
            }
        ],
        "privacy": {"files": 1200, "bytes": 400_000_000, "found": []},
        "links": {
            "tables": "file:///place/var/docs/index.html",
            "airflow": "http://127.0.0.1:8080",
            "mlflow": "http://127.0.0.1:5000",
            "audits": "/place/var/audits",
            "lake": "/place/var/lake",
            "logs": "/place/var/logs",
            "report": "file:///place/var/demo.html",
            "figures": "/place/var/demo.json",
        },
        "seconds": {"History": 60.0, "all": 300.0},
        "tables_changed": ["events"],
    }


class Page(HTMLParser):
    """A page's loaded addresses, link targets and unclosed elements."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [value for name, value in attrs if name in ("src", "srcset") and value]
        if tag == "link" and given.get("href"):
            self.loads.append(str(given["href"]))
        if tag == "a" and given.get("href"):
            self.targets.append(str(given["href"]))
        if given.get("id"):
            self.ids.add(str(given["id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html() -> str:
    return render(figures(), Path("/place/var"))


def test_report_is_valid_and_self_contained(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert page.loads == []
    assert not re.search(r"url\(|@import|<script", html)


def test_internal_links_have_targets(html: str) -> None:
    page = Page(html)
    inside = {target[1:] for target in page.targets if target.startswith("#")}
    assert inside
    assert inside <= page.ids


def test_shows_the_figures(html: str) -> None:
    for shown in ("98,911", "8377410834438382072", "0.1200", "1 min 15 s", "8 of 8", "because you liked Heat"):
        assert shown in html


def test_data_is_escaped(html: str) -> None:
    assert "<b>Heat</b>" not in html
    assert "&lt;b&gt;Heat&lt;/b&gt; &amp; Dust" in html


def test_file_links_are_relative_to_the_report(html: str) -> None:
    assert "audits/clean/x/index.html" in Page(html).targets
    assert link("http://127.0.0.1:8080/x", Path("/a")) == "http://127.0.0.1:8080/x"
    assert link("file:///a/b/c.html", Path("/a")) == "b/c.html"
    assert link("/elsewhere/c.html", Path("/a/b")) == "../../elsewhere/c.html"


def test_failures_are_shown() -> None:
    wrong = figures()
    wrong["planted"][0] |= {"found": 7, "missed": ["movielens/x.gz:3"]}
    wrong["accounts"]["total"]["balanced"] = False
    page = render(wrong, Path("/place/var"))
    assert "7 of 8" in page
    assert "movielens/x.gz:3" in page
    assert "Lines are unaccounted for" in page


def test_model_without_metrics_is_rendered() -> None:
    some = figures()
    some["training"]["models"][1]["metrics"] = {}
    assert "popularity" in render(some, Path("/place/var"))


def test_leads_share_one_axis_with_zero() -> None:
    models = figures()["training"]["models"]
    worse = {**models[1], "lead": {"difference": -0.01, "low": -0.05, "high": 0.03}}
    champion, far, near = leads([*models, worse])
    assert champion["places"] is None
    assert near["places"]["start"] < near["places"]["dot"] < near["places"]["zero"] == far["places"]["zero"]
    assert far["places"]["zero"] < far["places"]["start"] < far["places"]["dot"]
    assert far["places"]["start"] + far["places"]["length"] <= 100
    assert leads([]) == []


def test_day_bars_scale_to_the_largest_ordinary_day() -> None:
    first, fullest = day_bars(figures()["accounts"]["days"])
    assert sum(fullest["widths"].values()) == pytest.approx(100, abs=0.1)
    assert sum(first["widths"].values()) == pytest.approx(100 * 393 / 796, abs=0.1)


def test_sparkline_marks_the_backfilled_days() -> None:
    bars = sparkline({"1998-04-15": 10, "1998-04-16": 5}, since="1998-04-16")["bars"]
    assert [bar["new"] for bar in bars] == [False, True]
    assert bars[0]["height"] == 2 * bars[1]["height"]
    assert sparkline({}, since="1998-04-16")["bars"] == []


def test_flow_goes_from_lines_to_ads() -> None:
    assert [step["count"] for step in flow(figures())] == [98_911, 98_801, 1234, 9430, 36]


def test_numbers_and_durations_are_formatted() -> None:
    assert (number(1234567), number(0.12345, 3), number(None)) == ("1,234,567", "0.123", "–")
    assert (clock(4.25), clock(75), clock(119.7)) == ("4.2 s", "1 min 15 s", "2 min 0 s")


def test_report_is_reproducible_from_its_figures(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps(figures()))
    asked = ["--figures", str(tmp_path / "demo.json"), "--out", str(tmp_path / "again.html")]
    main(asked)
    write_report(figures(), tmp_path / "first.html")
    assert (tmp_path / "again.html").read_text() == (tmp_path / "first.html").read_text()


def test_missing_figures_are_reported_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ClickwrightError, match="make demo"):
        main(["--figures", str(tmp_path / "none.json")])
