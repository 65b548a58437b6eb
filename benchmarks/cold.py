"""The same program without what keeps an evaluation warm: HiGHS alone from nothing, CVXPY from nothing."""

from __future__ import annotations

import cvxpy as cp
import highspy
import numpy as np

from benchmarks.figures import Design, Timing
from benchmarks.house import House
from solvers.model import build
from solvers.program import LinearProgram

_COLUMNWISE, _MINIMISE = 1, 1


def solve_cold(highs: highspy.Highs, p: LinearProgram) -> float:
    """Pass a program to a new solver object, with default options, and solve it; its optimum."""
    highs.silent()
    highs.passModel(
        p.cost.size, p.row_lower.size, p.values.size, _COLUMNWISE, _MINIMISE, p.offset, p.cost, p.lower,
        p.upper, p.row_lower, p.row_upper, p.starts, p.rows, p.values, np.zeros(p.cost.size, dtype=np.int32),
    )  # fmt: skip
    highs.run()
    return float(highs.getInfo().objective_function_value)


def measure(house: House, count: int) -> list[Timing]:
    """Some of the study's designs, each solved from nothing in both ways."""
    programs = {id(design): house.linear_program(design) for design in house.few(count)}

    def by_highs(design: Design) -> float:
        return solve_cold(highspy.Highs(), programs[id(design)])

    def by_cvxpy(design: Design) -> float:
        problem = build(house.system_of(design), house.numbers_of(design)).problem
        return float(problem.solve(solver=cp.HIGHS))

    ways = {"HiGHS alone, cold": by_highs, "CVXPY, stated and solved anew": by_cvxpy}
    timings = [Timing(name, house.hours) for name in ways]
    for design in house.few(count):
        for timing in timings:
            timing.measure(design, ways[timing.name])
    return timings
