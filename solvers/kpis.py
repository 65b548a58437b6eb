"""The figures by which a dispatch is judged, each defined here and nowhere else.

All are over the horizon, from the solved flows. Symbols [kWh]: G generation, D demand, I and X grid import and
export, R energy from PV, wind and solar thermal and the renewable share of generic sources, F imports of fuel and
heat and the rest of generic sources, s renewable share of an import, Δ step [h].

(K1)  total_generation_kwh   G = Σ electricity from local generators, after curtailment
(K2)  total_demand_kwh       D = Σ electricity taken by demands and converters; charging a storage is not demand,
                             but what a car takes less what it gives back is: it leaves with the car
(K3)  net_grid_usage_kwh     I - X
(K4)  self_consumption_rate  clip((G - X) / G, 0, 1),  0 if G = 0
(K5)  self_sufficiency_rate  clip(1 - I / D, 0, 1),    0 if D = 0
(K6)  renewable_fraction     (R + Σ s I) / E,  E = R + I + F,  0 if E = 0;  Σ s I with imports of fuel and heat
(K7)  total_co2              Σ imports and sources times their intensities, less export credits [kg]
(K8)  total_cost             annuities and fixed costs · horizon hours / 8,760 + variable costs + imports
                             - export revenue + demand charges + unserved demand at its price
                             + CO2 price · total_co2 [€]

A converter between two nodes of electricity counts by its losses alone; links are neither generation nor demand.
The other figures stand where the system has what they are about:

(K9)  peak_import_kw         max_t Σ_grids import_t                                with a grid
(K10) unserved_kwh           Σ unserved energy                                     with a price for it
(K11) curtailed_kwh          Σ available - used energy of PV, wind, solar thermal  with one of them
(K12) storage_cycles         Σ discharged / Σ capacity over storages of electricity, 0 without capacity
(K13) lcoe_eur_per_kwh       Σ cost (K8) / Σ generation over PV, wind and generic sources of electricity, if any
                             is generated. Units that burn something are left out: their fuel makes heat too
(K14) water_demand_m3        Σ water taken by demands                              with a demand for water
(K15) water_self_sufficiency_rate   clip(1 - Σ import from the water grid / (K14), 0, 1),  0 if (K14) is 0
(K16) rainwater_use_m3       Σ rain that enters - Σ overflow of tanks, at least 0  with a source of rainwater
(K17) unserved_water_m3      Σ unserved water                                      with a price for it

Two compare a design with `economics.baseline` over N = project_years. S is what the design saves in a year: fixed
and variable costs, imports less exports, demand charges, CO2 at its price, the horizon's taken for the year's by
its share of 8,760 h. ΔP and ΔI are what its purchases (economics, M2) and its first investment cost more.

(K18) npv_eur                S / CRF(i, N) - ΔP
(K19) payback_years          ΔI / S, undiscounted; 0 where ΔI ≤ 0 ≤ S; absent where it is not paid back in N
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce, singledispatch
from typing import NamedTuple

import numpy as np

from schema.base import Value
from schema.components import (
    Component,
    Demand,
    EnergyImport,
    EvCharger,
    GenericSource,
    Grid,
    Link,
    RainwaterSource,
    SolarPv,
    SolarThermal,
    Storage,
    WaterDemand,
    WaterGrid,
    WaterTank,
    WindTurbine,
)
from schema.kpis import defined_kpis
from schema.system import System
from solvers.economics import (
    capital_recovery_factor,
    fixed_cost_eur_per_year,
    net_investment_eur,
    purchases_eur,
    yearly_costs_eur,
)
from solvers.maths import Array, Ledger, Numbers, Port

Flows = Mapping[str, Mapping[str, Port]]
"""Solved ports by component and name; a flow is an array (T,)."""


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


@dataclass
class _Sums:
    """Energy [kWh] and water [m³] over the horizon, by the symbols of the module's docstring."""

    generation: float = 0.0
    demand: float = 0.0
    grid_import: float = 0.0
    grid_export: float = 0.0
    renewable: float = 0.0
    renewable_import: float = 0.0
    other_primary: float = 0.0
    curtailed: float = 0.0
    unserved: float = 0.0
    discharged: float = 0.0
    held: float = 0.0
    own_generation: float = 0.0
    water_import: float = 0.0
    water_demand: float = 0.0
    water_unserved: float = 0.0
    rain: float = 0.0
    imports: list[Array] = field(default_factory=list)


class _Solved(NamedTuple):
    """What one component did."""

    amounts: Mapping[str, float]
    """What passed each port [kWh; m³ of water]."""
    ports: Mapping[str, Port]
    numbers: Numbers
    values: Mapping[str, Array]
    hours: float
    """Δ [h]."""

    def total(self, series: Array) -> float:
        return float(series.sum()) * self.hours

    def net_electricity_kwh(self, component: Component) -> float:
        """Electricity put in less electricity taken."""
        return sum(
            port.sign * self.amounts[key]
            for key, port in self.ports.items()
            if component.node(port.carrier).partition("@")[0] == "electricity"
        )


