"""One system, many designs: the way of an evaluation from values at dotted paths to a judged dispatch."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

from schema.base import Value
from schema.study import SolverSettings
from schema.system import System, sizing_findings
from solvers import conflicts, hybrid, milp, rolling, whole
from solvers.case import Case, Engine, design_case, reference_case
from solvers.highs import PersistentHighs
from solvers.judging import Dispatch
from solvers.kpis import Operation, comparison
from solvers.maths import Array
from solvers.memory import keep_freed_memory
from solvers.rules import method as rules
from solvers.solution import Solution, Status

METHODS: Mapping[str, Callable[[Case, Engine], Dispatch]] = MappingProxyType(
    {
        "milp": whole.dispatch,
        "rule_based": rules.dispatch,
        "rolling_horizon": rolling.dispatch,
        "hybrid": hybrid.dispatch,
    }
)
"""How a design is dispatched, by the `method` of its solver settings."""

_MOST_BASELINES = 64
"""A study's designs share a few baselines as a rule; kept in memory."""


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for garbage: a population leaves none, and looking through it takes a sixth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Dispatcher:
    """Dispatches designs of one system; compiled once, solved warm. Not to be shared between threads.

    Args:
        system: the reference design.
        series: its profiles, each (T,).
        solver: settings; `solver.*` among a design's values overrides them.

    Attributes:
        engine: what is compiled.
    """

    def __init__(
        self, system: System, series: Mapping[str, Array], solver: SolverSettings | None = None
    ) -> None:
        keep_freed_memory()
        self.system = system
        self.engine = Engine(reference_case(system, series, solver or SolverSettings()))
        self._baselines: dict[Hashable, Dispatch] = {}

    def dispatch(self, values: Mapping[str, Value] | None = None, *, explain: bool = False) -> Dispatch:
        """Dispatch the design that has these values at these dotted paths.

        Args:
            values: by dotted path; what is not named is as in the reference.
            explain: tell why, where there is no dispatch; takes as long as several solves.

        Raises:
            pydantic.ValidationError: a value is not valid where it stands.
        """
        began = time.perf_counter()
        values = values or {}
        case = self.case(values)
        dispatch = self._dispatched(case)
        if explain and dispatch.status is Status.FAILED and case.solver.method == "rule_based":
            dispatch = self._proven(case, dispatch)
        if explain and dispatch.status is Status.INFEASIBLE:
            conflict = self._explain(case)
            dispatch = replace(dispatch, solution=replace(dispatch.solution, conflict=conflict))
        return replace(self._with_baseline(values, dispatch), seconds=time.perf_counter() - began)

    def dispatch_all(
        self, designs: Sequence[Mapping[str, Value]], *, keep_series: bool = True
    ) -> list[Dispatch | Exception]:
        """Dispatch several designs; each gets what it would get alone.

        Args:
            designs: values by dotted path.
            keep_series: whether dispatches by rules have their flows, states and values.

        Returns:
            For each design its dispatch, or what went wrong with it.
        """
        most = rules.most_together(self.system.horizon.steps)
        parts = [designs[start : start + most] for start in range(0, len(designs), most)]
        room = rules.Room()
        return [one for part in parts for one in self._part(part, None if keep_series else room)]

    def _part(
        self, designs: Sequence[Mapping[str, Value]], room: rules.Room | None
    ) -> list[Dispatch | Exception]:
        with _uncollected():
            return self._dispatched_together(designs, room)

    def _dispatched_together(
        self, designs: Sequence[Mapping[str, Value]], room: rules.Room | None
    ) -> list[Dispatch | Exception]:
        found: dict[int, Dispatch | Exception] = {}
        by_rules: dict[int, Case] = {}
        began = time.perf_counter()
        for place, values in enumerate(designs):
            try:
                case = self.case(values)
                if case.solver.method == "rule_based" and self._unfit(case) is None:
                    by_rules[place] = case
                else:
                    found[place] = self.dispatch(values)
            except Exception as error:  # noqa: BLE001 - one design must never sink the others
                found[place] = error
        dispatches = rules.dispatch_all([*by_rules.values()], self.engine, room)
        seconds = (time.perf_counter() - began) / len(designs)
        for place, dispatch in zip(by_rules, dispatches, strict=True):
            try:
                found[place] = replace(self._with_baseline(designs[place], dispatch), seconds=seconds)
            except Exception as error:  # noqa: BLE001
                found[place] = error
        return [found[place] for place in range(len(designs))]

    def explain(self, values: Mapping[str, Value] | None = None) -> tuple[str, ...]:
        """Why the design that has these values cannot be dispatched, in words; empty if it can.

        Raises:
            pydantic.ValidationError: a value is not valid where it stands.
        """
        return self._explain(self.case(values))

    def warm_up(self) -> None:
        """Compile the model and find the reference basis now, not with the first design; rules need none."""
        if self.engine.reference.solver.method != "rule_based":
            self.engine.compiled(self.engine.reference)

    def case(self, values: Mapping[str, Value] | None = None) -> Case:
        """The design that has these values, ready to be solved.

        Raises:
            pydantic.ValidationError: a value is not valid where it stands.
        """
        return design_case(self.engine.reference, values or {})

    def _dispatched(self, case: Case) -> Dispatch:
        unfit = self._unfit(case)
        if unfit is not None:
            return Dispatch(case.system, Solution(Status.FAILED, unfit))
        return METHODS[case.solver.method](case, self.engine)

    def _proven(self, case: Case, dispatch: Dispatch) -> Dispatch:
        """What rules could not serve is infeasible where the relaxation of the model is."""
        compiled, message = self.engine.compiled(case), dispatch.solution.message
        relaxed = milp.with_finite_pairs(compiled.linear_program(case), compiled.pairs)
        limit = case.solver.time_limit_seconds
        outcome = self.engine.highs.solve(relaxed, time_limit_seconds=limit, relaxed=True)
        proven = outcome.status is Status.INFEASIBLE
        return Dispatch(case.system, Solution(Status.INFEASIBLE, message)) if proven else dispatch

    def _unfit(self, case: Case) -> str | None:
        """Why the method cannot dispatch the design at all."""
        unfit = sizing_findings(case.system, case.solver.method, file="", place="solver.method")
        return unfit[0].message if unfit else None

    def _with_baseline(self, values: Mapping[str, Value], dispatch: Dispatch) -> Dispatch:
        """With what compares the design with the baseline, where there is one."""
        if not self.system.economics.baseline or not dispatch.status.has_solution:
            return dispatch
        return _compared(dispatch, self._baseline({**values, **dispatch.sizes}))

    def _baseline(self, values: Mapping[str, Value]) -> Dispatch:
        """The dispatch that a design is compared with: the same but for what the baseline states."""
        stated = {**values, **self.system.economics.baseline}
        key = tuple(sorted(stated.items()))
        if key not in self._baselines:
            case = self.case(stated)
            dispatch = self._dispatched(case)
            if not dispatch.status.has_solution:
                return dispatch
            if len(self._baselines) >= _MOST_BASELINES:
                self._baselines.clear()
            # Only what the comparison reads: a year's series need not be kept.
            self._baselines[key] = replace(dispatch.without_series(), checks=None, kpis={})
        return self._baselines[key]

    def _explain(self, case: Case) -> tuple[str, ...]:
        compiled, horizon = self.engine.compiled(case), self.system.horizon
        question = conflicts.Question(
            compiled.program,
            milp.with_finite_pairs(compiled.linear_program(case), compiled.pairs),
            compiled.pairs,
            horizon.index,
            horizon.step_hours,
            PersistentHighs(),
            milp.Clock(case.solver.time_limit_seconds),
        )
        return conflicts.explain(question)


def _compared(dispatch: Dispatch, baseline: Dispatch) -> Dispatch:
    """With NPV and payback; a baseline that has no dispatch leaves them, and so the design, without an answer."""
    if not baseline.status.has_solution:
        message = f"economics.baseline has no dispatch to compare with: {baseline.solution.message}"
        return Dispatch(dispatch.system, Solution(Status.FAILED, message))
    compared = comparison(dispatch.system, dispatch.accounts, baseline.system, baseline.accounts)
    in_time = dispatch.solution.in_time and baseline.solution.in_time
    return replace(
        dispatch,
        solution=replace(dispatch.solution, in_time=in_time),
        kpis={**dispatch.kpis, **compared},
        operation=_beside(dispatch.operation, baseline.operation),
    )


def _beside(operation: Operation | None, baseline: Operation | None) -> Operation | None:
    return operation and baseline and replace(operation, baseline=baseline.ledgers)
