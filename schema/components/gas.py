"""Components of gas and hydrogen."""

from __future__ import annotations

from typing import Literal

from schema.components.base import (
    EnergyImport,
    NonNegativeSeries,
    PositiveFraction,
    Series,
    Storage,
)
from schema.components.dispatchable import Cogeneration, Converter
from schema.profiles import Fraction


class GasGrid(EnergyImport):
    """Connection to the gas grid."""

    own_carriers = ("gas",)
    supplies = ("gas",)

    type: Literal["gas_grid"]
    """Kind of component."""
    import_price_eur_per_kwh: Series
    """Price of gas, lower heating value [€/kWh]."""
    import_co2_kg_per_kwh: NonNegativeSeries = 0.202
    """CO2 intensity of natural gas by lower heating value [kg/kWh]; IPCC 2006, vol. 2, table 2.2: 56.1 kg/GJ."""


class Electrolyser(Converter):
    """Electrolyser: electricity to hydrogen."""

    own_carriers = ("electricity", "hydrogen")
    supplies = ("hydrogen",)

    type: Literal["electrolyser"]
    """Kind of component. `capacity_kw` is electricity in."""
    efficiency_fraction: PositiveFraction
    """Hydrogen out, lower heating value, per electricity in [-]."""


class HydrogenTank(Storage):
    """Hydrogen tank; energy by the lower heating value, 33.3 kWh for each kg."""

    own_carriers = ("hydrogen",)
    supplies = ("hydrogen",)

    type: Literal["hydrogen_tank"]
    """Kind of component."""


class FuelCell(Cogeneration):
    """Fuel cell: hydrogen to electricity, and to heat where its efficiency is told."""

    own_carriers = ("hydrogen", "electricity", "heat")
    supplies = ("electricity", "heat")

    type: Literal["fuel_cell"]
    """Kind of component. `capacity_kw` is electricity out."""
    thermal_efficiency_fraction: Fraction = 0.0
    """Heat out per hydrogen in [-]."""
