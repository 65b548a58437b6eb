"""A study under way: what the flows of all kinds share. A flow says what to evaluate and in which order.

Evaluations are numbered in the order in which they are asked for. What was settled before an interruption is
recalled by number, so that a flow which asks the same questions again goes on where it was broken off.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, cast

from prefect import State, unmapped
from prefect.futures import as_completed
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.earlier_runs import take_over
from flows.retries import tried_again
from flows.scheduled import as_scheduled, scheduled_id
from flows.telling import Telling, state_of
from schema.base import Value
from schema.errors import Finding, InputError
from schema.loading import LoadedStudy, load_study
from schema.store.errors import StoreError
from schema.store.store import Store
from schema.studies import Study
from schema.yaml_files import read_yaml
from tasks.bases import Base, bases_of
from tasks.bookkeeping import Begun, FinalStatus, StudyRecord, begin, files_by_run
from tasks.evaluate import Assignment, Design, Result, run_id
from tasks.progress import Tally
from tasks.retrying import is_tried_again
from tasks.reuse import Reuse
from tasks.scoring import Scored
from tasks.steps import evaluate_chunk, explain_infeasible
from tasks.workers import Runner, Workers, chunks_of, workers_for

logger = logging.getLogger(__name__)
S = TypeVar("S", bound=Study)
FINISHED_BEFORE = "finished before"
RESULTS = Path(os.environ.get("ECOSYSTEMISER_RESULTS") or "results")
"""Where results go unless told otherwise."""
BATCH = 2_000
"""Evaluations that are begun together: each is logged and becomes part of a task."""


_prepared: ContextVar[tuple[LoadedStudy, Workers] | None] = ContextVar("prepared", default=None)


def finished_before() -> State[str]:
    """The flow run's state where nothing was left to do."""
    return Completed(message=FINISHED_BEFORE, data=FINISHED_BEFORE)


@contextmanager
def handed_over(loaded: LoadedStudy, pool: Workers) -> Iterator[None]:
    """What the flow of a study in this process need not do again: it is read, its workers are starting."""
    token = _prepared.set((loaded, pool))
    try:
        yield
    finally:
        _prepared.reset(token)


def study_name() -> str:
    """The study's id as the flow run's name."""
    path = Path(flow_run.parameters["study"])
    try:
        return scheduled_id(str(read_yaml(path)[0].get("study", path.stem)))
    except InputError:
        return path.stem


@dataclass(frozen=True)
class Step:
    """Where in the study an evaluation belongs.

    Attributes:
        number: of the step, from 1; recorded as the generation.
        of: how many steps there are, at most.
        unit: what a step is.
    """

    number: int
    of: int
    unit: str


