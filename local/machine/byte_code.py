"""Write the byte code of the modules that the commands and the services import: ``python -m local.machine.byte_code``.

``make install`` lets pip compile nothing, because most modules of the packages are never imported: all byte code takes 0.5 GB,
that of the used modules 0.1 GB. Written at installation, it also serves users who may not write into the environment, and
shells in which PYTHONDONTWRITEBYTECODE is set.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from schemas.runtime.cli import parser_of, run_command
from schemas.runtime.errors import ClickwrightError

SERVICES = (
    "airflow.__main__",
    "airflow.api_fastapi.main",
    "airflow.dag_processing.manager",
    "airflow.executors.local_executor",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.providers.apache.spark.operators.spark_submit",
    "airflow.providers.standard.operators.python",
    "airflow.sdk.execution_time.task_runner",
)
COMMANDS = (
    "great_expectations",
    "mlflow.pyfunc",
    "mlflow.server.fastapi_app",
    "polars",
    "pyiceberg.catalog.sql",
    "pyspark.sql",
    "sklearn.utils.extmath",
    "torch",
    "transformers",
    "jobs.clean",
    "jobs.profiles",
    "jobs.sessionize",
    "local.demo.__main__",
    "ml.copywriter",
    "ml.recommend",
    "ml.register_challenger",
    "ml.train",
    "schemas.maintenance.__main__",
    "schemas.publishing.audit",
    "schemas.publishing.publish",
)
"""What each imports is compiled too, so the list names the tops only."""

LEFT_OUT = ("PYTHONDONTWRITEBYTECODE", "CLICKWRIGHT_", "AIRFLOW_")
"""Variables that the imports must not see: an installation does not depend on settings."""


def write(groups: Sequence[Sequence[str]]) -> None:
    """Import groups of modules, each in a process of its own, all at once.

    Args:
        groups: names of modules.

    Raises:
        ClickwrightError: a module cannot be imported.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
        environment |= {"AIRFLOW_HOME": home, "PYTHONWARNINGS": "ignore", "MLFLOW_DISABLE_TELEMETRY": "true"}
        running = [
            subprocess.Popen(
                [sys.executable, "-c", f"import {', '.join(group)}"],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
            for group in groups
        ]
        said = [process.communicate()[1].strip().splitlines() for process in running]
    for process, lines in zip(running, said, strict=True):
        if process.returncode:
            why = lines[-1] if lines else f"exit code {process.returncode}"
            raise ClickwrightError(f"a package cannot be imported ({why}); in {sys.prefix}; run `make doctor`")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the byte code."""
    parser_of(__doc__, "python -m local.machine.byte_code").parse_args(argv)
    write([SERVICES, COMMANDS])
    return {"imported": len(SERVICES) + len(COMMANDS)}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
