"""Components of gas and hydrogen."""

from __future__ import annotations

from typing import Literal

from schema.components.base import Component, NonNegativeSeries, Series
from schema.profiles import NonNegative


class GasGrid(Component):
    """Connection to the gas grid."""

    own_carriers = ("gas",)
    supplies = ("gas",)

    type: Literal["gas_grid"]
    """Kind of component."""
    import_limit_kw: NonNegative | None = None
    """Most that can be drawn [kW]; no limit unless told."""
    import_price_eur_per_kwh: Series
    """Price of gas, lower heating value [€/kWh]."""
    import_co2_kg_per_kwh: NonNegativeSeries = 0.202
    """CO2 intensity of natural gas by lower heating value [kg/kWh]; IPCC 2006, vol. 2, table 2.2: 56.1 kg/GJ."""
