"""Erasure in the landing zone: lines of erased users are blanked if Clickwright may rewrite it; others keep their numbers."""

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from jobs import erase_landing
from jobs.cleaning.candidates import Arrival, parse, wanted_fields, without_erased
from jobs.cleaning.rejected import reject_rows
from jobs.erase_landing import blank, landing_files, lines_of_erased
from jobs.landing.files import found_file
from jobs.landing.readers import read
from schemas.contract import load_contract
from schemas.erasure.__main__ import main as erase
from schemas.erasure.receipt import read_receipt, receipts
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.privacy.pseudonyms import pseudonym
from schemas.privacy.suppression_list import read_erased
from schemas.runtime.errors import NobodyFound, NothingToDo
from schemas.runtime.settings import get_settings
from schemas.source import Source, load_source
from tests.jobs.conftest import Deliver, line

pytestmark = pytest.mark.slow

ANNA, BELA = "anna@people.example", "bela@people.example"
RAILS = {"source": "online_retail", "hour": "2011-12-01T10", "name": "part.csv"}


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_LANDING_IS_OURS", "true")


@pytest.fixture
def erased(tmp_path: Path) -> Callable[[str], str]:
    """Erase a user from a lake without rows of that user; returns the request."""

    def ask(raw: str) -> str:
        asked = tmp_path / "asked.txt"
        asked.write_text(raw)
        (receipt,) = erase(["--from", str(asked), "--date", "2026-11-21", "--landing-follows"])["receipts"].values()
        return str(receipt["request"])

    return ask


def test_lines_of_erased_users_are_rejected_without_content(deliver: Deliver, erased: Callable[[str], str]) -> None:
    path = deliver(line(user=ANNA), line(user=ANNA, type="jump"), line(user=BELA), line(user=BELA, type="jump"))
    erased(ANNA)
    source, events, key = load_source("movielens"), load_contract("events"), pseudonym_key(get_settings())
    file = next(file for file, _ in landing_files(get_settings()))
    arrival = Arrival(file.source, file.relative, file.arrived_at, file.arrived_on, False)
    (raw,) = read(path, source, wanted_fields(source))
    parsed = without_erased(parse(raw, source, key, arrival, events), read_erased())
    assert parsed.accepted["line_number"].to_list() == [3]
    rejects = reject_rows(parsed.rejected, load_contract("rejects"), events).sort("line_number")
    assert rejects["line_number"].to_list() == [1, 2, 4]
    assert rejects["reasons"].to_list() == [["person.erased"], ["person.erased"], ["event_type.unknown"]]
    gone = rejects.filter(rejects["line_number"] < 3)
    assert gone["line"].to_list() == gone["candidate"].to_list() == [None, None]
    assert pseudonym(key, ANNA) not in str(parsed.rejected.to_dicts())
    assert pseudonym(key, BELA) in str(rejects.to_dicts())


def test_without_an_erasure_no_file_is_read(deliver: Deliver) -> None:
    deliver(line())
    with pytest.raises(NothingToDo, match="every erasure is done"):
        erase_landing.main([])


def test_receipt_lists_files_that_may_not_be_rewritten(deliver: Deliver, erased: Callable[[str], str]) -> None:
    holding = deliver(line(user=ANNA), line(user=BELA))
    deliver(line(user=BELA), name="other.jsonl.gz")
    before = holding.read_bytes()
    erased(ANNA)
    answer = erase_landing.main([])
    assert answer["still_hold"] == ["movielens/arrived=1998-04-16T15/part-000.jsonl.gz"]
    assert holding.read_bytes() == before
    landing = read_receipt(receipts(get_settings())[0]).landing
    assert landing is not None
    assert (landing.ours_to_rewrite, landing.still_hold) == (False, answer["still_hold"])
    with pytest.raises(NothingToDo):
        erase_landing.main([])


