"""The engines, and how to start each: a separate program with an input and an output folder."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from schemas.runtime.settings import ROOT
from schemas.spark.java import find_java
from tests.benchmarks.job import THREADS

PEERS = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True)
class Engine:
    """How to start an engine, and how to compare its output: all rows, rule 1 only, or nothing."""

    name: str
    module: str
    compared: str = "all"
    peer: bool = False
    """Whether it runs in the separate environment of the other engines."""

    def command(self, source: Path, target: Path, *more: str) -> list[str]:
        python = str(PEERS) if self.peer else sys.executable
        return [python, "-m", f"tests.benchmarks.engines.{self.module}", str(source), str(target), *more]


CLICKWRIGHT = Engine("clickwright", "clickwright")
REPLAY = Engine("replay", "replay_sessionizer", "rule 1", peer=True)
TWO_JOBS = Engine("clickwright, two jobs", "two_jobs", "nothing")
ENGINES = [
    CLICKWRIGHT,
    TWO_JOBS,
    Engine("spark", "spark_windows"),
    Engine("spark, one shuffle", "spark_one_shuffle"),
    Engine("spark session_window", "session_window", "rule 1"),
    Engine("duckdb", "duckdb_sql", peer=True),
    Engine("polars streaming", "polars_streaming"),
    REPLAY,
    Engine("pyarrow copy", "pyarrow_copy", "nothing"),
]


def environment(state: Path) -> dict[str, str]:
    """The environment variables, the same for all engines."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "JAVA_HOME": str(find_java(os.environ, state / "java").home),
        "PYTHONPATH": str(ROOT),
        "POLARS_MAX_THREADS": str(THREADS),
        "CLICKWRIGHT_VAR": str(state),
    }
