"""Reports: an erasure removes a person's example, and pages of older audits that show values without their users."""

import json
from pathlib import Path

from schemas.erasure.__main__ import main as erase
from tests.schemas.lakes import RAW, person

ANNA, BELA, _ = RAW
DATE = ["--date", "2026-11-21", "--landing-follows"]  # nobody is in the lake


def test_the_example_of_an_erased_person_leaves_the_report(var: Path) -> None:
    stories = [{"user": person(raw), "history": [{"title": f"seen by {raw}"}]} for raw in (ANNA, BELA)]
    var.mkdir(exist_ok=True)
    (var / "demo.json").write_text(json.dumps({"stories": stories, "seconds": {}}))
    (var / "demo.html").write_text(f"{person(ANNA)[:10]}… saw a film")
    (receipt,) = erase(["--raw-id", ANNA, *DATE])["receipts"].values()
    assert json.loads((var / "demo.json").read_text()) == {"stories": stories[1:], "seconds": {}}
    assert not (var / "demo.html").exists()
    assert receipt["pages_painted_over"] == ["demo.html", "demo.json"]


def test_a_report_without_the_person_stays(var: Path) -> None:
    var.mkdir(exist_ok=True)
    (var / "demo.json").write_text(json.dumps({"stories": [{"user": person(BELA)}]}))
    (var / "demo.html").write_text("of Bela")
    (receipt,) = erase(["--raw-id", ANNA, *DATE])["receipts"].values()
    assert receipt["pages_painted_over"] == []
    assert (var / "demo.html").read_text() == "of Bela"


def test_pages_of_older_audits_with_sampled_values_are_removed(var: Path) -> None:
    folder = var / "audits" / "clean" / "r" / "validations"
    folder.mkdir(parents=True)
    (folder / "old.html").write_text("<th>Sampled Unexpected Values</th><td>I am Anna Meyer</td>")
    (folder / "new.html").write_text("<td>1 unexpected value</td>")
    (receipt,) = erase(["--raw-id", ANNA, *DATE])["receipts"].values()
    assert receipt["pages_painted_over"] == ["audits/clean/r/validations/old.html"]
    assert [page.name for page in folder.iterdir()] == ["new.html"]
