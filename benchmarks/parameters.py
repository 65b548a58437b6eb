"""Designs that change what stands in the matrix and in the cost: efficiencies, COP, prices, scales of demands.

Beside each warm evaluation, checks and KPIs included, the same program is built anew from its parameters, passed
to a new HiGHS and solved from nothing.
"""

from __future__ import annotations

import highspy
import numpy as np

from benchmarks.cold import solve_cold
from benchmarks.figures import Design, Timing
from benchmarks.house import House
from solvers.dispatch import Dispatcher

COLD = "HiGHS alone, cold, other parameters"

RANGES = {
    "battery.charge_efficiency_fraction": (0.85, 0.99),
    "battery.discharge_efficiency_fraction": (0.85, 0.99),
    "tank.self_discharge_fraction_per_hour": (0.002, 0.01),
    "heat_pump.cop": (0.85, 1.15),
    "grid.import_price_eur_per_kwh": (0.8, 1.2),
    "grid.export_price_eur_per_kwh": (0.05, 0.12),
    "household.scale": (0.7, 1.3),
    "heating.scale": (0.8, 1.2),
}
"""What changes, and from where to where; on a profile the number multiplies it."""


def measure(house: House, count: int) -> list[Timing]:
    """Random values of all of them at once, each evaluated warm and solved cold."""
    dispatcher = Dispatcher(house.loaded.system.system, house.series, house.loaded.study.solver)
    dispatcher.warm_up()

    def warm(design: Design) -> float:
        dispatch = dispatcher.dispatch(design)
        if dispatch.status != "optimal" or dispatch.solution.objective_eur is None:
            raise RuntimeError(f"{dict(design)} is {dispatch.status}: {dispatch.solution.message}")
        return dispatch.solution.objective_eur

    def cold(design: Design) -> float:
        case = dispatcher.case(design)
        return solve_cold(highspy.Highs(), dispatcher.engine.compiled(case).linear_program(case))

    ways = [
        (Timing("EcoSystemiser, warm, other parameters", house.hours), warm),
        (Timing(COLD, house.hours), cold),
    ]
    rng = np.random.default_rng(1)
    for _ in range(count):
        design = {path: float(rng.uniform(*range_)) for path, range_ in RANGES.items()}
        for timing, solve in ways:
            timing.measure(design, solve)
    return [timing for timing, _ in ways]
