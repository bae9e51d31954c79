"""The page of the evidence: complete and self-contained."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ml.promotion.conditions import TRIED
from ml.promotion.evidence import OF_LISTS, exposure_metrics
from ml.promotion.report import render
from tests.ml.test_gate import champion, evidence, lead, plain, row

pytestmark = pytest.mark.slow


def figures(**more: Any) -> dict[str, Any]:
    """Test results of one model, without its lead."""
    test = {f"{name}_at_10": 0.25 for name in ("ndcg", "hit_rate", "mrr", *OF_LISTS)} | dict.fromkeys(exposure_metrics(), 1 / 3)
    intervals = {f"{name}_at_10": [0.1, 0.4] for name in ("ndcg", "hit_rate", "mrr")}
    return {"test": test, "intervals": intervals, "calibration": None} | more


def asked(found: dict[str, Any]) -> dict[str, Any]:
    """A lead with the number of queries, also in its slices."""
    slices = {name: asked(part) for name, part in found.get("slices", {}).items()}
    return found | {"queries": 1234} | ({"slices": slices} if slices else {})


def whole(**changes: Any) -> dict[str, Any]:
    markov = row(0.2, 0.19, None) | figures()
    popularity = row(0.1, 0.09, None) | figures(lead=asked(lead(0.1, new=0.1, long=-0.009)))
    content = row(0.15, 0.1, None) | figures(lead=asked(lead(0.05)), calibration={"bins": [[0.1, 0.2, 50]], "error": 0.1})
    models = {"markov": markov, "popularity": popularity, "content": content}
    return evidence(models=models, seed=7, encoder="e" * 64, categories={"<b>War</b>": asked(plain(0.02, 50))}) | changes


class Page(HTMLParser):
    """The words of a page, and the targets that it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.fetched = "", list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_is_self_contained() -> None:
    text = render("5", whole(), {})
    assert all(target.startswith("#") for target in Page(text).fetched)
    assert "<script" not in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "<b>War</b>" not in text  # data are escaped
    assert text == render("5", whole(), {})


@pytest.mark.parametrize(("width", "medium"), [(390, "screen"), (718, "print")])
def test_the_page_fits_a_phone_and_a_sheet_of_paper(browser: Any, tmp_path: Path, width: int, medium: str) -> None:
    path = tmp_path / "evidence.html"
    path.write_text(render("5", whole(champion=champion() | figures(lead=asked(lead(0.04, new=0.03)))), {}))
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.emulate_media(media=medium)
    page.goto(path.as_uri())
    widest = "Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll('{}')].map(e => e.scrollWidth))"
    assert page.evaluate(widest.format("figure, dl" if medium == "screen" else "figure, dl, .scroll")) <= width
    page.close()


def test_the_page_shows_every_condition_and_every_model() -> None:
    words = Page(render("5", whole(), {})).words
    assert "By this evidence it may pass the gate" in words
    assert all(asks in words for asks in TRIED)
    for shown in ("markov", "popularity", "content", "0.2500", "0.1000 to 0.4000", "+0.1000", "1,234 queries", "War"):
        assert shown in words, shown
    assert "session_events at snapshot 1" in words


@pytest.mark.parametrize(
    ("changes", "verdict", "told"),
    [
        ({"code_version": ""}, None, "The gate will refuse it: its evidence lacks code_version."),
        ({}, {"refused": "version 5 is refused: it has no signature"}, "The gate refused it. version 5 is refused: it has no"),
        ({}, {"refused": None, "megabytes": 1.5, "ms_per_user": 0.25}, "It passed the gate: 1.5 MB, 0.25 ms per user."),
    ],
)
def test_the_verdict_comes_first(changes: dict[str, Any], verdict: dict[str, Any] | None, told: str) -> None:
    words = Page(render("5", whole(**changes), {}, verdict)).words
    assert told in words
    assert words.index(told) < words.index("The gate's conditions")


def test_slices_compare_with_the_champion() -> None:
    rival = champion() | figures(lead=asked(lead(0.04, new=0.03)))
    words = Page(render("5", whole(champion=rival), {})).words
    assert "champion: item_knn, version 4" in words
    assert "The lead over the champion, version 4" in words
    assert "new: no events before" in words


def test_the_page_names_models_without_probabilities() -> None:
    words = Page(render("5", whole(), {})).words
    assert "content: calibration error 0.100" in words
    assert "The scores of markov, popularity are not probabilities" in words


def test_learning_curves_of_models_with_epochs() -> None:
    assert "No model of this training is trained in epochs" in Page(render("5", whole(), {})).words
    epochs = [{"epoch": 1.0, "loss": 5.0, "validation_ndcg_at_10": 0.1}, {"epoch": 2.0, "loss": 4.0}]
    page = render("5", whole(), {"content": epochs})
    assert 'aria-label="learning curve of content"' in page
