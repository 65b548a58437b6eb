"""Names and units of the figures by which a dispatch is judged. Their formulas stand in `solvers.kpis`."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from schema.components import (
    Component,
    Demand,
    Grid,
    RainwaterSource,
    SolarPv,
    SolarThermal,
    Storage,
    WaterDemand,
    WindTurbine,
)
from schema.store.records import MAXIMISED_KPIS
from schema.system import System

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

FREE_SOURCES = (SolarPv, WindTurbine, SolarThermal)
"""What takes energy from nature, and may leave some of it."""


def defined_kpis(system: System) -> frozenset[str]:
    """The KPIs that every design of a system has."""
    compared = ("npv_eur",) if system.economics.baseline else ()
    return frozenset(EIGHT_UNITS).union(compared, *map(_kpis_by, system.components.values()))


def _kpis_by(component: Component) -> Iterator[str]:
    """The KPIs that a component gives sense to."""
    if isinstance(component, Grid):
        yield "peak_import_kw"
    if isinstance(component, FREE_SOURCES):
        yield "curtailed_kwh"
    if isinstance(component, Demand) and component.unserved_price_eur_per_kwh is not None:
        yield "unserved_kwh"
    if isinstance(component, Storage) and component.node(component.own_carriers[0]).startswith("electricity"):
        yield "storage_cycles"
    if isinstance(component, RainwaterSource):
        yield "rainwater_use_m3"
    if isinstance(component, WaterDemand):
        yield from ("water_demand_m3", "water_self_sufficiency_rate")
        if component.unserved_price_eur_per_m3 is not None:
            yield "unserved_water_m3"
