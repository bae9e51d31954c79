"""Airflow and MLflow in the background, on this machine only: ``python -m local.stack up|down|status``.

A supervisor, the keeper (``watch``), restarts services that end by themselves.

All state is under ``var/``: Airflow's in ``var/airflow`` (SQLite, LocalExecutor), MLflow's in ``var/mlflow``, pid files in
``var/run``, logs in ``var/logs``, keys and passwords in ``var/secrets``. Only their owner may read
files and folders in ``var``.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from local.stack.airflow_client import AirflowClient, AirflowError
from local.stack.configuration import USER, airflow_database, password, passwords_file, write_config, write_spark_config
from local.stack.mlflow_server import HOST, mlflow_home
from local.stack.mlflow_server import store as mlflow_store
from local.stack.processes import Daemon, Daemons, Progress, inherited_environment, port_in_use, run_logged
from schemas.runtime.cli import explain_os_error, one_line, parser_of
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.local_files import private_umask
from schemas.runtime.local_ports import expect_own_listener
from schemas.runtime.masking import shown
from schemas.runtime.mlflow_rest import LOCAL_USER, TOKEN, local_credentials, local_password, local_password_file
from schemas.runtime.settings import Settings, get_settings
from schemas.runtime.terminal import printable

START_TIMEOUT_S = 300
STOP_GRACE_S = 20
POOLS = {
    "spark": (2, False, "Spark jobs at a time"),
    "gpu": (1, True, "One slot per GPU; a deferred task keeps its slot"),
}
KEEPER = "keeper"
FORK_SERVER = "fork-server"
LOOKS_AGAIN_AFTER_S = 5
STOP_ORDER = (
    KEEPER,
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-api-server",
    FORK_SERVER,
    "mlflow",
)


class Services:
    """The services that `make up` runs, with one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.daemons = Daemons(settings.var / "run", settings.logs)
        self.airflow_home = settings.var / "airflow"
        self.mlflow_home = mlflow_home(settings)
        self.spark_conf = settings.var / "spark" / "conf"
        self.airflow_url = f"http://{HOST}:{settings.airflow_port}"
        self.mlflow_url = f"http://{HOST}:{settings.mlflow_port}"

    def airflow(self) -> AirflowClient:
        """A client for the Airflow of these settings.

        Raises:
            ClickwrightError: another user's program listens on its port.
        """
        expect_own_listener(self.settings.airflow_port, "CLICKWRIGHT_AIRFLOW_PORT")
        return AirflowClient(self.airflow_url, USER, password(self.settings))

    @property
    def mlflow_store(self) -> str:
        return mlflow_store(self.settings)

    def programs(self) -> list[Daemon]:
        """The programs, in the order of their start."""
        airflow, settings = [sys.executable, "-m", "airflow"], self.settings.environment()
        forks = self.settings.fork_server and sys.platform.startswith("linux")
        return [
            *([Daemon(FORK_SERVER, [sys.executable, "-m", "local.stack.fork_server"])] if forks else []),
            Daemon("airflow-api-server", [*airflow, "api-server"]),
            # The API server reads the log files directly; the log servers would listen on all interfaces.
            Daemon("airflow-scheduler", [*airflow, "scheduler", "--skip-serve-logs"]),
            Daemon("airflow-dag-processor", [*airflow, "dag-processor"]),
            Daemon("airflow-triggerer", [*airflow, "triggerer", "--skip-serve-logs"]),
            Daemon("mlflow", [sys.executable, "-m", "local.stack.mlflow_server"], settings),
            Daemon(KEEPER, [sys.executable, "-m", "local.stack", "watch"], settings),
        ]

    def heads(self) -> dict[str, int]:
        """The process ids of the services that run, by name; tasks run below them."""
        return {daemon.name: found.pid for daemon in self.programs() if (found := self.daemons.find(daemon.name)) is not None}

    def env(self) -> dict[str, str]:
        """The environment of the services; tasks and commands inherit it."""
        settings, inherited, spark_starts = self.settings, inherited_environment(), self.spark_starts
        spark = {"conn_type": "spark", "host": settings.spark_master, "extra": {"deploy-mode": "client"}}
        defaults = {
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(spark),
            "CLICKWRIGHT_MLFLOW_TRACKING_URI": self.mlflow_url,
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "TOKENIZERS_PARALLELISM": "false",
        }
        if settings.spark_master.startswith("local"):
            defaults["SPARK_LOCAL_IP"] = HOST  # a local job listens on the loopback interface only
            defaults["SPARK_CONF_DIR"] = str(self.spark_conf)
            defaults["SPARK_HOME"] = spark_starts["spark_home"]
        # AIRFLOW_HOME decides about Airflow's state; variables of another Airflow must not override it.
        foreign = [f"AIRFLOW__{name}" for name in ("DATABASE__", "CORE__DAGS_FOLDER", "API__", "API_AUTH__")]
        login: dict[str, str] = {}
        if inherited.get("CLICKWRIGHT_MLFLOW_TRACKING_URI", self.mlflow_url) == self.mlflow_url:
            login, foreign = local_credentials(settings), [*foreign, TOKEN]  # those of the environment are for another server
        return {
            **defaults,
            **{key: value for key, value in inherited.items() if not key.startswith(tuple(foreign))},
            **login,
            "AIRFLOW_HOME": str(self.airflow_home),
            "CLICKWRIGHT_VAR": str(settings.var),
            "JAVA_HOME": spark_starts["java_home"],
            "PATH": first_of_path([Path(sys.executable).parent], inherited.get("PATH", os.defpath)),
            "PYTHONPATH": first_of_path(
                [settings.root, settings.root / "local" / "stack" / "airflow"], inherited.get("PYTHONPATH", "")
            ),
            # No telemetry.
            "DO_NOT_TRACK": "true",
            "SCARF_ANALYTICS": "false",
            "GX_ANALYTICS_ENABLED": "false",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def up(self) -> bool:
        """Start the missing services and wait until all of them answer. Returns whether a service was started.

        Raises:
            ClickwrightError: a port is in use, or a service did not start; the message gives the reason.
        """
        with self._alone():
            missing = [daemon for daemon in self.programs() if self.daemons.find(daemon.name) is None]
            progress = Progress()
            if missing:
                self._check_ports({daemon.name for daemon in missing})
                progress.say("preparing the databases")
                progress.say("preparing Spark")
                env = self.env()
                (self.mlflow_home / "artifacts").mkdir(parents=True, exist_ok=True)
                write_config(self.settings, self.airflow_home, HOST)
                write_spark_config(self.settings, self.spark_conf, self.spark_starts["java_options"])
                self._migrate(env)
                for daemon in missing:
                    if daemon.name != KEEPER:
                        self.daemons.start(daemon, env, self.settings.root)
            self._wait(progress)
            self._make_pools()
            for daemon in missing:
                if daemon.name == KEEPER:  # last: a service that does not even start needs a person, not a restart
                    self.daemons.start(daemon, env, self.settings.root)
            progress.done()
            print(f"Started in {progress.seconds:.0f} s." if missing else "Already running.")
            return bool(missing)

    def watch(self) -> None:
        """Restart services that ended by themselves, as long as this process lives: the program ``keeper``."""
        while True:
            time.sleep(LOOKS_AGAIN_AFTER_S)
            self.restart_ended()

    def restart_ended(self) -> None:
        """Look once for services that ended by themselves, and restart them.

        A look that fails is reported, and the next one tries again: a full disk must not end the keeper.
        """
        try:
            with self._alone():
                for daemon in self.programs():
                    if daemon.name != KEEPER and self.daemons.find(daemon.name) is None:
                        last = self.daemons.last_words(daemon.name)
                        self.daemons.start(daemon, self.env(), self.settings.root)
                        warn(f"{daemon.name} had ended: {last}; restarted")
        except (ClickwrightError, OSError, psutil.Error) as error:
            warn(f"could not look after the services ({one_line(error)}); trying again")

    def down(self) -> int:
        """End all services and their child processes. Returns the number of processes ended."""
        with self._alone():
            return self.daemons.stop(STOP_ORDER, grace_s=STOP_GRACE_S, say=print)

    def show_programs(self) -> None:
        """Print the programs and their processes.

        Raises:
            ClickwrightError: a program does not run, or a service does not answer.
        """
        running = {daemon.name: self.daemons.find(daemon.name) for daemon in self.programs()}
        for name, process in running.items():
            print(f"{name:22} {f'process {process.pid}' if process else 'not running'}", flush=True)
        if down := [name for name, process in running.items() if process is None]:
            raise ClickwrightError(f"not running: {', '.join(down)}; logs in {self.settings.logs}; start with `make up`")
        if waiting := self._not_ready(self.airflow()):
            raise ClickwrightError(
                f"no answer from {', '.join(waiting)}; logs in {self.settings.logs}; wait, or run `make down && make up`"
            )

    def describe(self) -> str:
        """The addresses, the passwords and the logs, as text."""
        settings = self.settings
        return (
            f"Airflow  {self.airflow_url}  user {USER}, password {password(settings)} (kept in {passwords_file(settings)})\n"
            f"MLflow   {self.mlflow_url}  user {LOCAL_USER}, password {local_password(settings)} "
            f"(kept in {local_password_file(settings)})\n"
            f"Logs     {self.settings.logs}"
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Allow one `up` or `down` at a time; a second one waits."""
        self.settings.var.mkdir(parents=True, exist_ok=True)
        self.settings.var.chmod(0o700)  # an older version left it readable for everybody
        self.daemons.run_dir.mkdir(parents=True, exist_ok=True)
        with (self.daemons.run_dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _check_ports(self, missing: set[str]) -> None:
        for name, port, setting in (
            ("airflow-api-server", self.settings.airflow_port, "CLICKWRIGHT_AIRFLOW_PORT"),
            ("mlflow", self.settings.mlflow_port, "CLICKWRIGHT_MLFLOW_PORT"),
        ):
            if name in missing and (owner := port_in_use(HOST, port)):
                raise ConfigError(
                    f"port {port} of {name} is in use; by {owner}; "
                    f"end that program, or choose another port, for example {setting}={port + 10}"
                )

    @cached_property
    def spark_starts(self) -> dict[str, str]:
        """The folders that Spark starts from, from `jobs.prepare_spark`; the very first call takes about a minute."""
        command = [sys.executable, "-m", "jobs.prepare_spark"]
        environment = {
            **os.environ,
            "CLICKWRIGHT_VAR": str(self.settings.var),
            "CLICKWRIGHT_SPARK_CLASS_ARCHIVE": str(self.settings.spark_class_archive),
        }
        found = subprocess.run(
            command,
            cwd=self.settings.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
        if found.returncode:
            said = (found.stderr.strip().splitlines() or ["jobs.prepare_spark printed no error"])[-1].removeprefix("error: ")
            raise ConfigError(said)
        result: dict[str, str] = json.loads(found.stdout.strip().splitlines()[-1])
        return result

    def _migrate(self, env: dict[str, str]) -> None:
        """Migrate both databases to the installed versions, before several programs open them."""
        running = []
        airflow_store = airflow_database(self.settings, self.airflow_home)
        for name, package, home, store, command in (
            ("airflow", "apache-airflow-core", self.airflow_home, airflow_store, ["airflow", "db", "migrate"]),
            ("mlflow", "mlflow", self.mlflow_home, self.mlflow_store, ["mlflow", "db", "upgrade", self.mlflow_store]),
        ):
            done = home / "migrated-to"
            wanted = f"{version(package)} {sha256(store.encode()).hexdigest()}"  # a URL may contain a password
            if done.exists() and done.read_text() == wanted:
                continue
            log = self.daemons.log_file(f"{name}-migrate")
            process = run_logged([sys.executable, "-m", *command], env, self.settings.root, log)
            running.append((name, process, done, wanted))
        for name, process, done, wanted in running:
            if process.wait():
                raise ClickwrightError(
                    f"the database of {name} could not be migrated; its log ends with: "
                    f"{self.daemons.last_words(f'{name}-migrate')}; "
                    f"see {self.daemons.log_file(f'{name}-migrate')}, then run the same command again"
                )
            done.write_text(wanted)

    def _wait(self, progress: Progress) -> None:
        """Wait until every service answers and Airflow has read the workflows."""
        airflow = self.airflow()
        deadline = time.monotonic() + START_TIMEOUT_S
        while waiting := self._not_ready(airflow):
            progress.say(f"waiting for {', '.join(waiting)}")
            for daemon in self.programs():
                if daemon.name != KEEPER and self.daemons.find(daemon.name) is None:
                    raise ClickwrightError(
                        f"{daemon.name} ended while starting; "
                        f"its log ends with: {self.daemons.last_words(daemon.name)}; "
                        f"see {self.daemons.log_file(daemon.name)}, then run the same command again"
                    )
            if time.monotonic() > deadline:
                raise ClickwrightError(
                    f"{', '.join(waiting)} did not answer within {START_TIMEOUT_S} s; "
                    f"see the logs in {self.settings.logs}; then run `make down` and try again"
                )
            time.sleep(0.5)
        for file, error in airflow.import_errors().items():
            print(f"warning: Airflow cannot read {file}: {error.strip().splitlines()[-1]}")

    def _not_ready(self, airflow: AirflowClient) -> list[str]:
        """The services that do not answer yet, in words."""
        waiting = []
        try:
            parts = airflow.health()
            waiting += [f"Airflow's {part}" for part, state in parts.items() if state != "healthy"]
            if not waiting and not airflow.dag_ids() and not airflow.import_errors():
                waiting.append("the workflows")
        except AirflowError:
            waiting.append("Airflow")
        try:
            expect_own_listener(self.settings.mlflow_port, "CLICKWRIGHT_MLFLOW_PORT")
            login = (LOCAL_USER, local_password(self.settings))
            httpx.get(f"{self.mlflow_url}/health", auth=login, timeout=5, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            waiting.append("MLflow")
        return waiting

    def _make_pools(self) -> None:
        """Create the pools of the tasks; an existing pool keeps its settings."""
        airflow = self.airflow()
        for name, (slots, include_deferred, description) in POOLS.items():
            airflow.create_pool(name, slots, include_deferred=include_deferred, description=description)


def first_of_path(folders: Sequence[Path], path: str) -> str:
    """A search path that begins with some folders, and names none twice: a service restarted by another one has the same.

    >>> first_of_path([Path("/a")], "/b:/a:/c")
    '/a:/b:/c'

    Args:
        folders: the folders.
        path: the search path.
    """
    return os.pathsep.join(dict.fromkeys([*map(str, folders), *filter(None, path.split(os.pathsep))]))


def warn(message: str) -> None:
    """Print a warning; a full disk, on which the log of this process lies, is no reason to end."""
    with suppress(OSError):
        print(f"warning: {message}", flush=True)


def fail(message: str, exit_code: int) -> int:
    """Print an error in one line."""
    print(f"error: {printable(shown(message))}", file=sys.stderr)
    return exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Start, stop, list or watch the services. Returns the exit code: for ``status`` 0 only if all of them run."""
    parser = parser_of(__doc__, "python -m local.stack status")
    parser.add_argument("command", choices=["up", "down", "status", "watch"])
    command = parser.parse_args(argv).command
    private_umask()
    try:
        services = Services(get_settings())
        if command == "down":
            count = services.down()
            print(f"Stopped ({count} processes ended)." if count else "Nothing was running.")
            return 0
        if command == "watch":
            services.watch()
        if command == "up":
            services.up()
        if command == "status":
            services.show_programs()
        print(services.describe())
    except ClickwrightError as error:
        return fail(str(error), error.exit_code)
    except OSError as error:
        return fail(explain_os_error(error), ClickwrightError.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
