"""`rolling_horizon`: one window after another, each solved with a look-ahead that is thrown away.

Symbols: c x the cost of a dispatch x of the whole horizon, x* a solution of its relaxation (pairs and whole
columns set free), [s, e) the steps of a window, O those of its look-ahead, so that [s, e - O) is kept, l levels of
storages, P peaks, T steps of the horizon.

(H4)  l_{e-1} ≥ l*_{e-1} at a window's end; of a backlog ≤                      with foresight of the horizon
(H5)  P ≥ P* for peaks whose period goes on behind the window                 with foresight of the horizon
(H6)  l_{e-1} ≥ the least l_{T-1} at a window's end; of a backlog ≤ the most    with foresight of the window
(H7)  gap = (c x - c x*) / |c x|,  as no dispatch costs less than x*            with foresight of the horizon

The last window reaches the horizon's end and meets its own conditions: a cyclic storage closes exactly. What is
handed on, and what a window pays for peaks, stands in `solvers.windows`. A window without a dispatch is solved
again over more steps and without (H4) to (H6), at last together with the windows before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvers import conflicts, milp, whole
from solvers.case import Case, Engine
from solvers.highs import DividedBasis, Outcome, PersistentHighs
from solvers.judging import Dispatch, judge
from solvers.maths import Array
from solvers.milp import Answer, Clock
from solvers.program import LinearProgram
from solvers.solution import Solution, Status
from solvers.windows import Cut, Windows

MOST_ATTEMPTS = 4
"""How often a window is tried, each time over more steps."""


@dataclass(frozen=True)
class Plan:
    """How a horizon is cut into windows, and what each of them is told.

    Attributes:
        window_steps: steps that are kept of each window.
        overlap_steps: steps of the look-ahead, solved and thrown away.
        mip_gap_fraction: relative gap at which a window counts as solved.
        ends: (n,), least level or most backlog after each step, for windows that end there; in columns of no step
            what is reached anyway. NaN where nothing is told.
        basis: of the whole program; each window starts from its part of it.
        relaxed_steps: at the end of the look-ahead, whole columns of so many steps need not be whole.
    """

    window_steps: int
    overlap_steps: int
    mip_gap_fraction: float
    ends: Array
    basis: Any = None
    relaxed_steps: int = 0

    def loosened(self) -> Plan:
        """Without anything that a window could fail by needlessly."""
        return replace(self, ends=np.full_like(self.ends, np.nan), relaxed_steps=0)


@dataclass(frozen=True)
class Rolled:
    """What rolling over a horizon gave.

    Attributes:
        status: `feasible` with a dispatch; `infeasible` where the whole horizon is proven to have none.
        message: what was reached, or why not.
        x: (n,), or None.
        conclusive: whether the model itself is at fault.
        limited: whether a window ended at its share of the time limit.
    """

    status: Status
    message: str
    x: Array | None = None
    conclusive: bool = False
    limited: bool = False

    def answer(self, program: LinearProgram, bound: float, mip_gap_fraction: float) -> Answer:
        """With its cost, and `optimal` where the bound says so (H7)."""
        if self.x is None:
            return Answer(self.status, self.message, conclusive=self.conclusive)
        cost = float(program.cost @ self.x) + program.offset
        is_proven = milp.relative_gap(cost, bound) <= mip_gap_fraction
        return Answer(Status.OPTIMAL if is_proven else self.status, self.message, self.x, cost, bound)


def dispatch(case: Case, engine: Engine) -> Dispatch:
    """Window after window; the whole at once where one window covers it."""
    solver, horizon = case.solver, case.system.horizon
    window = max(1, round(solver.window_hours / horizon.step_hours))
    overlap = round(solver.overlap_hours / horizon.step_hours)
    if window + overlap >= horizon.steps:
        return whole.dispatch(case, engine)
    compiled, clock = engine.compiled(case), Clock(solver.time_limit_seconds)
    program = milp.with_finite_pairs(compiled.linear_program(case), compiled.pairs)
    plan = Plan(window, overlap, solver.mip_gap_fraction, compiled.windows.last_ends(program), compiled.basis)
    roll_on = _with_foresight if solver.foresight == "horizon" else _without_foresight
    rolled, bound = roll_on(engine.highs, program, compiled.windows, plan, clock)
    answer = rolled.answer(program, bound, solver.mip_gap_fraction)
    solution = told_with(rolled, whole.solution_of(answer, clock, ("windows",), compiled.program))
    return judge(case, solution if np.isfinite(bound) else replace(solution, gap_fraction=None))


def told_with(rolled: Rolled, solution: Solution) -> Solution:
    """A solution that also tells of the windows' share of the time limit."""
    limited = rolled.limited and solution.status is not Status.OPTIMAL
    return replace(solution, reached_time_limit=solution.reached_time_limit or limited)


