"""Operator that runs one of the project's commands, ``python -m <module> <arguments>``."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from dags.common.command import Command
from dags.common.command_result import given


class ModuleOperator(BaseOperator):
    """Run ``python -m module arguments`` from the project's root, with this worker's interpreter and environment.

    Where the fork server runs (`local.stack.fork_server`), the command begins with its libraries loaded.

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
        self._command: Command | None = None

    def execute(self, context: Context) -> dict[str, Any] | None:
        self._command = Command(self.module, given(self.arguments), self.log)
        return self._command.result()

    def on_kill(self) -> None:
        if self._command is not None:
            self._command.end()
