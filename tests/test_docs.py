"""The documentation matches the repository: links, anchors, commands, files, settings, targets and sample outputs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from jobs.checking.tables import WORDS
from jobs.cleaning.reject_reasons import SENTENCES, sentence
from schemas.contract import load_contract
from schemas.runtime.settings import PREFIX, Settings
from schemas.source import SOURCES, Source
from schemas.source_parts import Column, Skip

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = [README, ROOT / "CONTRIBUTING.md", *PAGES]
README_BYTES = 10_240

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"python -m ([a-z_]\w*(?:\.\w+)*)")
FILE = re.compile(r"`((?:dags|docs|jobs|local|ml|schemas|tests)/[\w./]+)`")
PLACEHOLDERS = {"jobs.my_job"}
"""Commands that a guide invents."""

each_text = pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def prose(path: Path) -> str:
    """A page without code blocks and code spans, in which neither links nor headings count."""
    return SPAN.sub("", FENCE.sub("", path.read_text()))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    result = set()
    for heading in re.findall(r"^#+ +(.+?) *$", FENCE.sub("", path.read_text()), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", LINK.sub(heading_text, heading).lower()).replace(" ", "-")
        result.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return result


def heading_text(link: re.Match[str]) -> str:
    """The text of a link in a heading."""
    return link[0].lstrip("!").split("]")[0].lstrip("[")


def links(path: Path) -> Iterator[tuple[str, Path, str]]:
    """The relative links and pictures of a page: as written, the target's path, the anchor."""
    for written in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", written):
            continue
        target, _, anchor = written.partition("#")
        yield written, (path.parent / target).resolve() if target else path, anchor


@each_text
def test_links_lead_to_files(text: Path) -> None:
    assert [written for written, target, _ in links(text) if not target.exists()] == []


@each_text
def test_anchors_lead_to_headings(text: Path) -> None:
    assert [written for written, target, anchor in links(text) if anchor and anchor not in anchors(target)] == []


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, waiting = {README}, [README]
    while waiting:
        for _, target, _ in links(waiting.pop()):
            if target.suffix == ".md" and target.exists() and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert [page.relative_to(ROOT).as_posix() for page in PAGES if page not in reached] == []


def test_every_picture_is_shown() -> None:
    shown = {target for text in TEXTS for _, target, _ in links(text)}
    assert [path.name for path in sorted((ROOT / "docs" / "pictures").iterdir()) if path not in shown] == []


def test_the_readme_is_short() -> None:
    assert README.stat().st_size <= README_BYTES


def runs(module: str) -> bool:
    """Whether ``python -m module`` runs something of this repository."""
    path = ROOT.joinpath(*module.split("."))
    main, file = path / "__main__.py", path.with_suffix(".py")
    if main.is_file():
        return True
    return file.is_file() and bool(re.search(r"^if __name__ == .__main__.:", file.read_text(), re.MULTILINE))


@each_text
def test_commands_exist(text: Path) -> None:
    assert [module for module in COMMAND.findall(text.read_text()) if module not in PLACEHOLDERS and not runs(module)] == []


@each_text
def test_files_exist(text: Path) -> None:
    assert [name for name in FILE.findall(text.read_text()) if not (ROOT / name).exists()] == []


@each_text
def test_settings_exist(text: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", text.read_text()))
    assert named - {f"{PREFIX}{name}".upper() for name in Settings.model_fields} == set()


@each_text
def test_make_targets_exist(text: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^|&& )make((?: +[a-z][a-z-]*(?![\w=/]))+)", text.read_text(), re.MULTILINE)
    assert {name for names in named for name in names.split()} - targets == set()


def mapping(path: Path) -> Source:
    """The one source mapping of a page."""
    (text,) = re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)
    return Source.model_validate(yaml.safe_load(text))


def test_the_sample_check_has_the_words_of_the_code() -> None:
    page, events = ROOT / "docs" / "sources.md", load_contract("events")
    rows = re.findall(r"^│ (\S+) +│ +\d+ │ +[\d.]+ % │ (.+?) +│$", page.read_text(), re.MULTILINE)
    words = {str(fate): text for fate, text in WORDS.items()}
    assert len(rows) > 5
    assert dict(rows) == {name: words.get(name) or sentence(name, mapping(page), events) for name, _ in rows}


SOURCES_PAGE = ROOT / "docs" / "sources.md"


def table_codes(text: str) -> set[str]:
    """The codes in the first column of the tables of a text, each without what follows a colon."""
    firsts = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    return {code.partition(":")[0] for first in firsts for code in re.findall(r"`([^`]+)`", first)}


def test_every_key_of_a_mapping_is_in_the_table_of_options() -> None:
    options = SOURCES_PAGE.read_text().partition("## Options")[2].partition("\n## ")[0]
    keys = {*Source.model_fields, *Column.model_fields, *Skip.model_fields, "rules_like", "robots"}
    in_words = {"unless", "missing"}  # of the row of skip
    assert keys - table_codes(options) - in_words == set()
    assert all(f"`{key}`" in options or f"`{key}: " in options for key in in_words)


def test_every_mapping_is_in_the_table_of_mappings() -> None:
    shipped = SOURCES_PAGE.read_text().partition("## Shipped mappings")[2].partition("\n## ")[0]
    assert table_codes(shipped) == {path.name for path in SOURCES.glob("*.yaml")}


def test_every_reason_of_a_reject_is_in_the_table_of_reasons() -> None:
    page = SOURCES_PAGE.read_text().partition("## Reasons of rejects")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", page, re.MULTILINE))
    codes = {str(code): text for code, text in SENTENCES.items()}
    named = {code if "." in code else f"<column>.{code}": text for code, text in codes.items()}
    named["source.<rule>"] = named.pop("<column>.source")
    assert {code: rows.get(code) for code in named} == named
