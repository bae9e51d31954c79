"""Use a Spark that another process of this machine holds, and that other commands use at the same time.

PySpark connects to a running Java when ``PYSPARK_GATEWAY_PORT`` and ``PYSPARK_GATEWAY_SECRET`` are set; ``spark-submit`` does
so for the one program that it starts. Here the Java has a Spark context already, and Spark allows one in a Java, so this
process takes that one. It has a session and a job group of its own.
"""

import os
import signal
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from schemas.runtime.local_files import code_state
from schemas.runtime.setting_groups import PREFIX

JOB_GROUP = "SPARK_JOB_GROUP"
"""The variable with the name under which the Spark jobs of this process are cancelled."""
CODE = "STATE_OF_CODE"
"""A variable of Spark's Python workers. Spark reuses workers of the same environment only, so edited code gets new ones."""
WORKERS_READ = (PREFIX, "AWS_")


def shared_session(app: str) -> SparkSession | None:
    """A session of the Spark that another process holds; None in a process that has a Spark of its own.

    PySpark must be connected to Java (``SparkContext._ensure_initialized``).

    Args:
        app: description of the jobs.
    """
    if JOB_GROUP not in os.environ:
        return None
    java: Any = SparkContext._jvm
    held = java.org.apache.spark.api.java.JavaSparkContext(java.org.apache.spark.SparkContext.getOrCreate())
    context = SparkContext(jsc=held, conf=SparkConf(_jconf=held.sc().getConf()), gateway=SparkContext._gateway)
    own = {name: value for name, value in os.environ.items() if name.startswith(WORKERS_READ)}
    context.environment.update(own | {CODE: code_state()})
    signal.signal(signal.SIGINT, signal.default_int_handler)  # PySpark's handler cancels the jobs of all
    context.setLocalProperty("spark.scheduler.pool", os.environ[JOB_GROUP])  # in one pool the first job would take all cores
    context.setJobGroup(os.environ[JOB_GROUP], app, interruptOnCancel=True)
    return SparkSession(context).newSession()
