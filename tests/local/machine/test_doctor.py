"""``make doctor`` lists the parts that a machine lacks, each with the next command, and changes nothing."""

import ast
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.machine import doctor
from local.machine.doctor import Finding, Machine
from schemas.runtime.settings import ROOT
from tests.polling import until

DOCTOR = ROOT / "local" / "machine" / "doctor.py"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A folder with locks and nothing else: no environment, no state, nothing on the path."""
    (tmp_path / "requirements.lock").write_text("click==8.5.1 \\\n    --hash=sha256:00\nzipp==4.1.2 \\\n    --hash=sha256:11\n")
    (tmp_path / "requirements-torch.lock").write_text("torch==2.13.0 \\\n    --hash=sha256:22\n")
    return Machine(tmp_path, tmp_path / ".venv", sys.executable, {"PATH": str(tmp_path)})


def installed(machine: Machine, *packages: str) -> Machine:
    """The machine with an environment that holds some packages."""
    folder = machine.venv / "lib" / "python3.11" / "site-packages"
    for package in packages:
        (folder / f"{package}.dist-info").mkdir(parents=True)
    (machine.venv / "bin").mkdir()
    (machine.venv / "bin" / "python").symlink_to(sys.executable)
    return machine


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command as ``make`` does, with the system's Python."""
    command = ["python3", str(DOCTOR), *arguments]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def test_it_runs_on_any_python_from_3_8_with_nothing_installed() -> None:
    tree = ast.parse(DOCTOR.read_text(), feature_version=(3, 8))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_it_lists_everything_and_says_what_comes_next() -> None:
    done = run("--python", sys.executable, CLICKWRIGHT_AIRFLOW_PORT="8391", CLICKWRIGHT_MLFLOW_PORT="5391")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Nothing is missing; next: make demo\n")
    things = [line[10:28].strip() for line in done.stdout.splitlines()[:-2]]
    assert things == [
        *("system", "make", "Python", "disk, environment", "disk, temporary", "environment", "settings"),
        *("git", "state", "disk, state", "memory", "cores", "port 8391", "port 5391"),
        *("services", "Java", "Chromium", "locale", "clock"),
    ]


def test_before_an_installation_it_is_silent_unless_something_is_missing() -> None:
    assert run("--before", "install", "--python", sys.executable).stdout == ""
    refused = run("--before", "install", "--python", "python2.7")
    assert refused.returncode == 1
    assert (
        "error: Python: 'python2.7' is not there, and 3.11 is needed; on this machine; apt install python3.11" in refused.stderr
    )


def test_a_program_that_is_not_on_the_path_is_missing(machine: Machine) -> None:
    check = doctor.program("git", "commits name their code by it")
    assert check(machine) == Finding("missing", "git", "not on PATH; commits name their code by it", "apt install git")


def test_a_full_disk_is_missing_space(machine: Machine) -> None:
    assert doctor.space("disk", machine.root / "none" / "yet", 0, "").state == "ok"
    full = doctor.space("disk", machine.root, 10**9, "make install VENV=/path/to/folder")
    assert (full.state, full.next) == (
        "missing",
        f"df -h {machine.root}; free some, or name another folder: make install VENV=/path/to/folder",
    )


def test_a_port_of_another_program_is_missing_one_of_ours_is_not(machine: Machine) -> None:
    # A process of its own, as workers of pytest rename themselves.
    sleeps = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    until(lambda: b"python" in Path("/proc", str(sleeps.pid), "cmdline").read_bytes())  # empty for a moment after the start
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        busy = machine._replace(environment={"CLICKWRIGHT_AIRFLOW_PORT": str(port), "CLICKWRIGHT_MLFLOW_PORT": "5391"})
        of_another, free = doctor.ports(busy)
        (machine.var / "run").mkdir(parents=True)
        (machine.var / "run" / "mlflow.pid").write_text(json.dumps({"pid": sleeps.pid}))
        ours, _ = doctor.ports(busy)
    assert (of_another.state, of_another.next) == ("missing", f"CLICKWRIGHT_AIRFLOW_PORT={port + 10} make up")
    assert (free.state, free.found) == ("ok", "free")
    assert (ours.state, ours.found) == ("ok", "in use, by the services of this folder")
    assert doctor.leftovers(machine).found == "running: mlflow"
    sleeps.kill()
    sleeps.wait()


def test_the_environment_is_compared_with_the_locks(machine: Machine) -> None:
    assert doctor.packages(machine).next == "make install"
    installed(machine, "click-8.5.1", "torch-2.13.0+cpu")
    lacking = doctor.packages(machine)
    assert (lacking.state, lacking.found) == ("missing", "1 of 3 packages are missing or have another version, such as zipp")
    (machine.venv / "lib" / "python3.11" / "site-packages" / "zipp-4.1.2.dist-info").mkdir()
    assert doctor.packages(machine) == Finding("ok", "environment", "3 packages as in the lock")


def test_a_wrong_setting_is_named(machine: Machine) -> None:
    wrong = machine._replace(root=ROOT, venv=Path(sys.prefix), environment={**os.environ, "CLICKWRIGHT_SEEED": "7"})
    found = doctor.settings(wrong)
    assert (found.state, "CLICKWRIGHT_SEEED" in found.found) == ("missing", True)


def test_java_and_chromium_are_optional(machine: Machine) -> None:
    assert doctor.java(machine).found == "none on PATH; the environment brings one"
    assert {doctor.java(machine).state, doctor.chromium(machine).state} == {"optional"}


@pytest.mark.parametrize(("variable", "state"), [("C.UTF-8", "ok"), ("de_DE.utf8", "ok"), ("C", "optional")])
def test_a_locale_without_unicode_is_told(machine: Machine, variable: str, state: str) -> None:
    assert doctor.locale(machine._replace(environment={"LC_ALL": variable})).state == state


def test_a_look_changes_nothing(machine: Machine) -> None:
    before = sorted(machine.root.rglob("*"))
    list(doctor.everything(machine))
    assert sorted(machine.root.rglob("*")) == before
