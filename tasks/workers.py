"""Who evaluates: threads of this process, or a warm pool of processes.

HiGHS releases the interpreter while it runs, so threads scale for long horizons; processes scale always.
A worker compiles its model once and keeps it for the whole study. A process that dies or hangs is replaced: it
answers design by design, so it is known which one it was at, and only that one suffers. A thread that hangs
cannot be ended.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import connection, resource_tracker
from typing import Any, Literal, Protocol, Self

from tasks.evaluate import Assignment, Design, Evaluator, Result

Runner = Literal["threads", "processes"]
_STARTS = 3
_START_SECONDS = 900.0  # imports, and compiling a year's model on a busy machine
_STOP_SECONDS = 10.0
_SLICE_SECONDS = 1.0
_DEATHS = 2


class WorkersError(Exception):
    """Nothing could be evaluated, and no design is to blame."""


class Workers(Protocol):
    """Evaluates chunks of designs; may be called from any number of threads at once."""

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        """One result for each design, in order; never raises for what befalls a design.

        Raises:
            WorkersError: there are no workers, as they cannot be started or the study was broken off.
        """
        ...

    def explain(self, design: Design) -> tuple[str, ...]:
        """Why a design cannot be dispatched, in a few lines."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None: ...


def workers_for(runner: Runner, assignment: Assignment, count: int) -> Workers:
    """`count` workers of a kind. One alone needs no process of its own."""
    if runner == "processes" and count > 1:
        return ProcessWorkers(assignment, count)
    return ThreadWorkers(assignment, count)


class ThreadWorkers:
    """Evaluators for so many threads at once; whoever else calls waits."""

    def __init__(self, assignment: Assignment, count: int = 1) -> None:
        self._idle: queue.LifoQueue[Evaluator] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(Evaluator(assignment))
        self._leaving = threading.Event()

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        results: list[Result] = []
        with self._taken() as evaluator:
            for design in designs:
                # A study that is broken off waits for one evaluation of each thread, not for all that are queued.
                if self._leaving.is_set():
                    raise WorkersError("the study was broken off")
                results += evaluator.evaluate([design], keep_series=keep_series)
        return results

    def explain(self, design: Design) -> tuple[str, ...]:
        with self._taken() as evaluator:
            return evaluator.explain(design)

    @contextmanager
    def _taken(self) -> Iterator[Evaluator]:
        evaluator = self._idle.get()
        try:
            yield evaluator
        finally:
            self._idle.put(evaluator)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._leaving.set()


class ProcessWorkers:
    """A pool of processes; one that dies or hangs is replaced."""

    def __init__(self, assignment: Assignment, count: int) -> None:
        self._assignment = assignment
        self._leaving = threading.Event()
        self._lock = threading.Lock()
        self._started: set[_Worker] = set()
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)  # started when it is needed

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        """The rest of a chunk whose worker is lost goes on in another one.

        A design that hangs fails, and one at which two workers died; of designs that were evaluated together each
        is tried alone.
        """
        together = self._assignment.solver.method == "rule_based"
        left: deque[list[Design]] = deque([list(designs)] if together else ([one] for one in designs))
        results: list[Result] = []
        deaths: Counter[int] = Counter()
        while left:
            try:
                for part in self._answers(list(left), keep_series=keep_series):
                    results += part
                    left.popleft()
            except _LostError as lost:
                at = left.popleft()
                deaths[at[0].number] += 1
                if len(at) > 1:
                    left.extendleft([design] for design in reversed(at))
                elif lost.hung:
                    results.append(_hung(at[0], self._patience(at, keep_series=keep_series)))
                elif deaths[at[0].number] == _DEATHS:
                    results.append(_died(at[0]))
                else:
                    left.appendleft(at)
        return results

    def explain(self, design: Design) -> tuple[str, ...]:
        try:
            with self._taken() as worker:
                worker.ask(_Explain(design))
                lines: tuple[str, ...] = worker.answer(self._patience([design]))
                return lines
        except _LostError as lost:
            return (f"it could not be found out why: the worker process {'hung' if lost.hung else 'died'}",)

    def _answers(self, groups: list[list[Design]], *, keep_series: bool) -> Iterator[list[Result]]:
        """The results of each group, as they come."""
        with self._taken() as worker:
            worker.ask(_Evaluate(groups, keep_series))
            for group in groups:
                yield worker.answer(self._patience(group, keep_series=keep_series))

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

    @contextmanager
    def _taken(self) -> Iterator[_Worker]:
        """A worker that is ready; where it is lost, another takes its place when one is needed."""
        worker = self._idle.get()
        try:
            worker = worker or self._begun()
            yield worker
        except _LostError:
            if self._leaving.is_set():
                raise WorkersError("the study was broken off") from None
            raise
        except BaseException:
            # Its answers would be taken for those to the next question.
            if worker is not None:
                worker.kill()
            raise
        finally:
            if worker is not None and not worker.is_alive:
                with self._lock:
                    self._started.discard(worker)
                worker = None
            self._idle.put(worker)

    def _begun(self) -> _Worker:
        for _ in range(_STARTS):
            with self._lock:
                if self._leaving.is_set():
                    raise WorkersError("the study was broken off")
                worker = _Worker(self._assignment)
                self._started.add(worker)
            with suppress(_LostError):
                worker.answer(_START_SECONDS)
                return worker
            with self._lock:
                self._started.discard(worker)
        if self._leaving.is_set():
            raise WorkersError("the study was broken off")
        raise WorkersError("worker processes die as they start: is there memory left?")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_details: object) -> None:
        """Wait for the workers; where the study was broken off, send them away from what they do."""
        with self._lock:
            self._leaving.set()
            workers = list(self._started)
        for worker in workers:
            if kind is not None:
                worker.kill()
            else:
                worker.dismiss()


