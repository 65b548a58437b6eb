"""How good a dispatch can be at best: a bound from windows that are solved apart.

Symbols: min c x,  r ≤ A x ≤ r',  l ≤ x ≤ u,  some x whole, some pairs exclusive; windows k of the steps; R the
rows that hold columns of more than one window or of none; y the prices of these rows, the relaxation's duals.

(D1)  L(y) = Σ_R (y⁺ r - y⁻ r')  +  Σ_k min { (c - A_R' y)_k x_k :  rows of window k alone, bounds, whole, pairs }
                                 +  Σ_s min { (c - A_R' y)_s x_s :  l_s ≤ x_s ≤ u_s }        columns s of no window
(D2)  L(y) ≤ c x for every dispatch x, whatever y; with the relaxation's y it is at least the relaxation's optimum

What ties the windows together has its price, so each is solved by itself with its whole columns whole (Lagrangian
relaxation; Geoffrion 1974, doi:10.1007/BFb0120690). Little is lost where windows are tied together by few rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from solvers import milp
from solvers.highs import PersistentHighs
from solvers.maths import Array
from solvers.milp import Clock, Pair
from solvers.program import LinearProgram
from solvers.solution import Status
from solvers.windows import Places, Windows, pair_in

_NEARLY_NOTHING = 1e-9
"""A column without limit whose price is this little below 0 counts as free of cost."""


@dataclass(frozen=True)
class Relaxation:
    """A solved relaxation: its solution (n,), the prices of its rows (m,), and its optimum."""

    x: Array
    duals: Array
    objective: float


def windowed_bound(
    highs: PersistentHighs,
    program: LinearProgram,
    windows: Windows,
    relaxation: Relaxation,
    *,
    window_steps: int,
    gap_fraction: float,
    clock: Clock,
) -> float:
    """The bound (D1); at least the relaxation's optimum, infinite where a window alone has no dispatch.

    Args:
        highs: the solver object of this worker.
        program: of the whole horizon, with finite limits of exclusive pairs.
        windows: its stretches.
        relaxation: of the program.
        window_steps: length of a window.
        gap_fraction: how closely each window is solved, relative to its share of the optimum.
        clock: each window may use its share of what is left; where that is too little to say anything of one, the
            relaxation's optimum is all that is known.
    """
    apart = _Apart(program, windows, window_steps)
    prices = _priced(program, apart.matrix, windows.common, np.where(apart.rows, 0.0, relaxation.duals))
    cost = program.cost - apart.matrix.T @ prices
    bound = program.offset + _of_rows(program, prices) + _of_columns(program, windows.common, cost)
    for start in range(0, windows.steps, window_steps):
        part, columns, pairs = apart.part(start, cost)
        # Its gap is relative to the window's share of the optimum, whatever the prices make of its cost.
        share = abs(relaxation.objective) * (min(start + window_steps, windows.steps) - start) / windows.steps
        shift = share - float(part.cost @ relaxation.x[columns])
        own = Clock(clock.left * window_steps / (windows.steps - start))
        answer = milp.solve(highs, replace(part, offset=shift), pairs, own, mip_gap_fraction=gap_fraction)
        clock.add(own)
        if answer.status is Status.INFEASIBLE:
            return np.inf
        bound += answer.bound - shift
        if not np.isfinite(bound):
            return relaxation.objective
    return max(bound, relaxation.objective)


class _Apart:
    """A program that falls into windows once the rows that tie them together are left out.

    Attributes:
        matrix: by rows.
        rows: (m,), whether a row belongs to one window alone.
    """

    def __init__(self, program: LinearProgram, windows: Windows, window_steps: int) -> None:
        self._program, self._windows, self._width = program, windows, window_steps
        self.matrix = sp.csr_array(program.matrix)
        self._window_of = np.where(windows.step_of_column < 0, -1, windows.step_of_column // window_steps)
        entries = self.matrix.tocoo()
        first = np.full(self.matrix.shape[0], windows.steps)
        last = np.full(self.matrix.shape[0], -1)
        np.minimum.at(first, entries.row, self._window_of[entries.col])
        np.maximum.at(last, entries.row, self._window_of[entries.col])
        self._first, self.rows = first, (first == last) & (first >= 0)

    def part(self, start: int, cost: Array) -> tuple[LinearProgram, Places, tuple[Pair, ...]]:
        """The window that begins at a step, its columns in the whole, and its pairs in its own columns."""
        whole, number = self._program, start // self._width
        stop = min(start + self._width, self._windows.steps)
        columns = np.flatnonzero(self._window_of == number)
        rows = np.flatnonzero(self.rows & (self._first == number))
        matrix = sp.csc_array(self.matrix[rows][:, columns])
        part = LinearProgram(
            cost=cost[columns],
            offset=0.0,
            lower=whole.lower[columns],
            upper=whole.upper[columns],
            row_lower=whole.row_lower[rows],
            row_upper=whole.row_upper[rows],
            starts=matrix.indptr.astype(np.int32),
            rows=matrix.indices.astype(np.int32),
            values=matrix.data,
            integers=np.flatnonzero(np.isin(columns, whole.integers)).astype(np.int32),
        )
        pairs = tuple(pair_in(pair, columns, rows, start, stop) for pair in self._windows.pairs)
        return part, columns, pairs


def _priced(program: LinearProgram, matrix: sp.csr_array, common: Places, duals: Array) -> Array:
    """Prices that (D1) can be told with: no price on a side without a limit, no column that is paid for ever.

    A column of no window without an upper limit, a peak for instance, must not earn more by its rows than it
    costs; the relaxation's duals hold this to a tolerance, and are scaled so that they hold it.
    """
    unlimited = np.where(duals > 0, np.isinf(program.row_lower), np.isinf(program.row_upper))
    prices = np.where(unlimited, 0.0, duals)
    columns = sp.csc_array(matrix[:, common])
    for place, column in enumerate(common):
        rows = columns.indices[columns.indptr[place] : columns.indptr[place + 1]]
        earned = columns.data[columns.indptr[place] : columns.indptr[place + 1]] * prices[rows]
        gains, left = earned[earned > 0].sum(), program.cost[column] - earned[earned < 0].sum()
        if np.isinf(program.upper[column]) and gains > max(left, 0.0):
            prices[rows[earned > 0]] *= max(left, 0.0) / gains
    return prices


def _of_rows(program: LinearProgram, prices: Array) -> float:
    """Σ_R (y⁺ r - y⁻ r')."""
    side = np.where(prices > 0, program.row_lower, program.row_upper)
    return float(prices[prices != 0] @ side[prices != 0])


def _of_columns(program: LinearProgram, common: Places, cost: Array) -> float:
    """Σ_s min { cost_s x_s : l_s ≤ x_s ≤ u_s }."""
    own = cost[common]
    own = np.where(np.abs(own) <= _NEARLY_NOTHING, 0.0, own)
    side = np.where(own > 0, program.lower[common], program.upper[common])
    return float(own[own != 0] @ side[own != 0])
