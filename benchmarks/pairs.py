"""Import and export, charge and discharge kept apart over a year, beside the LP and the plain MILP.

The house of `examples/house` with prices or rules that let its relaxation break exclusive pairs. The plain MILP
has a binary for every pair in every step and HiGHS' own options; the LP is the relaxation, solved from nothing.
All three are solved by a new solver object each, so nothing is warm. The plain MILP may take six times as long as
ours; where it reaches that limit, the ratio is a lower bound, and the two gaps tell how far each has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import highspy
import numpy as np

from benchmarks.figures import Section, Target
from benchmarks.house import house
from schema.study import SolverSettings
from schema.system import System
from solvers import milp
from solvers.case import reference_case
from solvers.highs import PersistentHighs
from solvers.maths import Array
from solvers.pairs import pairs_of, with_binaries
from solvers.program import LinearProgram, Program

GAP = 1e-7
SAME_OPTIMUM = 1e-6
LIMIT_SECONDS = 60.0
"""For ours."""
TIMES_AS_LONG = 6.0
"""For the plain MILP."""
ROUNDS_CLEAN = 3

CLEAN = "prices as in the example"
CASES = (
    CLEAN,
    "export above import, 17 to 20 h",
    "export above import, every hour",
    "negative prices, 9 to 16 h on three days of ten",
    "no curtailment under an export cap",
)
_COLUMNWISE, _MINIMISE = 1, 1


@dataclass(frozen=True)
class Solved:
    """One way through one case: wall time, cost of operation (None where none was found), and its relative gap."""

    seconds: float
    cost_eur: float | None
    gap_fraction: float


@dataclass(frozen=True)
class Row:
    """A case solved by the LP, by relaxing and cutting, and by the plain MILP."""

    case: str
    lp: Solved
    ours: Solved
    plain: Solved

    @property
    def is_clean(self) -> bool:
        return self.case == CLEAN


def system_of(case: str, hours: int) -> tuple[System, dict[str, Array]]:
    """The house of a case, with its series."""
    loaded = house(hours).loaded.system
    series = dict(loaded.series)
    hour = np.arange(hours) % 24
    grid: dict[str, Any] = {}
    if case == CASES[1]:
        series["sell"] = np.where((hour >= 17) & (hour < 20), 0.36, 0.046)
        grid["export_price_eur_per_kwh"] = {"profile": "sell"}
    elif case == CASES[2]:
        grid["export_price_eur_per_kwh"] = {"profile": "sell"}
        series["sell"] = series["price"] + 0.04
    elif case == CASES[3]:
        windy = np.random.default_rng(1).random(-(-hours // 24)) < 0.3
        negative = windy[np.arange(hours) // 24] & (hour >= 9) & (hour < 16)
        series["buy"] = np.where(negative, -0.05, series["price"])
        series["sell"] = np.where(negative, -0.06, 0.046)
        grid = {
            "import_price_eur_per_kwh": {"profile": "buy"},
            "export_price_eur_per_kwh": {"profile": "sell"},
        }
    elif case == CASES[4]:
        grid["export_limit_kw"] = 1.3
    stated = loaded.system.model_dump(mode="json", exclude_unset=True)
    stated["components"]["grid"] |= grid
    if case == CASES[4]:
        # A premium on what is generated: what is curtailed is lost, what is burnt is paid for.
        stated["components"]["pv"] = {
            "type": "generic_source", "carrier": "electricity", "capacity_kw": 8, "profile": "pv",
            "price_eur_per_kwh": -0.1,
        }  # fmt: skip
    return System.model_validate(stated), series


def measure(case: str, hours: int = 8760, limit_seconds: float = LIMIT_SECONDS) -> Row:
    """One case in all three ways.

    Raises:
        RuntimeError: two ways that are done disagree about the optimum.
    """
    system, series = system_of(case, hours)
    reference = reference_case(system, series, SolverSettings())
    program = Program(system, reference.numbers)
    pairs = pairs_of(program)
    relaxation = milp.with_finite_pairs(program.linear_program(reference.numbers), pairs)
    steps = np.arange(hours)
    every, _ = with_binaries(relaxation, dict.fromkeys(pairs, steps))
    rounds = ROUNDS_CLEAN if case == CLEAN else 1
    lp = min((_plainly(relaxation, limit_seconds) for _ in range(rounds)), key=lambda way: way.seconds)
    ours = min((_ours(relaxation, pairs, limit_seconds) for _ in range(rounds)), key=lambda way: way.seconds)
    row = Row(case, lp, ours, _plainly(every, TIMES_AS_LONG * ours.seconds))
    done = [way for way in (row.ours, row.plain) if way.gap_fraction <= GAP and way.cost_eur is not None]
    costs = [way.cost_eur for way in done if way.cost_eur is not None]
    if len(costs) == 2 and abs(costs[0] - costs[1]) > SAME_OPTIMUM * max(abs(costs[1]), 1.0):
        raise RuntimeError(f"{case}: the optima {costs[0]} and {costs[1]} differ")
    return row


def _ours(program: LinearProgram, pairs: tuple[milp.Pair, ...], limit_seconds: float) -> Solved:
    highs, clock = PersistentHighs(), milp.Clock(limit_seconds)
    began = perf_counter()
    answer = milp.solve(highs, program, pairs, clock, mip_gap_fraction=GAP)
    seconds = perf_counter() - began
    return Solved(seconds, None if answer.x is None else answer.objective, answer.gap_fraction)


def _plainly(program: LinearProgram, limit_seconds: float) -> Solved:
    highs = highspy.Highs()
    highs.silent()
    for option, value in {"threads": 1, "mip_rel_gap": GAP, "time_limit": limit_seconds}.items():
        highs.setOptionValue(option, value)
    p, whole = program, np.zeros(program.cost.size, dtype=np.int32)
    whole[p.integers] = 1
    highs.passModel(
        p.cost.size, p.row_lower.size, p.values.size, _COLUMNWISE, _MINIMISE, p.offset, p.cost, p.lower, p.upper,
        p.row_lower, p.row_upper, p.starts, p.rows, p.values, whole,
    )  # fmt: skip
    began = perf_counter()
    highs.run()
    seconds = perf_counter() - began
    info = highs.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    cost = info.objective_function_value
    gap = milp.relative_gap(cost, info.mip_dual_bound) if p.integers.size else 0.0
    return Solved(seconds, cost if found else None, gap if found else np.inf)


_ABOUT = f"""\
The house over a year, its pairs of grid, battery and tank kept apart, each way from nothing and to a gap of
{GAP:g}: the LP (pairs relaxed), `milp` (relax, repair, cut stretch by stretch; at most {LIMIT_SECONDS:g} s), and
the plain MILP with a binary for every pair and hour. The plain MILP may take {TIMES_AS_LONG:g} times as long as
`milp`; where it ends with a gap, its ratio is a lower bound. Where `milp` has left a gap, the case counts as not
solved, and the gaps tell how far each has come. The premium in the last case makes curtailing dearer than burning
energy in the battery."""


def section(hours: int = 8760, limit_seconds: float = LIMIT_SECONDS) -> Section:
    """Every case in all three ways, side by side."""
    rows = [measure(case, hours, limit_seconds) for case in CASES]
    return section_of(rows)


def section_of(rows: list[Row]) -> Section:
    """The table and its targets."""
    header = ("case", "LP", "`milp`", "gap", "plain MILP", "gap", "`milp` / LP", "plain / `milp`")
    table = [
        (
            row.case,
            _seconds(row.lp), _seconds(row.ours), _gap(row.ours), _seconds(row.plain), _gap(row.plain),
            f"{row.ours.seconds / row.lp.seconds:.2f}", f"{row.plain.seconds / row.ours.seconds:.1f}",
        )
        for row in rows
    ]  # fmt: skip
    return Section("Exclusive pairs over a year", _ABOUT, header, table, [_target(row) for row in rows])


def _target(row: Row) -> Target:
    """Within 1.3 of the LP's time where the relaxation is clean, else a fifth of the plain MILP's."""
    if row.is_clean:
        ratio = row.ours.seconds / row.lp.seconds
        return Target("`milp` against the LP, clean relaxation", ratio, 1.3, "times", at_least=False)
    # What has not reached the gap has not solved the case at all.
    ratio = row.plain.seconds / row.ours.seconds if row.ours.gap_fraction <= GAP else 0.0
    return Target(f"plain MILP against `milp`, {row.case}", ratio, 5.0, "times", at_least=True)


def _seconds(solved: Solved) -> str:
    return f"{solved.seconds:,.1f} s"


def _gap(solved: Solved) -> str:
    return "none found" if solved.cost_eur is None else f"{solved.gap_fraction:.0e}"
