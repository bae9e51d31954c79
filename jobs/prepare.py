"""Prepare Spark on this machine, once: find its Java, make a home from which it starts quickly, and archive its classes.

A job on a small day lives for seconds, most of them start-up. Two things make it short, and both are made by ``python -m
jobs.prepare``, which prints where they are:

- A Spark home without ``pyspark.zip``. Spark puts that file before everything else on the path of every Python that it starts,
  and Python compiles what it imports from a zip file anew each time; without it they import the installed package.
- A class archive (JEP 350, application class-data sharing), so that the JVM maps its classes rather than load and verify them.

Clusters have a home of their own and need neither.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jobs.java import Java, find_java
from schemas.cli import log, run_command
from schemas.errors import ConfigError
from schemas.settings import Settings, get_settings


@dataclass(frozen=True)
class Prepared:
    """Where Spark starts from. ``class_archive`` may not be there: Java then starts without it."""

    java: Java
    spark_home: Path
    class_archive: Path

    def java_options(self, settings: Settings) -> str:
        """Options for a driver on this machine."""
        options = settings.spark_driver_java_options
        if self.class_archive.exists():
            # An archive that does not fit is left aside by Java; it need not say so at each start.
            options += f" -XX:SharedArchiveFile={self.class_archive} -Xlog:disable -Xlog:all=error:stderr"
        return options.strip()


def prepared(settings: Settings) -> Prepared:
    """What a driver on this machine starts with; quick, makes no archive."""
    folder = settings.var / "spark"
    java = find_java(os.environ, settings.var / "java")
    archive = folder / f"classes-java{java.version}-{java.origin}-spark{version('pyspark')}.jsa"
    return Prepared(java, spark_home(folder / "home"), archive)


def spark_home(folder: Path) -> Path:
    """The home in ``folder``: links to the installed package, without its ``python`` part. Made when it is not there.

    Raises:
        ConfigError: the package pyspark is not installed.
    """
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ConfigError("package pyspark is not installed; in this environment; run `make .venv`")
    package = Path(spec.origin).parent
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("bin", "jars"):
        link, target = folder / name, package / name
        if not link.is_symlink() or link.readlink() != target:
            fresh = folder / f".{name}.{os.getpid()}"
            fresh.symlink_to(target)
            fresh.replace(link)
    return folder


def archive_classes(ready: Prepared, settings: Settings) -> bool:
    """Make the class archive by a small job that uses what the jobs use. Returns whether it is there; nothing depends on it."""
    if ready.class_archive.exists():
        return True
    log.info("archiving Spark's classes; once, about a minute")
    with tempfile.TemporaryDirectory(dir=ready.class_archive.parent) as scratch:
        fresh = Path(scratch) / "classes.jsa"
        options = f"{settings.spark_driver_java_options} -XX:ArchiveClassesAtExit={fresh} -Xlog:disable"
        environment = {
            **os.environ,
            "JAVA_HOME": str(ready.java.home),
            "SPARK_HOME": str(ready.spark_home),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(settings.root),
        }
        command = [str(ready.spark_home / "bin" / "spark-submit"), "--master", "local[2]"]
        conf = {"spark.driver.extraJavaOptions": options, "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1"}
        command += [argument for key, value in conf.items() for argument in ("--conf", f"{key}={value}")]
        command += [str(Path(__file__).parent / "warm_up.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0 and fresh.exists():
            fresh.replace(ready.class_archive)
            return True
    said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    log.warning("no class archive; Spark starts without it, some seconds later", java=str(ready.java.home), said=said[:300])
    return False


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Prepare Spark and print where it starts from."""
    argparse.ArgumentParser(
        description="Prepare Spark on this machine: Java, a home that starts quickly, a class archive."
    ).parse_args(argv)
    settings = get_settings()
    ready = prepared(settings)
    if settings.spark_class_archive:
        archive_classes(ready, settings)
    return {
        "java_home": str(ready.java.home),
        "java": f"{ready.java.origin} {ready.java.version}",
        "spark_home": str(ready.spark_home),
        "java_options": ready.java_options(settings),
    }


if __name__ == "__main__":
    raise SystemExit(run_command(main))
