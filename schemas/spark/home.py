"""Where Spark starts from on this machine: its Java, a home from which it starts quickly, an archive of its classes.

A job on a small day lives for seconds, most of them start-up. Two things make it short, and both are made by ``python -m
jobs.prepare_spark``, which prints where they are:

- A Spark home without ``pyspark.zip``. Spark puts that file before everything else on the path of every Python that it starts,
  and Python compiles what it imports from a zip file anew each time; without it they import the installed package.
- A class archive (JEP 350, application class-data sharing), so that the JVM maps its classes rather than load and verify them.

Clusters have a home of their own and need neither.
"""

import os
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings
from schemas.spark.java import Java, find_java


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
