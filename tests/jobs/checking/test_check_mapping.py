"""Checking a mapping on a file: accounting, reasons with examples, no writes, no raw user ids."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.checking import check_mapping
from schemas.runtime.errors import ConfigError
from tests.jobs.conftest import GOOD, line

MAPPING = """
name: shop
format: csv
columns:
  user_id: {path: who}
  event_type: {path: what}
  event_time: {path: at}
  item_id: {path: item}
  text: {path: said}
event_types: {look: view}
skip: {internal: {path: who, pattern: "^staff-", why: our own staff}}
"""
LINES = """who,what,at,item,said
customer-0001,look,2026-11-10T14:00:00Z,lamp,my secret
customer-0001,look,2026-11-10T14:00:00Z,lamp,my secret
customer-0001,look,2026-11-10T14:00:01Z,lamp,my secret
customer-0002,look,2026-11-10T14:00:00Z,"a lamp, red",
customer-0002,wink,2026-11-10T14:00:00Z,lamp,
,look,2026-11-10T14:00:00Z,lamp,
staff-000001,look,2026-11-10T14:00:00Z,lamp,
customer-0003,look,2026-11-10T14:00:00Z
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(MAPPING)
    return path


def checked(mapping: Path, lines: str, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part.csv").write_text(lines)
    return check_mapping.main([str(mapping), str(folder / "part.csv")])


def test_every_line_is_accounted_for(mapping: Path, tmp_path: Path, var: Path) -> None:
    result = checked(mapping, LINES, tmp_path / "in")
    assert {name: result[name] for name in result if name not in ("file", "next")} == {
        "source": "shop",
        "complete": True,
        "lines_read": 8,
        "records": 8,
        "elements_left_out": 0,
        "events": 2,
        "rejects": 4,
        "duplicates": 2,
        "exact_duplicates": 1,
        "near_duplicates": 1,
        "reasons": {
            "event_type.unknown": 1,
            "line.wrong_fields": 1,
            "source.internal": 1,
            "user_id.required": 1,
        },
        "absent": {},
        "redacted_texts": {},
        "cut_texts": {},
    }
    assert not var.exists()


def test_table_explains_reasons_without_raw_user_ids(mapping: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked(mapping, LINES, tmp_path / "in")
    shown = capsys.readouterr()
    assert shown.out == ""
    for words in (
        "part.csv as shop: 8 lines",
        "our own staff",
        "event_type: the mapping has no entry for this value",
        " lamp, red",
    ):
        assert words in shown.err
    for secret in ("customer-000", "staff-000001", "my secret"):
        assert secret not in shown.err


def test_at_most_five_examples_of_each_outcome(mapping: Path, tmp_path: Path) -> None:
    (tmp_path / "part.csv").write_text("who,what,at,item,said\n" + ",look,2026-11-10T14:00:00Z,lamp,\n" * 9)
    found = check_mapping.check(check_mapping.source_of(str(mapping)), tmp_path / "part.csv", check_mapping.get_settings())
    assert [number for number, _ in found.examples["user_id.required"]] == [2, 3, 4, 5, 6]
    assert found.counts["user_id.required"] == 9


def test_arrival_is_taken_from_the_folder_name(mapping: Path, tmp_path: Path) -> None:
    lines = "who,what,at,item,said\nann,look,2026-11-01T14:00:00Z,lamp,\n"
    assert checked(mapping, lines, tmp_path / "arrived=2026-11-10T15")["reasons"] == {"days_late.range": 1}
    assert checked(mapping, lines, tmp_path / "elsewhere")["events"] == 1


def test_known_source_by_name(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl.gz"
    path.write_bytes(gzip.compress((line() + "\n" + line(user=None) + "\n").encode()))
    result = check_mapping.main(["movielens", str(path)])
    assert (result["lines_read"], result["events"], result["reasons"]) == (2, 1, {"user_id.required": 1})


def test_errors_in_the_arguments(mapping: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no source 'shop'; .* known are alb, amazon_reviews"):
        check_mapping.main(["shop", str(mapping)])
    with pytest.raises(ConfigError, match=r"source mapping not found; at .*none\.yaml"):
        check_mapping.main([str(tmp_path / "none.yaml"), str(mapping)])
    with pytest.raises(ConfigError, match="no such file"):
        check_mapping.main(["movielens", str(tmp_path / "none.csv")])
    mapping.write_text(MAPPING + "colour: red\n")
    with pytest.raises(ConfigError, match=r"Extra inputs are not permitted; at colour in .*shop\.yaml; correct it"):
        check_mapping.main([str(mapping), str(mapping)])


@pytest.mark.slow
def test_clean_check_needs_no_jvm_and_prints_its_result_last(tmp_path: Path) -> None:
    path = tmp_path / "part.jsonl"
    path.write_text(line() + "\n")
    code = (
        "import os, sys; os.environ['JAVA_HOME'] = os.environ['SPARK_HOME'] = '/nowhere'\n"
        "from jobs import clean; from schemas.runtime.cli import run_command\n"
        f"sys.exit(run_command(lambda: clean.main(['--check', 'movielens', {str(path)!r}])))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["events"] == 1
    assert GOOD["user"] not in done.stdout + done.stderr


HOSTILE = (
    "[/b]",
    "[red]hidden[/red]",
    "[link=file:///etc/passwd]x",
    "\x1b]0;title\x07",
    "\x1b[2J",
    ":smile:",
    "a\u202eb",
    "\\",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_line_is_printed_as_it_is_without_control_characters(
    mapping: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Rich would read brackets as markup and fail, and a terminal obeys escape sequences."""
    lines = f"who,what,at,item,said\ncustomer-0001,look,2026-11-10T14:00:00Z,{text},\ncustomer-0001,wink,,{text},\n"
    assert checked(mapping, lines, tmp_path / "in")["events"] == 1
    shown = capsys.readouterr().err
    assert not any(char in shown for char in "\x1b\x07\u202e")
    visible = text.translate({0x1B: "u001b", 0x07: "u0007", 0x202E: "u202e"}).replace("\\", "")
    assert visible in shown.replace("\\", "")


def test_a_file_with_markup_in_its_name_is_checked(mapping: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "[bold]x[red].csv").write_text(LINES)
    check_mapping.main([str(mapping), str(tmp_path / "[bold]x[red].csv")])
    assert "[bold]x[red].csv as shop: 8 lines" in capsys.readouterr().err
