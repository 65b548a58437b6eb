"""Names and units of the figures by which a dispatch is judged. Their formulas stand in `solvers.kpis`."""

from __future__ import annotations

from types import MappingProxyType

KPI_UNITS = MappingProxyType(
    {
        "total_cost": "€",
        "total_co2": "kg",
        "self_consumption_rate": "-",
        "self_sufficiency_rate": "-",
        "renewable_fraction": "-",
        "total_generation_kwh": "kWh",
        "total_demand_kwh": "kWh",
        "net_grid_usage_kwh": "kWh",
    }
)
"""The eight KPIs of every dispatch, with their units; over the horizon."""
