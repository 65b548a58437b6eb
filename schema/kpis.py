"""Which figures judge a dispatch, and which of them a system has. Their formulas stand in `solvers.kpis`."""

from __future__ import annotations

from collections.abc import Iterator

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
from schema.kpi_units import EIGHT_UNITS, HIGHER_IS_BETTER, KPI_UNITS, STANDS_WITH
from schema.system import System

__all__ = [
    "EIGHT_UNITS",
    "FREE_SOURCES",
    "HIGHER_IS_BETTER",
    "KPI_UNITS",
    "STANDS_WITH",
    "defined_kpis",
]

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
