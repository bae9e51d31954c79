"""The Spark session of this process. Its driver serves blocks and takes orders only from processes with its secret.

On a local master Spark makes the secret itself, for each application. A standalone cluster has one secret that its master, its
workers and its drivers share (``CLICKWRIGHT_SPARK_SECRET``); there, messages and files between stages are encrypted too.
https://spark.apache.org/docs/latest/security.html
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings
from schemas.spark.home import WORKER_DAEMON, prepared
from schemas.spark.shared import JOB_GROUP, shared_session

KEEP_MEMORY = "dirty_decay_ms:60000,muzzy_decay_ms:60000"
"""Options of Polars' allocator: it keeps memory that a task freed for the next task, instead of returning it to the system."""

AUTHENTICATE, SECRET = "spark.authenticate", "spark.authenticate.secret"
ENCRYPTED = ("spark.network.crypto.enabled", "spark.io.encryption.enabled")


def scratch(settings: Settings) -> Path:
    """The folder of files between stages on this machine; they hold rows, so only their owner may read them."""
    folder = settings.var / "spark" / "scratch"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def spark_session(app: str, settings: Settings | None = None, more: Mapping[str, str] | None = None) -> SparkSession:
    """The Spark session of this process: that of ``spark-submit``, of a shared Spark, or a local one if started from a shell.

    Args:
        app: name of the application.
        settings: the settings; default: those of this process.
        more: further properties of Spark, for a local one.
    """
    settings = settings or get_settings()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: Any = SparkSession.builder.appName(app)
    builder = builder.config("spark.executorEnv.POLARS_MAX_THREADS", "1")  # Spark already runs one task per core
    builder = builder.config("spark.executorEnv._RJEM_MALLOC_CONF", KEEP_MEMORY)
    builder = builder.config("spark.shuffle.compress", "false")  # blocks of an exchange are already compressed
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # not started by spark-submit
        ready = prepared(settings)
        os.environ.update(SPARK_HOME=str(ready.spark_home), JAVA_HOME=str(ready.java.home))
        builder = (
            builder.master(settings.spark_master)
            .config("spark.driver.memory", settings.spark_driver_memory)
            .config("spark.driver.extraJavaOptions", ready.java_options(settings))
            .config("spark.sql.warehouse.dir", str(settings.var / "spark" / "warehouse"))
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
        )
        for name, value in (more or {}).items():
            builder = builder.config(name, value)
        if settings.spark_master.startswith("local"):  # no other machine connects to this driver
            builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
            builder = builder.config("spark.python.daemon.module", WORKER_DAEMON)
    SparkContext._ensure_initialized(conf=_conf_of(builder))  # these become arguments of the Java process, if none runs yet
    session = shared_session(app)
    if session is None:
        session = _protected(builder, settings).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    session.conf.set("spark.sql.shuffle.partitions", settings.spark_shuffle_partitions)
    return session


def _conf_of(builder: Any) -> SparkConf:
    """The configuration of a builder, without Java's defaults: there is no Java process yet."""
    return SparkConf(loadDefaults=False).setAll(list(builder._options.items()))


def _protected(builder: Any, settings: Settings) -> Any:
    """Make a session ask for a secret. The secret itself reaches the Java process over its own authenticated connection.

    Args:
        builder: of the session; the Java process runs already.
        settings: the settings; they may hold the cluster's secret.

    Raises:
        ConfigError: a standalone cluster is asked for, and no secret is set.
    """
    given = SparkConf()  # of spark-submit, or the defaults file of SPARK_CONF_DIR
    master = builder._options.get("spark.master") or given.get("spark.master") or ""
    builder = builder.config(AUTHENTICATE, "true")
    if master.startswith("local"):
        return builder.config("spark.local.dir", given.get("spark.local.dir") or str(scratch(settings)))
    for name in ENCRYPTED:
        builder = builder.config(name, given.get(name) or "true")
    if settings.spark_secret is not None:
        return builder.config(SECRET, settings.spark_secret.get_secret_value())
    if master.startswith("spark://") and not given.contains(SECRET):
        raise ConfigError(
            f"the Spark cluster needs a secret; at {master}; set CLICKWRIGHT_SPARK_SECRET to the {SECRET} of its master and "
            "workers (docs/cluster.md)"
        )
    return builder


def java_process(session: SparkSession) -> int:
    """The id of the Java process of a session's driver."""
    java: Any = session.sparkContext._jvm
    return int(java.java.lang.ProcessHandle.current().pid())


def end_session(session: SparkSession) -> None:
    """Stop the Spark of a session; a shared one goes on, for other commands.

    Args:
        session: the session; it is not used again.
    """
    if JOB_GROUP not in os.environ:
        session.stop()


@contextmanager
def session_for_a_while(app: str, settings: Settings | None = None) -> Iterator[SparkSession]:
    """The active session of this process; without one, a new session that ends with the block, together with its Java.

    Args:
        app: name of the application, for a new session.
        settings: the settings; default: those of this process.
    """
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    session = spark_session(app, settings)
    try:
        yield session
    finally:
        gateway: Any = session.sparkContext._gateway
        session.stop()
        end_java(gateway)


def end_java(gateway: Any) -> None:
    """Stop the Java process that PySpark started; otherwise it lives as long as this process.

    A later session starts a new one.
    """
    gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None
    if hasattr(gateway, "proc"):  # spark-submit has started this process from its own Java
        gateway.proc.stdin.close()  # Java exits when its standard input closes
        gateway.proc.wait()
