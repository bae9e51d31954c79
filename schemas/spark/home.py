"""The local Spark installation: its Java, a Spark home that starts quickly, and a class archive.

A job on a small day takes seconds, mostly for start-up. ``python -m jobs.prepare_spark`` makes two things that shorten it, and
prints their paths:

- A Spark home without ``pyspark.zip``. Spark puts this file first on the path of every Python process that it starts, and
  Python compiles modules from zip files at each import. Without it, Python imports the installed package.
- A class archive (JEP 350, application class-data sharing): the JVM maps classes into memory instead of loading and verifying
  them.

Clusters have their own Spark home and need neither.
"""

import os
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings
from schemas.spark.java import Java, find_java

WORKER_DAEMON = "schemas.spark.worker_daemon"
"""The module that forks Spark's Python workers on this machine; on a cluster PySpark's own does."""


@dataclass(frozen=True)
class Prepared:
    """The paths of a local Spark. The file ``class_archive`` may not exist; Java then starts without it."""

    java: Java
    spark_home: Path
    class_archive: Path

    def java_options(self, settings: Settings) -> str:
        """Java options for a local driver."""
        options = settings.spark_driver_java_options
        if self.class_archive.exists():
            # Java ignores an archive that does not fit; the log options suppress its warning at each start.
            options += f" -XX:SharedArchiveFile={self.class_archive} -Xlog:disable -Xlog:all=error:stderr"
        return options.strip()


def prepared(settings: Settings) -> Prepared:
    """Find the Java and prepare the Spark home of a local driver; quick, as it does not create the archive."""
    folder = settings.var / "spark"
    java = find_java(os.environ, settings.var / "java")
    archive = folder / f"classes-java{java.version}-{java.origin}-spark{version('pyspark')}.jsa"
    return Prepared(java, spark_home(folder / "home"), archive)


def spark_home(folder: Path) -> Path:
    """Create or update a Spark home in ``folder``: links to the installed package, without its ``python`` folder.

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
