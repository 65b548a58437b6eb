"""The components of a system: frozen data, units in the names. Their equations stand in `solvers.components`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, get_args

from pydantic import Field

from schema.components.base import CARRIERS, Component, Demand, EnergySized, PowerSized, Storage
from schema.components.electricity import (
    Battery,
    EvCharger,
    Grid,
    PowerDemand,
    ShiftableDemand,
    SolarPv,
    WindTurbine,
)
from schema.components.gas import GasGrid
from schema.components.heat import Chp, ElectricBoiler, GasBoiler, HeatBuffer, HeatDemand, HeatPump

AnyComponent = Annotated[
    Grid
    | SolarPv
    | WindTurbine
    | Battery
    | PowerDemand
    | ShiftableDemand
    | EvCharger
    | HeatPump
    | ElectricBoiler
    | GasBoiler
    | Chp
    | HeatBuffer
    | HeatDemand
    | GasGrid,
    Field(discriminator="type"),
]

COMPONENT_TYPES = MappingProxyType(
    {get_args(cls.model_fields["type"].annotation)[0]: cls for cls in get_args(get_args(AnyComponent)[0])}
)
"""Every component's class by the name of its type."""

__all__ = [
    "CARRIERS",
    "COMPONENT_TYPES",
    "AnyComponent",
    "Battery",
    "Chp",
    "Component",
    "Demand",
    "ElectricBoiler",
    "EnergySized",
    "EvCharger",
    "GasBoiler",
    "GasGrid",
    "Grid",
    "HeatBuffer",
    "HeatDemand",
    "HeatPump",
    "PowerDemand",
    "PowerSized",
    "ShiftableDemand",
    "SolarPv",
    "Storage",
    "WindTurbine",
]
