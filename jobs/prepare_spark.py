"""Prepare Spark on this machine, once, as ``schemas.spark.home`` describes, and print its paths."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.runtime.cli import log, parser_of, run_command
from schemas.runtime.settings import Settings, get_settings
from schemas.spark.home import Prepared, prepared


def archive_classes(ready: Prepared, settings: Settings) -> bool:
    """Make the class archive by running a small job that loads the same classes as the jobs. Spark also starts without it.

    Args:
        ready: the prepared Java and Spark.
        settings: the settings.

    Returns:
        Whether the archive exists.
    """
    if ready.class_archive.exists():
        return True
    log.info("archiving Spark's classes; happens once and takes about a minute")
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
        command += [str(Path(__file__).parent / "exchange" / "warm_up.py")]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, encoding="utf-8", errors="replace"
        )
        if done.returncode == 0 and fresh.exists():
            fresh.replace(ready.class_archive)
            return True
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    log.warning("no class archive; Spark starts some seconds slower without it", java=str(ready.java.home), said=said[:300])
    return False


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Prepare Spark and print the paths that it starts from."""
    parser_of(
        "Prepare Spark on this machine: Java, a home that starts quickly, a class archive.", "python -m jobs.prepare_spark"
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
