"""Pseudonyms in logs and pages are painted over while other processes write them."""

import gzip
import os
import threading
from pathlib import Path

import pytest

from schemas.erasure.pages import PAINTED, WIDTH, paint_over
from schemas.runtime.settings import get_settings

PERSON = "0123456789abcdef" * 4
OTHER = "f" * 64


@pytest.fixture
def logs(var: Path) -> Path:
    folder = var / "logs"
    folder.mkdir(parents=True)
    return folder


def test_an_open_log_keeps_what_is_written_meanwhile(logs: Path) -> None:
    log = logs / "scheduler.log"
    with log.open("a") as writer:
        writer.write(f"user {PERSON} seen\n")
        writer.flush()
        assert paint_over(get_settings(), [PERSON]).done == ["logs/scheduler.log"]
        writer.write("a line after the painting\n")
    assert log.read_text() == f"user {PAINTED.decode()} seen\na line after the painting\n"


def test_no_line_of_a_busy_log_is_lost(logs: Path) -> None:
    log, lines = logs / "busy.log", 20_000

    def write() -> None:
        with log.open("a") as writer:
            for number in range(lines):
                writer.write(f"{number} {PERSON if number % 100 == 0 else OTHER}\n")

    writing = threading.Thread(target=write)
    writing.start()
    while writing.is_alive():
        paint_over(get_settings(), [PERSON])
    paint_over(get_settings(), [PERSON])
    found = log.read_text().splitlines()
    assert [int(line.split()[0]) for line in found] == list(range(lines))
    assert PERSON not in log.read_text()


def test_a_log_that_is_rotated_away_during_the_search_is_found(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import schemas.erasure.pages as module

    (logs / "scheduler.log").write_text(f"user {PERSON} seen\n")
    first, is_text = [True], module._is_text

    def rotate(path: Path) -> bool:
        if first.pop() if first else False:
            path.rename(logs / "a-rotated.log")
        return is_text(path)

    monkeypatch.setattr(module, "_is_text", rotate)
    assert paint_over(get_settings(), [PERSON]).done == ["logs/a-rotated.log"]
    assert PERSON not in (logs / "a-rotated.log").read_text()


def test_a_log_is_text_by_its_content_not_by_its_name(logs: Path) -> None:
    for name in ("scheduler.log.1", "alarms.jsonl", "worker.err", "noname"):
        (logs / name).write_text(f"{PERSON}\n")
    (logs / "state.db").write_bytes(b"SQLite\0" + PERSON.encode())
    (logs / "old.log.gz").write_bytes(gzip.compress(PERSON.encode()))
    (logs / os.fsdecode(b"caf\xe9.bin")).write_bytes(b"\0" + PERSON.encode())
    (logs / "damaged.log.gz").write_bytes(gzip.compress(PERSON.encode())[:20])
    (logs / f"user={PERSON}").mkdir()
    (logs / f"user={PERSON}" / "1.log").write_text("nothing")
    painted = paint_over(get_settings(), [OTHER, PERSON])
    assert painted.done == ["logs/alarms.jsonl", "logs/noname", "logs/scheduler.log.1", "logs/worker.err"]
    assert painted.elsewhere == [r"logs/caf\xe9.bin", "logs/old.log.gz", "logs/state.db", "logs/user=01234567…/1.log"]
    assert painted.persons == {"pages": {PERSON}, "files elsewhere": {PERSON}}


@pytest.mark.parametrize("before", [0, 1, (1 << 20) - WIDTH, (1 << 20) - 10, (1 << 20) + 5])
def test_a_pseudonym_is_found_at_any_place_of_a_large_file(logs: Path, before: int) -> None:
    content = b"x" * before + PERSON.encode() + b"y" * (1 << 20) + PERSON.encode()
    (logs / "large.log").write_bytes(content)
    paint_over(get_settings(), [PERSON])
    assert (logs / "large.log").read_bytes() == content.replace(PERSON.encode(), PAINTED)