@dataclass(frozen=True)
class Operation:
    """All that KPIs know of a dispatch; what else they depend on is money that no dispatch depends on.

    Attributes:
        ledgers: what the solved flows cost and emit, by component.
        physical: the KPIs into which no such money enters.
        own_generation_kwh: of PV, wind and generic sources of electricity (K13).
        baseline: the ledgers of what `economics.baseline` states, where the design is compared with it.
    """

    ledgers: Mapping[str, Ledger]
    physical: Mapping[str, float]
    own_generation_kwh: float
    baseline: Mapping[str, Ledger] = field(default_factory=dict)


def operation_of(
    system: System,
    numbers: Mapping[str, Numbers],
    values: Mapping[str, Mapping[str, Array]],
    flows: Flows,
    ledgers: Mapping[str, Ledger],
) -> Operation:
    """Sum up a dispatch."""
    sums, hours = _Sums(), system.horizon.step_hours
    for name, component in system.components.items():
        ports = flows[name]
        amounts = {key: float(port.flow.sum()) * hours for key, port in ports.items()}
        _count(component, sums, _Solved(amounts, ports, numbers[name], values[name], hours))
    return Operation(ledgers, _of_the_eight(sums) | _others(system, sums), sums.own_generation)


def kpis_of(system: System, operation: Operation, accounts: Mapping[str, Account]) -> dict[str, float]:
    """The eight KPIs of a dispatch, and those others that its system has."""
    kpis = {
        "total_cost": sum(account.cost_eur for account in accounts.values()),
        "total_co2": sum(account.co2_kg for account in accounts.values()),
        **operation.physical,
    }
    if operation.own_generation_kwh > 0:
        kpis["lcoe_eur_per_kwh"] = _own_cost_eur(system, accounts) / operation.own_generation_kwh
    return kpis


def kpis_again(reference: System, values: Mapping[str, Value], operation: Operation) -> dict[str, float]:
    """What a dispatch of this design has for KPIs, from its operation: to the last bit what they are when solved.

    Args:
        reference: the system as its file states it; no capacities are left to the solver.
        values: the design's, by dotted path.
        operation: of any design that differs from this one in investments, lifetimes, subsidies, yearly fixed
            costs, `economics.discount_rate` and `economics.project_years` at most.
    """
    system = reference.with_values(values)
    accounts = accounts_of(system, operation.ledgers)
    kpis = kpis_of(system, operation, accounts)
    stated = reference.economics.baseline
    if not stated:
        return kpis
    baseline = reference.with_values({**values, **stated})
    return kpis | comparison(system, accounts, baseline, accounts_of(baseline, operation.baseline))


@singledispatch
def _count(component: Component, sums: _Sums, solved: _Solved) -> None:
    """Add what a component did; this one holds for converters and whatever else has electricity."""
    net = solved.net_electricity_kwh(component)
    sums.generation += max(net, 0.0)
    sums.demand += max(-net, 0.0)


@_count.register
def _(grid: Grid, sums: _Sums, solved: _Solved) -> None:
    sums.grid_import += solved.amounts["import_kw"]
    sums.grid_export += solved.amounts["export_kw"]
    sums.renewable_import += grid.renewable_fraction * solved.amounts["import_kw"]
    sums.imports.append(solved.ports["import_kw"].flow)


@_count.register
def _(grid: EnergyImport, sums: _Sums, solved: _Solved) -> None:
    sums.other_primary += solved.amounts["import_kw"]
    sums.renewable_import += grid.renewable_fraction * solved.amounts["import_kw"]


@_count.register(SolarPv)
@_count.register(WindTurbine)
def _(_generator: SolarPv | WindTurbine, sums: _Sums, solved: _Solved) -> None:
    _count_own_electricity(sums, solved.amounts["electricity_kw"])
    _count_free(sums, solved, solved.amounts["electricity_kw"])


@_count.register
def _(_collectors: SolarThermal, sums: _Sums, solved: _Solved) -> None:
    _count_free(sums, solved, solved.amounts["heat_kw"])


@_count.register
def _(source: GenericSource, sums: _Sums, solved: _Solved) -> None:
    given = solved.amounts["output_kw"]
    renewable = source.renewable_fraction * given
    sums.renewable += renewable
    sums.other_primary += given - renewable
    if carrier_of(source) == "electricity":
        _count_own_electricity(sums, given)


def _count_own_electricity(sums: _Sums, given_kwh: float) -> None:
    sums.generation += given_kwh
    sums.own_generation += given_kwh


def _count_free(sums: _Sums, solved: _Solved, used_kwh: float) -> None:
    sums.renewable += used_kwh
    sums.curtailed += solved.total(solved.numbers["available_kw"]) - used_kwh


