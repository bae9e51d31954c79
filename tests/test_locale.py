"""Commands read and write UTF-8 in every locale; `LC_ALL=C` without Python's UTF-8 mode would read files as ASCII."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MAPPING = """
name: läden
description: 日本
columns: {user_id: {path: who}, event_type: {constant: view}, event_time: {path: at}, item_id: {path: item}}
event_types: {view: view}
skip: {intern: {path: who, pattern: "^Åsa", why: "Öberg 日本"}}
"""


def run(*command: str, stdin: str = "") -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return subprocess.run(
        [sys.executable, "-m", *command], env=environment, input=stdin.encode(), capture_output=True, check=False
    )


@pytest.mark.slow
def test_a_mapping_and_a_file_are_checked_in_any_locale(tmp_path: Path) -> None:
    mapping, log = tmp_path / "shop.yaml", tmp_path / "part.jsonl"
    mapping.write_text(MAPPING, encoding="utf-8")
    lines = [{"who": who, "at": "2026-11-10T14:00:00Z", "item": "größe-日本"} for who in ("Åsa-000001", "विकास-000001")]
    log.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    done = run("jobs.clean", "--check", str(mapping), str(log))
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["events"] == 1
    assert "größe-日本" in done.stderr.decode()
    assert "Öberg 日本" in done.stderr.decode()


@pytest.mark.slow
def test_raw_ids_of_an_erasure_are_read_in_any_locale(var: Path, tmp_path: Path) -> None:
    """An id that is read wrongly would be put on the suppression list as another person."""
    ids = tmp_path / "ids.txt"
    ids.write_text("Åsa Öberg\n", encoding="utf-8")
    one = run("schemas.erasure", "--from", str(ids), "--date", "2026-11-21", "--landing-follows")
    two = run("schemas.erasure", "--from", "-", "--date", "2026-11-21", "--landing-follows", stdin="Åsa Öberg\n")
    requests = [{receipt["request"] for receipt in json.loads(done.stdout)["receipts"].values()} for done in (one, two)]
    from schemas.privacy.pseudonyms import pseudonym
    from schemas.privacy.suppression_list import read_erased
    from schemas.runtime.settings import get_settings

    assert requests[0] == requests[1]
    assert read_erased().among([pseudonym(get_settings().pseudonym_secret(), "Åsa Öberg")])
