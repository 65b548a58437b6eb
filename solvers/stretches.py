"""Stretches of a horizon: which steps, rows and columns belong together, and rows that are added to a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from solvers.maths import Array
from solvers.pairs import Pair
from solvers.program import LinearProgram

Places = NDArray[np.intp]
Stretch = tuple[int, int]
"""First step and the end."""

CALM_STEPS = 8
"""A border is no calmer for being farther away from marked steps."""


def steps_of(program: LinearProgram, pairs: tuple[Pair, ...]) -> tuple[Places, Places]:
    """The step of each row (m,) and of each column (n,), told from the pairs by the matrix.

    What shares a row or a column with a step belongs to it; of several it is a row's last, as rows look back, and
    a column's first.
    """
    matrix = program.matrix
    entries = matrix.tocoo()
    rows, columns = np.full(matrix.shape[0], -1), np.full(matrix.shape[1], -1)
    for pair in pairs:
        for place in (pair.a, pair.b):
            columns[place] = np.arange(place.stop - place.start)
    while True:
        last = np.full(rows.size, -1)
        np.maximum.at(last, entries.row, columns[entries.col])
        rows = np.where(rows < 0, last, rows)
        first = np.full(columns.size, rows.size)
        known = rows[entries.row] >= 0
        np.minimum.at(first, entries.col[known], rows[entries.row[known]])
        reached = (columns < 0) & (first < rows.size)
        if not reached.any():
            # What no pair has to do with at all has no part in any stretch's gap.
            return rows.astype(np.intp), np.maximum(columns, 0).astype(np.intp)
        columns = np.where(reached, first, columns)


def with_cuts(program: LinearProgram, cuts: Sequence[tuple[Places, Array, float]]) -> LinearProgram:
    """The program with the rows  g x ≥ β  of columns, g, and β (X3)."""
    count = len(cuts)
    counts = [int(np.count_nonzero(cost)) for _, cost, _ in cuts]
    rows = sp.csr_array(
        (
            np.concatenate([cost[cost != 0] for _, cost, _ in cuts]),
            (
                np.repeat(np.arange(count), counts),
                np.concatenate([columns[cost != 0] for columns, cost, _ in cuts]),
            ),
        ),
        shape=(count, program.cost.size),
    )
    matrix = sp.csc_array(sp.vstack([program.matrix, rows]))
    return replace(
        program,
        row_lower=np.concatenate([program.row_lower, [least for _, _, least in cuts]]),
        row_upper=np.concatenate([program.row_upper, np.full(count, np.inf)]),
        starts=matrix.indptr.astype(np.int32),
        rows=matrix.indices.astype(np.int32),
        values=matrix.data,
    )


def calm_parts(marked: Places, horizon: int, shortest: int, longest: int) -> list[Stretch]:
    """Parts of a horizon that meet where it is calm: as far as can be from marked steps, ascending."""
    calm = _calm(marked, horizon)
    borders = [0]
    while horizon - borders[-1] > longest:
        start = borders[-1]
        reach = np.arange(start + shortest, min(start + longest, horizon - shortest // 2) + 1)
        off_middle = np.abs(reach - start - (shortest + longest) // 2)
        borders.append(int(reach[np.lexsort((off_middle, -calm[reach]))[0]]))
    return list(pairwise([*borders, horizon]))


def _calm(marked: Places, horizon: int) -> Places:
    """(horizon + 1,), how many steps are between a border and the nearest marked step; at most `CALM_STEPS`."""
    calm = np.full(horizon + 1, CALM_STEPS)
    for between in reversed(range(CALM_STEPS)):
        for border in (marked - between, marked + 1 + between):
            calm[border[(border >= 0) & (border <= horizon)]] = between
    return calm
