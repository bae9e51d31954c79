"""An evaluation as a Parquet file with one row per query, so that later runs can be compared with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.evaluation.evaluate import BY_RANK, Evaluation

FILE = "test_questions.parquet"
"""The file in a training run; runs of earlier versions have it, so its name and columns stay."""
CLAIMED = "claimed"
IN_SLICE = "in "
"""Prefix of slice columns."""


def write_queries(found: Evaluation, folder: Path) -> Path:
    """Write an evaluation without ``shown``; returns the path of the file.

    Columns: ``user`` (an arbitrary number), each metric, ``predicted_hit_probability`` if known, ``in <slice>``;
    metadata: ``k``.

    Args:
        found: the evaluation.
        folder: the folder of the new file.
    """
    columns: dict[str, Any] = {"user": found.user} | found.by_query
    columns |= {} if found.predicted_hit_probability is None else {CLAIMED: found.predicted_hit_probability}
    columns |= {f"{IN_SLICE}{name}": within for name, within in found.slices.items()}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    path = folder / FILE
    pq.write_table(table.replace_schema_metadata({"k": str(found.k)}), path)
    return path


def read_queries(path: Path) -> Evaluation:
    """Read a file of ``write_queries``; ``shown`` is empty."""
    table = pq.read_table(path)
    columns = {name: np.asarray(table[name].to_numpy()) for name in table.column_names}
    slices = {name.removeprefix(IN_SLICE): values.astype(bool) for name, values in columns.items() if name.startswith(IN_SLICE)}
    by_query = {name: columns[name] for name in BY_RANK if name in columns}
    return Evaluation(int(table.schema.metadata[b"k"]), columns["user"], by_query, slices, {}, columns.get(CLAIMED))
