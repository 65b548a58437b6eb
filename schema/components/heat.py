"""Components of heat and cold."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from schema.components.base import Demand, PositiveFraction, PositiveSeries, PowerSized, Storage
from schema.profiles import Fraction


class HeatPump(PowerSized):
    """Heat pump: electricity to heat."""

    own_carriers = ("electricity", "heat")
    supplies = ("heat",)

    type: Literal["heat_pump"]
    """Kind of component. `capacity_kw` is heat out."""
    cop: PositiveSeries
    """Coefficient of performance: heat out per electricity in [-]."""


class ElectricBoiler(PowerSized):
    """Resistance heater."""

    own_carriers = ("electricity", "heat")
    supplies = ("heat",)

    type: Literal["electric_boiler"]
    """Kind of component. `capacity_kw` is heat out."""
    efficiency_fraction: PositiveFraction = 1.0
    """Heat out per electricity in [-]."""


class GasBoiler(PowerSized):
    """Gas boiler."""

    own_carriers = ("gas", "heat")
    supplies = ("heat",)

    type: Literal["gas_boiler"]
    """Kind of component. `capacity_kw` is heat out."""
    efficiency_fraction: PositiveFraction = 0.95
    """Heat out per gas in, lower heating value [-]; a condensing boiler as by EU 813/2013."""


class Chp(PowerSized):
    """Combined heat and power: gas to electricity and heat, in a fixed ratio unless told."""

    own_carriers = ("gas", "electricity", "heat")
    supplies = ("electricity", "heat")

    type: Literal["chp"]
    """Kind of component. `capacity_kw` is electricity out."""
    electric_efficiency_fraction: PositiveFraction
    """Electricity out per gas in [-]."""
    thermal_efficiency_fraction: Fraction
    """Heat out per gas in [-]."""
    min_thermal_efficiency_fraction: Fraction | None = None
    """Heat out per gas in to which it may be lowered, the rest being thrown away [-]; 0 lets all of it go. The
    ratio is fixed unless told."""

    @model_validator(mode="after")
    def _conserves_energy(self) -> Chp:
        if self.electric_efficiency_fraction + self.thermal_efficiency_fraction > 1:
            raise ValueError(
                "electric_efficiency_fraction and thermal_efficiency_fraction add up to more than 1"
            )
        if (self.min_thermal_efficiency_fraction or 0.0) > self.thermal_efficiency_fraction:
            raise ValueError("min_thermal_efficiency_fraction is above thermal_efficiency_fraction")
        return self


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
