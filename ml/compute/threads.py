"""How many threads the arithmetic takes on a CPU, and what it costs."""

import os
import sys


def share_the_machine() -> int:
    """Take half of the cores, unless OMP_NUM_THREADS says otherwise; returns how many. Call it before the arithmetic starts.

    These models are small: their threads mostly wait for each other, and on a busy machine they wait by spinning. Two threads
    on two cores beside another task were measured ten times slower than one.
    """
    threads = int(os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2))))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))
    # Libraries read the environment when they are loaded; what is loaded already has to be told.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads, user_api="blas")
    return threads


def cpu_seconds() -> float:
    """Processor seconds so far: of this process, and of those it started that have ended, such as Spark's Java."""
    return sum(os.times()[:4])