@dataclass
class UnderWay(Generic[S]):
    """One study under way.

    Attributes:
        asked: the study as it was asked for.
        loaded: the same with its system.
        record: what it writes.
        tally: how far it is.
        bases: the designs that it looks at.
        begun: what was there before.
        reuse: what was solved before, in this study or another.
    """

    asked: S
    loaded: LoadedStudy
    store: Store
    record: StudyRecord
    tally: Tally
    bases: Sequence[Base]
    begun: Begun
    pool: Workers
    telling: Telling
    reuse: Reuse
    numbers: int = 0
    infeasible: Design | None = field(default=None)

    @property
    def study_id(self) -> str:
        return self.asked.study

    def numbered(self, values: Sequence[Mapping[str, Value]]) -> list[Design]:
        """The next designs to be evaluated."""
        designs = [Design(self.numbers + i, one) for i, one in enumerate(values)]
        self.numbers += len(designs)
        return designs

    def unknown(self, designs: Sequence[Design]) -> list[Design]:
        """Those that were not settled before an interruption."""
        return [design for design in designs if design.number not in self.begun.known]

    def evaluate(self, designs: Sequence[Design], step: Step, *, keep_series: bool) -> list[Scored]:
        """Evaluate and record designs, but for what is known of them; the answers in their order.

        Raises:
            InputError: the record tells of other designs.
            StoreError: the record, or time series that are to be kept, could not be written.
        """
        scored = self.record.recall(self.begun.known, designs)
        self.tally.take_up(scored.values())
        missing = self.unknown(designs)
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            self.record.start(batch)
            for results in self._answer(batch, f"{step.unit} {step.number}", keep_series=keep_series):
                settled = self.record.settle(step.number, results)
                scored |= {judged.design.number: judged for judged in settled}
                self.tally.count(results)
                self.tally.report(step.number, step.of, step.unit)
                self.telling.settled(results)
            if start + BATCH < len(missing):
                self.show_progress(self.tally.percent)
        answers = [scored[design.number] for design in designs]
        if self.infeasible is None:
            self.infeasible = next(
                (judged.design for judged in answers if judged.status == "infeasible"), None
            )
        return answers

    def _answer(self, designs: Sequence[Design], what: str, *, keep_series: bool) -> Iterator[list[Result]]:
        """Results as they come: what is known, then one solve for each dispatch, then those that waited for it.

        Time series are not taken over: where they are to be kept, all are solved.
        """
        if keep_series:
            yield from map(self.reuse.offered, self._solve(designs, what, keep_series=True))
            return
        told = self.reuse.sort_out(designs)
        if told.found:
            yield told.found
        yield from map(self.reuse.offered, self._solve(told.first, what, keep_series=False))
        if told.waiting:
            # By now what they wait for is recorded. Where it failed, nobody takes that over.
            told = self.reuse.sort_out(told.waiting)
            if told.found:
                yield told.found
            left = [*told.first, *told.waiting]
            yield from map(self.reuse.offered, self._solve(left, what, keep_series=False))

    def _solve(self, designs: Sequence[Design], what: str, *, keep_series: bool) -> Iterator[list[Result]]:
        """Evaluate in chunks, as mapped tasks; yields results as they come, last those that were tried again."""
        together = self.asked.solver.method == "rule_based"
        chunks = chunks_of(designs, self.pool.count, self.tally.seconds_per_evaluation, together=together)
        futures = evaluate_chunk.map(
            chunks,
            unmapped(self.pool),
            study_id=unmapped(self.study_id),
            label=[f"{what}, {_numbers(chunk)}" for chunk in chunks],
            keep_series=unmapped(keep_series),
        )
        by_future = dict(zip(futures, chunks, strict=True))
        again: list[Result] = []
        for future in as_completed(list(futures)):
            future.wait()  # before, its state is what the server has heard of it so far
            if future.state.is_completed():
                results = cast("list[Result]", future.result())
            else:
                # A design that fails is a result. A task that fails is nobody's but ours: without it, then.
                logger.warning(
                    "A task of %s ended as %s (%s): its evaluations are done again without Prefect",
                    self.study_id,
                    future.state.name,
                    future.state.message,
                )
                results = self.pool.evaluate(by_future[future], keep_series=keep_series)
            written = [one for one in results if not one.unwritten]
            again += (one for one in written if is_tried_again(one, self.asked.failures))
            if settled := [one for one in written if not is_tried_again(one, self.asked.failures)]:
                yield settled
            _require_written(self.study_id, results)
        for settled in tried_again(again, self.asked, self.pool, keep_series=keep_series):
            _require_written(self.study_id, settled)
            yield settled

    def late_answers(self, *, keep_series: bool) -> list[Scored]:
        """Answers to evaluations that a search was told of as failed: those known, and those asked for now."""
        late = list(self.begun.late)
        for generation, designs in self.begun.failed.items():
            self.record.start(designs)
            for results in self._solve(designs, "failures", keep_series=keep_series):
                late += self.record.settle_late(generation, results)
                self.tally.count_late(results)
                self.telling.settled(results)
        return late

    def show_progress(self, percent: float) -> None:
        """Record how far the study is [0-100], and show it in the Prefect UI."""
        self.record.progress(percent)
        self.telling.progress(percent)

    def finish(self, series_of: Sequence[Design] = ()) -> State[str]:
        """Write the time series of some designs and settle the study; the state of its flow run."""
        results: list[Result] = []
        # Solved once more: keeping every evaluation's series would fill the disk.
        for chunk in self._solve(series_of, "time series of the front", keep_series=True):
            results += chunk
        status: FinalStatus = "completed" if self.tally.solved else "failed"
        reasons: Sequence[str] = ()
        if status == "failed" and self.infeasible is not None:
            reasons = explain_infeasible(self.infeasible, self.pool, self.study_id)
            self.record.tell(reason=list(reasons))
        self.record.finish(status, files_by_run(self.study_id, results), self.tally.seconds)
        self.telling.ended(status)
        return state_of(status, self.tally.last, reasons)


