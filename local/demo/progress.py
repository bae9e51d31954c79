"""One bar over the whole demonstration, with the time that is left; a line now and then where there is no terminal."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskProgressColumn, TextColumn
from rich.text import Text

from local.demo.plan import Step
from schemas.runtime.terminal import in_markup, literal

SAYS_AGAIN_AFTER_S = 5.0
"""Seconds between two lines where there is no terminal."""
TRUSTED_S = 60.0
"""So many seconds of the recorded pace are assumed, so that the first seconds do not decide the estimate."""
ALREADY_DONE = 0.1
"""A step that took a smaller share of its recorded time had little to do, and says nothing about the pace."""
NEARLY = 0.95
"""A step without a count of its own never shows more than this share."""


def about(seconds: float) -> str:
    """A duration that is only estimated.

    >>> about(400), about(95), about(33), about(0)
    ('about 7 min left', 'about 100 s left', 'about 40 s left', 'nearly done')
    """
    if seconds < 5:
        return "nearly done"
    return f"about {-(-seconds // 10) * 10:.0f} s left" if seconds < 115 else f"about {seconds / 60:.0f} min left"


class Estimate:
    """How much of the demonstration is done, and how long the rest takes, from the recorded steps and the pace so far.

    Args:
        steps: all steps in order, with their recorded seconds.
        clock: gives seconds.
    """

    def __init__(self, steps: Sequence[Step], clock: Callable[[], float] = time.monotonic) -> None:
        self.steps, self.clock = list(steps), clock
        self.current: Step | None = None
        self.share: float | None = None
        self._began = clock()
        self._finished: list[tuple[Step, float]] = []

    def begin(self, step: Step) -> None:
        self.current, self.share, self._began = step, None, self.clock()

    def end(self) -> float:
        """End the current step. Returns its seconds."""
        assert self.current is not None
        lasted = self.clock() - self._began
        self._finished.append((self.current, lasted))
        self.current = None
        return lasted

    @property
    def pace(self) -> float:
        """Seconds for each recorded second."""
        told = [(step.seconds, lasted) for step, lasted in self._finished if lasted > ALREADY_DONE * step.seconds]
        recorded, real = (sum(pair[side] for pair in told) for side in (0, 1))
        if self.current is not None and self.share is not None:
            recorded += self.share * self.current.seconds
            real += self.clock() - self._began
        return (real + TRUSTED_S) / (recorded + TRUSTED_S)

    @property
    def done(self) -> float:
        """Recorded seconds that are done."""
        done = sum(step.seconds for step, _ in self._finished)
        if self.current is None:
            return done
        passed = (self.clock() - self._began) / self.current.seconds
        return done + self.current.seconds * min(passed if self.share is None else self.share, NEARLY)

    @property
    def total(self) -> float:
        return sum(step.seconds for step in self.steps)

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return (self.total - self.done) * self.pace


class _Left(ProgressColumn):
    """The time that is left, computed whenever the bar is drawn."""

    def __init__(self, estimate: Estimate) -> None:
        self.estimate = estimate
        super().__init__()

    def render(self, task: Task) -> Text:
        task.completed = self.estimate.done
        return Text(about(self.estimate.left), style="cyan")


class Overview:
    """Announces the steps, and shows how far the demonstration is.

    Args:
        console: receives everything.
        steps: all steps, in order.
    """

    def __init__(self, console: Console, steps: Sequence[Step]) -> None:
        self.console = console
        self.estimate = Estimate(steps)
        self.seconds: dict[str, float] = {}
        self._said, self._said_at = "", -SAYS_AGAIN_AFTER_S
        self.bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            _Left(self.estimate),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._row = self.bar.add_task("", total=self.estimate.total)

    def __enter__(self) -> "Overview":
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step with the reason for it, and measure its duration.

        Args:
            title: of the step.
        """
        steps = self.estimate.steps
        number = next(i for i, step in enumerate(steps) if step.title == title)
        self.console.print(f"[cyan]{number + 1}/{len(steps)}[/] [bold]{in_markup(title)}[/]", highlight=False)
        self.console.print(Padding(literal(steps[number].why), (0, 0, 0, 4)), style="dim")
        self.estimate.begin(steps[number])
        self.bar.update(self._row, description="")
        yield
        self.seconds[title] = round(self.estimate.end(), 1)

    def now(self, text: str, share: float | None = None) -> None:
        """Show the present activity.

        Args:
            text: a few words.
            share: of the present step that is done, if it can be counted.
        """
        self.estimate.share = share
        self.bar.update(self._row, description=in_markup(text))
        if self.bar.disable and text != self._said and self.estimate.clock() - self._said_at >= SAYS_AGAIN_AFTER_S:
            self._said, self._said_at = text, self.estimate.clock()
            percent = 100 * self.estimate.done / self.estimate.total
            self.console.print(literal(f"  {percent:.0f} %, {about(self.estimate.left)}: {text}"))


class Lines:
    """A text stream that shows each line as the present activity; the progress of other programs goes through it.

    Args:
        overview: shows the lines.
    """

    def __init__(self, overview: Overview) -> None:
        self.overview = overview

    def write(self, text: str) -> int:
        if line := text.strip():
            self.overview.now(line)
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False
