"""Every shipped mapping has a test and a documented line, and says whether its events have ids."""

import re
from pathlib import Path

import pytest

from schemas.source import SOURCES, load_source
from tests.jobs.sources.lines import parsed, reasons

SHIPPED = {path.stem for path in SOURCES.glob("*.yaml")}
ELSEWHERE = {"simulated"}  # simulate/test_cleaned.py checks it against the planted truth
IN_COLUMNS = {"simulated_parquet"}
PAGE = Path(__file__).resolve().parents[3] / "docs" / "sources.md"
DOCUMENTED = dict(re.findall(r"^`(\w+)\.yaml`:\n\n```text\n(.*?)```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def test_every_shipped_mapping_has_a_test() -> None:
    beside = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))
    tested = set(re.findall(r'(?:parsed|load_source)\(\s*"(\w+)"', beside))
    assert tested | ELSEWHERE == SHIPPED


def test_a_line_of_each_mapping_is_documented() -> None:
    assert set(DOCUMENTED) | IN_COLUMNS == SHIPPED


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_the_documented_line_becomes_an_event(tmp_path: Path, name: str) -> None:
    found = parsed(name, DOCUMENTED[name], tmp_path, "txt")
    assert len(found.accepted) >= 1
    assert all(why[0].startswith("source.") for why in reasons(found).values())


@pytest.mark.parametrize("name", sorted(SHIPPED - ELSEWHERE))
def test_mapping_without_event_ids_says_so_in_a_comment(name: str) -> None:
    has_ids = "event_id" in load_source(name).columns
    assert has_ids != ("have no id: the id is a digest" in (SOURCES / f"{name}.yaml").read_text().replace("\n# ", " "))
