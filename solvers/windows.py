"""Stretches of a horizon, cut out of the program of the whole.

Symbols: A x the rows of the whole program with bounds r ≤ A x ≤ r'; of its columns and rows, P those of the steps
before a window, W those of its own steps, S those of no step in particular, such as the peaks of months.

(H1)  r_W - A_WP x_P  ≤  A_WW x_W + A_WS x_S  ≤  r'_W - A_WP x_P           what was solved before is handed on
(H2)  a x_s ≥ r - A_P x_P  for every row of the steps before with a column s of S:  a bound of x_s
(H3)  l_s ≤ x_s,  and only what exceeds l_s costs                          what is bound to be paid is sunk

Levels, backlogs, running times and ramps need no rule of their own: the rows that carry them on say what they are.
Nothing in a step's rows depends on later steps, so a window needs no more than its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from solvers.maths import Array
from solvers.pairs import Pair
from solvers.program import Indices, LinearProgram, Program

Places = NDArray[np.intp]
_NO_STEP = -1


@dataclass(frozen=True)
class Cut:
    """The part of a program that belongs to the steps [start, stop).

    Attributes:
        start, stop: its first step and the end.
        columns, rows: where they stand in the whole program; those of no step included.
        starts, index, positions: its matrix by columns, with the places of its values in the whole matrix.
        past: rows, columns and places in the matrix of what the steps before `start` have in its rows.
        pairs: what excludes each other, in its own columns.
    """

    start: int
    stop: int
    columns: Places
    rows: Places
    starts: Indices
    index: Indices
    positions: Places
    past: tuple[Places, Places, Places]
    pairs: tuple[Pair, ...]


class Windows:
    """The stretches of a compiled model, cut once for all designs.

    Args:
        program: the model of the whole horizon.
        pairs: its exclusive pairs.
        steps: T.
    """

    def __init__(self, program: Program, pairs: tuple[Pair, ...], steps: int) -> None:
        self.program = program
        self.steps = steps
        self.pairs = pairs
        self._cuts: dict[tuple[int, int], Cut] = {}

    @cached_property
    def step_of_column(self) -> Places:
        """(n,), -1 for a column of no step in particular."""
        return _steps_of(self.program.columns, self.program.width, self.steps)

    @cached_property
    def step_of_row(self) -> Places:
        """(m,), -1 for a row of no step in particular."""
        return _steps_of(self.program.row_slices, self._places.shape[0], self.steps)

    @cached_property
    def _places(self) -> sp.csr_array:
        return self.program.places

    @cached_property
    def common(self) -> Places:
        """Columns of no step in particular."""
        return np.flatnonzero(self.step_of_column == _NO_STEP)

    @cached_property
    def _bounding(self) -> tuple[Places, Places, Places]:
        """Rows of a step that hold columns of none; those columns as a count in `common`; places in the matrix."""
        among = self._places[:, self.common].tocoo()
        of_step = self.step_of_row[among.row] != _NO_STEP
        return among.row[of_step], among.col[of_step], among.data[of_step] - 1

    def cut(self, start: int, stop: int) -> Cut:
        """The stretch of the steps [start, stop)."""
        if (start, stop) not in self._cuts:
            self._cuts[start, stop] = self._cut(start, stop)
        return self._cuts[start, stop]

    def _cut(self, start: int, stop: int) -> Cut:
        columns = _stretch(self.program.columns, start, stop, self.steps)
        rows = _stretch(self.program.row_slices, start, stop, self.steps)
        wide = self._places[rows]
        own = sp.csc_array(wide[:, columns])
        own.sort_indices()
        before = np.flatnonzero((self.step_of_column >= 0) & (self.step_of_column < start))
        past = wide[:, before].tocoo()
        return Cut(
            start, stop, columns, rows, own.indptr.astype(np.int32), own.indices.astype(np.int32), own.data - 1,
            (past.row, before[past.col], past.data - 1),
            tuple(pair_in(pair, columns, rows, start, stop) for pair in self.pairs),
        )  # fmt: skip

    def program_of(self, whole: LinearProgram, cut: Cut, x: Array, ends: Array) -> LinearProgram:
        """The program of a stretch, with what was solved before it handed on (H1 to H3).

        Args:
            whole: the program of the whole horizon.
            cut: the stretch.
            x: (n,), solved for the steps before `cut.start`.
            ends: (n,), least level or most backlog at a stretch's end; in columns of no step what is reached
                anyway, which holds where steps behind the stretch have a part in it; NaN where nothing is told.
        """
        row, column, place = cut.past
        past = np.bincount(row, weights=whole.values[place] * x[column], minlength=cut.rows.size)
        lower, upper = whole.lower.copy(), whole.upper.copy()
        lower[self.common], upper[self.common] = self._common_bounds(whole, cut.start, x)
        self._tell_ends(lower, upper, cut.stop, ends)
        sunk = lower[self.common]
        return replace(
            whole,
            cost=whole.cost[cut.columns],
            offset=-float(whole.cost[self.common] @ np.where(np.isfinite(sunk), sunk, 0.0)),  # (H3)
            lower=lower[cut.columns],
            upper=upper[cut.columns],
            row_lower=whole.row_lower[cut.rows] - past,
            row_upper=whole.row_upper[cut.rows] - past,
            starts=cut.starts,
            rows=cut.index,
            values=whole.values[cut.positions],
            integers=np.flatnonzero(np.isin(cut.columns, whole.integers)).astype(np.int32),
        )

    def last_ends(self, whole: LinearProgram) -> Array:
        """(n,), what levels and backlogs must come to when the horizon ends, told at every step."""
        ends = np.full(whole.cost.size, np.nan)
        for place, stock in self._stocks:
            ends[place] = (whole.lower if stock > 0 else whole.upper)[place.stop - 1]
        return ends

    def keep(self, whole: LinearProgram, cut: Cut, stop: int, own: Array, x: Array) -> None:
        """Put the solution of a stretch into that of the whole, up to the step `stop`."""
        kept = self.step_of_column[cut.columns] < stop
        columns = cut.columns[kept]
        x[columns] = np.clip(own[kept], whole.lower[columns], whole.upper[columns])

    @cached_property
    def _stocks(self) -> list[tuple[slice, int]]:
        """Columns of what is held (+1) or owed (-1) from step to step."""
        columns = self.program.columns
        return [(columns[name, var.name], var.stock) for name, var in self.program.bounded if var.stock]

    def _tell_ends(self, lower: Array, upper: Array, stop: int, ends: Array) -> None:
        """Bounds at a stretch's end, within those that are there already."""
        if stop == self.steps:
            return
        for place, stock in self._stocks:
            last = place.start + stop - 1
            if np.isfinite(ends[last]):
                side = lower if stock > 0 else upper
                side[last] = np.clip(ends[last], lower[last], upper[last])
        row, column, _ = self._bounding
        goes_on = np.unique(column[self.step_of_row[row] >= stop])
        common = self.common[goes_on]
        lower[common] = np.clip(np.fmax(lower[common], ends[common]), lower[common], upper[common])

    def _common_bounds(self, whole: LinearProgram, stop: int, x: Array) -> tuple[Array, Array]:
        """Bounds of the columns of no step by the rows of the steps before `stop` (H2).

        Args:
            whole: the program of the whole horizon.
            stop: end of the steps that are solved.
            x: (n,), solved for these.

        Returns:
            Lower and upper bound of each of `common`.
        """
        lower, upper = whole.lower[self.common].copy(), whole.upper[self.common].copy()
        row, column, place = self._bounding
        if row.size == 0 or stop == 0:
            return lower, upper
        solved = np.where((self.step_of_column >= 0) & (self.step_of_column < stop), x, 0.0)
        taken = whole.matrix @ solved
        is_past = self.step_of_row[row] < stop
        row, column, factor = row[is_past], column[is_past], whole.values[place[is_past]]
        one, other = (side[row] - taken[row] for side in (whole.row_lower, whole.row_upper))
        least = np.where(factor > 0, one, other) / factor
        most = np.where(factor > 0, other, one) / factor
        np.maximum.at(lower, column, least)
        np.minimum.at(upper, column, most)
        return lower, upper


def _steps_of(places: Any, size: int, steps: int) -> Places:
    at = np.full(size, _NO_STEP)
    for place in places.values():
        if place.stop - place.start == steps:
            at[place] = np.arange(steps)
    return at


def _stretch(places: Any, start: int, stop: int, steps: int) -> Places:
    """Of each block of rows or columns the part in [start, stop); blocks of no step whole."""
    parts = [
        np.arange(place.start + start, place.start + stop)
        if place.stop - place.start == steps
        else np.arange(place.start, place.stop)
        for place in sorted(places.values(), key=lambda place: place.start)
    ]
    return np.concatenate(parts)


def pair_in(pair: Pair, columns: Places, rows: Places, start: int, stop: int) -> Pair:
    """A pair of the whole in the columns and rows of the steps [start, stop)."""

    def within(place: slice, among: Places) -> slice:
        first = int(np.searchsorted(among, place.start + start))
        return slice(first, first + stop - start)

    return Pair(within(pair.a, columns), within(pair.b, columns), within(pair.balance, rows))