@pytest.mark.parametrize("name", ["part.jsonl", "part.jsonl.gz", "part.jsonl.zst"])
def test_blanking_keeps_the_other_line_numbers(var: Path, ours: None, erased: Callable[[str], str], name: str) -> None:
    path = var / "landing" / "movielens" / "arrived=1998-04-16T15" / name
    path.parent.mkdir(parents=True)
    lines = [line(user=BELA), line(user=ANNA), "", line(user=f"{ANNA}x"), line(user=ANNA, item="7"), line(user=BELA)]
    content = "\n".join(lines).encode()
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, bytes)
    unpack = {".gz": gzip.decompress, ".zst": lambda c: zstandard.ZstdDecompressor().stream_reader(c).read()}
    path.write_bytes(pack(content))
    request = erased(ANNA)
    assert erase_landing.main([]) == {"requests": [request], "lines_blanked": 2, "still_hold": [], "not_searched": []}
    left = unpack.get(path.suffix, bytes)(path.read_bytes()).decode().split("\n")
    assert left == [lines[0], "", "", lines[3], "", lines[5]]
    assert erase_landing.main(["--all"])["lines_blanked"] == 2, "it was done once, and the receipt still says so"
    landing = read_receipt(receipts(get_settings())[0]).landing
    assert landing is not None
    assert landing.lines_blanked == {f"movielens/arrived=1998-04-16T15/{name}": 2}
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_multiline_record_is_blanked_as_a_whole(var: Path, ours: None, erased: Callable[[str], str]) -> None:
    path = var / "landing" / "online_retail" / "arrived=2011-12-01T10" / "part.csv"
    path.parent.mkdir(parents=True)
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    rows = [f'1,A{i},"two\nlines",1,2011-12-01 08:26:00,2.5,{user},Portugal' for i, user in enumerate((12345, 99999, 12345))]
    path.write_text("\n".join([header, *rows]) + "\n")
    source = load_source("online_retail")
    file, _ = next(landing_files(get_settings()))
    erased("99999")
    found = lines_of_erased(file, source, pseudonym_key(get_settings()), read_erased())
    assert list(found.of) == [4]
    erase_landing.main([])
    assert path.read_text().split("\n") == "\n".join([header, rows[0], "\n", rows[2], ""]).split("\n")


def test_only_the_elements_of_an_erased_user_leave_a_line_of_several_persons(
    var: Path, ours: None, erased: Callable[[str], str]
) -> None:
    source = Source.model_validate(
        {
            "name": "batches",
            "each": "[].acts[]",
            "columns": {
                "user_id": {"path": "[].who"},
                "event_type": {"constant": "view"},
                "event_time": {"path": "[].acts[].at"},
            },
            "event_types": {"view": "view"},
        }
    )
    anna, bela = f'{{"who": "{ANNA}", "acts": [{{"at": 1}}, {{"at": 2}}]}}', f'{{"who": "{BELA}", "acts": [{{"at": 3.10}}]}}'
    path = var / "landing" / "batches" / "arrived=1998-04-16T15" / "part.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(f"[{bela}, {anna}, {bela}]\n[{anna}]\n[{bela}]\n")
    erased(ANNA)
    file = found_file("batches", path, var / "landing", datetime(1998, 4, 16, 16, tzinfo=UTC))
    lines = lines_of_erased(file, source, pseudonym_key(get_settings()), read_erased())
    assert sorted(lines.of) == [1, 2]
    blank(path, lines, source)
    assert path.read_text() == f"[{bela}, null, {bela}]\n\n[{bela}]\n"


def test_parquet_rows_become_nulls(var: Path, ours: None, erased: Callable[[str], str]) -> None:
    source = load_source("simulated_parquet")
    path = var / "landing" / source.name / "arrived=2026-11-10T10" / "part.parquet"
    path.parent.mkdir(parents=True)
    columns = {name: column.path for name, column in source.columns.items()}
    user = columns["user_id"]
    assert user is not None
    table = pa.table({user: [BELA, ANNA, BELA], "n": [1, 2, 3], "tags": [["a"], ["b"], ["c"]]})
    pq.write_table(table, path, compression="zstd")
    erased(ANNA)
    assert erase_landing.main([])["lines_blanked"] == 1
    left = pq.read_table(path)
    assert left.to_pylist() == [table.to_pylist()[0], dict.fromkeys(table.column_names), table.to_pylist()[2]]
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("who", ["who", "acts[].who"])
def test_parquet_rows_with_an_element_of_an_erased_user_become_nulls(
    var: Path, ours: None, erased: Callable[[str], str], who: str
) -> None:
    source = Source.model_validate(
        {
            "name": "batches",
            "format": "parquet",
            "each": "acts[]",
            "columns": {"user_id": {"path": who}, "event_type": {"constant": "view"}, "event_time": {"path": "acts[].at"}},
            "event_types": {"view": "view"},
        }
    )
    people = [[BELA, BELA], [BELA, ANNA], [ANNA], [BELA]] if who != "who" else [[BELA], [ANNA], [ANNA], [BELA]]
    rows = [{"who": of[0], "acts": [{"who": one, "at": "1998-04-16T14:00:00Z"} for one in of]} for of in people]
    path = var / "landing" / "batches" / "arrived=1998-04-16T15" / "part.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    erased(ANNA)
    file = found_file("batches", path, var / "landing", datetime(1998, 4, 16, 16, tzinfo=UTC))
    lines = lines_of_erased(file, source, pseudonym_key(get_settings()), read_erased())
    assert sorted(lines.of) == [2, 3]
    blank(path, lines, source)
    nothing = {"who": None, "acts": None}
    assert pq.read_table(path).to_pylist() == [rows[0], nothing, nothing, rows[3]]
    assert lines_of_erased(file, source, pseudonym_key(get_settings()), read_erased()).of == {}


