"""Components of electricity."""

from __future__ import annotations

from typing import Literal

from schema.components.base import (
    Component,
    Demand,
    NonNegativeProfile,
    NonNegativeSeries,
    PowerSized,
    Series,
    Storage,
)
from schema.profiles import Fraction, NonNegative


class Grid(Component):
    """Connection to the public electricity grid; never imports and exports at once."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["grid"]
    """Kind of component."""
    import_limit_kw: NonNegative | None = None
    """Most that can be drawn [kW]; no limit unless told."""
    export_limit_kw: NonNegative | None = None
    """Most that can be fed in [kW]; no limit unless told."""
    import_price_eur_per_kwh: Series
    """Price of imports [€/kWh]."""
    export_price_eur_per_kwh: Series = 0.0
    """Revenue of exports [€/kWh]."""
    import_co2_kg_per_kwh: NonNegativeSeries = 0.0
    """CO2 intensity of imports [kg/kWh]."""
    export_co2_credit_kg_per_kwh: NonNegativeSeries = 0.0
    """CO2 credited for exports [kg/kWh]."""
    demand_charge_eur_per_kw_month: NonNegative = 0.0
    """Price of each calendar month's highest import [€/kW/month]."""
    renewable_fraction: Fraction = 0.0
    """Renewable share of imports [-]."""


class SolarPv(PowerSized):
    """Photovoltaic generator; its output may be curtailed."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["solar_pv"]
    """Kind of component."""
    profile: NonNegativeProfile
    """Available power [kW per kW installed]."""


class WindTurbine(PowerSized):
    """Wind generator; its output may be curtailed."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["wind_turbine"]
    """Kind of component."""
    profile: NonNegativeProfile
    """Available power [kW per kW installed]."""


class Battery(Storage):
    """Electric battery."""

    own_carriers = ("electricity",)
    supplies = ("electricity",)

    type: Literal["battery"]
    """Kind of component."""


class PowerDemand(Demand):
    """Electric demand."""

    own_carriers = ("electricity",)

    type: Literal["power_demand"]
    """Kind of component."""
