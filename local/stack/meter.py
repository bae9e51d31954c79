"""Measures the processor seconds of all services and of their tasks while something runs."""

import threading
from collections.abc import Callable
from types import TracebackType

from schemas.runtime.processor_time import ignores_children, total, tree

SAMPLED_EVERY_S = 0.5


class Meter:
    """Counts the processor seconds of some process trees between its start and its end, by the name of each head.

    Children whose parent ignores SIGCHLD, such as Spark's Python workers, are counted until the last sample before their end.

    Args:
        heads: returns the ids of the trees' heads, by name.
    """

    def __init__(self, heads: Callable[[], dict[str, int]]) -> None:
        self.heads = heads
        self.seconds: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._lost: dict[str, float] = {}
        self._last: dict[str, dict[int, tuple[float, int]]] = {}
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample_on, daemon=True)

    def __enter__(self) -> "Meter":
        self._sample()
        self._started = {name: total(found) for name, found in self._last.items()}
        self._sampler.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._sampler.join()
        self._sample()
        for name, found in self._last.items():
            self.seconds[name] = total(found) + self._lost.get(name, 0) - self._started.get(name, 0)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def _sample_on(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        for name, head in self.heads().items():
            now, before = tree([head]), self._last.get(name, {})
            for pid, (seconds, parent) in before.items():
                if pid not in now and parent in now and ignores_children(parent):
                    self._lost[name] = self._lost.get(name, 0) + seconds
            self._last[name] = now
