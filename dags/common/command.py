"""One of the project's commands, run by a task: below the fork server where there is one, otherwise by itself."""

import os
import sys
from collections import deque
from collections.abc import Sequence
from subprocess import PIPE, STDOUT, Popen
from typing import TYPE_CHECKING, Any

from dags.common.command_result import KEPT_LINES, end_group, failure, own_group, result_line
from dags.common.defaults import ROOT

if TYPE_CHECKING:
    from schemas.runtime.fork_client import ForkedCommand


class Command:
    """A running ``python -m module arguments``, with the project's root as its working directory.

    Args:
        module: the module.
        arguments: its arguments.
        log: of the task; it gets the output.
        spark: the Spark master of a command that may use the Spark which the fork server holds.

    Raises:
        NotForkedError: ``spark`` is given, and there is no fork server with such a Spark.
    """

    def __init__(self, module: str, arguments: Sequence[str], log: Any, spark: str | None = None) -> None:
        self.module = module
        self.log = log
        self.process: Popen[str] | ForkedCommand = self._start(arguments, spark)
        log.info("Running: python -m %s", " ".join([module, *arguments]))

    def _start(self, arguments: Sequence[str], spark: str | None) -> "Popen[str] | ForkedCommand":
        # Imported here: Airflow reads the workflows without this project's modules.
        from schemas.runtime.errors import ConfigError
        from schemas.runtime.fork_client import NotForkedError, fork_command
        from schemas.runtime.settings import get_settings

        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        try:
            settings = get_settings()
            if not settings.fork_server:
                raise NotForkedError("CLICKWRIGHT_FORK_SERVER is false")
            return fork_command(settings.var / "run", self.module, arguments, environment, ROOT, spark)
        except (NotForkedError, ConfigError) as error:  # a wrong setting: the command itself says so, with the task's result
            if spark is not None:
                raise NotForkedError(str(error)) from None
            self.log.info("Started by itself: %s", error)
        # No `with Popen(...)`: on a timeout it would wait for the command before `end` could end it.
        return Popen(
            [sys.executable, "-u", "-m", self.module, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
            errors="backslashreplace",
            **own_group(),
        )

    def result(self) -> dict[str, Any] | None:
        """Pass the output to the log until the command ends. Returns the last JSON object that it printed.

        Raises:
            AirflowException: the command failed (see `dags.common.command_result.failure`).
        """
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line.rstrip())
            self.log.info("%s", lines[-1])
        exit_code = self.process.wait()
        if exit_code:
            raise failure(self.module, exit_code, lines)
        return result_line(lines)

    def end(self) -> None:
        """End the command and its children."""
        end_group(self.process)
