"""Why there is no dispatch, in the components' own words.

Symbols: A x = b the rows, l ≤ x ≤ u the bounds, s⁺, s⁻ ≥ 0 what is missing and what is too much in a row.

(X1)  minimise Σ s⁺ + s⁻   subject to   A x + s⁺ - s⁻ = b in the nodes' balances, all else as it is
(X2)  rows of the steps [i, j) only, for the shortest stretch around the worst step that contradicts itself
(X3)  an irreducible infeasible subset of (X2): without any one of its rows and bounds it could be met

(X1) says what is short and where it costs least to help out, in one LP, also for a year. (X2) leaves rows out,
which can only make the rest easier: what contradicts itself there does so in the whole. It is found by doubling
a window and then by bisecting its ends, so that HiGHS, which needs minutes for (X3) on a year, gets a few hours.
Where no balance is at fault, (X1) is solved again with s in every row. Where it comes to nothing, the equations
can be met, and exclusive pairs or units that are on or off as a whole stand in the way; then (X1) is solved with
the pairs kept apart, with the units whole, and with both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from solvers import milp
from solvers.highs import PersistentHighs
from solvers.maths import Array
from solvers.program import Indices, LinearProgram, Program
from solvers.solution import Status

if TYPE_CHECKING:
    import pandas as pd

NOT_NARROWED = "no short stretch of time contradicts itself: the conflict is one of the whole horizon"
NO_TIME = "the time limit was reached before the conflict was found"
NOT_FOUND = "the conflict could not be narrowed down"
_MOST_LINES = 12
_MOST_STEPS = 1000
NOTHING = 1e-5
"""Less than this [kW or kWh] counts as met."""

Rows = NDArray[np.intp]
_NO_COLUMNS: Indices = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True)
class Question:
    """An infeasible program, with names for all that is in it.

    Attributes:
        names: the compiled model.
        program: its data, with finite limits of exclusive pairs.
        pairs: what must not run at once.
        index: beginning of each step, in the system's time zone.
        step_hours: Δ [h].
        highs: a solver of its own.
        clock: the time that is left.
    """

    names: Program
    program: LinearProgram
    pairs: tuple[milp.Pair, ...]
    index: pd.DatetimeIndex
    step_hours: float
    highs: PersistentHighs
    clock: milp.Clock


def explain(question: Question) -> tuple[str, ...]:
    """One line for each thing that is wrong, the worst first; empty where a dispatch exists."""
    rows = _rows_of(question.names, only="balance")
    status, missing = _missing(question, rows, ())
    if status is Status.INFEASIBLE:
        rows = _rows_of(question.names)
        status, missing = _missing(question, rows, ())
    if missing is None:
        return (NO_TIME if question.clock.left <= 0 else NOT_FOUND,)
    if np.abs(missing).max(initial=0.0) <= NOTHING:
        return _explain_whole(question, _rows_of(question.names, only="balance"))
    worst = question.names.row_name(int(rows[np.abs(missing).argmax()])).step
    return tuple(_told(question, rows, missing)) + _narrowed(question, worst)


def _rows_of(names: Program, only: str | None = None) -> Rows:
    places = [place for (_, label), place in names.row_slices.items() if only in {None, label}]
    return np.concatenate([np.arange(place.start, place.stop) for place in places])


def _missing(
    question: Question, rows: Rows, pairs: tuple[milp.Pair, ...], integers: Indices = _NO_COLUMNS
) -> tuple[Status, Array | None]:
    """What is missing (positive) or too much (negative) in each of `rows` at the least (X1)."""
    stretched = replace(elastic(question.program, rows), integers=integers)
    answer = milp.solve(question.highs, stretched, pairs, question.clock, mip_gap_fraction=0.05)
    if answer.x is None:
        return answer.status, None
    slack = answer.x[-2 * rows.size :]
    return answer.status, slack[: rows.size] - slack[rows.size :]


def elastic(program: LinearProgram, rows: Rows) -> LinearProgram:
    """The program of (X1): what is missing in each of `rows`, then what is too much, are its last columns."""
    m, n, k = program.row_lower.size, program.cost.size, rows.size
    unit = sp.csc_array((np.ones(k), (rows, np.arange(k))), shape=(m, k))
    # A balance's row states what flows put in less what they take, with the demand on its right.
    matrix = sp.csc_array(sp.hstack([program.matrix, unit, -unit]))
    return LinearProgram(
        cost=np.concatenate([np.zeros(n), np.ones(2 * k)]),
        offset=0.0,
        lower=np.concatenate([program.lower, np.zeros(2 * k)]),
        upper=np.concatenate([program.upper, np.full(2 * k, np.inf)]),
        row_lower=program.row_lower,
        row_upper=program.row_upper,
        starts=matrix.indptr.astype(np.int32),
        rows=matrix.indices.astype(np.int32),
        values=matrix.data,
    )


def _told(question: Question, rows: Rows, missing: Array) -> Iterator[str]:
    """A line for each equation that is off, with how often, by how much and when most."""
    for (owner, label), place in question.names.row_slices.items():
        own = missing[(rows >= place.start) & (rows < place.stop)]
        for sign, word in ((1.0, "is short"), (-1.0, "has too much")):
            off = np.clip(sign * own, 0.0, None)
            steps = np.flatnonzero(off > NOTHING)
            if steps.size == 0:
                continue
            when = f"in {_count(steps.size)}, by up to {off.max():.3g}"
            flow_unit, unit = ("m³/h", "m³") if _is_water(owner) else ("kW", "kWh")
            worst = f"worst at {_time(question, int(off.argmax()))}"
            if label == "balance":
                total = off.sum() * question.step_hours
                yield f"the balance of {owner} {word} {when} {flow_unit}, {worst} ({total:.3g} {unit} in all)"
            else:
                yield f"{owner}: its {label} cannot be kept {when}, {worst}"


def _is_water(node: str) -> bool:
    return node.partition("@")[0] == "water"


def _explain_whole(question: Question, rows: Rows) -> tuple[str, ...]:
    """The equations can be met: is it the exclusive pairs, or units that are on or off as a whole?"""
    pairs, integers = question.pairs, question.program.integers
    for apart, whole in ((pairs, _NO_COLUMNS), ((), integers), (pairs, integers)):
        if not (apart or whole.size):
            continue
        status, missing = _missing(question, rows, apart, whole)
        if missing is None:
            return (NO_TIME if question.clock.left <= 0 else NOT_FOUND,)
        lines = tuple(_told(question, rows, missing))
        if lines:
            said = "" if status is Status.OPTIMAL else "; the time limit was reached, so it may be less"
            ways_out = " or by ".join(_ways_out(question, apart, whole))
            return (*lines, f"it could be met only by {ways_out}{said}")
    return ()


def _ways_out(question: Question, pairs: tuple[milp.Pair, ...], integers: Indices) -> Iterator[str]:
    """What would have to be allowed."""
    if pairs:
        names = (f"{name}: {a} and {b}" for name, a, b, _ in question.names.exclusive)
        yield f"running both at once: {' or '.join(names)}"
    if integers.size:
        units = dict.fromkeys(component for component, var in question.names.bounded if var.integer)
        names = (f"{unit} ({_rules_of(question, unit)})" for unit in units)
        yield f"a unit that is partly on: {' or '.join(names)}"


def _rules_of(question: Question, unit: str) -> str:
    """The rules of commitment that a unit keeps."""
    labels = [label for owner, label in question.names.row_slices if owner == unit]
    return ", ".join(label for label in labels if label.startswith(("minimum", "ramp"))) or "on or off"


def _narrowed(question: Question, worst: int) -> tuple[str, ...]:
    """The conflict around a step in its own words (X2, X3)."""
    window = _window(question, worst)
    if question.clock.left <= 0:
        return (NO_TIME,)
    if window is None:
        return (NOT_NARROWED,)
    rows, columns, part = _part(question, *window)
    conflict = question.highs.conflict(part, question.clock.left)
    if conflict is None:
        return (NOT_FOUND,)
    equations = _equations(question, (int(rows[row]) for row in conflict.rows))
    limits = _limits(question, ((int(columns[column]), side) for column, side in conflict.columns))
    lines = [*equations, *limits]
    rest = len(lines) - _MOST_LINES
    shown = lines if rest <= 0 else [*lines[:_MOST_LINES], f"and {rest} more"]
    return ("these contradict each other:", *shown)


def _window(question: Question, worst: int) -> tuple[int, int] | None:
    """A stretch [first, last) that contradicts itself and does not when shortened at either end; None if long."""
    steps, reach = len(question.index), 0
    first, last = worst, worst + 1
    while not _contradicts(question, first, last):
        reach = max(1, 2 * reach)
        if last - first >= min(steps, _MOST_STEPS) or question.clock.left <= 0:
            return None
        first, last = max(0, worst - reach), min(steps, worst + reach + 1)
    inside, outside = first, last
    while outside - inside > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if _contradicts(question, middle, last) else (inside, middle)
    first, outside = inside, inside
    while last - outside > 1:
        middle = (outside + last) // 2
        outside, last = (outside, middle) if _contradicts(question, first, middle) else (middle, last)
    return first, last


def _contradicts(question: Question, first: int, last: int) -> bool:
    part = _part(question, first, last)[2]
    outcome = question.highs.solve(part, time_limit_seconds=question.clock.left)
    return outcome.status is Status.INFEASIBLE


def _part(question: Question, first: int, last: int) -> tuple[Rows, Rows, LinearProgram]:
    """The rows of the steps [first, last), the columns in them, and the program that they make."""
    program = question.program
    places = question.names.row_slices.values()
    rows = np.concatenate([np.arange(p.start + first, min(p.start + last, p.stop)) for p in places])
    matrix = sp.csr_array(program.matrix)[rows]
    columns = np.unique(matrix.indices).astype(np.intp)
    matrix = sp.csc_array(sp.csc_array(matrix)[:, columns])
    part = replace(
        program,
        cost=np.zeros(columns.size),
        lower=program.lower[columns],
        upper=program.upper[columns],
        row_lower=program.row_lower[rows],
        row_upper=program.row_upper[rows],
        starts=matrix.indptr.astype(np.int32),
        rows=matrix.indices.astype(np.int32),
        values=matrix.data,
        integers=_NO_COLUMNS,
    )
    return rows, columns, part


def _equations(question: Question, rows: Iterable[int]) -> Iterator[str]:
    """Balances first, with what must be delivered; then the components' equations."""
    steps: dict[tuple[bool, str, str], list[int]] = {}
    demand: dict[str, float] = {}
    for row in rows:
        name = question.names.row_name(row)
        balance = name.label == "balance"
        steps.setdefault((not balance, name.owner, name.label), []).append(name.step)
        demand[name.owner] = max(demand.get(name.owner, 0.0), float(question.program.row_upper[row]))
    for (other, owner, label), at in sorted(steps.items()):
        if other:
            yield f"{owner}: its {label} {_when(question, at)}"
        else:
            unit = "m³/h" if _is_water(owner) else "kW"
            load = f", with a demand of up to {demand[owner]:.3g} {unit}" if demand[owner] > 0 else ""
            yield f"the balance of {owner} {_when(question, at)}{load}"


