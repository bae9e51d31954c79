"""A Spark home on this machine from which Python starts quickly.

Spark puts its own ``pyspark.zip`` before everything else on the path of every Python that it starts, and Python compiles what
it imports from a zip file anew each time: about a second of CPU for each driver and each worker. In a home without the zip
file they import the installed package, which is compiled once. Clusters have a home of their own and do not need this one.

``python -m jobs.spark_home`` makes it and prints where it is.
"""

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from schemas.cli import run_command
from schemas.errors import ConfigError
from schemas.settings import get_settings


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


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Make the home and print where it is."""
    argparse.ArgumentParser(description="Make the Spark home of this machine.").parse_args(argv)
    return {"spark_home": str(spark_home(get_settings().var / "spark" / "home"))}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
