"""The whole horizon at once, exact to its gap.

Pairs that exclude each other (import and export, charge and discharge) are relaxed first. Where the relaxed
optimum keeps them apart by itself it is the optimum. Where it does not, four things follow:

1. repair: the smaller of each offending pair is fixed to 0 and the LP solved on from its basis. The result is
   feasible; if it costs no more than the relaxation (to the gap), it is the optimum, as for ties of equal cost.
2. hulls: each broken step gets a direction y and the rows that hold for either direction (`solvers.hulls`), until
   they gain no more. Where pairs break in many steps, this is what brings the bound close to the optimum.
3. cuts from the stretches with steps that are broken still (`solvers.local_cuts`), which lift the bound and find a
   better dispatch; as a rule the gap closes here.
4. binaries, only for the steps where a relaxed optimum broke the pair, on top of hulls and cuts. This is still a
   relaxation, so its bound holds; its solution is repaired in turn, until bound and incumbent meet to the gap.

Columns that must be whole (a unit on or off) are relaxed first too, and held whole in step 4 from its first
round on; step 3 is left out where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvers.highs import Clock, Outcome, PersistentHighs
from solvers.hulls import Hull, hull_of
from solvers.local_cuts import tighten
from solvers.maths import Array
from solvers.pairs import (
    EXCLUSIVE_TOLERANCE_KW,
    Pair,
    Split,
    any_broken,
    netted,
    pairs_of,
    repaired,
    unlimited,
    with_finite_pairs,
)
from solvers.program import LinearProgram
from solvers.solution import Status

__all__ = [
    "EXCLUSIVE_TOLERANCE_KW",
    "Answer",
    "Clock",
    "Pair",
    "keeps_its_rules",
    "pairs_of",
    "relative_gap",
    "solve",
    "with_finite_pairs",
]

WHOLE_TOLERANCE = 1e-6
"""Within this of a whole number counts as whole."""

ABSOLUTE_GAP_EUR = 1e-6
"""An answer this close to its bound is optimal whatever its size, as HiGHS' own `mip_abs_gap` has it."""

UNLIMITED = "two connections without a limit meet at one node; give each a limit"
INFEASIBLE_APART = "infeasible only because exclusive pairs must not run at once"
INFEASIBLE_COMMITTED = (
    "infeasible only because units are on or off as a whole or exclusive pairs must not run at once"
)
UNBOUNDED = "the cost has no lower end: energy that is sold without a limit costs less than it earns"


@dataclass(frozen=True)
class Answer:
    """The best point found, and how good it is proven to be."""

    status: Status
    message: str
    x: Array | None = None
    objective: float = np.inf
    bound: float = -np.inf
    conclusive: bool = False
    """Whether the model itself is at fault, so that solving it in another way would say the same."""

    @property
    def gap_fraction(self) -> float:
        return relative_gap(self.objective, self.bound)


def relative_gap(objective: float, bound: float) -> float:
    """(objective - bound) / |objective|, as HiGHS counts it; 0 where the two meet, infinite without either."""
    if not (np.isfinite(objective) and np.isfinite(bound)):
        return np.inf
    distance = max(objective - bound, 0.0)
    return distance / max(abs(objective), 1e-9) if distance > ABSOLUTE_GAP_EUR else 0.0


def solve(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    *,
    mip_gap_fraction: float,
    basis: Any = None,
    interior_point: bool = False,
) -> Answer:
    """Solve a program with exclusive pairs.

    Args:
        highs: the solver object of this worker.
        program: the relaxed problem.
        pairs: what must not run at once.
        clock: time limit and account of the solver's time.
        mip_gap_fraction: relative gap at which an answer counts as optimal.
        basis: where the relaxation's simplex starts.
        interior_point: solve the relaxation by interior point.
    """
    program = with_finite_pairs(program, pairs)
    relaxed = clock.count(
        highs.solve(
            program,
            time_limit_seconds=clock.left,
            basis=basis,
            interior_point=interior_point,
            relaxed=True,
        )
    )
    if relaxed.unbounded:
        message = UNLIMITED if unlimited(program, pairs) else UNBOUNDED
        return Answer(Status.FAILED, message, conclusive=True)
    if relaxed.x is None or keeps_its_rules(program, pairs, relaxed.x):
        x = None if relaxed.x is None else _rounded(program, relaxed.x)
        return Answer(relaxed.status, relaxed.message, x, relaxed.objective, relaxed.bound)
    apart = netted(program, pairs, relaxed.x)
    if keeps_its_rules(program, pairs, apart):
        x = _rounded(program, apart)
        return Answer(relaxed.status, relaxed.message, x, relaxed.objective, relaxed.bound)
    if relaxed.status is not Status.OPTIMAL:
        return Answer(Status.FAILED, f"{relaxed.message} with no dispatch {_what_it_needs(program)}")
    if _lacks_limits(program, pairs, relaxed.x):
        return Answer(Status.FAILED, UNLIMITED, conclusive=True)
    return _close_gap(highs, program, pairs, clock, relaxed, mip_gap_fraction)


def keeps_its_rules(program: LinearProgram, pairs: tuple[Pair, ...], x: Array) -> bool:
    """Whether whole columns are whole and pairs apart."""
    return _is_whole(program, x) and not any_broken(pairs, x)


def _is_whole(program: LinearProgram, x: Array) -> bool:
    whole = x[program.integers]
    return bool((np.abs(whole - np.round(whole)) <= WHOLE_TOLERANCE).all())


def _rounded(program: LinearProgram, x: Array) -> Array:
    if program.integers.size == 0:
        return x
    whole = x.copy()
    whole[program.integers] = np.round(x[program.integers])
    return whole


