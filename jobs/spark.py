"""The Spark session of a job."""

import os
import sys
from typing import Any

from pyspark.sql import SparkSession

from jobs.prepare import prepared
from schemas.settings import Settings, get_settings


def spark_session(app: str, settings: Settings | None = None) -> SparkSession:
    """The session of this process: what ``spark-submit`` decided, or a local one when run from a shell."""
    settings = settings or get_settings()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: Any = SparkSession.builder.appName(app)
    builder = builder.config("spark.executorEnv.POLARS_MAX_THREADS", "1")  # Spark runs as many tasks as there are cores
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
