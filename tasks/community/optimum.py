"""The cheapest way of one battery through the time ahead, by the project's own dispatch.

The house becomes a system of grid, PV, battery and demand, and is dispatched as any other system is. Of the
answer only the battery's flows are taken: balances, limits and whole numbers are settled as for every household.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schema.community.errors import SimulationError
from schema.community.job import Prices
from schema.community.results_files import MICRO
from schema.community.ticks import TICK_HOURS
from schema.system import System
from tasks.community.battery import Limits
from tasks.community.surroundings import Surroundings

_KW = 1 / (MICRO * TICK_HOURS)
"""Mean power of 10⁻⁶ kWh in a tick [kW]."""


@dataclass(frozen=True)
class Forecast:
    """What is ahead, each (T,).

    Attributes:
        start: of the first tick, UTC without offset.
        generation_kw: of the panels, behind the inverter.
        consumption_kw: of the household.
        import_price: of a kWh from the grid [€/kWh].
    """

    start: str
    generation_kw: NDArray[np.float64]
    consumption_kw: NDArray[np.float64]
    import_price: NDArray[np.float64]

    @classmethod
    def of(cls, needs: Sequence[tuple[int, int]], timeline: Sequence[Surroundings]) -> Forecast:
        generation, consumption = np.array(needs, dtype=float).T * _KW
        prices = np.array([now.import_price for now in timeline])
        return cls(f"{timeline[0].tick:%Y-%m-%dT%H:%M}", generation, consumption, prices)


def plan(limits: Limits, level: int, forecast: Forecast, prices: Prices) -> list[tuple[int, int]]:
    """What goes into the battery and out of it in each tick [10⁻⁶ kWh].

    Raises:
        SimulationError: there is no such plan.
    """
    from solvers.dispatch import Dispatcher

    series = {
        "pv": forecast.generation_kw,
        "load": forecast.consumption_kw,
        "price": forecast.import_price,
    }
    system = _system(limits, level, forecast, prices)
    dispatch = Dispatcher(system, series).dispatch()
    if not dispatch.status.has_solution:
        raise SimulationError(f"a house could not be dispatched: {dispatch.solution.message}")
    battery = dispatch.solution.values["battery"]
    wishes = np.rint(np.column_stack([battery["charge_kw"], battery["discharge_kw"]]) / _KW).astype(int)
    return [(charge, discharge) for charge, discharge in wishes.tolist()]


def _system(limits: Limits, level: int, forecast: Forecast, prices: Prices) -> System:
    return System.model_validate(
        {
            "system": "household",
            "horizon": {"start": forecast.start, "steps": len(forecast.generation_kw), "step_minutes": 15},
            "components": {
                "grid": {
                    "type": "grid",
                    "import_price_eur_per_kwh": {"profile": "price"},
                    "export_price_eur_per_kwh": prices.export_eur_per_kwh,
                },
                "pv": {"type": "solar_pv", "capacity_kw": 1.0, "profile": "pv"},
                "battery": {
                    "type": "battery",
                    "capacity_kwh": limits.capacity / MICRO,
                    "power_kw": limits.power * _KW,
                    "charge_efficiency_fraction": limits.efficiency,
                    "discharge_efficiency_fraction": limits.efficiency,
                    "initial_level_fraction": level / limits.capacity,
                    "cyclic": False,
                },
                "load": {"type": "power_demand", "profile": "load"},
            },
        }
    )
