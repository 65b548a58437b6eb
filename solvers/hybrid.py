"""`hybrid`: a scout by rules, windows by MILP, and a gap that is certified.

Symbols: x* and c x* the relaxation of the whole horizon (whole columns and pairs set free) and its optimum, u the
columns that must be whole.

(V1)  where x* is whole and keeps pairs apart, it is the optimum
(V2)  else windows of a day, u whole in them and relaxed in a day of look-ahead, ending at the levels of x*
(V3)  then u is held, and the whole horizon solved again: storages, peaks and cycles as good as u allows
(V4)  the better of that and of the scout's dispatch
(V5)  gap = (cost - L) / |cost|,  L the bound of `solvers.bounds` from windows of two days

A unit's commitment looks ahead hours, storages and charges days to months: (V2) decides the former with the
relaxation's sight of the latter, (V3) settles the latter exactly. (V5) solves its windows by MILP as well, so that
little of the relaxation's weakness is left in the gap. The scout's commitment is no start for the windows: that
spares them next to nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from solvers import milp, rolling, whole
from solvers.bounds import Relaxation, windowed_bound
from solvers.case import Case, Compiled, Engine
from solvers.highs import Outcome, PersistentHighs
from solvers.judging import Dispatch, judge
from solvers.maths import Array
from solvers.milp import Answer, Clock
from solvers.program import LinearProgram
from solvers.rolling import Rolled
from solvers.rules import method as rules
from solvers.solution import Status

WINDOW_HOURS = 24.0
LOOK_AHEAD_HOURS = 24.0
BOUND_HOURS = 48.0
WINDOW_GAP = 5e-3
"""Closer than this a window's optimum does not pay: the day after it changes more."""


def dispatch(case: Case, engine: Engine) -> Dispatch:
    """As the module says; never worse than the scout, and with a gap to what no dispatch can undercut."""
    compiled, clock = engine.compiled(case), Clock(case.solver.time_limit_seconds)
    found = _dispatched(case, engine, compiled, clock)
    in_time = found.solution.in_time and clock.in_time
    return replace(found, solution=replace(found.solution, in_time=in_time))


def _dispatched(case: Case, engine: Engine, compiled: Compiled, clock: Clock) -> Dispatch:
    program = milp.with_finite_pairs(compiled.linear_program(case), compiled.pairs)
    relaxed = rolling.relaxation(engine.highs, program, compiled.basis, clock)
    if relaxed.status is not Status.OPTIMAL or relaxed.x is None:
        return whole.dispatch(case, engine)
    if milp.keeps_its_rules(program, compiled.pairs, relaxed.x):
        optimum = Answer(Status.OPTIMAL, "optimal", relaxed.x, relaxed.objective, relaxed.bound)  # (V1)
        judged = judge(case, whole.solution_of(optimum, clock, ("relaxation",), compiled.program))
        return judged if judged.status.has_solution else whole.dispatch(case, engine)
    relaxation = Relaxation(relaxed.x, engine.highs.row_duals(), relaxed.objective)
    scout, windows = _scouted(case, engine), _windowed(case, engine, program, compiled, relaxed, clock)
    found = [one for one in (scout, windows) if one.status.has_solution]
    best = min(found, key=_objective_eur, default=None)  # (V4)
    if best is None:
        left = case.solver.with_changes(time_limit_seconds=max(clock.left, 1.0))
        return whole.dispatch(replace(case, solver=left), engine)
    bound = windowed_bound(
        engine.highs, program, compiled.windows, relaxation,
        window_steps=_steps(case, BOUND_HOURS), gap_fraction=_window_gap(case), clock=clock,
    )  # fmt: skip
    limited = windows.solution.reached_time_limit or clock.left <= 0
    return _with_gap(case, best, bound, clock, limited=limited)


def _scouted(case: Case, engine: Engine) -> Dispatch:
    """The dispatch by rules; one that misses a storage's end does not keep the model's own."""
    return judge(case, rules.dispatch(case, engine).solution)


def _windowed(
    case: Case, engine: Engine, program: LinearProgram, compiled: Compiled, relaxed: Outcome, clock: Clock
) -> Dispatch:
    """The dispatch from windows."""
    rolled, answer = _from_windows(case, engine.highs, program, compiled, relaxed, clock)
    solution = whole.solution_of(answer, clock, ("windows",), compiled.program)
    return judge(case, rolling.told_with(rolled, solution))


def _from_windows(
    case: Case,
    highs: PersistentHighs,
    program: LinearProgram,
    compiled: Compiled,
    relaxed: Outcome,
    clock: Clock,
) -> tuple[Rolled, Answer]:
    """A day after the other, then the whole horizon once more with what is on or off held."""
    assert relaxed.x is not None
    plan = rolling.Plan(
        window_steps=_steps(case, WINDOW_HOURS),
        overlap_steps=_steps(case, LOOK_AHEAD_HOURS),
        mip_gap_fraction=_window_gap(case),
        ends=relaxed.x,
        basis=relaxed.basis,
        relaxed_steps=_steps(case, LOOK_AHEAD_HOURS),
    )
    rolled = rolling.roll(highs, program, compiled.windows, plan, clock)  # (V2)
    if rolled.x is None:
        return rolled, rolled.answer(program, relaxed.bound, 0.0)
    held = _with_columns_held(program, rolled.x)
    polished = milp.solve(
        highs, held, compiled.pairs, clock, mip_gap_fraction=_window_gap(case), basis=relaxed.basis
    )  # (V3)
    if polished.x is None:
        return rolled, rolled.answer(program, relaxed.bound, 0.0)
    answer = replace(polished, status=Status.FEASIBLE, message="all windows solved", bound=relaxed.bound)
    return rolled, answer


def _with_columns_held(program: LinearProgram, x: Array) -> LinearProgram:
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[program.integers] = upper[program.integers] = np.round(x[program.integers])
    return replace(program, lower=lower, upper=upper)


def _with_gap(case: Case, best: Dispatch, bound: float, clock: Clock, *, limited: bool) -> Dispatch:
    """With the certified gap (V5), and `optimal` where that is as small as was asked for."""
    gap = milp.relative_gap(_objective_eur(best), bound)
    closed = gap <= case.solver.mip_gap_fraction
    solution = replace(
        best.solution,
        status=Status.OPTIMAL if closed else Status.FEASIBLE,
        message=f"by {best.solution.attempts[0]}, within {gap:.2%} of the best that is possible",
        gap_fraction=gap,
        solver_seconds=clock.solver_seconds,
        iterations=clock.iterations,
        reached_time_limit=limited and not closed,
    )
    return replace(best, solution=solution)


def _objective_eur(dispatch: Dispatch) -> float:
    objective = dispatch.solution.objective_eur
    assert objective is not None  # of what has a solution
    return objective


def _steps(case: Case, hours: float) -> int:
    return max(1, round(hours / case.system.horizon.step_hours))


def _window_gap(case: Case) -> float:
    return max(case.solver.mip_gap_fraction, WINDOW_GAP)
