"""Spark's process that forks its Python workers on this machine, with their libraries loaded.

Spark starts ``python -m <module> pyspark.worker`` for the property ``spark.python.daemon.module``. PySpark's own module loads
nothing before it forks, so each new worker spends a second of processor time on imports.
"""

import polars
import pyarrow.parquet
from pyspark.daemon import manager

import schemas.lake.conform
import schemas.spark.shared

LOADED = (polars, pyarrow.parquet, schemas.lake.conform, schemas.spark.shared)

if __name__ == "__main__":
    manager()
