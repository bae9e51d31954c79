"""The Spark session of this process."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from schemas.runtime.settings import Settings, get_settings
from schemas.spark.home import prepared

KEEP_MEMORY = "dirty_decay_ms:60000,muzzy_decay_ms:60000"
"""Of Polars' allocator: what one task gave back is kept for the next, rather than returned to the system and fetched again."""


def spark_session(app: str, settings: Settings | None = None) -> SparkSession:
    """The session of this process: what ``spark-submit`` decided, or a local one when run from a shell."""
    settings = settings or get_settings()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: Any = SparkSession.builder.appName(app)
    builder = builder.config("spark.executorEnv.POLARS_MAX_THREADS", "1")  # Spark runs as many tasks as there are cores
    builder = builder.config("spark.executorEnv._RJEM_MALLOC_CONF", KEEP_MEMORY)
    builder = builder.config("spark.shuffle.compress", "false")  # an exchange's blocks are compressed already
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # no spark-submit above us
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
        if settings.spark_master.startswith("local"):  # nobody else has to reach this driver
            builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    session: SparkSession = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    session.conf.set("spark.sql.shuffle.partitions", settings.spark_shuffle_partitions)
    session.sparkContext.setLogLevel("ERROR")
    return session


@contextmanager
def session_for_a_while(app: str, settings: Settings | None = None) -> Iterator[SparkSession]:
    """The session that this process has; or one of its own, which ends with the block, its Java with it."""
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
    """End the Java that PySpark has started, which else lives as long as this process; a later session starts another."""
    gateway.shutdown()
    SparkContext._gateway = SparkContext._jvm = None
    if hasattr(gateway, "proc"):  # not under spark-submit, whose Java is above us
        gateway.proc.stdin.close()  # the end of its input is what it waits for
        gateway.proc.wait()
