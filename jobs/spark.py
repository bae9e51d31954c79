"""The Spark session of a job, and how frames come from the lake and go to a staged attempt."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.prepare import prepared
from schemas.contract import load_contract
from schemas.errors import ClickwrightError
from schemas.lake import Lake, Where
from schemas.settings import Settings, get_settings
from schemas.staging import Attempt

SMALL_BYTES = 2 << 20


def spark_session(app: str, settings: Settings | None = None) -> SparkSession:
    """The session of this process: what ``spark-submit`` decided, or a local one when run from a shell."""
    settings = settings or get_settings()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder: Any = SparkSession.builder.appName(app)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # no spark-submit above us
        ready = prepared(settings)
        os.environ.update(SPARK_HOME=str(ready.spark_home), JAVA_HOME=str(ready.java.home))
        builder = (
            builder.master(settings.spark_master)
            .config("spark.driver.memory", settings.spark_driver_memory)
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.extraJavaOptions", ready.java_options(settings))
            .config("spark.sql.warehouse.dir", str(settings.var / "spark" / "warehouse"))
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.log.level", "ERROR")
        )
    session: SparkSession = builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    session.conf.set("spark.sql.shuffle.partitions", settings.spark_shuffle_partitions)
    session.sparkContext.setLogLevel("ERROR")
    return session


def plan_for(spark: SparkSession, input_bytes: int) -> None:
    """Set how jobs are planned by the size of what they read. What is computed is the same.

    On little data compiling a plan takes longer than running it: it is interpreted then, in one partition.
    """
    if input_bytes < SMALL_BYTES:
        spark.conf.set("spark.sql.shuffle.partitions", 1)
        spark.conf.set("spark.sql.adaptive.enabled", "false")
        spark.conf.set("spark.sql.codegen.wholeStage", "false")
        spark.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")


def read_table(spark: SparkSession, lake: Lake, name: str, where: Where = None, snapshot: int | None = None) -> DataFrame:
    """The files of a table that may hold rows for ``where``, with the contract's schema. Rows still need their filter."""
    schema = load_contract(name).spark_schema
    files = lake.files(name, where, snapshot)
    return spark.read.schema(schema).parquet(*files) if files else spark.createDataFrame([], schema)


def stage(attempt: Attempt, table: str, frame: DataFrame, field: str, values: Sequence[Any]) -> None:
    """Write a frame into an attempt, a file holding one partition each, and say which partitions it replaces.

    Raises:
        ClickwrightError: the frame's columns are not those of the contract.
    """
    contract = load_contract(table)
    if missing := sorted(set(contract.columns) - set(frame.columns)):
        raise ClickwrightError(f"job {attempt.job} made no {', '.join(missing)}; for table {table}; correct the job")
    attempt.replaces(table, field, values)
    columns = [F.col(f.name).cast(f.dataType).alias(f.name) for f in contract.spark_schema.fields]
    # The folder names carry the partition a second time: Iceberg wants the column in the file.
    folders = [F.col(name).alias(f"_{name}") for name in contract.partition_by]
    rows = frame.select(*columns, *folders)
    writer = rows.write.mode("overwrite").partitionBy(*[f"_{name}" for name in contract.partition_by])
    writer.parquet(str(attempt.folder(table)))
