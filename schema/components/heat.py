"""Components of heat and cold."""

from __future__ import annotations

from typing import Literal

from schema.components.base import (
    Demand,
    EnergyImport,
    NonNegativeProfile,
    PositiveFraction,
    PositiveSeries,
    PowerSized,
    Storage,
)
from schema.components.dispatchable import Cogeneration, Converter


class HeatPump(Converter):
    """Heat pump: electricity to heat."""

    own_carriers = ("electricity", "heat")
    supplies = ("heat",)

    type: Literal["heat_pump"]
    """Kind of component. `capacity_kw` is heat out."""
    cop: PositiveSeries
    """Coefficient of performance: heat out per electricity in [-]."""


class ElectricBoiler(Converter):
    """Resistance heater."""

    own_carriers = ("electricity", "heat")
    supplies = ("heat",)

    type: Literal["electric_boiler"]
    """Kind of component. `capacity_kw` is heat out."""
    efficiency_fraction: PositiveFraction = 1.0
    """Heat out per electricity in [-]."""


class GasBoiler(Converter):
    """Gas boiler."""

    own_carriers = ("gas", "heat")
    supplies = ("heat",)

    type: Literal["gas_boiler"]
    """Kind of component. `capacity_kw` is heat out."""
    efficiency_fraction: PositiveFraction = 0.95
    """Heat out per gas in, lower heating value [-]; a condensing boiler as by EU 813/2013."""


class Chp(Cogeneration):
    """Combined heat and power: gas to electricity and heat, in a fixed ratio unless told."""

    own_carriers = ("gas", "electricity", "heat")
    supplies = ("electricity", "heat")

    type: Literal["chp"]
    """Kind of component. `capacity_kw` is electricity out."""


class SolarThermal(PowerSized):
    """Solar thermal collectors; what is not used is lost."""

    own_carriers = ("heat",)
    supplies = ("heat",)

    type: Literal["solar_thermal"]
    """Kind of component. `capacity_kw` is heat under nominal sun, by convention 0.7 kW for each m² of collector;
    IEA Solar Heating and Cooling Programme 2004, recommendation on converting areas."""
    profile: NonNegativeProfile
    """Available heat [kW per kW installed]."""


class DistrictHeat(EnergyImport):
    """Connection to a district-heating network."""

    own_carriers = ("heat",)
    supplies = ("heat",)

    type: Literal["district_heat"]
    """Kind of component."""


class Chiller(Converter):
    """Compression chiller: electricity to cooling; its waste heat goes to the outside air."""

    own_carriers = ("electricity", "cooling")
    supplies = ("cooling",)

    type: Literal["chiller"]
    """Kind of component. `capacity_kw` is cooling out."""
    cop: PositiveSeries
    """Coefficient of performance: cooling out per electricity in [-]."""


class HeatBuffer(Storage):
    """Hot-water tank."""

    own_carriers = ("heat",)
    supplies = ("heat",)

    type: Literal["heat_buffer"]
    """Kind of component."""


class HeatDemand(Demand):
    """Heat demand."""

    own_carriers = ("heat",)

    type: Literal["heat_demand"]
    """Kind of component."""


class CoolingDemand(Demand):
    """Cooling demand."""

    own_carriers = ("cooling",)

    type: Literal["cooling_demand"]
    """Kind of component."""
