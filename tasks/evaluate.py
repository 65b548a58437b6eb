"""Designs to results: every design is dispatched and told apart as solved, infeasible or failed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from schema.base import Value
from schema.failure_rules import FailureRules
from schema.store.records import Reusable, RunFiles, run_id_of
from schema.study import SolverSettings
from schema.system import System

if TYPE_CHECKING:
    from schema.loading import LoadedStudy
    from solvers.dispatch import Dispatcher
    from solvers.judging import Dispatch
    from solvers.kpis import Operation

EvaluationStatus = Literal["success", "failed", "infeasible"]


@dataclass(frozen=True)
class Design:
    """What to evaluate.

    Attributes:
        number: the evaluation's number in the study.
        values: dotted path to number or name, in the study's order.
    """

    number: int
    values: Mapping[str, Value]


@dataclass(frozen=True)
class PackedSeries:
    """A run's time series on their way to who writes them.

    Attributes:
        files: content by the file's name; all but the run's configuration.
        system: the design that was dispatched, as JSON.
    """

    files: Mapping[str, bytes]
    system: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """How a design did.

    Attributes:
        status: `success` for an optimal or feasible dispatch.
        kpis: empty without a solution.
        message: the solver's words; for a failure, what went wrong.
        seconds: wall time of the whole evaluation.
        solver_seconds: HiGHS' share of it.
        details: solver status, gap, iterations, attempts.
        files: where its time series lie, if they were kept.
        packed: the time series themselves, where they are to be kept and nobody has written them yet.
        unwritten: why they could not be kept, though they should have been.
        conclusive: whether a failure would be the same if it were tried again.
        limited: whether the solver's time limit was reached.
        in_time: whether no time limit had a say in it.
        operation: what its KPIs are worked out from; None where they are as they are, a solver having chosen
            capacities, and without a solution.
        reusable: under which key others find its dispatch, if they may.
        cached_from: the run whose dispatch was taken over; empty where it was solved.
    """

    design: Design
    status: EvaluationStatus
    message: str
    started_at: datetime
    kpis: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    solver_seconds: float = 0.0
    details: Mapping[str, object] = field(default_factory=dict)
    files: RunFiles | None = None
    packed: PackedSeries | None = None
    unwritten: str = ""
    conclusive: bool = False
    limited: bool = False
    in_time: bool = True
    operation: Operation | None = None
    reusable: Reusable | None = None
    cached_from: str = ""


@dataclass(frozen=True)
class Assignment:
    """All that a worker needs to evaluate designs of one study.

    Attributes:
        system: the reference design.
        series: its profiles, each (T,).
        system_hash: of both.
        solver: settings.
        study_id: names the folder of kept time series.
        results: the results folder.
        failures: what becomes of evaluations that hang or run into the time limit.
    """

    system: System
    series: Mapping[str, NDArray[np.float64]]
    system_hash: str
    solver: SolverSettings
    study_id: str
    results: Path
    failures: FailureRules = field(default_factory=FailureRules)

    @classmethod
    def of(cls, loaded: LoadedStudy, results: Path) -> Self:
        """What a study asks of its workers."""
        study, system = loaded.study, loaded.system
        return cls(
            system.system,
            system.series,
            system.content_hash,
            study.solver,
            study.study,
            results,
            study.failures,
        )


class Evaluator:
    """Evaluates designs of one study; belongs to one thread. The model is compiled with the first of them.

    Args:
        assignment: what to evaluate.
        writes: whether time series that are kept are written here; else the results bring them along.
    """

    def __init__(self, assignment: Assignment, *, writes: bool = True) -> None:
        self._assignment = assignment
        self._writes = writes

    def evaluate(self, designs: Sequence[Design], *, keep_series: bool = False) -> list[Result]:
        """Evaluate every design; whatever goes wrong with one is its result and never raises."""
        if self._assignment.solver.method == "rule_based":
            return self._evaluate_together(designs, keep_series=keep_series)
        return [self._evaluate(design, keep_series=keep_series) for design in designs]

    def make_ready(self) -> None:
        """Compile now; what is wrong with that is told with every design."""
        with suppress(Exception):
            _ = self._dispatcher

    def explain(self, design: Design) -> tuple[str, ...]:
        """Why a design cannot be dispatched, in a few lines; never raises."""
        try:
            return self._dispatcher.explain(design.values)
        except Exception as error:  # noqa: BLE001 - an explanation must not sink what it explains
            return (f"it could not be found out why: {type(error).__name__}: {error}",)

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        from solvers.dispatch import Dispatcher

        dispatcher = Dispatcher(self._assignment.system, self._assignment.series, self._assignment.solver)
        dispatcher.warm_up()
        return dispatcher

    def _evaluate_together(self, designs: Sequence[Design], *, keep_series: bool) -> list[Result]:
        """All designs in one pass; each counts an equal share of the time."""
        started_at, began = datetime.now(UTC), time.perf_counter()
        found: Sequence[Dispatch | Exception]
        try:
            found = self._dispatcher.dispatch_all([d.values for d in designs], keep_series=keep_series)
        except Exception as error:  # noqa: BLE001 - what sinks all of them is the result of each
            found = [error] * len(designs)
        seconds = (time.perf_counter() - began) / max(len(designs), 1)
        results = []
        for design, dispatch in zip(designs, found, strict=True):
            if isinstance(dispatch, Exception):
                result = _failure(design, dispatch, started_at)
            else:
                result = self._result(design, dispatch, started_at)
                if keep_series and result.status == "success":
                    result = self._with_series(result, dispatch)
            results.append(replace(result, seconds=seconds))
        return results

    def _evaluate(self, design: Design, *, keep_series: bool) -> Result:
        started_at, began = datetime.now(UTC), time.perf_counter()
        try:
            dispatcher = self._dispatcher
            # What was compiled for all designs is not the first one's time.
            started_at, began = datetime.now(UTC), time.perf_counter()
            dispatch = dispatcher.dispatch(design.values)
        except Exception as error:  # noqa: BLE001 - one design must never sink the others
            return replace(_failure(design, error, started_at), seconds=time.perf_counter() - began)
        result = self._result(design, dispatch, started_at)
        if keep_series and result.status == "success":
            result = self._with_series(result, dispatch)
        return replace(result, seconds=time.perf_counter() - began)

    def _result(self, design: Design, dispatch: Dispatch, started_at: datetime) -> Result:
        result = _result(design, dispatch, started_at)
        if not (result.limited and result.status == "success" and self._fails_at_time_limit):
            return result
        gap = dispatch.solution.gap_fraction
        told = "" if gap is None else f" within {gap:.2%} of the optimum"
        message = (
            f"{result.message}: the dispatch found so far{told} is not taken (failures.at_time_limit: fail)"
        )
        return replace(result, status="failed", kpis={}, message=message)

    @property
    def _fails_at_time_limit(self) -> bool:
        return self._assignment.failures.at_time_limit == "fail"

    def _with_series(self, result: Result, dispatch: Dispatch) -> Result:
        from tasks.series import pack_series, with_files

        packed = replace(result, packed=pack_series(self._assignment, dispatch))
        return with_files(self._assignment, packed) if self._writes else packed


def _failure(design: Design, error: Exception, started_at: datetime) -> Result:
    invalid = isinstance(error, ValidationError)
    return Result(design, "failed", _reason(error), started_at, conclusive=invalid)


def _reason(error: Exception) -> str:
    """What went wrong, in one line; for a design that cannot be, which of its numbers."""
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    # What is wrong with a component as a whole is told without all that it holds.
    wrong = [
        f"{'.'.join(map(str, e['loc']))} = {e['input']}: {e['msg']}" if e["loc"] else e["msg"]
        for e in error.errors()
    ]
    return f"not a valid design: {'; '.join(wrong)}"


def _result(design: Design, dispatch: Dispatch, started_at: datetime) -> Result:
    solution = dispatch.solution
    status: EvaluationStatus = "failed"
    if solution.status.has_solution:
        status = "success"
    elif solution.status == "infeasible":
        status = "infeasible"
    return Result(
        design=design,
        status=status,
        message=solution.message,
        started_at=started_at,
        kpis=dict(dispatch.kpis) if status == "success" else {},
        solver_seconds=solution.solver_seconds,
        limited=solution.reached_time_limit,
        in_time=solution.in_time,
        operation=None if dispatch.sizes else dispatch.operation,
        details={
            "solver_status": str(solution.status),
            "gap_fraction": solution.gap_fraction,
            "iterations": solution.iterations,
            "attempts": list(solution.attempts),
            **({"missed": dict(solution.missed)} if solution.missed else {}),
            **({"reached_time_limit": True} if solution.reached_time_limit else {}),
        },
    )


def run_id(study_id: str, design: Design) -> str:
    """The id under which a design's evaluation is recorded."""
    return run_id_of(study_id, design.number)