def _died(design: Design) -> Result:
    message = "the worker process died each time it evaluated this design (out of memory?)"
    return Result(design, "failed", message, datetime.now(UTC), conclusive=True)


def _hung(design: Design, seconds: float) -> Result:
    message = (
        f"its evaluation hung: it was still running after {seconds:g} s, the time limit and "
        "failures.hang_margin_seconds, and its worker process was ended"
    )
    return Result(design, "failed", message, datetime.now(UTC), seconds=seconds)


class _LostError(Exception):
    """A worker is gone: it died, or it hung and was killed."""

    def __init__(self, *, hung: bool) -> None:
        super().__init__("hung" if hung else "died")
        self.hung = hung


class _Worker:
    """A process that evaluates; used by one thread at a time."""

    def __init__(self, assignment: Assignment) -> None:
        context = multiprocessing.get_context("spawn")
        self._link, there = context.Pipe()
        self._process = context.Process(target=_work, args=(assignment, there), daemon=True)
        with there, _interrupts_kept_from_children():
            self._process.start()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def ask(self, question: _Evaluate | _Explain) -> None:
        """Raises _LostError where it is gone."""
        try:
            self._link.send(question)
        except OSError:
            self._lose(hung=False)

    def answer(self, patience_seconds: float) -> Any:
        """Its next answer.

        Raises:
            _LostError: it died, or it did not answer in time and was killed.
        """
        left = patience_seconds
        try:
            # In slices: while this process is stopped (Ctrl-Z) the worker's time does not run out.
            while not self._link.poll(min(left, _SLICE_SECONDS)):
                left -= _SLICE_SECONDS
                if left <= 0:
                    self._lose(hung=True)
            return self._link.recv()
        except (EOFError, OSError):
            self._lose(hung=False)

    def _lose(self, *, hung: bool) -> Any:
        self.kill()
        raise _LostError(hung=hung)

    def kill(self) -> None:
        self._process.kill()
        self._process.join(_STOP_SECONDS)

    def dismiss(self) -> None:
        """Let it go once it has nothing to do."""
        self._link.close()
        self._process.join(_STOP_SECONDS)
        self.kill()


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Processes inherit which signals are blocked.

    Ctrl-C goes to the whole terminal; the flow's process decides what becomes of its workers, and one that is
    still starting must not die of it with a traceback.
    """
    resource_tracker.ensure_running()  # else it is started along, and unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- in a worker's process


@dataclass(frozen=True)
class _Evaluate:
    """Each group is answered by itself, its designs evaluated together."""

    groups: list[list[Design]]
    keep_series: bool

    def answers(self, evaluator: Evaluator) -> Iterator[list[Result]]:
        return (evaluator.evaluate(group, keep_series=self.keep_series) for group in self.groups)


@dataclass(frozen=True)
class _Explain:
    design: Design

    def answers(self, evaluator: Evaluator) -> Iterator[tuple[str, ...]]:
        return (evaluator.explain(design) for design in [self.design])


def _work(assignment: Assignment, link: connection.Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    evaluator = Evaluator(assignment)
    evaluator.make_ready()
    # Who asked is gone, or needs it no more.
    with suppress(EOFError, OSError):
        link.send("ready")
        while True:
            question: _Evaluate | _Explain = link.recv()
            for answer in question.answers(evaluator):
                link.send(answer)


def _leave_with_parent() -> None:
    """A flow that was killed must not leave workers behind, nor wait for a long solve."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
    os._exit(1)


def chunks_of(
    designs: Sequence[Design], workers: int, seconds_per_evaluation: float | None, *, together: bool = False
) -> list[list[Design]]:
    """Split designs so that a chunk takes about half a second, and every worker has one.

    Prefect spends some milliseconds on a task: little beside a slow evaluation, more than a quick one takes.
    As long as nothing was measured, four chunks for each worker show whether there is progress. Designs that are
    evaluated together, as rules do it, are shared out evenly: many of them take little longer than one.
    """
    fair = -(-len(designs) // max(workers, 1))
    by_time = round(0.5 / seconds_per_evaluation) if seconds_per_evaluation else -(-fair // 4)
    size = max(1, fair if together else min(fair, by_time))
    return [list(designs[start : start + size]) for start in range(0, len(designs), size)]