def _with_foresight(
    highs: PersistentHighs, program: LinearProgram, windows: Windows, plan: Plan, clock: Clock
) -> tuple[Rolled, float]:
    relaxed = relaxation(highs, program, plan.basis, clock)
    if relaxed.x is None:
        return _nowhere(relaxed), -np.inf
    plan = replace(plan, ends=relaxed.x, basis=relaxed.basis)
    return roll(highs, program, windows, plan, clock), relaxed.bound


def _without_foresight(
    highs: PersistentHighs, program: LinearProgram, windows: Windows, plan: Plan, clock: Clock
) -> tuple[Rolled, float]:
    rolled = roll(highs, program, windows, plan, clock)
    if rolled.status is Status.FAILED and not rolled.conclusive:
        relaxed = relaxation(highs, program, plan.basis, clock)
        rolled = _nowhere(relaxed) if relaxed.status is Status.INFEASIBLE else rolled
    return rolled, -np.inf


def _nowhere(relaxed: Outcome) -> Rolled:
    """What the relaxation of the whole horizon says where it has no solution."""
    message = milp.UNBOUNDED if relaxed.unbounded else f"the whole horizon, relaxed: {relaxed.message}"
    return Rolled(relaxed.status, message, conclusive=relaxed.unbounded)


def relaxation(highs: PersistentHighs, program: LinearProgram, basis: Any, clock: Clock) -> Outcome:
    """The whole horizon with pairs and whole columns set free: from a basis, then cold."""
    outcome = clock.count(highs.solve(program, time_limit_seconds=clock.left, basis=basis, relaxed=True))
    if basis is not None and outcome.status is Status.FAILED and clock.left > 0:
        outcome = clock.count(highs.solve(program, time_limit_seconds=clock.left, relaxed=True))
    return outcome


def roll(
    highs: PersistentHighs, program: LinearProgram, windows: Windows, plan: Plan, clock: Clock
) -> Rolled:
    """Dispatch a horizon window after window.

    Args:
        highs: the solver object of this worker.
        program: of the whole horizon, with finite limits of exclusive pairs.
        windows: its stretches.
        plan: how it is cut, and what the windows are told.
        clock: time limit over all windows; each may use its share of what is left.
    """
    basis = None if plan.basis is None else DividedBasis(plan.basis)
    x = np.full(program.cost.size, np.nan)
    return _Roll(highs, program, windows, plan, clock, basis, x).run()


