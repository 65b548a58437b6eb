"""One system, many designs: the way of an evaluation from values at dotted paths to a judged dispatch."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schema.study import SolverSettings
from schema.system import System
from solvers import conflicts, milp
from solvers.checks import Checks, check, stated, within_bounds
from solvers.highs import PersistentHighs
from solvers.kpis import Account, accounts_of, comparison, kpis_of
from solvers.maths import Array, Equations, Numbers, Setting, calendar_months, unit_of
from solvers.model import maths_of, structure_of
from solvers.program import LinearProgram, Program
from solvers.solution import Solution, Status

_MOST_BASELINES = 64
"""A study's designs share a few baselines as a rule; kept in memory."""

STATE_UNITS = ("kWh", "m³")
_REFERENCE_LIMIT_SECONDS = 600.0
"""A study's own limit must not decide whether there is a reference basis."""


@dataclass(frozen=True)
class Dispatch:
    """A judged dispatch.

    Attributes:
        system: the design that was dispatched.
        solution: status, values and gap.
        checks: None without a solution.
        kpis: empty without a solution.
        accounts: cost and CO2 by component; empty without a solution.
        flows: `component.port` in kW, of water in m³/h, each (T,).
        states: `component.state` in kWh, of water in m³, each (T,).
        seconds: the whole evaluation's wall time.
    """

    system: System
    solution: Solution
    checks: Checks | None = None
    kpis: Mapping[str, float] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    flows: Mapping[str, Array] = field(default_factory=dict)
    states: Mapping[str, Array] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        return self.solution.status

    @property
    def units(self) -> dict[str, str]:
        """Unit of each of `flows` and `states`; their names end in it."""
        return {name: unit_of(name) for name in (*self.flows, *self.states)}


@dataclass(frozen=True)
class _Compiled:
    program: Program
    pairs: tuple[milp.Pair, ...]
    basis: Any


class Dispatcher:
    """Dispatches designs of one system; compiled once, solved warm.

    Each solve starts from the basis of the reference design, which is the system as its file states it: a result
    depends on its own design alone, never on what was solved before. Not to be shared between threads.

    Args:
        system: the reference design.
        series: its profiles, each (T,).
        solver: settings; `solver.*` among a design's values overrides them.
    """

    def __init__(
        self, system: System, series: Mapping[str, Array], solver: SolverSettings | None = None
    ) -> None:
        self.system = system
        self.solver = solver or SolverSettings()
        months, month_shares = calendar_months(system.horizon)
        carbon_price = system.economics.co2_price_eur_per_kg
        self._setting = Setting(system.horizon, series, months, month_shares, carbon_price)
        self._reference = {
            name: maths_of(c).numbers_of(c, self._setting) for name, c in system.components.items()
        }
        self._highs = PersistentHighs()
        self._compiled: dict[Hashable, _Compiled] = {}
        self._baselines: dict[Hashable, Dispatch] = {}

    def dispatch(self, values: Mapping[str, float] | None = None, *, explain: bool = False) -> Dispatch:
        """Dispatch the design that has these values at these dotted paths.

        Args:
            values: by dotted path; what is not named is as in the reference.
            explain: tell why, where there is no dispatch; takes as long as several solves.

        Raises:
            pydantic.ValidationError: a value is not valid where it stands.
        """
        began = time.perf_counter()
        values = values or {}
        dispatch = self._dispatch(values, explain=explain)
        if self.system.economics.baseline and dispatch.status.has_solution:
            dispatch = _compared(dispatch, self._baseline(values))
        return replace(dispatch, seconds=time.perf_counter() - began)

    def _dispatch(self, values: Mapping[str, float], *, explain: bool = False) -> Dispatch:
        system = self.system.with_values(values)
        solver = self._solver_with(values)
        numbers = self._numbers(system, solver)
        compiled = self._compile(system, numbers)
        program = compiled.program.linear_program(numbers)
        dispatch = self._solve(system, solver, numbers, compiled, program)
        if explain and dispatch.status is Status.INFEASIBLE:
            conflict = self._explain(solver, compiled, program)
            return replace(dispatch, solution=replace(dispatch.solution, conflict=conflict))
        return dispatch

    def _baseline(self, values: Mapping[str, float]) -> Dispatch:
        """The dispatch that a design is compared with: the same but for what the baseline states."""
        stated = {**values, **self.system.economics.baseline}
        key = tuple(sorted(stated.items()))
        if key not in self._baselines:
            dispatch = self._dispatch(stated)
            if not dispatch.status.has_solution:
                return dispatch
            if len(self._baselines) >= _MOST_BASELINES:
                self._baselines.clear()
            # Only what the comparison reads: a year's series need not be kept.
            self._baselines[key] = Dispatch(
                dispatch.system, Solution(dispatch.status, ""), accounts=dispatch.accounts
            )
        return self._baselines[key]

    def explain(self, values: Mapping[str, float] | None = None) -> tuple[str, ...]:
        """Why the design that has these values cannot be dispatched, in words; empty if it can.

        Raises:
            pydantic.ValidationError: a value is not valid where it stands.
        """
        values = values or {}
        system, solver = self.system.with_values(values), self._solver_with(values)
        numbers = self._numbers(system, solver)
        compiled = self._compile(system, numbers)
        return self._explain(solver, compiled, compiled.program.linear_program(numbers))

    def _explain(
        self, solver: SolverSettings, compiled: _Compiled, program: LinearProgram
    ) -> tuple[str, ...]:
        horizon = self.system.horizon
        question = conflicts.Question(
            compiled.program,
            milp.with_finite_pairs(program, compiled.pairs),
            compiled.pairs,
            horizon.index,
            horizon.step_hours,
            PersistentHighs(),
            milp.Clock(solver.time_limit_seconds),
        )
        return conflicts.explain(question)

    def warm_up(self) -> None:
        """Compile the model and find the reference basis now rather than with the first design."""
        self._compile(self.system, self._reference)

    def _solver_with(self, values: Mapping[str, float]) -> SolverSettings:
        changes = {path.partition(".")[2]: v for path, v in values.items() if path.startswith("solver.")}
        return self.solver.with_changes(**changes) if changes else self.solver

    def _numbers(self, system: System, solver: SolverSettings) -> dict[str, Numbers]:
        """Parameters of a design; those of components that are as in the reference are taken from there."""
        weight = system.economics.co2_price_eur_per_kg + solver.co2_weight_eur_per_kg
        same_weight = weight == self._setting.carbon_price_eur_per_kg
        setting = self._setting if same_weight else replace(self._setting, carbon_price_eur_per_kg=weight)
        numbers = {}
        for name, component in system.components.items():
            unchanged = same_weight and component is self.system.components[name]
            numbers[name] = (
                self._reference[name] if unchanged else maths_of(component).numbers_of(component, setting)
            )
        return numbers

    def _compile(self, system: System, numbers: Mapping[str, Numbers]) -> _Compiled:
        structure = structure_of(system)
        if structure not in self._compiled:
            program = Program(system, numbers)
            pairs = milp.pairs_of(program)
            is_reference = structure == structure_of(self.system)
            basis = self._reference_basis(program, pairs) if is_reference else None
            self._compiled[structure] = _Compiled(program, pairs, basis)
        return self._compiled[structure]

    def _reference_basis(self, program: Program, pairs: tuple[milp.Pair, ...]) -> Any:
        """Basis of the reference design's relaxation; None where that has no solution."""
        relaxed = milp.with_finite_pairs(program.linear_program(self._reference), pairs)
        return self._highs.solve(relaxed, time_limit_seconds=_REFERENCE_LIMIT_SECONDS).basis

    def _solve(
        self,
        system: System,
        solver: SolverSettings,
        numbers: Mapping[str, Numbers],
        compiled: _Compiled,
        program: LinearProgram,
    ) -> Dispatch:
        """Warm from the reference basis; after a numerical failure cold, then by interior point."""
        clock = milp.Clock(solver.time_limit_seconds)
        attempts: list[str] = []
        dispatch = Dispatch(system, Solution(Status.FAILED, "not solved"))
        for way in ("warm", "cold", "interior point"):
            if way == "warm" and compiled.basis is None:
                continue
            attempts.append(way)
            answer = milp.solve(
                self._highs, program, compiled.pairs, clock,
                mip_gap_fraction=solver.mip_gap_fraction,
                basis=compiled.basis if way == "warm" else None,
                interior_point=way == "interior point",
            )  # fmt: skip
            solution = _solution(answer, clock, tuple(attempts), compiled.program)
            dispatch = judge(system, numbers, solution)
            if dispatch.status is not Status.FAILED or answer.conclusive or clock.left <= 0:
                break
        return dispatch


