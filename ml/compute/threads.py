"""Limits the threads of numerical libraries, and measures CPU time."""

import os
import sys


def limit_threads() -> int:
    """Limit numerical libraries to half of the cores, or to OMP_NUM_THREADS; returns the number of threads.

    Call it before any computation. These models are small: their threads mostly wait for each other, and on a busy machine they
    wait by spinning. Two threads on two cores, with another task running, were measured ten times slower than one.
    """
    threads = int(os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2))))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(threads))
    # Libraries read the environment when they are loaded; those that are loaded already must be set directly.
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads, user_api="blas")
    return threads


def cpu_seconds() -> float:
    """CPU seconds so far of this process and of its ended children, such as Spark's Java process."""
    return sum(os.times()[:4])