@dataclass
class _Roll:
    """One way through a horizon; `x` fills up window after window."""

    highs: PersistentHighs
    program: LinearProgram
    windows: Windows
    plan: Plan
    clock: Clock
    basis: DividedBasis | None
    x: Array
    ran_out: bool = False
    """Whether the window that was solved last ended at its share of the time."""

    def run(self) -> Rolled:
        borders, limited = [0], False
        while borders[-1] < self.windows.steps:
            cut, answer = self._next(borders)
            if answer.x is None:
                return self._failed(cut, answer)
            at_end = cut.stop == self.windows.steps
            kept = cut.stop if at_end else cut.stop - self.plan.overlap_steps
            self.windows.keep(self.program, cut, kept, answer.x, self.x)
            borders.append(kept)
            limited |= self.ran_out
        message = "a window reached its share of the time limit" if limited else "all windows solved"
        return Rolled(Status.FEASIBLE, message, self.x, limited=limited)

    def _next(self, borders: list[int]) -> tuple[Cut, Answer]:
        """Solve on from the last border; where that fails, over more steps, at last from borders before it."""
        begin, plan = borders[-1], self.plan
        for attempt in range(MOST_ATTEMPTS):
            if attempt > 1 and len(borders) > 1:
                borders.pop()
            stop = begin + (1 + attempt) * plan.window_steps + plan.overlap_steps
            cut = self.windows.cut(borders[-1], min(stop, self.windows.steps))
            answer = self._solve(cut, plan if attempt == 0 else plan.loosened())
            proven = answer.status is Status.INFEASIBLE and attempt > 0 and cut.start == 0
            if answer.x is not None or answer.conclusive or proven or self.clock.left <= 0:
                break
        return cut, answer

    def _solve(self, cut: Cut, plan: Plan) -> Answer:
        """One window within its share of the time; without an answer by then, within half of what is left."""
        part = self.windows.program_of(self.program, cut, self.x, plan.ends)
        if plan.relaxed_steps and cut.stop < self.windows.steps:
            step = self.windows.step_of_column[cut.columns[part.integers]]
            part = replace(part, integers=part.integers[step < cut.stop - plan.relaxed_steps])
        share = (cut.stop - cut.start) / (self.windows.steps - cut.start)
        answer, in_time = self._solve_within(share * self.clock.left, part, cut)
        return answer if in_time else self._solve_within(self.clock.left / 2, part, cut)[0]

    def _solve_within(self, limit_seconds: float, part: LinearProgram, cut: Cut) -> tuple[Answer, bool]:
        """From its part of the basis, then cold; and whether that was no matter of time."""
        own = Clock(limit_seconds)
        starts = [None] if self.basis is None else [self.basis.part(cut.columns, cut.rows), None]
        for basis in starts:
            answer = milp.solve(
                self.highs, part, cut.pairs, own,
                mip_gap_fraction=self.plan.mip_gap_fraction, basis=basis,
            )  # fmt: skip
            if answer.status is not Status.FAILED or answer.conclusive or own.left <= 0:
                break
        self.clock.add(own)
        self.ran_out = own.left <= 0 and answer.status in {Status.FEASIBLE, Status.FAILED}
        return answer, answer.x is not None or answer.conclusive or own.left > 0

    def _failed(self, cut: Cut, answer: Answer) -> Rolled:
        """Where the windows ended, and what was in their way."""
        if answer.conclusive or (answer.status is Status.INFEASIBLE and cut.start == 0):
            return Rolled(answer.status, answer.message, conclusive=answer.conclusive)
        if self.clock.left <= 0:
            reached = f"with a dispatch up to step {cut.start} of {self.windows.steps}"
            return Rolled(Status.FAILED, f"time limit reached {reached}", limited=True)
        where = f"no dispatch of steps {cut.start + 1} to {cut.stop} follows from what was decided before"
        limited = self.ran_out
        return Rolled(Status.FAILED, f"{where}: {self._lack(cut) or answer.message}", limited=limited)

    def _lack(self, cut: Cut) -> str:
        """The equation of a window that is furthest from being met; empty where only units or pairs are."""
        nothing = self.plan.loosened().ends
        part = self.windows.program_of(self.program, cut, self.x, nothing)
        rows = np.arange(part.row_lower.size)
        stretched = conflicts.elastic(part, rows)
        outcome = self.highs.solve(stretched, time_limit_seconds=self.clock.left, relaxed=True)
        off = np.zeros(1) if outcome.x is None else outcome.x[-2 * rows.size :].reshape(2, -1).sum(axis=0)
        if off.max() <= conflicts.NOTHING:
            return ""
        name = self.windows.program.row_name(int(cut.rows[off.argmax()]))
        what = (
            f"the balance of {name.owner}" if name.label == "balance" else f"{name.owner}: its {name.label}"
        )
        return f"{what} cannot be kept in step {name.step + 1}"
