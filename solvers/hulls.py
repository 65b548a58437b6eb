"""The convex hull of a pair's two directions, with the balance that it stands in, step by step.

Symbols: a, b a pair's columns in a step, y = 1 where a may run and 0 where b may, M_a, M_b as in `solvers.pairs`;
its balance solved for a is  a + ρ b = r + Σ_j w_j,  each w_j another column times a number, lo_j ≤ w_j ≤ hi_j.

(X5)  (a, b, w) = (a¹, 0, w¹) + (0, b⁰, w⁰):   a¹ = r y + Σ w¹_j,           lo_j y ≤ w¹_j ≤ hi_j y,
                                             ρ b⁰ = r (1-y) + Σ w⁰_j,   lo_j (1-y) ≤ w⁰_j ≤ hi_j (1-y)
(X6)  a ≤ r y + Σ_j min{ hi_j y,  w_j - lo_j (1-y) },   and the same for b with 1-y

(X5) is Balas' hull of "a alone or b alone" (E. Balas, Disjunctive programming: properties of the convex hull of
feasible points, Discrete Applied Mathematics 89, 1998). Each w_j appears in one sum, so w¹ and w⁰ are eliminated
term by term, and (X6) is all that is left of them: one row for each choice of terms. Of these many rows only those
are added that a point breaks, and the smaller of each two terms tells which. They say what (P1) does not: what is
exported comes from somewhere while nothing is imported.

Bounds of other columns are all that a hull knows; levels and other balances are left to the stretches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from solvers.highs import Clock, Outcome, PersistentHighs, wider_basis
from solvers.maths import Array
from solvers.pairs import Pair, Split, cancels, others_in_balance, with_binaries
from solvers.program import LinearProgram
from solvers.solution import Status

Places = NDArray[np.intp]
Directions = Mapping[Pair, Places]
"""Of each pair, (T,): the column of y in each step; -1 where it has none."""

BROKEN_BY_KW = 1e-6
"""Rows (X6) that a point breaks by less are left out."""
MOST_ROUNDS = 30
WORTH = 1e-4
"""Share of all that was gained; a round that gains less is the last."""


@dataclass(frozen=True)
class Hull:
    """A relaxation with the hulls of the steps that it breaks.

    Attributes:
        program: the relaxation with columns y and rows (P1) and (X6); y may be anything from 0 to 1.
        directions: where y stands.
        outcome: its optimum.
        duals: (m,), prices of its rows.
    """

    program: LinearProgram
    directions: Directions
    outcome: Outcome
    duals: Array

    def lifted(self, x: Array) -> Array:
        """A dispatch whose pairs are apart, with its directions: y = 1 where a runs."""
        wide = np.zeros(self.program.cost.size)
        wide[: x.size] = x
        for pair, columns in self.directions.items():
            steps = np.flatnonzero(columns >= 0)
            wide[columns[steps]] = x[pair.a][steps] > x[pair.b][steps]
        return wide

    def with_binaries(self, split: Split) -> LinearProgram:
        """The program with directions that are whole in the steps of `split`, new ones (P1) where it has none."""
        columns = {pair: self.directions[pair][steps] for pair, steps in split.items()}
        known = [found[found >= 0] for found in columns.values()]
        integers = np.sort(np.concatenate([self.program.integers, *known])).astype(np.int32)
        new = {pair: steps[columns[pair] < 0] for pair, steps in split.items()}
        return with_binaries(replace(self.program, integers=integers), new)[0]

    def start(self, x: Array, split: Split) -> Array:
        """A dispatch as a point of the program with binaries."""
        runs = []
        for pair, steps in split.items():
            new = steps[self.directions[pair][steps] < 0]
            runs.append(x[pair.a][new] > x[pair.b][new])
        return np.concatenate([self.lifted(x), *runs]).astype(float)


def hull_of(
    highs: PersistentHighs,
    program: LinearProgram,
    pairs: tuple[Pair, ...],
    clock: Clock,
    relaxed: Outcome,
    duals: Array,
) -> Hull:
    """Add the hulls of broken steps to a relaxation until its optimum gains no more by them.

    Args:
        highs: the solver object of this worker.
        program: the relaxed problem, with finite limits of pairs.
        pairs: what must not run at once.
        clock: time limit and account of the solver's time.
        relaxed: the relaxation's optimum.
        duals: (m,), prices of its rows.
    """
    free = {pair: ~cancels(program, pair) & _limited(program, pair) for pair in pairs}
    sides = {pair: (_Side.of(program, pair, pair.a), _Side.of(program, pair, pair.b)) for pair in pairs}
    hull = Hull(program, {pair: np.full(free[pair].size, -1) for pair in pairs}, relaxed, duals)
    for _ in range(MOST_ROUNDS):
        wider = _with_rows(_with_directions(hull, free), sides)
        if wider is hull or clock.left <= 0:
            break
        outcome = clock.count(
            highs.solve(wider.program, time_limit_seconds=clock.left, basis=wider.outcome.basis, relaxed=True)
        )
        if outcome.status is Status.INFEASIBLE:
            return replace(hull, outcome=outcome)
        if outcome.status is not Status.OPTIMAL:
            break
        gained, in_all = outcome.bound - hull.outcome.bound, outcome.bound - relaxed.bound
        hull = replace(wider, outcome=outcome, duals=highs.row_duals())
        if gained <= WORTH * in_all:
            break
    return hull


def _with_directions(hull: Hull, free: Mapping[Pair, NDArray[np.bool_]]) -> Hull:
    """A column y and the rows (P1) for each step that is broken and has none; y where a and b suggest it."""
    x, program, directions, guesses = hull.outcome.x, hull.program, dict(hull.directions), []
    assert x is not None
    split = {}
    for pair, columns in hull.directions.items():
        broken = pair.broken(x)
        steps = broken[free[pair][broken] & (columns[broken] < 0)]
        if steps.size:
            split[pair] = steps
    if not split:
        return hull
    extended, first = with_binaries(program, split)
    for pair, steps in split.items():
        directions[pair] = directions[pair].copy()
        directions[pair][steps] = first + np.arange(steps.size)
        first += steps.size
        a, b = x[pair.a][steps], x[pair.b][steps]
        guesses.append(a / (a + b))
    new_rows = extended.row_lower.size - program.row_lower.size
    new_columns = extended.cost.size - program.cost.size
    outcome = replace(
        hull.outcome,
        x=np.concatenate([x, *guesses]),
        basis=wider_basis(hull.outcome.basis, rows=new_rows, columns=new_columns),
    )
    return replace(
        hull, program=replace(extended, integers=program.integers), directions=directions, outcome=outcome
    )


def _limited(program: LinearProgram, pair: Pair) -> NDArray[np.bool_]:
    return np.isfinite(program.upper[pair.a]) & np.isfinite(program.upper[pair.b])


def _with_rows(hull: Hull, sides: Mapping[Pair, tuple[_Side, _Side]]) -> Hull:
    """The rows (X6) that the hull's point breaks."""
    x = hull.outcome.x
    assert x is not None
    found = [
        side.broken(x, columns, is_a=is_a)
        for pair, columns in hull.directions.items()
        for side, is_a in zip(sides[pair], (True, False), strict=True)
    ]
    count = sum(most.size for _, most in found)
    if count == 0:
        return hull
    matrix = sp.csc_array(sp.vstack([hull.program.matrix, *(rows for rows, _ in found)]))
    program = replace(
        hull.program,
        row_lower=np.concatenate([hull.program.row_lower, np.full(count, -np.inf)]),
        row_upper=np.concatenate([hull.program.row_upper, *(most for _, most in found)]),
        starts=matrix.indptr.astype(np.int32),
        rows=matrix.indices.astype(np.int32),
        values=matrix.data,
    )
    basis = wider_basis(hull.outcome.basis, rows=count)
    return replace(hull, program=program, outcome=replace(hull.outcome, basis=basis))


