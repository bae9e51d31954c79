"""Measures wall and processor time of epochs; imports nothing of the project, as it runs in both environments."""

import time


class Clock:
    """The seconds of each epoch, since the previous one or the creation of the clock."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self._last = time.perf_counter(), time.process_time()

    def epoch(self) -> None:
        now = time.perf_counter(), time.process_time()
        self.wall.append(now[0] - self._last[0])
        self.cpu.append(now[1] - self._last[1])
        self._last = now

    def told(self, labels: int, steps: int) -> dict[str, object]:
        """The measurements of all epochs except the first, which is a warm-up.

        Args:
            labels: the number of labels per epoch.
            steps: the number of optimiser steps per epoch.
        """
        return {"wall": self.wall[1:], "cpu": self.cpu[1:], "labels": labels, "steps": steps}