@contextmanager
def under_way(
    kind: type[S],
    study: Path,
    results: Path,
    *,
    workers: int | None,
    runner: Runner,
    dask_address: str | None = None,
    resume: bool,
    retry_failed: bool = False,
) -> Iterator[UnderWay[S] | None]:
    """A study of a kind that is claimed and begun, with workers; settled as broken off where its flow raises.

    Yields:
        The study; None where it was finished before.

    Raises:
        InputError: the study is not valid or of another kind, its id is taken, or another study has not the
            design that it names, or a Dask cluster cannot be used.
        WorkersError: there is nobody to evaluate.
        StudyAliveError: another process is running it.
    """
    seen, pool = _prepared.get() or (None, None)
    loaded = as_scheduled(seen or load_study(study))
    asked = loaded.study
    if not isinstance(asked, kind):
        message = (
            f"this flow runs other studies than {asked.type.replace('_', ' ')}: run the flow of that kind"
        )
        raise InputError(Finding(str(study), "type", asked.type, "a study of the flow's kind", message))
    with Store.open(results) as store, store.claim(asked.study):
        bases = bases_of(store, loaded)
        begun = begin(store, loaded, resume=resume, retry_failed=retry_failed, bases=bases)
        take_over(store, asked.study)
        if begun.finished:
            yield None
            return
        assignment = Assignment.of(loaded, results)
        record = StudyRecord(store, loaded)
        tally = Tally(asked.study, asked.planned * len(bases))
        telling = Telling(asked, results, tally)
        telling.started(len(begun.known))
        with ExitStack() as stack:
            try:
                pool = (
                    stack.push(pool)
                    if pool is not None
                    else stack.enter_context(
                        workers_for(runner, assignment, workers, dask_address, planned=tally.planned)
                    )
                )
                reuse = Reuse(record.dispatches, loaded)
                yield UnderWay(asked, loaded, store, record, tally, bases, begun, pool, telling, reuse)
            except BaseException as error:
                status: FinalStatus = "failed" if isinstance(error, Exception) else "cancelled"
                record.abandon(status, tally.seconds)
                telling.ended(status, f"{type(error).__name__}: {error}")
                raise


def _numbers(chunk: Sequence[Design]) -> str:
    """Which evaluations these are: `4 to 7` in a row, else `4 and 3 more`."""
    first, last, count = chunk[0].number, chunk[-1].number, len(chunk)
    if count == 1:
        return str(first)
    return f"{first} to {last}" if last - first == count - 1 else f"{first} and {count - 1} more"


def _require_written(study_id: str, results: Sequence[Result]) -> None:
    """Raises StoreError where time series that are to be kept could not be written."""
    for result in results:
        if result.unwritten:
            raise StoreError(
                f"the time series of {run_id(study_id, result.design)} were not kept: {result.unwritten}. What "
                "was evaluated before is recorded: run the study again with --resume"
            )