def test_broken_line_is_found_by_raw_id(deliver: Deliver, ours: None, erased: Callable[[str], str], tmp_path: Path) -> None:
    path = deliver(line(user=BELA), line(user=ANNA)[:-9], '{"user": "someb')
    erased(ANNA)
    with pytest.raises(NobodyFound, match="--from also searches broken lines"):
        erase_landing.main([])
    assert erase_landing.main(["--from", str(tmp_path / "asked.txt")])["lines_blanked"] == 1
    assert [bool(text) for text in gzip.decompress(path.read_bytes()).split(b"\n")] == [True, False, True, False]


def test_damaged_file_is_listed_and_not_rewritten(deliver: Deliver, ours: None, erased: Callable[[str], str]) -> None:
    path = deliver(*[line(user=ANNA if i == 0 else BELA, event_id=f"e{i}", item=str(i * i)) for i in range(2000)])
    path.write_bytes(path.read_bytes()[:-2000])
    before = path.read_bytes()
    erased(ANNA)
    answer = erase_landing.main([])
    assert answer["still_hold"] == ["movielens/arrived=1998-04-16T15/part-000.jsonl.gz"]
    assert path.read_bytes() == before


def test_rerun_of_a_day_does_not_restore_an_erased_user(
    deliver: Deliver, erased: Callable[[str], str], cleaned: Callable[..., dict[str, object]]
) -> None:
    deliver(
        line(user=ANNA, event_id="a1"),
        line(user=ANNA, event_id="a1"),
        line(user=ANNA, event_id="a2", type="jump"),
        line(user=BELA, event_id="b1"),
    )
    before = cleaned()
    erased(ANNA)
    after = cleaned(run="again")
    who = pseudonym(pseudonym_key(get_settings()), ANNA)
    assert who in json.dumps(before["events"], default=str)
    assert who not in json.dumps([after["events"], after["rejects"]], default=str)
    figures = after["figures"]
    assert isinstance(figures, dict)
    assert {k: figures[k] for k in ("lines_read", "events", "rejects", "duplicates", "set_aside")} == {
        "lines_read": 4, "events": 1, "rejects": 3, "duplicates": 0, "set_aside": 3,
    }  # fmt: skip
    assert figures["reasons"] == {"person.erased": 3}
    assert date(1998, 4, 16) == after["events"][0]["arrived_on"]  # type: ignore[index]


def test_places_that_no_mapping_reads_are_listed(deliver: Deliver, ours: None, erased: Callable[[str], str], var: Path) -> None:
    deliver(line(user=ANNA))
    deliver(line(user=ANNA), source="oldshop")
    landing = var / "landing"
    (landing / "movielens" / "arrived=1998-04-16").mkdir()
    deliver(line(user=ANNA), name="more/part-000.jsonl.gz")
    (landing / "movielens" / "arrived=1998-04-16T15" / "_partial.jsonl").write_text(line(user=ANNA))
    (landing / os.fsdecode(b"caf\xe9")).mkdir()
    (landing / "movielens-items" / "arrived=1998-04-16T15").mkdir(parents=True)
    erased(ANNA)
    answer = erase_landing.main([])
    assert answer["lines_blanked"] == 2
    assert answer["not_searched"] == [
        r"caf\xe9",
        "movielens/arrived=1998-04-16",
        "movielens/arrived=1998-04-16T15/_partial.jsonl",
        "oldshop",
    ]
    landed = read_receipt(receipts(get_settings())[0]).landing
    assert landed is not None
    assert landed.not_searched == answer["not_searched"]


def test_a_line_that_found_nobody_anywhere_is_an_exit_code_of_its_own(deliver: Deliver, erased: Callable[[str], str]) -> None:
    deliver(line(user=ANNA))
    erased(f"{ANNA}\n{BELA}\n")
    with pytest.raises(NobodyFound, match=r"1 lines .* found nobody, neither in the lake nor in the landing zone"):
        erase_landing.main([])
    receipt = read_receipt(receipts(get_settings())[0])
    assert [(found.line, found.found_in) for found in receipt.lines] == [(1, ["landing"]), (2, [])]
    with pytest.raises(NothingToDo):  # a second run of the workflow does not report it again
        erase_landing.main([])
