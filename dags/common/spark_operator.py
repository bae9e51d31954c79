"""Operator that submits one of the project's Spark jobs."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from dags.common.command import Command
from dags.common.command_result import KEPT_LINES, end_group, failure, given, own_group, result_line
from dags.common.defaults import ROOT, SPARK_POOL

CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
}


class SparkJobOperator(SparkSubmitOperator):
    """Run ``jobs/<job>.py`` through ``spark-submit``; only the connection ``spark_default`` decides where it runs.

    If it names this machine (``local[2]``) and the fork server runs, the job uses the Spark that the server holds.

    In addition to `SparkSubmitOperator`: an argument that renders to nothing is left out. The last JSON object that the
    job prints is the task's result. On failure the message is the job's own ``error: ...`` line, and its exit code decides
    about a retry (see `dags.common.command_result`). If the driver runs in the cluster, its output is not available here,
    and the message is the provider's.

    Args:
        job: the name of the job's module in ``jobs``.
        arguments: its arguments (templated).
        writes: the tables that the job writes; an alert about its failure names them.
    """

    ui_color = "#fdebd3"

    def __init__(self, *, job: str, arguments: Sequence[str] = (), writes: Sequence[str] = (), **kwargs: Any) -> None:
        kwargs = {"application": str(ROOT / "jobs" / f"{job}.py"), "name": f"clickwright {job}", **kwargs}
        super().__init__(application_args=list(arguments), conf=CONF, pool=kwargs.pop("pool", SPARK_POOL), **kwargs)
        self.job = job
        self.writes = tuple(writes)
        self._command: Command | None = None

    def execute(self, context: Context) -> Any:
        self.application_args = given(self.application_args)
        if (command := self._on_shared_spark()) is not None:
            return command.result()
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        hook = self._hook = self._get_hook()
        try:
            super().execute(context)
        except AirflowException as error:
            exit_code = hook._submit_sp.poll() if hook._submit_sp else None
            if not exit_code:
                raise
            # Not chained: the provider's message repeats the command and its output, which are in the log already.
            self.log.debug("%s", error)
            cause = failure(f"jobs.{self.job}", exit_code, self._lines)
        else:
            return result_line(self._lines)
        raise cause

    def _on_shared_spark(self) -> Command | None:
        """The job on the Spark that the fork server of this machine holds; None if the connection names another one."""
        from schemas.runtime.fork_client import NotForkedError

        connection = super()._get_hook()._connection
        if not connection["master"].startswith("local"):
            return None
        try:
            self._command = Command(f"jobs.{self.job}", self.application_args or [], self.log, spark=connection["master"])
        except NotForkedError as reason:
            self.log.info("A Spark of its own: %s", reason)
        return self._command

    def _get_hook(self) -> SparkSubmitHook:
        """The provider's hook, changed to use a separate process group and to pass its output to this operator."""
        hook = super()._get_hook()
        process_log = hook._process_spark_submit_log
        # Set on this one object: a subclass could not be used, because the provider creates the hook itself.
        vars(hook)["submit"] = partial(hook.submit, **own_group())
        vars(hook)["_process_spark_submit_log"] = lambda lines: process_log(self._heard(lines))
        return hook

    def _heard(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self._lines.append(line.rstrip())
            yield line

    def on_kill(self) -> None:
        if self._command is not None:
            self._command.end()
        if self._hook is not None:
            # The hook would end only spark-submit; this also ends the JVM and the driver's Python.
            end_group(self._hook._submit_sp)
        super().on_kill()
