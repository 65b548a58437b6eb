"""A system in PyPSA's terms: our components in PyPSA's, one by one, with the same equations.

What PyPSA has no attribute for (import or export, charge or discharge, the two ways of a link; floors of levels)
is added to its model by `rules_of`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pypsa
from numpy.typing import NDArray

from schema.components import (
    Chiller,
    Cogeneration,
    Demand,
    Dispatchable,
    ElectricBoiler,
    Electrolyser,
    EnergyImport,
    GasBoiler,
    GenericConverter,
    GenericSource,
    Grid,
    HeatPump,
    Link,
    PowerSized,
    SolarPv,
    SolarThermal,
    Storage,
    WindTurbine,
)
from schema.profiles import ProfileRef
from schema.system import System
from solvers.components.commitment import is_switched
from solvers.economics import annuity_eur_per_year, fixed_cost_eur_per_year

Series = Mapping[str, NDArray[np.float64]]

_LEFT_OUT = ("demand_charge_eur_per_kw_month", "part_load")
"""Attributes without a counterpart."""


def network_of(system: System, series: Series, co2_weight_eur_per_kg: float = 0.0) -> pypsa.Network:
    """A network with the system's own equations.

    Raises:
        TypeError: a component has no counterpart here.
    """
    network = pypsa.Network()
    network.set_snapshots(system.horizon.index.tz_convert(None))
    network.snapshot_weightings = 0.0 * network.snapshot_weightings + system.horizon.step_hours
    nodes = {c.node(own) for c in system.components.values() for own in c.own_carriers}
    network.add("Bus", sorted(nodes))
    weight = system.economics.co2_price_eur_per_kg + co2_weight_eur_per_kg
    Translation(network, system, series, weight).add_all()
    return network


@dataclass(frozen=True)
class Translation:
    """Adds components to a network."""

    network: pypsa.Network
    system: System
    series: Series
    co2_weight_eur_per_kg: float

    def add_all(self) -> None:
        for name, component in self.system.components.items():
            told = [attribute for attribute in _LEFT_OUT if getattr(component, attribute, None)]
            if told:
                raise TypeError(f"{name}: there is no {told[0]} in this comparison")
            match component:
                case Grid():
                    self._add_grid(name, component)
                case EnergyImport():
                    self._add_import(name, component)
                case SolarPv() | WindTurbine() | SolarThermal() | GenericSource():
                    self._add_source(name, component)
                case Storage():
                    self._add_storage(name, component)
                case HeatPump() | Chiller() | ElectricBoiler() | GasBoiler() | GenericConverter():
                    self._add_converter(name, component)
                case Electrolyser():
                    self._add_electrolyser(name, component)
                case Cogeneration():
                    self._add_cogeneration(name, component)
                case Link():
                    self._add_link(name, component)
                case Demand():
                    self._add_demand(name, component)
                case _:
                    raise TypeError(f"{name}: there is no {type(component).__name__} in this comparison")

    def of(self, value: float | ProfileRef) -> Any:
        return self.series[value.profile] * value.scale if isinstance(value, ProfileRef) else value

    def _add_grid(self, name: str, grid: Grid) -> None:
        weight, bus = self.co2_weight_eur_per_kg, grid.node("electricity")
        charge = grid.demand_charge_eur_per_kw_year
        if charge:  # the peak is a capacity that is chosen
            size = {
                "p_nom_extendable": True,
                "p_nom_max": grid.import_limit_kw,
                "capital_cost": charge * self.system.horizon.year_share,
            }
        else:
            size = {"p_nom": grid.import_limit_kw}
        self.network.add(
            "Generator", f"{name} import", bus=bus, **size,
            marginal_cost=self.of(grid.import_price_eur_per_kwh) + weight * self.of(grid.import_co2_kg_per_kwh),
        )  # fmt: skip
        self.network.add(
            "Generator", f"{name} export", bus=bus, p_nom=grid.export_limit_kw, sign=-1,
            marginal_cost=-self.of(grid.export_price_eur_per_kwh)
            - weight * self.of(grid.export_co2_credit_kg_per_kwh),
        )  # fmt: skip

    def _add_import(self, name: str, grid: EnergyImport) -> None:
        self.network.add(
            "Generator", name, bus=grid.node(grid.own_carriers[0]), p_nom=grid.import_limit_kw,
            marginal_cost=self.of(grid.import_price_eur_per_kwh)
            + self.co2_weight_eur_per_kg * self.of(grid.import_co2_kg_per_kwh),
        )  # fmt: skip

    def _add_source(self, name: str, source: SolarPv | WindTurbine | SolarThermal | GenericSource) -> None:
        cost, rules = source.variable_cost_eur_per_kwh, {}
        if isinstance(source, GenericSource):
            cost = cost + self.of(source.price_eur_per_kwh)
            cost = cost + self.co2_weight_eur_per_kg * self.of(source.co2_kg_per_kwh)
            rules = self._commitment(source)
        if source.profile is not None:
            rules["p_max_pu"] = self.of(source.profile)
        bus = source.node(source.own_carriers[0])
        self.network.add("Generator", name, bus=bus, marginal_cost=cost, **self._size(name, source), **rules)

    def _add_converter(
        self, name: str, converter: HeatPump | Chiller | ElectricBoiler | GasBoiler | GenericConverter
    ) -> None:
        match converter:
            case HeatPump() | Chiller():
                efficiency = self.of(converter.cop)
            case GenericConverter():
                efficiency = self.of(converter.output_per_input)
            case _:
                efficiency = self.of(converter.efficiency_fraction)
        source, target = (converter.node(own) for own in converter.own_carriers)
        # PyPSA limits what a link takes; here it is what comes out that has a limit.
        if np.ndim(efficiency) == 0:
            limits = self._size(name, converter, float(efficiency))
        else:
            limits = self._size(name, converter) | {"p_max_pu": 1 / efficiency}
        self.network.add(
            "Link", name, bus0=source, bus1=target, efficiency=efficiency, **limits,
            marginal_cost=converter.variable_cost_eur_per_kwh * efficiency, **self._commitment(converter),
        )  # fmt: skip

    def _add_electrolyser(self, name: str, electrolyser: Electrolyser) -> None:
        self.network.add(
            "Link", name, bus0=electrolyser.node("electricity"), bus1=electrolyser.node("hydrogen"),
            efficiency=electrolyser.efficiency_fraction, **self._size(name, electrolyser),
            marginal_cost=electrolyser.variable_cost_eur_per_kwh, **self._commitment(electrolyser),
        )  # fmt: skip

    def _add_cogeneration(self, name: str, unit: Cogeneration) -> None:
        """The heat that may be thrown away leaves at a node of its own."""
        fuel, electric = unit.node(unit.own_carriers[0]), unit.electric_efficiency_fraction
        thermal = unit.thermal_efficiency_fraction
        least = (
            thermal if unit.min_thermal_efficiency_fraction is None else unit.min_thermal_efficiency_fraction
        )
        rest = f"{name} heat that may go"
        self.network.add("Bus", rest)
        self.network.add(
            "Link", name, bus0=fuel, bus1=unit.node("electricity"), bus2=unit.node("heat"), bus3=rest,
            efficiency=electric, efficiency2=least, efficiency3=thermal - least,
            **self._size(name, unit, electric),
            marginal_cost=unit.variable_cost_eur_per_kwh * electric, **self._commitment(unit),
        )  # fmt: skip
        most = unit.capacity_kw / electric
        self.network.add("Link", f"{name} heat used", bus0=rest, bus1=unit.node("heat"), p_nom=most)
        self.network.add("Generator", f"{name} heat lost", bus=rest, sign=-1, p_nom=most)

    def _add_link(self, name: str, link: Link) -> None:
        ways = {f"{name} forward": (link.from_node, link.to_node)}
        if link.both_ways:
            ways[f"{name} backward"] = (link.to_node, link.from_node)
        for way, (start, end) in ways.items():
            self.network.add(
                "Link", way, bus0=start, bus1=end, efficiency=1 - link.loss_fraction, p_nom=link.capacity_kw,
                marginal_cost=link.variable_cost_eur_per_kwh,
            )  # fmt: skip

    def _add_demand(self, name: str, demand: Demand) -> None:
        bus, power = demand.node(demand.own_carriers[0]), demand.scale * self.of(demand.profile)
        self.network.add("Load", name, bus=bus, p_set=power)
        if demand.unserved_price_eur_per_kwh is not None:
            self.network.add(
                "Generator", f"{name} unserved", bus=bus, p_nom=1.0, p_max_pu=power,
                marginal_cost=demand.unserved_price_eur_per_kwh,
            )  # fmt: skip

    def _add_storage(self, name: str, store: Storage) -> None:
        """A storage whose level ends where it began, at a given level rather than at any."""
        begin_kwh = store.initial_level_fraction * store.capacity_kwh
        fixed_kwh = np.full(len(self.network.snapshots), np.nan)
        if store.cyclic:
            fixed_kwh[-1] = begin_kwh
        hours = self.system.horizon.step_hours
        self.network.add(
            "StorageUnit", name, bus=store.node(store.own_carriers[0]),
            p_nom=store.max_discharge_kw,
            p_min_pu=-store.max_charge_kw / store.max_discharge_kw,
            max_hours=store.capacity_kwh / store.max_discharge_kw,
            efficiency_store=store.charge_efficiency_fraction,
            efficiency_dispatch=store.discharge_efficiency_fraction,
            standing_loss=store.self_discharge_fraction_per_hour,
            # PyPSA lets the first step's loss out; the level that it begins from is what is left after it.
            state_of_charge_initial=begin_kwh * (1 - store.self_discharge_fraction_per_hour) ** hours,
            state_of_charge_set=fixed_kwh,
            marginal_cost=store.throughput_cost_eur_per_kwh,
            marginal_cost_storage=store.holding_cost_eur_per_kwh_hour,
        )  # fmt: skip

    def _size(self, name: str, component: PowerSized, efficiency: float = 1.0) -> dict[str, Any]:
        """Its capacity over the efficiency: a number, or the range from which it is chosen."""
        if (chosen := self.system.sizing.get(f"{name}.capacity_kw")) is None:
            return {"p_nom": component.capacity_kw / efficiency}
        rate = self.system.economics.discount_rate
        yearly = annuity_eur_per_year(component, rate) + fixed_cost_eur_per_year(component)
        per_kw = yearly / component.capacity_kw * self.system.horizon.year_share
        return {
            "p_nom_extendable": True,
            "p_nom_min": chosen.min / efficiency,
            "p_nom_max": chosen.max / efficiency,
            "capital_cost": per_kw * efficiency,
        }

    def _commitment(self, unit: Dispatchable) -> dict[str, Any]:
        hours = self.system.horizon.step_hours
        rules: dict[str, Any] = {}
        if unit.ramp_fraction_per_hour is not None:
            ramp = min(unit.ramp_fraction_per_hour * hours, 1.0)
            rules = {"ramp_limit_up": ramp, "ramp_limit_down": ramp}
        if not is_switched(unit):
            return rules
        if rules:
            reached = max(rules["ramp_limit_up"], unit.min_load_fraction)
            rules |= {"ramp_limit_start_up": reached, "ramp_limit_shut_down": reached}
        up, down = (
            max(1, math.ceil(time / hours - 1e-9))
            for time in (unit.min_up_time_hours, unit.min_down_time_hours)
        )
        was_on = (unit.initial_load_fraction or 0) > 0
        return rules | {
            "committable": True,
            "p_min_pu": unit.min_load_fraction,
            "start_up_cost": unit.start_up_cost_eur,
            "min_up_time": up,
            "min_down_time": down,
            "up_time_before": up if was_on else 0,
            "down_time_before": 0 if was_on else down,
        }


def rules_of(system: System) -> Callable[[pypsa.Network, Any], None]:
    """What is to be added to PyPSA's model: pairs of which one is 0 in every step, and floors of storages."""

    def add(network: pypsa.Network, snapshots: Any) -> None:
        model = network.model
        for name, component in system.components.items():
            if (pair := _pair(name, component)) is not None:
                way = model.add_variables(coords=[snapshots], name=f"{name} way", binary=True)
                one, other = (model.variables[variable].sel(name=unit) for variable, unit, _ in pair)
                most, most_other = (limit for _, _, limit in pair)
                model.add_constraints(one - most * way <= 0, name=f"{name} one way")
                model.add_constraints(other + most_other * way <= most_other, name=f"{name} other way")
            if isinstance(component, Storage) and component.min_level_fraction > 0:
                level = model.variables["StorageUnit-state_of_charge"].sel(name=name)
                floor = component.min_level_fraction * component.capacity_kwh
                model.add_constraints(level >= floor, name=f"{name} floor")

    return add


Flow = tuple[str, str, float | None]
"""A variable of PyPSA's model, the unit that it belongs to, and its limit."""


def _pair(name: str, component: Any) -> tuple[Flow, Flow] | None:
    """The two flows of a component that exclude each other."""
    match component:
        case Grid():
            return (
                ("Generator-p", f"{name} import", component.import_limit_kw),
                ("Generator-p", f"{name} export", component.export_limit_kw),
            )
        case Storage():
            return (
                ("StorageUnit-p_store", name, component.max_charge_kw),
                ("StorageUnit-p_dispatch", name, component.max_discharge_kw),
            )
        case Link(both_ways=True):
            return (
                ("Link-p", f"{name} forward", component.capacity_kw),
                ("Link-p", f"{name} backward", component.capacity_kw),
            )
        case _:
            return None
