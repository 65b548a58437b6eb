"""How far a study is, told to whoever listens in the flow's process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.evaluate import Result
    from tasks.scoring import Scored


@dataclass(frozen=True)
class Progress:
    """A study's state after a chunk of evaluations.

    Attributes:
        step: the current generation, round or batch, from 1.
        steps: how many there will be, at most.
        unit: what a step is.
        evaluations: settled so far.
        planned: evaluations in all.
        failed: evaluations without an answer so far.
        infeasible: designs so far that cannot be dispatched.
        best: best value of each objective among the designs that satisfy the constraints, in natural units.
        hypervolume: of the front after the last full generation.
        seconds: since the study began in this process.
        cached: evaluations since then whose dispatch was known.
    """

    study_id: str
    step: int
    steps: int
    unit: str
    evaluations: int
    planned: int
    failed: int
    infeasible: int
    seconds: float
    best: dict[str, float] = field(default_factory=dict)
    hypervolume: float | None = None
    cached: int = 0


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []


@contextmanager
def listening(callback: Listener) -> Iterator[None]:
    """Call back with every progress that is reported in this process."""
    _listeners.append(callback)
    try:
        yield
    finally:
        _listeners.remove(callback)


def report(progress: Progress) -> None:
    for listener in tuple(_listeners):
        listener(progress)


class Tally:
    """Counts a study's evaluations and reports how far it is.

    Args:
        study_id: the study.
        planned: evaluations in all.

    Attributes:
        best: best value of each objective, where the study seeks any.
        hypervolume: of the front so far, where there is one.
        last: what the listeners were told last.
    """

    def __init__(self, study_id: str, planned: int) -> None:
        self._study_id = study_id
        self.planned = planned
        self._began = time.perf_counter()
        self._counts = {"success": 0, "failed": 0, "infeasible": 0}
        self._cached = 0
        self.seconds_per_evaluation: float | None = None
        self.best: dict[str, float] = {}
        self.hypervolume: float | None = None
        self.last: Progress | None = None

    @property
    def seconds(self) -> float:
        """Since the study began in this process."""
        return time.perf_counter() - self._began

    @property
    def solved(self) -> int:
        return self._counts["success"]

    @property
    def percent(self) -> float:
        """How much of what is planned is settled [0-100]."""
        return 100.0 * sum(self._counts.values()) / max(self.planned, 1)

    @property
    def is_through(self) -> bool:
        """Whether all that is planned is settled."""
        return sum(self._counts.values()) >= self.planned

    def take_up(self, known: Iterable[Scored]) -> None:
        """Count evaluations that were settled before an interruption."""
        for scored in known:
            self._counts[scored.status] += 1

    def count(self, results: Sequence[Result]) -> None:
        """Count a chunk, and measure how long an evaluation takes: half the past, half this chunk."""
        for result in results:
            self._counts[result.status] += 1
            self._cached += bool(result.cached_from)
        measured = [result.seconds for result in results if result.seconds and not result.cached_from]
        if measured:
            now = sum(measured) / len(measured)
            before = self.seconds_per_evaluation or now
            self.seconds_per_evaluation = (before + now) / 2

    def count_late(self, results: Sequence[Result]) -> None:
        """Count answers to evaluations that are counted as failed."""
        self._counts["failed"] -= len(results)
        self.count(results)

    def report(self, step: int, steps: int, unit: str) -> None:
        """Tell the listeners."""
        self.last = Progress(
            study_id=self._study_id,
            step=step,
            steps=steps,
            unit=unit,
            evaluations=sum(self._counts.values()),
            planned=self.planned,
            failed=self._counts["failed"],
            infeasible=self._counts["infeasible"],
            seconds=self.seconds,
            best=self.best,
            hypervolume=self.hypervolume,
            cached=self._cached,
        )
        report(self.last)
