"""Who evaluates: threads of this process, or a warm pool of processes.

HiGHS releases the interpreter while it runs, so threads scale for long horizons; processes scale always.
A worker compiles its model once and keeps it for the whole study.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import connection, resource_tracker
from typing import Any, Literal, Protocol, Self, TypeVar

from tasks.evaluate import Assignment, Design, Evaluator, Result

Runner = Literal["threads", "processes"]
_STARTS = 3
_T = TypeVar("_T")


class WorkersError(Exception):
    """Nothing could be evaluated, and no design is to blame."""


class Workers(Protocol):
    """Evaluates chunks of designs; may be called from several threads at once."""

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
    return ThreadWorkers(assignment)


class ThreadWorkers:
    """Each calling thread keeps an evaluator of its own."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._local = threading.local()
        self._leaving = threading.Event()

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        results: list[Result] = []
        for design in designs:
            # A study that is broken off waits for one evaluation of each thread, not for all that are queued.
            if self._leaving.is_set():
                raise WorkersError("the study was broken off")
            results += self._evaluator.evaluate([design], keep_series=keep_series)
        return results

    def explain(self, design: Design) -> tuple[str, ...]:
        return self._evaluator.explain(design)

    @property
    def _evaluator(self) -> Evaluator:
        if not hasattr(self._local, "evaluator"):
            self._local.evaluator = Evaluator(self._assignment)
        evaluator: Evaluator = self._local.evaluator
        return evaluator

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._leaving.set()
        self._local = threading.local()


class ProcessWorkers:
    """A pool of processes; one that dies takes the pool with it, and the pool is made anew."""

    def __init__(self, assignment: Assignment, count: int) -> None:
        self._assignment = assignment
        self._count = count
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._leaving = threading.Event()
        self._context = multiprocessing.get_context("spawn")
        # Workers live as long as this end is open: it closes with this process, however that ends.
        self._stay, self._stayed = self._context.Pipe(duplex=False)
        self._pool = self._start(count)

    def _start(self, count: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            count,
            mp_context=self._context,
            initializer=_begin_worker,
            initargs=(self._assignment, self._stay),
        )

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        """A chunk whose worker died is tried once more design by design, so that only the culprit fails."""
        pool = self._pool
        try:
            return self._submit(pool, _evaluate, list(designs), keep_series)
        except BrokenProcessPool:
            self._replace(pool)
        return self._one_by_one(designs, keep_series=keep_series)

    def explain(self, design: Design) -> tuple[str, ...]:
        pool = self._pool
        try:
            return self._submit(pool, _explain, design)
        except BrokenProcessPool:
            self._replace(pool)
            return ("it could not be found out why: the worker process died",)

    def _one_by_one(self, designs: Sequence[Design], *, keep_series: bool) -> list[Result]:
        """In a process of its own: a death in the common pool could be another chunk's fault."""
        results: list[Result] = []
        pool: ProcessPoolExecutor | None = None
        with self._one_at_a_time:
            try:
                for design in designs:
                    pool = pool or self._begun_alone()
                    try:
                        results += self._submit(pool, _evaluate, [design], keep_series)
                    except BrokenProcessPool:
                        results.append(_died(design))
                        pool.shutdown(wait=False)
                        pool = None
            finally:
                if pool is not None:
                    pool.shutdown(wait=False)
        return results

    def _begun_alone(self) -> ProcessPoolExecutor:
        """A pool of one that is ready: what kills it from now on is a design."""
        for _ in range(_STARTS):
            pool = self._start(1)
            try:
                self._submit(pool, _evaluate, [], False)
            except BrokenProcessPool:
                pool.shutdown(wait=False)
            else:
                return pool
        raise WorkersError("worker processes die as they start: is there memory left?")

    def _submit(self, pool: ProcessPoolExecutor, work: Callable[..., _T], *what: Any) -> _T:
        try:
            if self._leaving.is_set():
                raise WorkersError("the study was broken off")
            with _interrupts_kept_from_children():
                future = pool.submit(work, *what)
            return future.result()
        except BrokenProcessPool:
            if self._leaving.is_set():
                raise WorkersError("the study was broken off") from None
            raise

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                broken.shutdown(wait=False, cancel_futures=True)
                self._pool = self._start(self._count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_details: object) -> None:
        """Wait for the workers; where the study was broken off, send them away from what they do."""
        self._leaving.set()
        if kind is not None:
            self._stayed.close()
        with self._lock:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._stayed.close()
        self._stay.close()


def _died(design: Design) -> Result:
    message = "the worker process died each time it evaluated this design (out of memory?)"
    return Result(design, "failed", message, datetime.now(UTC))


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """A pool starts its processes when work is submitted, and they inherit which signals are blocked.

    Ctrl-C goes to the whole terminal; the flow's process decides what becomes of its workers, and one that is
    still starting must not die of it with a traceback.
    """
    resource_tracker.ensure_running()  # else it is started along, and unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_evaluator: Evaluator | None = None


def _begin_worker(assignment: Assignment, stay: connection.Connection) -> None:
    global _evaluator  # noqa: PLW0603 - a pool's worker has no other place for what it keeps
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_when_told, args=(stay,), daemon=True).start()
    _evaluator = Evaluator(assignment)


def _leave_when_told(stay: connection.Connection) -> None:
    """A flow that was killed or broken off must not leave workers behind, nor wait for a long solve."""
    parent = multiprocessing.parent_process()
    connection.wait([stay, *([parent.sentinel] if parent is not None else [])])
    os._exit(1)


def _begun() -> Evaluator:
    if _evaluator is None:
        raise RuntimeError("the worker was not begun")
    return _evaluator


def _evaluate(designs: list[Design], keep_series: bool) -> list[Result]:
    return _begun().evaluate(designs, keep_series=keep_series)


def _explain(design: Design) -> tuple[str, ...]:
    return _begun().explain(design)


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
