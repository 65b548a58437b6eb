"""The equations of every type of component."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schema import components as data
from solvers.components.converters import ELECTROLYSER, cogeneration_from, converter_of
from solvers.components.demands import SHIFTABLE, demand_of
from solvers.components.generators import renewable_of
from solvers.components.generic import LINK, SOURCE
from solvers.components.grid import GRID, import_of
from solvers.components.storage import storage_of
from solvers.components.vehicles import CHARGER
from solvers.components.water import PUMP, RAINWATER, WATER_DEMAND, WATER_GRID, WATER_TANK
from solvers.maths import Maths

MATHS: Mapping[type[data.Component], Maths] = MappingProxyType(
    {
        data.Grid: GRID,
        data.GasGrid: import_of("gas"),
        data.DistrictHeat: import_of("heat"),
        data.SolarPv: renewable_of("electricity"),
        data.WindTurbine: renewable_of("electricity"),
        data.Battery: storage_of("electricity"),
        data.HeatBuffer: storage_of("heat"),
        data.HeatPump: converter_of("electricity", "heat"),
        data.ElectricBoiler: converter_of("electricity", "heat"),
        data.GasBoiler: converter_of("gas", "heat"),
        data.Chp: cogeneration_from("gas"),
        data.PowerDemand: demand_of("electricity"),
        data.ShiftableDemand: SHIFTABLE,
        data.EvCharger: CHARGER,
        data.SolarThermal: renewable_of("heat"),
        data.Chiller: converter_of("electricity", "cooling"),
        data.CoolingDemand: demand_of("cooling"),
        data.Electrolyser: ELECTROLYSER,
        data.HydrogenTank: storage_of("hydrogen"),
        data.FuelCell: cogeneration_from("hydrogen"),
        data.WaterGrid: WATER_GRID,
        data.WaterDemand: WATER_DEMAND,
        data.RainwaterSource: RAINWATER,
        data.WaterTank: WATER_TANK,
        data.Pump: PUMP,
        data.GenericSource: SOURCE,
        data.GenericDemand: demand_of("carrier", "input_kw"),
        data.GenericStorage: storage_of("carrier"),
        data.GenericConverter: converter_of("input_carrier", "output_carrier", ("input_kw", "output_kw")),
        data.Link: LINK,
        data.HeatDemand: demand_of("heat"),
    }
)
