"""Pairs of flows that exclude each other step by step: import and export, charge and discharge.

Symbols: a, b the pair's columns, M_a, M_b the most that each can be while the other is 0, y a binary.

(P1)  a ≤ M_a y,   b ≤ M_b (1 - y)
(P2)  in balance row t,  s_t a_t = right_t - Σ_others a_j x_j:  M_a is at most what the others' bounds leave
(P3)  where both columns cancel in every row and c_a + c_b ≥ 0, taking min(a, b) from both costs nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from solvers.highs import Clock, Outcome, PersistentHighs
from solvers.maths import Array
from solvers.program import LinearProgram, Program

EXCLUSIVE_TOLERANCE_KW = 1e-6
"""Both of a pair above this count as running at once."""


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


Split = Mapping[Pair, NDArray[np.intp]]
"""Steps of each pair that have a binary."""


def pairs_of(program: Program) -> tuple[Pair, ...]:
    """The exclusive pairs of a compiled model as columns."""
    return tuple(
        Pair(program.columns[name, a], program.columns[name, b], program.row_slices[node, "balance"])
        for name, a, b, node in program.exclusive
    )


def any_broken(pairs: tuple[Pair, ...], x: Array | None) -> bool:
    """Whether both of any pair run in any step."""
    return x is not None and any(pair.broken(x).size > 0 for pair in pairs)


def unlimited(program: LinearProgram, pairs: tuple[Pair, ...]) -> bool:
    """Whether any of a pair has no upper limit."""
    return any(np.isinf(program.upper[member]).any() for pair in pairs for member in (pair.a, pair.b))


def netted(program: LinearProgram, pairs: tuple[Pair, ...], x: Array) -> Array:
    """A point with its pairs kept apart where that takes no more than subtraction (P3), the same or cheaper."""
    apart = x.copy()
    for pair in pairs:
        both = np.minimum(x[pair.a], x[pair.b])
        both = np.where(cancels(program, pair), both, 0.0)
        apart[pair.a] -= both
        apart[pair.b] -= both
    return apart


def cancels(program: LinearProgram, pair: Pair) -> NDArray[np.bool_]:
    """Steps in which (P3) holds."""
    matrix = program.matrix
    left_over = abs(matrix[:, pair.a] + matrix[:, pair.b]).sum(axis=0)
    at_zero = (program.lower[pair.a] <= 0) & (program.lower[pair.b] <= 0)
    return np.asarray((left_over == 0) & at_zero & (program.cost[pair.a] + program.cost[pair.b] >= 0))


def repaired(
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
    while outcome.x is not None and any_broken(pairs, outcome.x):
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


def with_binaries(program: LinearProgram, split: Split) -> tuple[LinearProgram, int]:
    """The program with a binary for each pair and step of `split` (P1).

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
    """Most that one of a pair can be while the other is 0: its own limit, or what its balance can take (P2)."""
    step, column, factor, right = others_in_balance(program, pair, member)
    # w_j at its largest
    most = factor * np.where(factor > 0, program.upper[column], program.lower[column])
    implied = np.maximum(right + np.bincount(step, weights=most, minlength=right.size), 0.0)
    own: Array = program.upper[member]
    return np.minimum(own, implied)


def others_in_balance(program: LinearProgram, pair: Pair, member: slice) -> tuple[Any, Any, Any, Array]:
    """The balances solved for one of a pair while the other is 0:  a = r + Σ w_j,  w_j = factor_j x_j.

    Returns:
        Step, column and factor of each w_j, and r (T,).
    """
    balance = sp.csr_array(program.matrix)[pair.balance].tocoo()
    # s_t is ±1, or one less the losses of a line.
    inverse = np.zeros(member.stop - member.start)
    inside = (balance.col >= member.start) & (balance.col < member.stop)
    inverse[balance.col[inside] - member.start] = 1.0 / balance.data[inside]
    in_pair = inside | _within(balance.col, pair.a) | _within(balance.col, pair.b)
    others = ~in_pair & (balance.data != 0)
    row, column = balance.row[others], balance.col[others]
    return row, column, -inverse[row] * balance.data[others], inverse * program.row_upper[pair.balance]


def _within(columns: Any, place: slice) -> Any:
    return (columns >= place.start) & (columns < place.stop)
