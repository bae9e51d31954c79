"""``pytest --cpu-times=20``: the tests that take most processor time, with what they start and the fixtures made for them.

On two cores that several processes share, a test's duration says as much about its neighbours as about the test.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TICKS = os.sysconf("SC_CLK_TCK")
NAME = "cpu_s"


def stat(process: int) -> tuple[int, float]:
    """Parent of a process, and the seconds it has used together with the ended children that it has waited for."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / TICKS


def used() -> float:
    """Processor seconds of this process and all below it, as far as /proc still shows them."""
    children, seconds = defaultdict(list), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent, seconds[int(entry.name)] = stat(int(entry.name))
            except OSError:  # it has ended
                continue
            children[parent].append(int(entry.name))
    family = [os.getpid()]
    for member in family:
        family += children[member]
    return sum(seconds.get(member, 0.0) for member in family)


class ProcessorTime:
    """Measures each test where it runs, and lists the dearest where the run is reported."""

    def __init__(self, rows: int) -> None:
        self.rows, self.before = rows, used()

    def pytest_collection_finish(self) -> None:
        self.before = used()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        outcome: Any = yield
        now = used()
        outcome.get_result().user_properties.append((NAME, max(now - self.before, 0.0)))
        self.before = now

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        costs: dict[str, float] = defaultdict(float)
        for reports in terminalreporter.stats.values():
            for report in reports:
                costs[getattr(report, "nodeid", "")] += dict(getattr(report, "user_properties", ())).get(NAME, 0.0)
        dearest = sorted(costs.items(), key=lambda cost: -cost[1])
        terminalreporter.section(f"processor seconds: {sum(costs.values()):.0f} in all tests")
        for test, seconds in dearest[: self.rows]:
            terminalreporter.write_line(f"{seconds:8.1f} s  {test}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cpu-times", type=int, metavar="N", help="list the N tests that take most processor time, and the sum")


def pytest_configure(config: pytest.Config) -> None:
    if rows := config.getoption("--cpu-times"):
        config.pluginmanager.register(ProcessorTime(rows), "processor time")
