"""The components of a system: frozen data, units in the names. Their equations stand in `solvers.components`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, get_args

from pydantic import Field

from schema.components.base import (
    CARRIERS,
    Component,
    Demand,
    EnergyImport,
    EnergySized,
    FlowSized,
    PowerSized,
    Size,
    Sized,
    Storage,
    VolumeSized,
)
from schema.components.dispatchable import Cogeneration, Converter, Dispatchable, PartLoad
from schema.components.electricity import (
    Battery,
    EvCharger,
    Grid,
    PowerDemand,
    ShiftableDemand,
    SolarPv,
    WindTurbine,
)
from schema.components.gas import (
    Electrolyser,
    FuelCell,
    GasGrid,
    HydrogenTank,
)
from schema.components.generic import (
    GenericConverter,
    GenericDemand,
    GenericSource,
    GenericStorage,
    Link,
)
from schema.components.heat import (
    Chiller,
    Chp,
    CoolingDemand,
    DistrictHeat,
    ElectricBoiler,
    GasBoiler,
    HeatBuffer,
    HeatDemand,
    HeatPump,
    SolarThermal,
)
from schema.components.water import (
    Pump,
    RainwaterSource,
    WaterDemand,
    WaterGrid,
    WaterTank,
)

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
    | SolarThermal
    | DistrictHeat
    | HeatBuffer
    | HeatDemand
    | Chiller
    | CoolingDemand
    | GasGrid
    | Electrolyser
    | HydrogenTank
    | FuelCell
    | WaterGrid
    | WaterDemand
    | RainwaterSource
    | WaterTank
    | Pump
    | GenericSource
    | GenericDemand
    | GenericStorage
    | GenericConverter
    | Link,
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
    "Chiller",
    "Chp",
    "Cogeneration",
    "Component",
    "Converter",
    "CoolingDemand",
    "Demand",
    "Dispatchable",
    "DistrictHeat",
    "ElectricBoiler",
    "Electrolyser",
    "EnergyImport",
    "EnergySized",
    "EvCharger",
    "FlowSized",
    "FuelCell",
    "GasBoiler",
    "GasGrid",
    "GenericConverter",
    "GenericDemand",
    "GenericSource",
    "GenericStorage",
    "Grid",
    "HeatBuffer",
    "HeatDemand",
    "HeatPump",
    "HydrogenTank",
    "Link",
    "PartLoad",
    "PowerDemand",
    "PowerSized",
    "Pump",
    "RainwaterSource",
    "ShiftableDemand",
    "Size",
    "Sized",
    "SolarPv",
    "SolarThermal",
    "Storage",
    "VolumeSized",
    "WaterDemand",
    "WaterGrid",
    "WaterTank",
    "WindTurbine",
]
