"""A column of a file over the horizon's steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from schema.inputs.refusals import Fault, Refusal
from schema.inputs.steps import FloatArray, Steps
from schema.inputs.tables import Rows, Table
from schema.inputs.times import grid_of, other_grid, rows_at
from schema.profiles import FileProfile

if TYPE_CHECKING:
    import pandas as pd


def rows_in_order(table: Table, steps: Steps, field: str) -> Rows:
    """The rows of a file without time stamps, which must be one for each step.

    Raises:
        Refusal: they are more or fewer.
    """
    if len(table.data) == len(steps):
        return np.arange(len(steps), dtype=np.intp)
    raise Refusal(
        Fault(
            field,
            f"{len(table.data)} rows and no column 'time'",
            f"{len(steps)} rows, one for each step",
            f"{table.name} has {len(table.data)} rows for {len(steps)} steps and no "
            "column 'time'; add time stamps, name their column, or give exactly one row a step",
        )
    )


def column(spec: FileProfile, table: Table, times: pd.DatetimeIndex | None, steps: Steps) -> FloatArray:
    """The column's mean over each step.

    Args:
        spec: what the user stated.
        table: the file.
        times: its time stamps; None if it has none.
        steps: the horizon's.

    Returns:
        Shape (T,): by T1 where the file has other steps and resampling is asked for.

    Raises:
        Refusal: the rows are not the horizon's steps, or a cell is not a finite number.
    """
    if times is None:
        return table.numbers(spec.column, rows_in_order(table, steps, "file"), "column")
    grid = grid_of(table, times, steps, "file")
    if steps.is_on(grid):
        return _at(spec, table, times, steps.index)
    minutes = steps.common_minutes(grid)
    if not spec.resample or minutes is None:
        raise other_grid(table.name, grid, steps, "file")
    begins = grid.before(steps.parts(minutes).index)
    own = begins.unique()
    values = _at(spec, table, times, own)
    return steps.means(values[own.get_indexer(begins)])  # T1


def _at(spec: FileProfile, table: Table, times: pd.DatetimeIndex, index: pd.DatetimeIndex) -> FloatArray:
    """The column at the file's own steps; what is wrong with rows and with their cells is told together."""
    try:
        rows = rows_at(table, times, index, "file")
    except Refusal as refusal:
        try:
            table.numbers(spec.column, np.flatnonzero(times.isin(index)), "column")
        except Refusal as more:
            raise Refusal([*refusal.faults, *more.faults]) from None
        raise
    return table.numbers(spec.column, rows, "column")
