"""Operator that runs one of the project's commands, ``python -m <module> <arguments>``."""

import os
import sys
from collections import deque
from collections.abc import Sequence
from subprocess import PIPE, STDOUT, Popen
from typing import Any

from airflow.sdk import BaseOperator, Context

from dags.common.command_result import KEPT_LINES, end_group, failure, given, own_group, result_line
from dags.common.defaults import ROOT


class ModuleOperator(BaseOperator):
    """Run ``python -m module arguments`` from the project's root, with this worker's interpreter and environment.

    The command's output is streamed to the task's log. The last JSON object that it prints is the task's result (XCom).
    On failure the message is the command's own ``error: ...`` line, and its exit code decides about a retry (see
    `dags.common.command_result`).

    Args:
        module: the module to run, such as ``schemas.publishing.audit``.
        arguments: its arguments (templated); an argument that renders to nothing is left out.
        writes: the tables that the command writes; an alert about its failure names them.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#e8f4f0"

    def __init__(self, *, module: str, arguments: Sequence[str] = (), writes: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.module = module
        self.arguments = list(arguments)
        self.writes = tuple(writes)
        self._process: Popen[str] | None = None

    def execute(self, context: Context) -> dict[str, Any] | None:
        command = [sys.executable, "-u", "-m", self.module, *given(self.arguments)]
        self.log.info("Running: python -m %s", " ".join(command[3:]))
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        # No `with Popen(...)`: on a timeout it would wait for the command before `on_kill` could end it.
        self._process = Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
            errors="backslashreplace",
            **own_group(),
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            lines.append(line.rstrip())
            self.log.info("%s", lines[-1])
        exit_code = self._process.wait()
        if exit_code:
            raise failure(self.module, exit_code, lines)
        return result_line(lines)

    def on_kill(self) -> None:
        end_group(self._process)
