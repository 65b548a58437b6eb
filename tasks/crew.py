"""Workers that may be lost: they die, or they hang and are ended. What becomes of the designs they were at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tasks.evaluate import Assignment, Design, Result

_DEATHS = 2


class LostError(Exception):
    """A worker is gone: it died, or it hung and was ended."""

    def __init__(self, *, hung: bool) -> None:
        super().__init__("hung" if hung else "died")
        self.hung = hung


class Crew(ABC):
    """Workers, each with a process of its own, of which any may be lost at any time."""

    answers_whole_chunks = False
    """Whether a worker that is lost leaves open at which of a chunk's designs it was."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    @abstractmethod
    def _answers(self, groups: Sequence[list[Design]], *, keep_series: bool) -> Iterator[list[Result]]:
        """The results of each group, as they come.

        Raises:
            LostError: the worker was lost at the group whose results would come next.
            WorkersError: there are no workers.
        """

    @abstractmethod
    def _explained(self, design: Design) -> tuple[str, ...]:
        """Why a design cannot be dispatched; raises LostError as `_answers`."""

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        """The rest of a chunk whose worker is lost goes on in another one.

        A design that hangs fails, and one at which two workers died; where it is not known at which design it
        was, each is tried alone.
        """
        together = self.answers_whole_chunks or self._assignment.solver.method == "rule_based"
        left: deque[list[Design]] = deque([list(designs)] if together else ([one] for one in designs))
        results: list[Result] = []
        deaths: Counter[int] = Counter()
        while left:
            try:
                for part in self._answers(list(left), keep_series=keep_series):
                    results += part
                    left.popleft()
            except LostError as lost:
                at = left.popleft()
                if len(at) > 1:
                    left.extendleft([design] for design in reversed(at))
                    continue
                deaths[at[0].number] += 1
                if lost.hung:
                    results.append(_hung(at[0], self._patience(at, keep_series=keep_series)))
                elif deaths[at[0].number] == _DEATHS:
                    results.append(_died(at[0]))
                else:
                    left.appendleft(at)
        return results

    def explain(self, design: Design) -> tuple[str, ...]:
        try:
            return self._explained(design)
        except LostError as lost:
            return (f"it could not be found out why: the worker process {'hung' if lost.hung else 'died'}",)

    def _patience(self, designs: Sequence[Design], *, keep_series: bool = False) -> float:
        """How long a worker may be at designs before it counts as hung [s]."""
        settings, failures = self._assignment.solver, self._assignment.failures
        solves = 2 if self._assignment.system.economics.baseline else 1
        limits = [
            float(design.values.get("solver.time_limit_seconds", settings.time_limit_seconds))
            for design in designs
        ]
        writing = len(designs) * failures.storage_patience_seconds if keep_series else 0.0
        return solves * sum(limits) + writing + failures.hang_margin_seconds


def _died(design: Design) -> Result:
    message = "the worker process died each time it evaluated this design (out of memory?)"
    return Result(design, "failed", message, datetime.now(UTC), conclusive=True)


def _hung(design: Design, seconds: float) -> Result:
    message = (
        f"its evaluation hung: it was still running after {seconds:g} s, the time limit and "
        "failures.hang_margin_seconds, and its worker process was ended"
    )
    return Result(design, "failed", message, datetime.now(UTC), seconds=seconds)
