"""How far a study is, on stderr: a bar on a terminal, a line per generation elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ecosystemiser.printing import console, duration, note, quantity

if TYPE_CHECKING:
    from tasks.progress import Progress

Listener = Callable[["Progress"], None]


@contextmanager
def shown(*, quiet: bool) -> Iterator[Listener]:
    """Show progress as it is told.

    Yields:
        What to call with every progress.
    """
    if quiet:
        yield lambda _progress: None
    elif sys.stderr.isatty():
        with _bar() as listener:
            yield listener
    else:
        lines = Lines()
        try:
            yield lines
        finally:
            lines.tell()


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[None]:
    """A sign of life and the time that has passed while something is worked out; on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        bar.add_task(what, total=None)
        yield


class Lines:
    """A line a generation or round, as its last report has it; in a long one every so often."""

    EVERY_SECONDS = 30.0

    def __init__(self) -> None:
        self._pending: tuple[Progress, float | None] | None = None
        self._told_at = 0.0
        self._pace = Pace()

    def __call__(self, progress: Progress) -> None:
        if self._pending is not None:
            is_next = progress.step > self._pending[0].step
            if is_next or progress.seconds - self._told_at >= self.EVERY_SECONDS:
                self.tell()
        self._pending = progress, self._pace.remaining(progress)

    def tell(self) -> None:
        """Print what was reported last."""
        if self._pending is None:
            return
        progress, remaining = self._pending
        self._pending = None
        self._told_at = progress.seconds
        left = f", about {duration(remaining)} left" if remaining is not None and remaining >= 1 else ""
        note(
            f"{_step(progress, ' of ', ': ')}"
            f"{progress.evaluations:,} of {progress.planned:,} evaluations{_unsolved(progress)}"
            f"{_best(progress)}{left}"
        )


class Pace:
    """How long the rest takes, from what was done since the first report."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def remaining(self, progress: Progress) -> float | None:
        """Seconds; None before there is a pace."""
        if self._first is None:
            # What was there before (a study that is resumed) took no time now.
            self._first = (progress.seconds, progress.evaluations)
            return None
        seconds, done = progress.seconds - self._first[0], progress.evaluations - self._first[1]
        return (progress.planned - progress.evaluations) * seconds / done if done > 0 else None


@contextmanager
def _bar() -> Iterator[Listener]:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[done]}"),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[told]}"),
    ]
    pace = Pace()
    with Bar(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting Prefect and the workers", total=None, done="", told="", left="")

        def listener(progress: Progress) -> None:
            remaining = pace.remaining(progress)
            bar.update(
                task,
                description=_step(progress, "/"),
                completed=progress.evaluations,
                total=progress.planned,
                done=f"{progress.evaluations:,}/{progress.planned:,}",
                told=f"{_unsolved(progress)}{_best(progress)}".removeprefix(", "),
                left="" if remaining is None or remaining < 1 else f"{duration(remaining)} left",
            )

        yield listener


def _step(progress: Progress, of: str, end: str = "") -> str:
    """Which step it is, where there are several."""
    return "" if progress.steps == 1 else f"{progress.unit} {progress.step}{of}{progress.steps}{end}"


def _unsolved(progress: Progress) -> str:
    told = ""
    if progress.failed:
        told += f", {progress.failed:,} failed"
    if progress.infeasible:
        told += f", {progress.infeasible:,} infeasible"
    return told


def _best(progress: Progress) -> str:
    if not progress.best:
        return ""
    return ", best " + ", ".join(f"{name} {quantity(name, value)}" for name, value in progress.best.items())
