"""Configuration files of the local services, their keys, and the passwords of the Airflow users.

Airflow is configured by a file, not by the environment. So ``AIRFLOW_HOME=var/airflow .venv/bin/airflow ...`` works from a
shell, and commands that tasks start do not inherit a key.
"""

import base64
import json
import os
import secrets
from pathlib import Path

from schemas.runtime.local_files import private_file, sqlite_uri
from schemas.runtime.settings import Settings
from schemas.spark.home import WORKER_DAEMON

USER = "admin"

LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
# These two warn at every start about the missing native Hadoop and the loopback host name.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.utils.name = org.apache.spark.util.Utils
logger.utils.level = error
"""


def passwords_file(settings: Settings) -> Path:
    """The file of the Airflow passwords, readable only by its owner."""
    return settings.secrets / "airflow-passwords.json"


def password(settings: Settings, user: str = USER) -> str:
    """The password of an Airflow user; the first call generates it.

    Args:
        settings: the settings; they give the file.
        user: the name of the user.
    """
    path = passwords_file(settings)
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if user not in known:
        # Airflow would generate one too, but it would print it to its log.
        known[user] = secrets.token_urlsafe(12)
        write_private(path, json.dumps(known) + "\n")
    return known[user]


def users(settings: Settings) -> dict[str, str]:
    """The roles of the Airflow users: one admin, and the approvers, who may start, watch and answer."""
    return {**dict.fromkeys(settings.approver_names, "user"), USER: "admin"}


def airflow_database(settings: Settings, home: Path) -> str:
    """The URL of Airflow's metadata database.

    Args:
        settings: the settings; they may name another database.
        home: Airflow's home, the folder of the default SQLite file.
    """
    if settings.airflow_database is not None:
        return settings.airflow_database.get_secret_value()
    # Several programs write to one file; with a timeout they wait for the lock instead of failing.
    return f"{sqlite_uri(home / 'airflow.db')}?timeout=60"


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, with mode 600, in a folder with mode 700.

    Args:
        path: the file.
        text: its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def write_config(settings: Settings, home: Path, host: str) -> None:
    """Write ``airflow.cfg``; options that it does not set keep Airflow's defaults.

    Args:
        settings: the settings.
        home: Airflow's home, the folder of the file.
        host: the address that the API server listens on.
    """
    roles = users(settings)
    for user in roles:
        password(settings, user)
    key = settings.secrets
    fernet = base64.urlsafe_b64encode(bytes.fromhex(private_file(key / "airflow-fernet.key"))).decode()
    url = f"http://{host}:{settings.airflow_port}"
    database: dict[str, object] = {"sql_alchemy_conn": airflow_database(settings, home)}
    if settings.airflow_database is not None:
        database["sql_alchemy_conn_async"] = airflow_database(settings, home)  # one driver for both
    sections: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": settings.root / "dags",
            "load_examples": False,
            "executor": "LocalExecutor",
            # More than the cores: most tasks wait for a process, and pools limit those that compute.
            "parallelism": 5,
            "default_timezone": "utc",
            "fernet_key": fernet,
            "simple_auth_manager_users": ",".join(f"{user}:{role}" for user, role in roles.items()),
            "simple_auth_manager_passwords_file": passwords_file(settings),
            "execution_api_server_url": f"{url}/execution/",
            "test_connection": "Disabled",
        },
        "database": database,
        "api": {
            "host": host,
            "port": settings.airflow_port,
            "base_url": url,
            "workers": 1,
            "secret_key": private_file(key / "airflow-api.key"),
            "instance_name": "Clickwright",
        },
        # Tasks wait two minutes, not ten seconds, for an API server that starts or restarts.
        "workers": {"execution_api_retries": 12, "execution_api_retry_wait_max": 15},
        "api_auth": {"jwt_secret": private_file(key / "airflow-jwt.key")},
        "logging": {
            "base_log_folder": home / "logs",
            "colored_console_log": False,
            # Airflow's defaults let every user of the machine read the logs.
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
        },
        "scheduler": {
            "catchup_by_default": False,
            "scheduler_idle_sleep_time": 0.5,
            # Tasks of a killed scheduler are adopted one minute after the next start, not five.
            "orphaned_tasks_check_interval": 60,
            # A task whose process has vanished is retried after two minutes, not five.
            "task_instance_heartbeat_timeout": 120,
        },
        "dag_processor": {
            "parsing_processes": 1,
            "refresh_interval": 30,  # seconds between looks for new and changed files, which are parsed at once
            "min_file_process_interval": 300,  # seconds after which an unchanged file is parsed again
            "print_stats_interval": 0,
        },
    }
    lines = ["# Written by `make up` each time: change local/stack/configuration.py instead."]
    for section, values in sections.items():
        lines += ["", f"[{section}]", *(f"{k} = {str(v).replace('%', '%%')}" for k, v in values.items())]
    write_private(home / "airflow.cfg", "\n".join(lines) + "\n")


def write_spark_config(settings: Settings, folder: Path, java_options: str) -> None:
    """Write ``spark-defaults.conf`` and ``log4j2.properties`` for drivers on this machine.

    Args:
        settings: the settings.
        folder: the folder of both files.
        java_options: options of the driver's JVM.
    """
    defaults = {
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": java_options,
        "spark.sql.warehouse.dir": str(settings.var / "spark" / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.python.daemon.module": WORKER_DAEMON,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spark-defaults.conf").write_text("".join(f"{k} {v}\n" for k, v in defaults.items()))
    (folder / "log4j2.properties").write_text(LOG4J)