def _compared(dispatch: Dispatch, baseline: Dispatch) -> Dispatch:
    """With NPV and payback; a baseline that has no dispatch leaves them, and so the design, without an answer."""
    if not baseline.status.has_solution:
        message = f"economics.baseline has no dispatch to compare with: {baseline.solution.message}"
        return Dispatch(dispatch.system, Solution(Status.FAILED, message))
    compared = comparison(dispatch.system, dispatch.accounts, baseline.system, baseline.accounts)
    return replace(dispatch, kpis={**dispatch.kpis, **compared})


def _solution(
    answer: milp.Answer, clock: milp.Clock, attempts: tuple[str, ...], program: Program
) -> Solution:
    solution = Solution(
        answer.status,
        answer.message,
        solver_seconds=clock.solver_seconds,
        iterations=clock.iterations,
        attempts=attempts,
    )
    if answer.x is None or not answer.status.has_solution:
        return solution
    return replace(
        solution,
        values=program.split(answer.x),
        objective_eur=answer.objective,
        gap_fraction=answer.gap_fraction,
    )


def judge(system: System, numbers: Mapping[str, Numbers], solution: Solution) -> Dispatch:
    """Check a solution outside the optimiser and work out its KPIs; one that fails its checks has failed."""
    if not solution.status.has_solution or solution.objective_eur is None:
        return Dispatch(system, solution)
    values = within_bounds(system, numbers, solution.values)
    equations = stated(system, numbers, values)
    checks = check(system, numbers, values, equations, solution.objective_eur)
    solution = replace(solution, values=values)
    if not checks.passed:
        message = "the solution fails its checks: " + "; ".join(checks.failures)
        return Dispatch(system, replace(solution, status=Status.FAILED, message=message), checks)
    ledgers = {name: maths_of(c).ledger(numbers[name], values[name]) for name, c in system.components.items()}
    accounts = accounts_of(system, ledgers)
    flows, states = _series(system, equations, values)
    kpis = kpis_of(system, numbers, values, {name: e.ports for name, e in equations.items()}, accounts)
    return Dispatch(system, solution, checks, kpis, accounts, flows, states)


def _series(
    system: System, equations: Mapping[str, Equations], values: Mapping[str, Mapping[str, Array]]
) -> tuple[dict[str, Array], dict[str, Array]]:
    flows = {f"{name}.{key}": port.flow for name, e in equations.items() for key, port in e.ports.items()}
    states = {
        f"{name}.{var.name}": values[name][var.name]
        for name, component in system.components.items()
        for var in maths_of(component).variables(component)
        if var.unit in STATE_UNITS
    }
    return flows, states
