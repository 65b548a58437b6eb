"""Who evaluates: threads of this process, a warm pool of processes, or a Dask cluster (`tasks.dask_workers`).

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
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from multiprocessing import connection, resource_tracker
from typing import Any, Literal, Protocol, Self

from schema.errors import Finding, InputError
from tasks.crew import Crew, LostError
from tasks.evaluate import Assignment, Design, Evaluator, Result

Runner = Literal["threads", "processes", "dask"]
STARTS = 3
START_SECONDS = 900.0  # imports, and compiling a year's model on a busy machine
_STOP_SECONDS = 10.0
_SLICE_SECONDS = 1.0
_CHUNK_SECONDS = 0.5
_LEAST_CHUNK_SECONDS = 0.05  # several times what Prefect spends on a task


class WorkersError(Exception):
    """Nothing could be evaluated, and no design is to blame."""


class Workers(Protocol):
    """Evaluates chunks of designs; may be called from any number of threads at once."""

    @property
    def count(self) -> int:
        """How many evaluate at once, as things stand."""
        ...

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


def workers_for(
    runner: Runner,
    assignment: Assignment,
    count: int | None = None,
    dask_address: str | None = None,
    *,
    planned: int | None = None,
) -> Workers:
    """Workers of a kind. One alone needs no process of its own.

    Args:
        runner: the kind.
        assignment: what to evaluate.
        count: how many; unless told one a core, or as many as the cluster at `dask_address` has.
        dask_address: the scheduler of a Dask cluster; one on this machine is started unless told.
        planned: evaluations, where it is known: fewer than workers start no more processes than they need.

    Raises:
        InputError: an address without Dask, or one that cannot be used.
    """
    require_dask(runner, dask_address)
    if runner == "dask":
        from tasks.dask_workers import DaskWorkers

        return DaskWorkers(assignment, count if dask_address else count or usable_cores(), dask_address)
    count = count or usable_cores()
    if runner == "processes" and count > 1:
        return ProcessWorkers(assignment, count, planned)
    return ThreadWorkers(assignment, count)


def require_dask(runner: Runner, dask_address: str | None) -> None:
    """Raises InputError where a cluster is named and another runner asked for."""
    if dask_address is not None and runner != "dask":
        message = (
            f"a Dask cluster is named, and {runner} are to evaluate: add --runner dask, or no --dask-address"
        )
        raise InputError(Finding("", "--dask-address", dask_address, "none without --runner dask", message))


def usable_cores() -> int:
    """Cores that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ThreadWorkers:
    """Evaluators for so many threads at once; whoever else calls waits."""

    def __init__(self, assignment: Assignment, count: int = 1) -> None:
        self.count = count
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


class ProcessWorkers(Crew):
    """A pool of processes; one that dies or hangs is replaced.

    Args:
        assignment: what to evaluate.
        count: how many.
        planned: evaluations; so many processes at most are started on entering, the others when they are needed.
    """

    def __init__(self, assignment: Assignment, count: int, planned: int | None = None) -> None:
        super().__init__(assignment)
        self.count = count
        self._early = count if planned is None else min(count, planned)
        self._leaving = threading.Event()
        self._lock = threading.Lock()
        self._started: set[_Worker] = set()
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(None)

    def _answers(self, groups: Sequence[list[Design]], *, keep_series: bool) -> Iterator[list[Result]]:
        with self._taken() as worker:
            worker.ask(_Evaluate(groups, keep_series))
            for group in groups:
                yield worker.answer(self._patience(group, keep_series=keep_series))

    def _explained(self, design: Design) -> tuple[str, ...]:
        with self._taken() as worker:
            worker.ask(_Explain(design))
            lines: tuple[str, ...] = worker.answer(self._patience([design]))
            return lines

    @contextmanager
    def _taken(self) -> Iterator[_Worker]:
        """A worker that is ready; where it is lost, another takes its place when one is needed."""
        worker = self._idle.get()
        try:
            worker = self._ready(worker)
            yield worker
        except LostError:
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

    def _ready(self, worker: _Worker | None) -> _Worker:
        """This worker or another, once it has its model."""
        for _ in range(STARTS):
            worker = worker or self._begin()
            try:
                worker.await_ready()
            except LostError:
                with self._lock:
                    self._started.discard(worker)
                worker = None
            else:
                return worker
        if self._leaving.is_set():
            raise WorkersError("the study was broken off")
        raise WorkersError("worker processes die as they start: is there memory left?")

    def _begin(self) -> _Worker:
        with self._lock:
            if self._leaving.is_set():
                raise WorkersError("the study was broken off")
            try:
                worker = _Worker(self._assignment)
            except OSError as error:
                raise WorkersError(f"a worker process cannot be started: {error}") from error
            self._started.add(worker)
        return worker

    def __enter__(self) -> Self:
        """Start the processes, which make themselves ready while the study begins."""
        with ExitStack() as stack:
            stack.push(self)  # where one cannot be started, the others leave
            started = [self._idle.get() or self._begin() for _ in range(self._early)]
            for worker in started:
                self._idle.put(worker)
            stack.pop_all()
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


