"""The whole horizon at once, exact to its gap.

Pairs that exclude each other (import and export, charge and discharge) are relaxed first. Where the relaxed
optimum keeps them apart by itself it is the optimum. Where it does not, in a few hours, two things follow:

1. repair: the smaller of each offending pair is fixed to 0 and the LP solved on from its basis. The result is
   feasible; if it costs no more than the relaxation (to the gap), it is the optimum, as for ties of equal cost.
2. binaries, only for the steps where a relaxed optimum broke the pair:   a ≤ M_a y,  b ≤ M_b (1 - y).
   This is still a relaxation, so its bound holds; its solution is repaired in turn, until bound and incumbent
   meet to the gap.

Columns that must be whole (a unit on or off) are relaxed first too, and held whole in step 2 from its first
round on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from solvers.highs import Outcome, PersistentHighs
from solvers.maths import Array
from solvers.program import Indices, LinearProgram, Program
from solvers.solution import Status

EXCLUSIVE_TOLERANCE_KW = 1e-6
"""Both of a pair above this count as running at once."""

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


@dataclass(frozen=True, eq=False)
class Pair:
    """Two series of columns that exclude each other step by step, and the rows of the balance they stand in.

    Compared by identity: slices have no hash before Python 3.12.
    """

    a: slice
    b: slice
    balance: slice

    def broken(self, x: Array) -> NDArray[np.intp]:
        """Steps in which both run."""
        return np.flatnonzero(np.minimum(x[self.a], x[self.b]) > EXCLUSIVE_TOLERANCE_KW)


@dataclass
class Clock:
    """Time left for one solve, and what HiGHS spent of it."""

    limit_seconds: float
    began: float = field(default_factory=time.perf_counter)
    solver_seconds: float = 0.0
    iterations: int = 0

    @property
    def left(self) -> float:
        return max(self.limit_seconds - (time.perf_counter() - self.began), 0.0)

    def count(self, outcome: Outcome) -> Outcome:
        self.solver_seconds += outcome.seconds
        self.iterations += outcome.iterations
        return outcome


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


def pairs_of(program: Program) -> tuple[Pair, ...]:
    """The exclusive pairs of a compiled model as columns."""
    return tuple(
        Pair(program.columns[name, a], program.columns[name, b], program.row_slices[node, "balance"])
        for name, a, b, node in program.exclusive
    )


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
        message = UNLIMITED if _unlimited(program, pairs) else UNBOUNDED
        return Answer(Status.FAILED, message, conclusive=True)
    if relaxed.x is None or (_is_whole(program, relaxed.x) and not _any_broken(pairs, relaxed.x)):
        x = None if relaxed.x is None else _rounded(program, relaxed.x)
        return Answer(relaxed.status, relaxed.message, x, relaxed.objective, relaxed.bound)
    if relaxed.status is not Status.OPTIMAL:
        return Answer(Status.FAILED, f"{relaxed.message} with no dispatch {_what_it_needs(program)}")
    if _unlimited(program, pairs):
        return Answer(Status.FAILED, UNLIMITED, conclusive=True)
    return _close_gap(highs, program, pairs, clock, relaxed, mip_gap_fraction)


def _is_whole(program: LinearProgram, x: Array) -> bool:
    whole = x[program.integers]
    return bool((np.abs(whole - np.round(whole)) <= WHOLE_TOLERANCE).all())


def _rounded(program: LinearProgram, x: Array) -> Array:
    if program.integers.size == 0:
        return x
    whole = x.copy()
    whole[program.integers] = np.round(x[program.integers])
    return whole


def _what_it_needs(program: LinearProgram) -> str:
    whole = " and units on or off" if program.integers.size else ""
    return f"that keeps exclusive pairs apart{whole}"


def _any_broken(pairs: tuple[Pair, ...], x: Array | None) -> bool:
    return x is not None and any(pair.broken(x).size > 0 for pair in pairs)


def _unlimited(program: LinearProgram, pairs: tuple[Pair, ...]) -> bool:
    return any(np.isinf(program.upper[member]).any() for pair in pairs for member in (pair.a, pair.b))


def _close_gap(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    relaxed: Outcome,
    mip_gap_fraction: float,
) -> Answer:
    """Repair and split in turn until the best repaired point and the best bound meet."""
    best = Answer(Status.FAILED, "", bound=relaxed.bound)
    split: dict[Pair, NDArray[np.intp]] = {pair: np.zeros(0, dtype=np.intp) for pair in pairs}
    outcome, was_whole = relaxed, program.integers.size == 0
    while outcome.x is not None:
        if _is_whole(program, outcome.x):
            best = _better(best, _repaired(highs, program, pairs, clock, outcome))
        if best.gap_fraction <= mip_gap_fraction:
            return replace(best, status=Status.OPTIMAL, message="optimal")
        wider = {pair: np.union1d(split[pair], pair.broken(outcome.x)) for pair in pairs}
        nothing_new = was_whole and all(wider[pair].size == split[pair].size for pair in pairs)
        if clock.left <= 0 or nothing_new:
            break
        split, was_whole = wider, True
        outcome = _solve_with_binaries(highs, program, split, clock, best, mip_gap_fraction)
        best = replace(best, bound=max(best.bound, outcome.bound))
    return _without_proof(program, best, outcome)


def _repaired(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    outcome: Outcome,
) -> Outcome:
    """The outcome with its pairs kept apart and its whole columns exactly whole."""
    if _any_broken(pairs, outcome.x):
        return _repair(highs, program, pairs, clock, outcome)
    return replace(outcome, x=None if outcome.x is None else _rounded(program, outcome.x))


def _better(best: Answer, outcome: Outcome) -> Answer:
    if outcome.x is None or outcome.objective >= best.objective:
        return best
    return replace(best, x=outcome.x, objective=outcome.objective)


def _without_proof(program: LinearProgram, best: Answer, last: Outcome) -> Answer:
    """What to say when the gap stayed open; `last` is the run that ended the search."""
    if best.x is not None:
        message = last.message if last.hit_limit else "the gap could not be closed"
        return replace(best, status=Status.FEASIBLE, message=message)
    if last.status is Status.INFEASIBLE:
        message = INFEASIBLE_COMMITTED if program.integers.size else INFEASIBLE_APART
        return Answer(Status.INFEASIBLE, message)
    return Answer(Status.FAILED, f"{last.message} with no dispatch {_what_it_needs(program)}")


def _repair(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    broken: Outcome,
) -> Outcome:
    """Fix the smaller of each offending pair to 0 and solve again, until no pair offends.

    Each round fixes at least one more column for good, so there are at most as many rounds as columns in pairs.
    """
    lower, upper, outcome = program.lower.copy(), program.upper.copy(), broken
    if broken.x is not None:
        lower[program.integers] = upper[program.integers] = np.round(broken.x[program.integers])
    while outcome.x is not None and _any_broken(pairs, outcome.x):
        for pair in pairs:
            steps = pair.broken(outcome.x)
            smaller_a = outcome.x[pair.a][steps] < outcome.x[pair.b][steps]
            upper[pair.a.start + steps[smaller_a]] = 0.0
            upper[pair.b.start + steps[~smaller_a]] = 0.0
        fixed = replace(program, lower=lower, upper=upper.copy())
        outcome = clock.count(
            highs.solve(fixed, time_limit_seconds=clock.left, basis=outcome.basis, relaxed=True)
        )
    return outcome


def _solve_with_binaries(
    highs: PersistentHighs,
    program: LinearProgram,
    split: Mapping[Pair, NDArray[np.intp]],
    clock: Clock,
    best: Answer,
    mip_gap_fraction: float,
) -> Outcome:
    """Solve with whole columns whole and with a binary for each step in `split`."""
    extended, first = with_binaries(program, split)
    start = None if best.x is None else _with_directions(best.x, split)
    # Half the gap for the MILP, half for what repairing its solution may cost; all of it while no step is split.
    gap = mip_gap_fraction / 2 if any(steps.size for steps in split.values()) else mip_gap_fraction
    outcome = clock.count(
        highs.solve(
            extended,
            time_limit_seconds=clock.left,
            mip_gap_fraction=gap,
            start=start,
        )
    )
    return replace(outcome, x=None if outcome.x is None else outcome.x[:first])


def _with_directions(x: Array, split: Mapping[Pair, NDArray[np.intp]]) -> Array:
    runs = [(x[pair.a][steps] > x[pair.b][steps]).astype(float) for pair, steps in split.items()]
    return np.concatenate([x, *runs])


def with_binaries(
    program: LinearProgram, split: Mapping[Pair, NDArray[np.intp]]
) -> tuple[LinearProgram, int]:
    """The program with a binary y for each pair and step of `split`:  a ≤ M_a y,  b + M_b y ≤ M_b.

    Returns:
        The extended program and the number of its first binary column.
    """
    n, m = program.cost.size, program.row_lower.size
    if not any(steps.size for steps in split.values()):
        return program, n
    a = np.concatenate([pair.a.start + steps for pair, steps in split.items()])
    b = np.concatenate([pair.b.start + steps for pair, steps in split.items()])
    big_a = np.concatenate([implied_upper(program, pair, pair.a)[steps] for pair, steps in split.items()])
    big_b = np.concatenate([implied_upper(program, pair, pair.b)[steps] for pair, steps in split.items()])
    k, ones = a.size, np.ones(a.size)
    y, row_a, row_b = n + np.arange(k), np.arange(k), k + np.arange(k)
    links = sp.csc_array(
        (
            np.concatenate([ones, -big_a, ones, big_b]),
            (np.concatenate([row_a, row_a, row_b, row_b]), np.concatenate([a, y, b, y])),
        ),
        shape=(2 * k, n + k),
    )
    wide = sp.hstack([program.matrix, sp.csc_array((m, k))])
    matrix = sp.csc_array(sp.vstack([wide, links]))
    extended = LinearProgram(
        cost=np.concatenate([program.cost, np.zeros(k)]),
        offset=program.offset,
        lower=np.concatenate([program.lower, np.zeros(k)]),
        upper=np.concatenate([program.upper, ones]),
        row_lower=np.concatenate([program.row_lower, np.full(2 * k, -np.inf)]),
        row_upper=np.concatenate([program.row_upper, np.zeros(k), big_b]),
        starts=matrix.indptr.astype(np.int32),
        rows=matrix.indices.astype(np.int32),
        values=matrix.data,
        integers=np.concatenate([program.integers, y]).astype(np.int32),
    )
    return extended, n


def with_finite_pairs(program: LinearProgram, pairs: tuple[Pair, ...]) -> LinearProgram:
    """Unlimited members of a pair get the limit that the rest of their balance implies.

    Without it, an export price above the import price would make the relaxation unbounded.
    """
    upper = program.upper
    for pair in pairs:
        for member in (pair.a, pair.b):
            if np.isinf(upper[member]).any():
                upper = upper.copy() if upper is program.upper else upper
                upper[member] = implied_upper(program, pair, member)
    return program if upper is program.upper else replace(program, upper=upper)


def implied_upper(program: LinearProgram, pair: Pair, member: slice) -> Array:
    """Most that one of a pair can be while the other is 0: its own limit, or what its balance can take.

    In balance row t,  s_t x_t = right_t - Σ_others a_j x_j,  so x_t is at most what the others' bounds leave.
    """
    balance = sp.csr_array(program.matrix)[pair.balance].tocoo()
    # s_t is ±1, or one less the losses of a line.
    inverse = np.zeros(member.stop - member.start)
    inside = (balance.col >= member.start) & (balance.col < member.stop)
    inverse[balance.col[inside] - member.start] = 1.0 / balance.data[inside]
    in_pair = inside | _within(balance.col, pair.a) | _within(balance.col, pair.b)
    others = ~in_pair & (balance.data != 0)
    row, column, factor = balance.row[others], balance.col[others], balance.data[others]
    # -a_j x_j / s at its largest
    push = -inverse[row] * factor
    most = push * np.where(push > 0, program.upper[column], program.lower[column])
    reach = np.bincount(row, weights=most, minlength=inverse.size)
    implied = np.maximum(reach + inverse * program.row_upper[pair.balance], 0.0)
    own: Indices | Array = program.upper[member]
    return np.minimum(own, implied)


def _within(columns: Any, place: slice) -> Any:
    return (columns >= place.start) & (columns < place.stop)
