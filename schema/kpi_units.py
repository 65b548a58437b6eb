"""The KPIs by name, with units and the direction that is better: what tables need, without the components."""

from __future__ import annotations

from types import MappingProxyType

from schema.store.records import MAXIMISED_KPIS

EIGHT_UNITS = MappingProxyType(
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

KPI_UNITS = MappingProxyType(
    {
        **EIGHT_UNITS,
        "peak_import_kw": "kW",
        "unserved_kwh": "kWh",
        "curtailed_kwh": "kWh",
        "storage_cycles": "-",
        "water_demand_m3": "m³",
        "water_self_sufficiency_rate": "-",
        "rainwater_use_m3": "m³",
        "unserved_water_m3": "m³",
        "npv_eur": "€",
        "payback_years": "a",
        "lcoe_eur_per_kwh": "€/kWh",
    }
)
"""All KPIs with their units; those besides the eight stand where the system has what they are about."""

HIGHER_IS_BETTER = MAXIMISED_KPIS | {"water_self_sufficiency_rate", "rainwater_use_m3", "npv_eur"}
"""KPIs whose low values are the adverse ones; of the others the high values are."""

STANDS_WITH = MappingProxyType(
    {
        "peak_import_kw": "a grid",
        "unserved_kwh": "a price for unserved demand",
        "curtailed_kwh": "PV, wind or solar thermal",
        "storage_cycles": "a storage of electricity",
        "lcoe_eur_per_kwh": "generation, of which a design may have none",
        "water_demand_m3": "a demand for water",
        "water_self_sufficiency_rate": "a demand for water",
        "rainwater_use_m3": "a source of rainwater",
        "unserved_water_m3": "a price for unserved water",
        "npv_eur": "economics.baseline",
        "payback_years": "an investment that pays back, which a design may not",
    }
)
"""What a system or a design must have for a KPI besides the eight."""
