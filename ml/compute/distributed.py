"""Distributed training with ``torchrun``; a single process is the usual case.

torchrun --standalone --nproc-per-node 2 -m ml.train --run RUN
"""

import os
from datetime import timedelta
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")
DISTRIBUTED_TIMEOUT = timedelta(hours=12)
"""How long the other ranks wait while rank 0 does everything except train the network."""


@lru_cache
def _state() -> Any:
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available(), timeout=DISTRIBUTED_TIMEOUT)


def together() -> bool:
    """Whether ``torchrun`` started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def processes() -> int:
    """The number of processes (world size)."""
    return int(_state().num_processes) if together() else 1


def is_rank_zero() -> bool:
    """Whether this process is rank 0, which writes, logs and registers."""
    return not together() or bool(_state().is_main_process)


def wait_for_all() -> None:
    """Wait until every process has reached this call (a barrier)."""
    if together():
        _state().wait_for_everyone()


def broadcast(value: T) -> T:
    """Broadcast rank 0's ``value`` to every process."""
    if not together():
        return value
    from accelerate.utils import broadcast_object_list

    _state()
    common = [value]
    broadcast_object_list(common)
    return common[0]
