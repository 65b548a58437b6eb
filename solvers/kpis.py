"""The figures by which a dispatch is judged, each defined here and nowhere else.

All are over the horizon, from the solved flows. Symbols [kWh]: G generation, D demand, I and X grid import and
export, R generation from PV, wind and solar thermal, F imports of fuel and heat, s renewable share of an import.

(K1)  total_generation_kwh   G = Σ electricity from local generators, after curtailment
(K2)  total_demand_kwh       D = Σ electricity taken by demands and converters; charging a storage is not demand,
                             but what a car takes is, less what it gives back: it leaves with the car
(K3)  net_grid_usage_kwh     I - X
(K4)  self_consumption_rate  clip((G - X) / G, 0, 1),  0 if G = 0
(K5)  self_sufficiency_rate  clip(1 - I / D, 0, 1),    0 if D = 0
(K6)  renewable_fraction     (R + Σ s I) / E,  E = R + I + F,  0 if E = 0
(K7)  total_co2              Σ imports times their intensities, less export credits [kg]
(K8)  total_cost             annuities and fixed costs · horizon hours / 8,760 + variable costs + imports
                             - export revenue + demand charges + CO2 price · total_co2 [€]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schema.components import EnergyImport, EvCharger, Grid, SolarPv, SolarThermal, Storage, WindTurbine
from schema.system import System
from solvers.economics import yearly_costs_eur
from solvers.maths import Ledger, Port

Flows = Mapping[str, Mapping[str, Port]]
"""Solved ports by component and name; a flow is an array (T,)."""

RENEWABLE_SOURCES = (SolarPv, WindTurbine)


@dataclass(frozen=True)
class Account:
    """What one component costs and emits over the horizon; `cost_eur` sums up to `total_cost`."""

    yearly_cost_eur: float
    """Annuity and fixed cost, weighted to the horizon [€]."""
    operation_cost_eur: float
    """Variable cost, energy bought less energy sold, demand charges [€]."""
    co2_cost_eur: float
    """CO2 at its price [€]."""
    co2_kg: float
    """CO2 emitted less credits [kg]."""

    @property
    def cost_eur(self) -> float:
        return self.yearly_cost_eur + self.operation_cost_eur + self.co2_cost_eur


def accounts_of(system: System, ledgers: Mapping[str, Ledger]) -> dict[str, Account]:
    """Cost and CO2 by component (K7, K8)."""
    share, co2_price = system.horizon.year_share, system.economics.co2_price_eur_per_kg
    yearly = yearly_costs_eur(system)
    return {
        name: Account(share * yearly[name], ledger.cost_eur, co2_price * ledger.co2_kg, ledger.co2_kg)
        for name, ledger in ledgers.items()
    }


def kpis_of(system: System, flows: Flows, accounts: Mapping[str, Account]) -> dict[str, float]:
    """The eight KPIs of a dispatch."""
    hours = system.horizon.step_hours
    generation = demand = grid_import = grid_export = renewable = renewable_import = fuel = 0.0
    for name, component in system.components.items():
        energy = {key: float(port.flow.sum()) * hours for key, port in flows[name].items()}
        if isinstance(component, Grid):
            grid_import += energy["import_kw"]
            grid_export += energy["export_kw"]
            renewable_import += component.renewable_fraction * energy["import_kw"]
        elif isinstance(component, EnergyImport):
            fuel += energy["import_kw"]
            renewable_import += component.renewable_fraction * energy["import_kw"]
        elif isinstance(component, SolarThermal):
            renewable += energy["heat_kw"]
        elif isinstance(component, EvCharger):
            demand += max(energy["charge_kw"] - energy.get("discharge_kw", 0.0), 0.0)
        elif not isinstance(component, Storage):
            put_in, taken = _electricity(flows[name], energy)
            generation += put_in
            demand += taken
            renewable += put_in if isinstance(component, RENEWABLE_SOURCES) else 0.0
    return {
        "total_cost": sum(account.cost_eur for account in accounts.values()),
        "total_co2": sum(account.co2_kg for account in accounts.values()),
        "self_consumption_rate": _rate(generation - grid_export, generation),
        "self_sufficiency_rate": _rate(demand - grid_import, demand),
        "renewable_fraction": _rate(renewable + renewable_import, renewable + grid_import + fuel),
        "total_generation_kwh": generation,
        "total_demand_kwh": demand,
        "net_grid_usage_kwh": grid_import - grid_export,
    }


def _electricity(ports: Mapping[str, Port], energy: Mapping[str, float]) -> tuple[float, float]:
    """Electricity that a component puts in and takes [kWh]."""
    put_in = sum(energy[key] for key, p in ports.items() if p.carrier == "electricity" and p.sign > 0)
    taken = sum(energy[key] for key, p in ports.items() if p.carrier == "electricity" and p.sign < 0)
    return put_in, taken


def _rate(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
