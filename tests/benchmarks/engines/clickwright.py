"""Clickwright's own functions in one exchange: read and check, by user; then keep ids once, sessionise, write.

``python -m tests.benchmarks.engines.clickwright INPUT OUTPUT``
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from jobs.clean import id_digests, shared_ids, write_ids
from jobs.decide import Fate, runaways, same_ids
from jobs.exchange import buckets_for, exchange
from jobs.sessions import ORDER, SESSION, summary, with_sessions
from jobs.shares import in_tasks, read_rows
from jobs.spark import spark_session
from jobs.write import write_rows
from schemas.contract import load_contract
from schemas.rules import RowRule, RowRuleKind, to_polars
from tests.benchmarks.job import COLUMNS, EVENTS, GAP, LATEST, SESSION_COLUMNS, SESSIONS, input_files
