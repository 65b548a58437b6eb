"""Stretches of a horizon: which steps, rows and columns belong together, and rows that are added to a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def runs(steps: Places, pad: int, horizon: int, longest: int) -> Iterator[Stretch]:
    """Runs of steps with a pad on either side, parted where they are long."""
    marked = np.zeros(horizon + 2, dtype=bool)
    for shift in range(-pad, pad + 1):
        marked[np.clip(steps + shift, 0, horizon - 1) + 1] = True
    edges = np.flatnonzero(np.diff(marked))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        parts = -(-(stop - start) // longest)
        borders = np.linspace(start, stop, parts + 1).round().astype(int)
        yield from ((int(a), int(b)) for a, b in pairwise(borders))
