"""Submits one of the project's Spark jobs, and speaks for it in Airflow."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from dags.common.command_result import KEPT_LINES, end_group, failure, given, own_group, result_line
from dags.common.defaults import ROOT, SPARK_POOL

CONF = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
}


class SparkJobOperator(SparkSubmitOperator):
    """Run ``jobs/<job>.py`` through ``spark-submit``; the connection ``spark_default`` alone says where.

    As `SparkSubmitOperator`, and besides: an argument that renders to nothing is left out; a failure's
    message is the job's own ``error: ...`` line, and its exit code says whether to try again (see
    `dags.common.command_result`; where the driver runs in the cluster its output is not here, and the message is
    the provider's); the JSON object that the job prints last is the task's result. ``writes`` are the tables
    that are not written when it fails, for the alarm.
    """

    ui_color = "#fdebd3"

    def __init__(self, *, job: str, arguments: Sequence[str] = (), writes: Sequence[str] = (), **kwargs: Any) -> None:
        kwargs = {"application": str(ROOT / "jobs" / f"{job}.py"), "name": f"clickwright {job}", **kwargs}
        super().__init__(application_args=list(arguments), conf=CONF, pool=kwargs.pop("pool", SPARK_POOL), **kwargs)
        self.job = job
        self.writes = tuple(writes)

    def execute(self, context: Context) -> Any:
        self.application_args = given(self.application_args)
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        hook = self._hook = self._get_hook()
        try:
            super().execute(context)
        except AirflowException as error:
            exit_code = hook._submit_sp.poll() if hook._submit_sp else None
            if not exit_code:
                raise
            # Not chained: the provider repeats the command and its output, which the log already has.
            self.log.debug("%s", error)
            cause = failure(f"jobs.{self.job}", exit_code, self._lines)
        else:
            return result_line(self._lines)
        raise cause

    def _get_hook(self) -> SparkSubmitHook:
        """The provider's hook, whose process has a group of its own and whose lines are heard here too."""
        hook = super()._get_hook()
        process_log = hook._process_spark_submit_log
        # On the one object, not in a subclass of the hook: the provider makes it, with all its arguments.
        vars(hook)["submit"] = partial(hook.submit, **own_group())
        vars(hook)["_process_spark_submit_log"] = lambda lines: process_log(self._heard(lines))
        return hook

    def _heard(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self._lines.append(line.rstrip())
            yield line

    def on_kill(self) -> None:
        if self._hook is not None:
            # The JVM and the driver's Python with it, where the hook would end spark-submit alone.
            end_group(self._hook._submit_sp)
        super().on_kill()
