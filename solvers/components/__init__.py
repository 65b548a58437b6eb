"""The equations of every type of component."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schema import components as data
from solvers.components.converters import CHP, heater_from
from solvers.components.demands import demand_of
from solvers.components.generators import RENEWABLE
from solvers.components.grid import GAS_GRID, GRID
from solvers.components.storage import storage_of
from solvers.maths import Maths

MATHS: Mapping[type[data.Component], Maths] = MappingProxyType(
    {
        data.Grid: GRID,
        data.GasGrid: GAS_GRID,
        data.SolarPv: RENEWABLE,
        data.WindTurbine: RENEWABLE,
        data.Battery: storage_of("electricity"),
        data.HeatBuffer: storage_of("heat"),
        data.HeatPump: heater_from("electricity"),
        data.ElectricBoiler: heater_from("electricity"),
        data.GasBoiler: heater_from("gas"),
        data.Chp: CHP,
        data.PowerDemand: demand_of("electricity"),
        data.HeatDemand: demand_of("heat"),
    }
)
