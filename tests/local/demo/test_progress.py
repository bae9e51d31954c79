"""The bar over all steps: its shares, and the time that is left."""

import io

import pytest
from rich.console import Console

from local.demo.plan import Step
from local.demo.progress import Estimate, Lines, Overview

STEPS = [Step("Lay out", "Lines arrive.", 40), Step("Load", "Rows appear.", 60), Step("Learn", "Models learn.", 100)]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_recorded_seconds_are_left_at_the_beginning(clock: Clock) -> None:
    estimate = Estimate(STEPS, clock)
    assert (estimate.total, estimate.done, estimate.left) == (200, 0, 200)


def test_slow_machine_needs_longer(clock: Clock) -> None:
    estimate = Estimate(STEPS, clock)
    estimate.begin(STEPS[0])
    clock.now = 120
    assert estimate.end() == 120
    assert estimate.done == 40
    assert estimate.pace == (120 + 60) / (40 + 60)
    assert estimate.left == 160 * 1.8


def test_step_that_was_done_before_says_nothing_about_the_pace(clock: Clock) -> None:
    estimate = Estimate(STEPS, clock)
    for step in STEPS[:2]:
        estimate.begin(step)
        clock.now += 1
        estimate.end()
    assert (estimate.done, estimate.left) == (100, 100)


def test_share_of_a_step_counts_its_work_not_its_time(clock: Clock) -> None:
    estimate = Estimate(STEPS, clock)
    estimate.begin(STEPS[2])
    clock.now = 300
    assert estimate.done == 95  # never all of it before its end
    estimate.share = 0.5
    assert estimate.done == 50
    assert estimate.pace == (300 + 60) / (50 + 60)


def test_without_a_terminal_changes_are_lines_some_seconds_apart(clock: Clock) -> None:
    said = io.StringIO()
    overview = Overview(Console(file=said, width=120), STEPS)
    overview.estimate.clock = clock
    overview._said_at = -9
    with overview, overview.step("Load"):
        for second, text in enumerate(["reads", "reads", "counts", "counts", "counts", "counts", "counts", "counts"]):
            clock.now = second
            overview.now(text, share=second / 8)
    lines = said.getvalue().splitlines()
    assert lines[:2] == ["2/3 Load", "    Rows appear." + " " * 104]
    assert lines[2:] == ["  0 %, about 3 min left: reads", "  19 %, about 110 s left: counts"]


def test_lines_of_other_programs_say_what_happens_now() -> None:
    said = io.StringIO()
    overview = Overview(Console(file=said, width=120), STEPS)
    with overview.step("Load"):
        print("   3 s  preparing the databases", file=Lines(overview))  # type: ignore[arg-type]
    assert "preparing the databases" in said.getvalue()
    assert not Lines(overview).isatty()


def test_terminal_shows_the_bar_with_the_time_left() -> None:
    said = io.StringIO()
    with Overview(Console(file=said, width=120, force_terminal=True), STEPS) as overview, overview.step("Load"):
        overview.now("clean.build", share=0.5)
        overview.bar.refresh()
    assert "left" in said.getvalue()
    assert "clean.build" in said.getvalue()