class _Worker:
    """A process that evaluates; used by one thread at a time."""

    def __init__(self, assignment: Assignment) -> None:
        context = multiprocessing.get_context("spawn")
        self._link, there = context.Pipe()
        self._process = context.Process(target=_work, args=(assignment, there), daemon=True)
        with there, interrupts_kept_from_children(), main_kept_from_children():
            self._process.start()
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def await_ready(self) -> None:
        """Wait until its model is compiled; raises LostError where it does not come to that."""
        if not self._is_ready:
            self.answer(START_SECONDS)
            self._is_ready = True

    def ask(self, question: _Evaluate | _Explain) -> None:
        """Raises LostError where it is gone."""
        try:
            self._link.send(question)
        except OSError:
            self._lose(hung=False)

    def answer(self, patience_seconds: float) -> Any:
        """Its next answer.

        Raises:
            LostError: it died, or it did not answer in time and was killed.
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
        raise LostError(hung=hung)

    def kill(self) -> None:
        self._process.kill()
        self._process.join(_STOP_SECONDS)

    def dismiss(self) -> None:
        """Let it go once it has nothing to do; one that never had, at once."""
        self._link.close()
        if self._is_ready:
            self._process.join(_STOP_SECONDS)
        self.kill()


@contextmanager
def interrupts_kept_from_children() -> Iterator[None]:
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


_specs: list[ModuleSpec | None] = []
_specs_lock = threading.Lock()


@contextmanager
def main_kept_from_children() -> Iterator[None]:
    """Spawned processes import the program that spawns them, and ours need nothing of it.

    A script that runs a study would run it once more in each of its workers. What says of itself that it is called
    `__main__`, as a package's or a zip file's does, is left alone. Several may keep it at once.
    """
    main = sys.modules["__main__"]
    with _specs_lock:
        _specs.append(main.__spec__)
        main.__spec__ = ModuleSpec("__main__", None)
    try:
        yield
    finally:
        with _specs_lock:
            spec = _specs.pop()
            if not _specs:
                main.__spec__ = spec


# -- in a worker's process


@dataclass(frozen=True)
class _Evaluate:
    """Each group is answered by itself, its designs evaluated together."""

    groups: Sequence[list[Design]]
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
    # Taking the interpreter down takes a quarter of a second, and the study waits for it.
    os._exit(0)


def _leave_with_parent() -> None:
    """A flow that was killed must not leave workers behind, nor wait for a long solve."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
    os._exit(1)


def chunks_of(
    designs: Sequence[Design], workers: int, seconds_per_evaluation: float | None, *, together: bool = False
) -> list[list[Design]]:
    """Split designs so that a chunk takes about half a second, and every worker has one to the end.

    Prefect spends some milliseconds on a task: little beside a slow evaluation, more than a quick one takes.
    As long as nothing was measured, some chunks for each worker show whether there is progress. The last chunks
    are smaller, down to a single design: else workers would wait for whoever has the last one. Designs that are
    evaluated together, as rules do it, are shared out evenly: many of them take little longer than one.
    """
    workers = max(workers, 1)
    fair = -(-len(designs) // workers)
    most = least = fair
    if not together:
        most, least = -(-fair // 4), -(-fair // 32)
        if seconds_per_evaluation:
            most = min(fair, round(_CHUNK_SECONDS / seconds_per_evaluation))
            least = min(most, round(_LEAST_CHUNK_SECONDS / seconds_per_evaluation)) if most < fair else fair
    chunks, start = [], 0
    while start < len(designs):
        size = max(1, least, min(most, (len(designs) - start) // (2 * workers)))
        chunks.append(list(designs[start : start + size]))
        start += size
    return chunks
