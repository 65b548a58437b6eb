"""Who evaluates: threads of this process, or a warm pool of processes.

HiGHS releases the interpreter while it runs, so threads scale for long horizons; processes scale always.
A worker compiles its model once and keeps it for the whole study.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from typing import Literal, Protocol, Self

from tasks.evaluate import Assignment, Design, Evaluator, Result

Runner = Literal["threads", "processes"]


class Workers(Protocol):
    """Evaluates chunks of designs; may be called from several threads at once."""

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        """One result for each design, in order; never raises for what befalls a design."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *details: object) -> None: ...


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

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        if not hasattr(self._local, "evaluator"):
            self._local.evaluator = Evaluator(self._assignment)
        evaluator: Evaluator = self._local.evaluator
        return evaluator.evaluate(designs, keep_series=keep_series)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._local = threading.local()


class ProcessWorkers:
    """A pool of processes; one that dies takes its chunk with it, and the pool is made anew."""

    def __init__(self, assignment: Assignment, count: int) -> None:
        self._assignment = assignment
        self._count = count
        self._lock = threading.Lock()
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin_worker,
            initargs=(self._assignment,),
        )

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        """A chunk whose worker died is tried once more design by design, so that only the culprit fails."""
        try:
            return self._submit(designs, keep_series=keep_series)
        except BrokenProcessPool:
            return [self._alone(design, keep_series=keep_series) for design in designs]

    def _alone(self, design: Design, *, keep_series: bool) -> Result:
        try:
            return self._submit([design], keep_series=keep_series)[0]
        except BrokenProcessPool:
            return Result(design, "failed", "the worker process died (out of memory?)", datetime.now(UTC))

    def _submit(self, designs: Sequence[Design], *, keep_series: bool) -> list[Result]:
        pool = self._pool
        try:
            return pool.submit(_evaluate, list(designs), keep_series).result()
        except BrokenProcessPool:
            self._replace(pool)
            raise

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                broken.shutdown(wait=False, cancel_futures=True)
                self._pool = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


_evaluator: Evaluator | None = None


def _begin_worker(assignment: Assignment) -> None:
    global _evaluator  # noqa: PLW0603 - a pool's worker has no other place for what it keeps
    # Ctrl-C goes to the whole terminal; the flow's process decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _evaluator = Evaluator(assignment)


def _leave_with_parent() -> None:
    """A killed flow must not leave workers behind that wait for its word for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _evaluate(designs: list[Design], keep_series: bool) -> list[Result]:
    if _evaluator is None:
        raise RuntimeError("the worker was not begun")
    return _evaluator.evaluate(designs, keep_series=keep_series)


def chunks_of(
    designs: Sequence[Design], workers: int, seconds_per_evaluation: float | None
) -> list[list[Design]]:
    """Split designs so that a chunk takes about half a second, and every worker has one.

    Prefect spends some milliseconds on a task: little beside a slow evaluation, more than a quick one takes.
    """
    fair = -(-len(designs) // max(workers, 1))
    by_time = fair if not seconds_per_evaluation else max(1, round(0.5 / seconds_per_evaluation))
    size = max(1, min(fair, by_time))
    return [list(designs[start : start + size]) for start in range(0, len(designs), size)]