def _lacks_limits(program: LinearProgram, pairs: tuple[Pair, ...], x: Array) -> bool:
    """Whether a pair is broken that nothing limits: no binary could keep it apart."""
    return any_broken(pairs, x) and unlimited(program, pairs)


def _what_it_needs(program: LinearProgram) -> str:
    whole = " and units on or off" if program.integers.size else ""
    return f"that keeps exclusive pairs apart{whole}"


def _close_gap(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    relaxed: Outcome,
    mip_gap_fraction: float,
) -> Answer:
    """Repair, add hulls, cut, and split in turn until the best dispatch and the best bound meet."""
    best, duals = Answer(Status.FAILED, "", bound=relaxed.bound), highs.row_duals()
    no_units = program.integers.size == 0
    if no_units:
        best = _better(best, repaired(highs, program, pairs, clock, relaxed))
        if best.gap_fraction <= mip_gap_fraction:
            return replace(best, status=Status.OPTIMAL, message="optimal")
    hull = hull_of(highs, program, pairs, clock, relaxed, duals)
    if hull.outcome.status is Status.INFEASIBLE:
        return Answer(Status.INFEASIBLE, _infeasible(program))
    best = replace(best, bound=hull.outcome.bound)
    if no_units:
        best = _better(best, _narrow(program, repaired(highs, hull.program, pairs, clock, hull.outcome)))
        if best.gap_fraction > mip_gap_fraction:
            gap_eur = max(mip_gap_fraction * abs(best.objective), ABSOLUTE_GAP_EUR)
            cuts = tighten(highs, hull, pairs, clock, gap_eur)
            if cuts.bound == np.inf:
                return Answer(Status.INFEASIBLE, INFEASIBLE_APART)
            hull = replace(hull, program=cuts.program)
            best = replace(best, bound=cuts.bound)
            if cuts.best is not None:
                best = _better(best, _narrow(program, cuts.best))
    return _split(highs, program, pairs, clock, hull, best, mip_gap_fraction)


def _split(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    hull: Hull,
    best: Answer,
    mip_gap_fraction: float,
) -> Answer:
    """Binaries in ever more steps; `hull` with the cuts that were found."""
    split = {pair: np.flatnonzero(columns >= 0) for pair, columns in hull.directions.items()}
    outcome, is_first = hull.outcome, True
    while outcome.x is not None and best.gap_fraction > mip_gap_fraction:
        wider = {pair: np.union1d(split[pair], pair.broken(outcome.x)) for pair in pairs}
        nothing_new = all(wider[pair].size == split[pair].size for pair in pairs)
        if clock.left <= 0 or (nothing_new and not is_first):
            break
        if _lacks_limits(program, pairs, outcome.x):
            return Answer(Status.FAILED, UNLIMITED, conclusive=True)
        split, is_first = wider, False
        outcome = _solve_with_binaries(highs, hull, split, clock, best, mip_gap_fraction)
        best = replace(best, bound=max(best.bound, outcome.bound))
        if outcome.x is not None:
            best = _better(best, _repaired(highs, program, pairs, clock, _narrow(program, outcome)))
    if best.gap_fraction <= mip_gap_fraction:
        return replace(best, status=Status.OPTIMAL, message="optimal")
    return _without_proof(program, best, outcome, clock)


def _narrow(program: LinearProgram, outcome: Outcome) -> Outcome:
    """Without the directions."""
    return replace(outcome, x=None if outcome.x is None else outcome.x[: program.cost.size])


def _repaired(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    outcome: Outcome,
) -> Outcome:
    """The outcome with its pairs kept apart and its whole columns exactly whole."""
    if any_broken(pairs, outcome.x):
        return repaired(highs, program, pairs, clock, outcome)
    return replace(outcome, x=None if outcome.x is None else _rounded(program, outcome.x))


def _better(best: Answer, outcome: Outcome) -> Answer:
    if outcome.x is None or outcome.objective >= best.objective:
        return best
    return replace(best, x=outcome.x, objective=outcome.objective)


def _without_proof(program: LinearProgram, best: Answer, last: Outcome, clock: Clock) -> Answer:
    """What to say when the gap stayed open; `last` is the run that ended the search."""
    ended = "time limit reached" if clock.left <= 0 and not last.hit_limit else last.message
    if best.x is not None:
        message = ended if last.hit_limit or clock.left <= 0 else "the gap could not be closed"
        return replace(best, status=Status.FEASIBLE, message=message)
    if last.status is Status.INFEASIBLE:
        return Answer(Status.INFEASIBLE, _infeasible(program))
    return Answer(Status.FAILED, f"{ended} with no dispatch {_what_it_needs(program)}")


def _infeasible(program: LinearProgram) -> str:
    return INFEASIBLE_COMMITTED if program.integers.size else INFEASIBLE_APART


def _solve_with_binaries(
    highs: PersistentHighs,
    hull: Hull,
    split: Split,
    clock: Clock,
    best: Answer,
    mip_gap_fraction: float,
) -> Outcome:
    """Solve with whole columns whole and with a binary for each step in `split`."""
    extended = hull.with_binaries(split)
    # Half the gap for the MILP, half for what repairing its solution may cost; all of it while no step is split.
    gap = mip_gap_fraction / 2 if any(steps.size for steps in split.values()) else mip_gap_fraction
    return clock.count(
        highs.solve(
            extended,
            time_limit_seconds=clock.left,
            mip_gap_fraction=gap,
            start=None if best.x is None else hull.start(best.x, split),
        )
    )
