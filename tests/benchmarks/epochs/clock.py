"""Takes the time of epochs, by the wall and by the processor, in both environments: it imports nothing of the project."""

import time


class Clock:
    """Of each epoch the seconds since the one before it, or since the clock was made."""

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
        """What the comparison reads, of every epoch but the first, in which libraries warm up."""
        return {"wall": self.wall[1:], "cpu": self.cpu[1:], "labels": labels, "steps": steps}
