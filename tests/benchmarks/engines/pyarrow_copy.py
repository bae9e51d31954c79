"""The lower bound: read and write the same bytes, nothing else.

``python -m tests.benchmarks.engines.pyarrow_copy INPUT OUTPUT``
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.job import EVENTS, THREADS, input_files


def main(source: Path, target: Path) -> None:
    pa.set_cpu_count(THREADS)
    (target / EVENTS).mkdir(parents=True)
    for path in input_files(source):
        pq.write_table(pq.read_table(path), target / EVENTS / path.name, compression="zstd")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