def _limits(question: Question, columns: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Limits with their values; that power is not negative goes without saying."""
    steps: dict[tuple[str, str, str], list[int]] = {}
    values: dict[tuple[str, str, str], list[float]] = {}
    unsaid = {(component, var.name) for component, var in question.names.bounded if var.lower is None}
    for column, side in columns:
        component, variable, step = question.names.column_name(column)
        if side == "lower" and (component, variable) in unsaid:
            continue
        bound = question.program.upper if side == "upper" else question.program.lower
        key = (component, variable, "at most" if side == "upper" else "at least")
        steps.setdefault(key, []).append(step)
        values.setdefault(key, []).append(float(bound[column]))
    for key, at in sorted(steps.items()):
        component, variable, word = key
        yield f"{component}: {variable} {word} {_range(values[key])} {_when(question, at)}"


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"


def _count(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"


def _time(question: Question, step: int) -> str:
    return f"{question.index[step]:%Y-%m-%d %H:%M}"


def _when(question: Question, steps: list[int]) -> str:
    first, last = min(steps), max(steps)
    if last >= len(question.index):
        return f"in month {first + 1} of the horizon"
    if first == last:
        return f"at {_time(question, first)}"
    return f"in {len(set(steps))} steps from {_time(question, first)} to {_time(question, last)}"