@dataclass(frozen=True, eq=False)
class _Side:
    """One of a pair, with all that its balance holds besides the pair.

    Attributes:
        member: its columns.
        step, column, factor: of each other entry of the balances:  w = factor · x.
        low, high: the bounds of each w.
        right: (T,), r.
    """

    member: slice
    step: Places
    column: Places
    factor: Array
    low: Array
    high: Array
    right: Array

    @classmethod
    def of(cls, program: LinearProgram, pair: Pair, member: slice) -> _Side:
        step, column, factor, right = others_in_balance(program, pair, member)
        ends = factor * program.lower[column], factor * program.upper[column]
        return cls(member, step, column, factor, np.minimum(*ends), np.maximum(*ends), right)

    def broken(self, x: Array, directions: Places, *, is_a: bool) -> tuple[sp.csr_array, Array]:
        """The rows (X6) that a point breaks, as  row · x ≤ most.

        Args:
            x: (n,), with y.
            directions: (T,), columns of y.
            is_a: whether this is a of its pair, which runs at y = 1.
        """
        steps, has_y = directions.size, directions >= 0
        y = np.where(has_y, x[directions], 0.0)
        z = y if is_a else 1.0 - y
        with np.errstate(invalid="ignore"):
            by_z = np.where(np.isfinite(self.high), self.high * z[self.step], np.inf)
            by_w = np.where(
                np.isfinite(self.low), self.factor * x[self.column] - self.low * (1 - z)[self.step], np.inf
            )
        takes_w = by_w < by_z

        def summed(terms: Array) -> Array:
            return np.asarray(np.bincount(self.step, weights=terms, minlength=steps), dtype=float)

        of_z = self.right + summed(np.where(takes_w, self.low, self.high))  # a ≤ of_z · z + constant + Σ w
        constant = -summed(np.where(takes_w, self.low, 0.0))
        reach = self.right * z + summed(np.minimum(by_w, by_z))
        cut = np.flatnonzero(has_y & (x[self.member] - reach > BROKEN_BY_KW))
        place = np.full(steps, -1)
        place[cut] = np.arange(cut.size)
        mine = takes_w & (place[self.step] >= 0)
        of_y = of_z[cut] if is_a else -of_z[cut]
        rows = sp.csr_array(
            (
                np.concatenate([np.ones(cut.size), -of_y, -self.factor[mine]]),
                (
                    np.concatenate([place[cut], place[cut], place[self.step[mine]]]),
                    np.concatenate([self.member.start + cut, directions[cut], self.column[mine]]),
                ),
            ),
            shape=(cut.size, x.size),
        )
        return rows, constant[cut] + (0.0 if is_a else of_z[cut])
