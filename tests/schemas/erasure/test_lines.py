"""The receipt says for each line of a request whether somebody was found."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.erasure.__main__ import main as erase
from schemas.erasure.receipt import receipts
from schemas.lake.lake import open_lake
from schemas.privacy.suppression_list import digest_of
from schemas.runtime.errors import ConfigError, NobodyFound
from schemas.runtime.settings import get_settings
from tests.schemas.lakes import DAYS, RAW, person, stage, write_day

pytestmark = pytest.mark.slow

ANNA, BELA, ZORA = RAW


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """The file of a request."""
    return tmp_path / "asked.txt"


def receipt_of(file: Path) -> dict[str, Any]:
    """Erase the persons of a file, also if a line finds nobody; returns the receipt."""
    erase(["--from", str(file), "--date", "2026-11-21", "--landing-follows"])
    return json.loads(receipts(get_settings())[-1].read_text())  # type: ignore[no-any-return]


def places(receipt: dict[str, Any]) -> dict[int, list[str]]:
    return {line["line"]: line["found_in"] for line in receipt["lines"]}


def test_each_line_is_told_where_somebody_was_found(asked: Path) -> None:
    write_day("sessions", DAYS[0], [ANNA, ZORA])
    write_day("rejects", DAYS[0], [BELA, ZORA])
    asked.write_text(f"{ANNA}\n\n{BELA}\nann@people.example\n{ZORA}\n{ANNA}\n")
    receipt = receipt_of(asked)
    assert places(receipt) == {
        1: ["sessions"], 3: ["rejects"], 4: [], 5: ["rejects", "sessions"], 6: ["sessions"],
    }  # fmt: skip
    assert receipt["persons"] == 4
    key = get_settings().pseudonym_secret()
    assert receipt["lines"][0]["person"] == digest_of(key, person(ANNA)), "the name on the suppression list"


def test_rows_in_older_snapshots_and_staged_files_count(asked: Path) -> None:
    write_day("sessions", DAYS[0], [ANNA, BELA])
    write_day("sessions", DAYS[0], [BELA], run="again")
    stage("sessions", DAYS[1], [ZORA], run="waiting")
    asked.write_text(f"{ANNA}\n{ZORA}\n")
    assert places(receipt_of(asked)) == {1: ["sessions"], 2: ["sessions"]}


def test_one_line_that_found_nobody_is_an_exit_code_of_its_own(asked: Path) -> None:
    write_day("sessions", DAYS[0])
    asked.write_text(f"{ANNA}\n{BELA.upper()}\n")
    with pytest.raises(NobodyFound, match="1 of 2 lines of the request found nobody in the lake: line 2; see") as raised:
        erase(["--from", str(asked), "--date", "2026-11-21"])
    assert raised.value.exit_code == 4
    assert BELA.upper() not in str(raised.value)
    assert open_lake().arrow("sessions").num_rows == 2, "the others are erased"
    asked.write_text(f"{BELA}\n")
    erase(["--from", str(asked), "--date", "2026-11-21"])


def test_a_request_that_was_done_before_found_somebody_then(asked: Path) -> None:
    write_day("sessions", DAYS[0])
    asked.write_text(f"{ANNA}\n")
    first = receipt_of(asked)
    asked.write_text(f"\n{ANNA}\n")
    erase(["--from", str(asked), "--date", "2026-11-22"])
    assert places(receipt_of(asked)) == {2: ["sessions"]}
    assert first["tables"] == receipt_of(asked)["tables"]


def test_a_pseudonym_is_named_as_such_and_erased(asked: Path) -> None:
    write_day("sessions", DAYS[0])
    asked.write_text(f"{person(ANNA)}\n{person(BELA).upper()}\n{'0' * 64}\n")
    receipt = receipt_of(asked)
    assert places(receipt) == {1: ["sessions"], 2: ["sessions"], 3: []}
    assert all(line["is_pseudonym"] for line in receipt["lines"])
    assert open_lake().arrow("sessions")["user_id"].to_pylist() == [person(ZORA)]
    with pytest.raises(NobodyFound, match=r"line 3 \(pseudonyms instead of raw ids: line 3\)"):
        erase(["--from", str(asked), "--date", "2026-11-21"])


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + f"{ANNA}\r\n{BELA}\r\n".encode(),
        codecs.BOM_UTF16_LE + f"{ANNA}\r\n{BELA}\r\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + f"{ANNA}\n{BELA}".encode("utf-16-be"),
        f"{ANNA}\r{BELA}\r".encode(),
        f"\ufeff\ufeff {ANNA}\u200b\n\t{BELA}\u00a0".encode(),
    ],
)
def test_a_file_written_on_another_system_is_read(asked: Path, content: bytes) -> None:
    write_day("sessions", DAYS[0])
    asked.write_bytes(content)
    assert places(receipt_of(asked)) == {1: ["sessions"], 2: ["sessions"]}


def test_a_file_that_is_not_text_is_refused(asked: Path) -> None:
    asked.write_bytes("andr\u00e9@people.example".encode("latin-1"))
    with pytest.raises(ConfigError, match="this is not text in UTF-8"):
        receipt_of(asked)
    assert receipts(get_settings()) == []
