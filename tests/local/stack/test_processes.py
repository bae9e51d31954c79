"""Background processes are found by their id and start time, and ended with all their children."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local.stack.__main__ import Services
from local.stack.processes import Daemon, Daemons, boot_id, port_in_use, start_ticks
from schemas.runtime.settings import Settings
from tests.polling import gone, until, wait_for

# Starts a child in a new session, writes its id, then runs the test's code.
PARENT = """
import subprocess, sys, pathlib, time, signal
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
"""
IGNORES = "\nsignal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    made = Daemons(tmp_path / "run", tmp_path / "logs")
    yield made
    made.stop(["one"], grace_s=0.1, say=lambda text: None)


@pytest.fixture
def start(daemons: Daemons, tmp_path: Path) -> Callable[[str], psutil.Process]:
    """Start the parent with this code at its end; returns its child."""

    def go(code: str) -> psutil.Process:
        command = [sys.executable, "-c", PARENT + code, str(tmp_path / "child")]
        daemons.start(Daemon("one", command), {}, tmp_path)
        return psutil.Process(int(wait_for(tmp_path / "child")))

    return go


def stop(daemons: Daemons) -> tuple[int, list[str]]:
    said: list[str] = []
    return daemons.stop(["one"], grace_s=1, say=said.append), said


def test_daemon_is_found_and_ended_with_its_children(daemons: Daemons, start: Callable[[str], psutil.Process]) -> None:
    child = start("\ntime.sleep(600)")
    found = daemons.find("one")
    assert found is not None
    assert stop(daemons)[0] == 2
    assert gone(child)
    assert gone(found)
    assert daemons.find("one") is None
    assert stop(daemons) == (0, [])


def test_orphans_without_the_mark_are_ended(daemons: Daemons, tmp_path: Path) -> None:
    """Airflow's workers lose the mark when they rename themselves; here the daemon was also restarted."""
    code = "import subprocess, sys, pathlib, time; child = subprocess.Popen(['sleep', '600'], env={}); "
    code += "pathlib.Path(sys.argv[1]).write_text(str(child.pid)); time.sleep(600)"
    orphans = []
    for n in range(2):
        daemons.start(Daemon("one", [sys.executable, "-c", code, str(tmp_path / f"child{n}")]), {}, tmp_path)
        orphans.append(psutil.Process(int(wait_for(tmp_path / f"child{n}"))))
        head = daemons.find("one")
        assert head is not None
        head.kill()
        head.wait()
    assert daemons.find("one") is None
    assert stop(daemons)[0] == 2
    assert all(map(gone, orphans))
    assert stop(daemons) == (0, [])


def test_process_that_ignores_sigterm_is_killed(daemons: Daemons, start: Callable[[str], psutil.Process]) -> None:
    child = start(IGNORES)
    ended, said = stop(daemons)
    assert ended == 2
    assert "killed" in said[-1]
    assert gone(child)


def test_orphan_is_found(daemons: Daemons, start: Callable[[str], psutil.Process]) -> None:
    child = start("")
    while daemons.find("one"):
        time.sleep(0.05)
    assert [stray.pid for stray in daemons.strays()] == [child.pid]
    assert stop(daemons)[0] == 1
    assert gone(child)


@pytest.fixture
def other() -> Iterator["subprocess.Popen[bytes]"]:
    """Somebody else's program, with a session of its own."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True) as process:
        yield process
        process.kill()


def record(pid: int, started_earlier: int) -> str:
    return json.dumps({"pid": pid, "boot": boot_id(), "ticks": start_ticks(pid) - started_earlier})


def test_reused_process_id_is_left_alone(daemons: Daemons, other: "subprocess.Popen[bytes]") -> None:
    daemons.run_dir.mkdir()
    file = daemons.run_dir / "one.pid"
    file.write_text(record(other.pid, 0))
    assert daemons.find("one") is not None
    file.write_text(record(other.pid, 1))
    assert daemons.find("one") is None
    assert not file.exists()
    file.write_text(record(other.pid, 1))
    (daemons.run_dir / "sessions.jsonl").write_text(record(other.pid, 1))
    assert stop(daemons) == (0, [])
    assert other.poll() is None


def test_process_of_an_earlier_boot_is_left_alone(daemons: Daemons, other: "subprocess.Popen[bytes]") -> None:
    daemons.run_dir.mkdir()
    before = {**json.loads(record(other.pid, 0)), "boot": "of yesterday"}
    for name in ("one.pid", "sessions.jsonl"):
        (daemons.run_dir / name).write_text(json.dumps(before))
    assert stop(daemons) == (0, [])
    assert other.poll() is None


def test_torn_lines_hide_no_process(daemons: Daemons, start: Callable[[str], psutil.Process]) -> None:
    """A full disk cuts a line off; the line after it counts all the same."""
    daemons.run_dir.mkdir()
    sessions = daemons.run_dir / "sessions.jsonl"
    sessions.write_bytes(b'{"pid": 1, "boot')
    child = start("")
    with sessions.open("ab") as file:
        file.write(b'[]\n{"pid": "7"}\n\xff\xfe\n{"pid": 12')
    while daemons.find("one"):
        time.sleep(0.05)
    assert stop(daemons)[0] == 1
    assert gone(child)


def test_daemon_is_known_although_its_file_cannot_be_written(daemons: Daemons, tmp_path: Path) -> None:
    """As on a full disk: here a folder stands in the way. Otherwise the keeper would start it again and again."""
    (daemons.run_dir / "one.pid").mkdir(parents=True)
    (daemons.run_dir / "sessions.jsonl").mkdir()
    daemons.start(Daemon("one", ["sleep", "600"]), {}, tmp_path)
    found = daemons.find("one")
    assert found is not None
    elsewhere = Daemons(daemons.run_dir, daemons.log_dir)  # `make down` knows only the mark
    assert [stray.pid for stray in elsewhere.strays()] == [found.pid]
    assert elsewhere.stop(["one"], grace_s=1, say=lambda text: None) == 1
    found.wait()
    assert daemons.find("one") is None
    for name in ("one.pid", "sessions.jsonl"):
        (daemons.run_dir / name).rmdir()


def test_keeper_survives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written: not its lock, not its log."""
    (tmp_path / "run").write_text("a file where the folder should be")
    with open("/dev/full", "w") as log:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", log)
        Services(Settings(var=tmp_path)).restart_ended()
        monkeypatch.undo()
        log.close = lambda: None  # type: ignore[method-assign]


def test_files_of_daemons_are_private(daemons: Daemons, tmp_path: Path) -> None:
    daemons.start(Daemon("one", ["touch", str(tmp_path / "made")]), {}, tmp_path)
    wait_for_file = tmp_path / "made"
    until(wait_for_file.exists)
    assert wait_for_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "not json", "{}", "[]", '{"pid": 999999999, "boot": "b", "ticks": 1}'])
def test_invalid_pid_file_is_ignored(daemons: Daemons, text: str) -> None:
    daemons.run_dir.mkdir()
    (daemons.run_dir / "one.pid").write_text(text)
    assert daemons.find("one") is None


def test_port_in_use_names_its_owner() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert port_in_use("127.0.0.1", port) is not None
        server.listen()
        owner = port_in_use("127.0.0.1", port)
        assert owner is not None
        assert str(psutil.Process().pid) in owner
    assert port_in_use("127.0.0.1", port) is None
