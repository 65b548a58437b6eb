"""Why there is no dispatch: HiGHS' irreducible infeasible subset in the components' own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solvers.highs import Conflict
from solvers.program import LinearProgram, Program

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINES = 12


def describe(
    conflict: Conflict | None, names: Program, program: LinearProgram, index: pd.DatetimeIndex
) -> tuple[str, ...]:
    """One line for each balance, equation or limit that takes part, with its steps as times."""
    if conflict is None:
        return ("HiGHS could not narrow down which equations contradict each other",)
    equations: dict[str, list[int]] = {}
    for row in conflict.rows:
        name = names.row_name(row)
        what = (
            f"the balance of {name.owner}" if name.label == "balance" else f"{name.owner}: its {name.label}"
        )
        equations.setdefault(what, []).append(name.step)
    limits: dict[str, list[int]] = {}
    for column, side in conflict.columns:
        component, variable, step = names.column_name(column)
        bound = program.upper[column] if side == "upper" else program.lower[column]
        word = "at most" if side == "upper" else "at least"
        limits.setdefault(f"{component}: {variable} {word} {bound:.6g}", []).append(step)
    # Balances first: they say what is missing; the limits say why.
    ordered = sorted(equations.items(), key=lambda item: not item[0].startswith("the balance"))
    lines = [f"{what}, {_when(steps, index)}" for what, steps in [*ordered, *limits.items()]]
    rest = len(lines) - _MOST_LINES
    return tuple(lines) if rest <= 0 else (*lines[:_MOST_LINES], f"and {rest} more limits")


def _when(steps: list[int], index: pd.DatetimeIndex) -> str:
    first, last = min(steps), max(steps)
    if last >= len(index):
        return f"in month {first + 1} of the horizon"
    if first == last:
        return f"at {index[first]:%Y-%m-%d %H:%M}"
    return f"in {len(set(steps))} steps from {index[first]:%Y-%m-%d %H:%M} to {index[last]:%Y-%m-%d %H:%M}"