@_count.register
def _(demand: Demand, sums: _Sums, solved: _Solved) -> None:
    sums.demand += max(-solved.net_electricity_kwh(demand), 0.0)
    if "unserved_kw" in solved.values:
        sums.unserved += solved.total(solved.values["unserved_kw"])


@_count.register
def _(car: EvCharger, sums: _Sums, solved: _Solved) -> None:
    sums.demand += max(-solved.net_electricity_kwh(car), 0.0)


@_count.register
def _(store: Storage, sums: _Sums, solved: _Solved) -> None:
    if carrier_of(store) == "electricity":
        sums.discharged += solved.amounts["discharge_kw"]
        sums.held += store.capacity_kwh


@_count.register
def _(_link: Link, _sums: _Sums, _solved: _Solved) -> None:
    """Neither generation nor demand."""


@_count.register
def _(_grid: WaterGrid, sums: _Sums, solved: _Solved) -> None:
    sums.water_import += solved.amounts["import_m3_per_hour"]


@_count.register
def _(_demand: WaterDemand, sums: _Sums, solved: _Solved) -> None:
    sums.water_demand += solved.amounts["water_m3_per_hour"]
    if "unserved_m3_per_hour" in solved.values:
        sums.water_unserved += solved.total(solved.values["unserved_m3_per_hour"])


@_count.register
def _(_source: RainwaterSource, sums: _Sums, solved: _Solved) -> None:
    sums.rain += solved.amounts["rain_m3_per_hour"]


@_count.register
def _(_tank: WaterTank, sums: _Sums, solved: _Solved) -> None:
    sums.rain -= solved.total(solved.values["overflow_m3_per_hour"])


def carrier_of(component: Component) -> str:
    """The carrier of a component that has one only."""
    return component.node(component.own_carriers[0]).partition("@")[0]


def comparison(
    system: System,
    accounts: Mapping[str, Account],
    baseline: System,
    baseline_accounts: Mapping[str, Account],
) -> dict[str, float]:
    """NPV and payback of a design against its baseline (K18, K19), by the design's own rate and years."""
    rate, years = system.economics.discount_rate, system.economics.project_years
    purchases = _difference(system, baseline, lambda component: purchases_eur(component, rate, years))
    investment = _difference(system, baseline, net_investment_eur)
    saved = _running_eur_per_year(baseline, baseline_accounts) - _running_eur_per_year(system, accounts)
    kpis = {"npv_eur": saved / capital_recovery_factor(rate, years) - purchases}
    if investment <= 0 <= saved:
        kpis["payback_years"] = 0.0
    elif 0 < investment <= saved * years:
        kpis["payback_years"] = investment / saved
    return kpis


def _difference(system: System, baseline: System, cost: Callable[[Component], float]) -> float:
    return sum(cost(c) - cost(baseline.components[name]) for name, c in system.components.items())


def _running_eur_per_year(system: System, accounts: Mapping[str, Account]) -> float:
    """What a year costs besides investments [€/a]."""
    operation = sum(account.operation_cost_eur + account.co2_cost_eur for account in accounts.values())
    fixed = sum(map(fixed_cost_eur_per_year, system.components.values()))
    return operation / system.horizon.year_share + fixed


def _own_cost_eur(system: System, accounts: Mapping[str, Account]) -> float:
    """What the sources of (K13) cost."""
    return sum(
        accounts[name].cost_eur
        for name, component in system.components.items()
        if isinstance(component, SolarPv | WindTurbine)
        or (isinstance(component, GenericSource) and carrier_of(component) == "electricity")
    )


def _of_the_eight(sums: _Sums) -> dict[str, float]:
    """The first eight KPIs but for cost and CO2."""
    entering = sums.renewable + sums.grid_import + sums.other_primary
    return {
        "self_consumption_rate": _rate(sums.generation - sums.grid_export, sums.generation),
        "self_sufficiency_rate": _rate(sums.demand - sums.grid_import, sums.demand),
        "renewable_fraction": _rate(sums.renewable + sums.renewable_import, entering),
        "total_generation_kwh": sums.generation,
        "total_demand_kwh": sums.demand,
        "net_grid_usage_kwh": sums.grid_import - sums.grid_export,
    }


def _others(system: System, sums: _Sums) -> dict[str, float]:
    """The KPIs that every design of the system has besides the eight."""
    others = {
        "peak_import_kw": float(reduce(np.add, sums.imports).max()) if sums.imports else 0.0,
        "unserved_kwh": sums.unserved,
        "curtailed_kwh": max(sums.curtailed, 0.0),
        "storage_cycles": sums.discharged / sums.held if sums.held > 0 else 0.0,
        "water_demand_m3": sums.water_demand,
        "water_self_sufficiency_rate": _rate(sums.water_demand - sums.water_import, sums.water_demand),
        "rainwater_use_m3": max(sums.rain, 0.0),
        "unserved_water_m3": sums.water_unserved,
    }
    defined = defined_kpis(system)
    return {name: value for name, value in others.items() if name in defined}


def _rate(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
