"""What the rules see of a system: nodes, what gives to them, what takes from them, and the units in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, singledispatch
from typing import Any, NamedTuple

from schema.components import (
    Chiller,
    Cogeneration,
    Component,
    Converter,
    Demand,
    Dispatchable,
    ElectricBoiler,
    Electrolyser,
    EnergyImport,
    EvCharger,
    GasBoiler,
    GenericConverter,
    GenericSource,
    Grid,
    HeatPump,
    Link,
    Pump,
    RainwaterSource,
    ShiftableDemand,
    SolarPv,
    SolarThermal,
    Storage,
    WaterDemand,
    WaterGrid,
    WaterTank,
    WindTurbine,
)
from schema.system import System
from solvers.components.commitment import is_switched
from solvers.model import maths_of

AT_LOAD = "at_load"
"""A ratio that goes with the load of its unit; as a parameter, the one at full load."""


class Give(IntEnum):
    """Who gives first."""

    FREE = 0
    """Sun, wind, rain and sources without a price."""
    STORED = 1
    BOUGHT = 2


class Take(IntEnum):
    """Who is served first."""

    DEMAND = 0
    WISH = 1
    """What a car needs for its next trip, what a shiftable demand has wished, what a storage lacks."""
    STORE = 2
    SELL = 3
    SPARE = 4
    """What comes out beside takes the place of what has been bought in the same step."""


class Flow(NamedTuple):
    """A flow that the rules raise from 0 within each step."""

    component: str
    name: str


class Ratio(NamedTuple):
    """A parameter of a component to the power of 1 or -1."""

    component: str
    name: str
    power: int = 1


@dataclass(frozen=True)
class Source:
    """Something that gives to a node; `price` names what each kW of its flow costs in a step."""

    flow: Flow
    node: str
    rank: Give
    price: str = ""


@dataclass(frozen=True)
class Sink:
    """Something that takes from a node; `price` names what each kW of its flow earns in a step."""

    flows: tuple[Flow, ...]
    node: str
    rank: Take
    price: str = ""


class End(NamedTuple):
    """A node at which a unit takes or gives, and how much for each unit of its flow."""

    node: str
    ratio: tuple[Ratio, ...] = ()
    also: tuple[Flow, ...] = ()
    """Flows that count what passes here."""


@dataclass(frozen=True)
class Unit:
    """What takes from its inputs and gives to its outputs, in ratio to its flow.

    Attributes:
        flow: what its capacity limits.
        inputs: the first is where what it turns comes from; others are what it takes beside.
        outputs: any of them may be what it runs for, and the others must then be taken too.
        price: name of what each kW of its flow costs in a step; "" for nothing.
    """

    flow: Flow
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    price: str = ""


@dataclass(frozen=True)
class Store:
    """A level that flows raise and lower; its names are those of the component's variables and parameters.

    Attributes:
        component: its name.
        charge, discharge: variables; no `discharge` where it gives nothing back.
        level: variable; `sign` is -1 where the variable is what is missing.
        lowest, highest: parameters that bound the variable.
        keep: parameter of what is left of the level after a step; 1 where there is none.
        carried: parameter of what a step adds by itself.
        charged, released: parameters of how the flows change the level.
        cyclic: whether it must end where it began.
    """

    component: str
    charge: str
    discharge: str
    level: str
    lowest: str
    highest: str
    keep: str
    carried: str
    charged: str
    released: str
    sign: int = 1
    cyclic: bool = False

    @cached_property
    def give(self) -> Flow:
        return Flow(self.component, self.discharge)

    @cached_property
    def take(self) -> Flow:
        return Flow(self.component, self.charge)

    @cached_property
    def wish(self) -> Flow:
        """The part of `take` that is wanted now."""
        return Flow(self.component, "wish")


@dataclass(frozen=True)
class Network:
    """A system as the rules see it."""

    sources: tuple[Source, ...]
    sinks: tuple[Sink, ...]
    units: tuple[Unit, ...]
    stores: tuple[Store, ...]
    rivals: tuple[tuple[Flow, Flow], ...]
    """Flows that must not both be above 0."""
    switches: tuple[Switch, ...] = ()


@dataclass(frozen=True)
class Switch:
    """What keeps rules of commitment.

    Attributes:
        component: its name.
        flow: what its capacity limits.
        whole: whether it is on or off; else a ramp is all that binds it.
        line: parameter of how much of its other flow goes with `flow`, where that changes with its load.
    """

    component: str
    flow: Flow
    whole: bool
    line: str = ""


Part = Source | Sink | Unit | Store | Switch


def network_of(system: System) -> Network:
    """The network of a system."""
    parts: list[Part] = []
    rivals: list[tuple[Flow, Flow]] = []
    for name, component in system.components.items():
        parts.extend(_parts(component, name))
        parts.extend(_switches(component, name))
        maths = maths_of(component)
        if maths.exclusive is not None:
            stand = {var.name for var in maths.variables(component)}
            if stand.issuperset(maths.exclusive):
                one, other = maths.exclusive
                rivals.append((Flow(name, one), Flow(name, other)))
    return Network(
        tuple(part for part in parts if isinstance(part, Source)),
        tuple(part for part in parts if isinstance(part, Sink)),
        tuple(part for part in parts if isinstance(part, Unit)),
        tuple(part for part in parts if isinstance(part, Store)),
        tuple(rivals),
        tuple(part for part in parts if isinstance(part, Switch)),
    )


def switches_of(system: System) -> Iterator[Switch]:
    """The units of a system that keep rules of commitment."""
    for name, component in system.components.items():
        yield from _switches(component, name)


def _switches(component: Component, name: str) -> Iterator[Switch]:
    if not isinstance(component, Dispatchable):
        return
    whole = is_switched(component)
    if whole or component.ramp_fraction_per_hour is not None:
        flow = Flow(name, maths_of(component).variables(component)[0].name)
        yield Switch(name, flow, whole, _line_of(component))


def _line_of(component: Dispatchable) -> str:
    """The parameter that a part-load line takes the place of."""
    if not isinstance(component, Converter) or component.part_load is None:
        return ""
    match component:
        case Electrolyser():
            return "output_per_input"
        case Cogeneration():
            return "fuel_per_electricity"
        case _:
            return "input_per_output"


def _ratio(unit: Converter, name: str, parameter: str) -> tuple[Ratio, ...]:
    """A ratio of a unit's flows; one that goes with the load has a name of its own."""
    return (Ratio(name, AT_LOAD if _line_of(unit) == parameter else parameter),)


@singledispatch
def _parts(component: Component, name: str) -> Iterator[Part]:
    raise TypeError(f"rule_based does not know {type(component).__name__}, which is the type of {name}")


@_parts.register
def _(grid: Grid, name: str) -> Iterator[Part]:
    node = grid.node("electricity")
    yield Source(Flow(name, "import_kw"), node, Give.BOUGHT, "import_weight_eur_per_kw")
    yield Sink((Flow(name, "export_kw"),), node, Take.SELL, "export_weight_eur_per_kw")


@_parts.register
def _(grid: EnergyImport, name: str) -> Iterator[Part]:
    node = grid.node(grid.own_carriers[0])
    yield Source(Flow(name, "import_kw"), node, Give.BOUGHT, "import_weight_eur_per_kw")


@_parts.register
def _(grid: WaterGrid, name: str) -> Iterator[Part]:
    yield Source(Flow(name, "import_m3_per_hour"), grid.node("water"), Give.BOUGHT, "weight_eur_per_flow")


@_parts.register(SolarPv)
@_parts.register(WindTurbine)
@_parts.register(SolarThermal)
@_parts.register(RainwaterSource)
def _(source: Component, name: str) -> Iterator[Part]:
    output = maths_of(source).variables(source)[0].name
    yield Source(Flow(name, output), source.node(source.own_carriers[0]), Give.FREE)


@_parts.register
def _(source: GenericSource, name: str) -> Iterator[Part]:
    has_price = bool(source.price_eur_per_kwh or source.variable_cost_eur_per_kwh)
    rank = Give.BOUGHT if has_price else Give.FREE
    yield Source(Flow(name, "output_kw"), source.carrier, rank, "weight_eur_per_kw")


@_parts.register(Demand)
@_parts.register(WaterDemand)
def _(demand: Demand | WaterDemand, name: str) -> Iterator[Part]:
    yield Sink((Flow(name, "served"),), demand.node(demand.own_carriers[0]), Take.DEMAND)


def _ends_of(store: Store, node: str) -> Iterator[Part]:
    """What can be put into a store and taken from it."""
    yield store
    yield Sink((store.wish, store.take), node, Take.WISH)
    yield Sink((store.take,), node, Take.STORE)
    if store.discharge:
        yield Source(store.give, node, Give.STORED)


@_parts.register
def _(store: Storage, name: str) -> Iterator[Part]:
    part = Store(
        name, "charge_kw", "discharge_kw", "level_kwh", "min_level_kwh", "max_level_kwh", "decay", "carried_kwh",
        "charged_kwh_per_kw", "released_kwh_per_kw", cyclic=store.cyclic,
    )  # fmt: skip
    yield from _ends_of(part, store.node(store.own_carriers[0]))


@_parts.register
def _(tank: WaterTank, name: str) -> Iterator[Part]:
    part = Store(
        name, "inflow_m3_per_hour", "outflow_m3_per_hour", "level_m3", "min_level_m3", "max_level_m3", "decay",
        "carried_m3", "hours", "hours", cyclic=tank.cyclic,
    )  # fmt: skip
    yield from _ends_of(part, tank.node("water"))


@_parts.register
def _(car: EvCharger, name: str) -> Iterator[Part]:
    discharge = "" if car.discharge_power_kw is None else "discharge_kw"
    part = Store(
        name, "charge_kw", discharge, "level_kwh", "min_level_kwh", "max_level_kwh", "keep", "carried_kwh",
        "charged_kwh_per_kw", "released_kwh_per_kw",
    )  # fmt: skip
    yield from _ends_of(part, car.node("electricity"))


@_parts.register
def _(demand: ShiftableDemand, name: str) -> Iterator[Part]:
    part = Store(
        name, "electricity_kw", "", "backlog_kwh", "least_backlog_kwh", "most_backlog_kwh", "", "wished_kwh",
        "hours", "", sign=-1,
    )  # fmt: skip
    yield from _ends_of(part, demand.node("electricity"))


def _price_of(unit: Any) -> str:
    return "running_eur_per_kw" if unit.variable_cost_eur_per_kwh > 0 else ""


@_parts.register(HeatPump)
@_parts.register(Chiller)
@_parts.register(ElectricBoiler)
@_parts.register(GasBoiler)
@_parts.register(GenericConverter)
def _(unit: Any, name: str) -> Iterator[Part]:
    taken, given = map(unit.node, unit.own_carriers)
    output = Flow(name, maths_of(unit).variables(unit)[0].name)
    yield Unit(output, (End(taken, _ratio(unit, name, "input_per_output")),), (End(given),), _price_of(unit))


@_parts.register
def _(unit: Electrolyser, name: str) -> Iterator[Part]:
    taken, given = map(unit.node, unit.own_carriers)
    made = End(given, _ratio(unit, name, "output_per_input"))
    yield Unit(Flow(name, "electricity_kw"), (End(taken),), (made,), _price_of(unit))


@_parts.register
def _(unit: Cogeneration, name: str) -> Iterator[Part]:
    fuel, electricity, heat = map(unit.node, unit.own_carriers)
    flow, taken = Flow(name, "electricity_kw"), End(fuel, _ratio(unit, name, "fuel_per_electricity"))
    least = unit.min_thermal_efficiency_fraction
    counted = () if least is None else (Flow(name, "heat_kw"),)
    shares = {"heat_per_electricity": unit.thermal_efficiency_fraction}
    if least is not None:
        shares["least_heat_per_electricity"] = least
    for share, efficiency in shares.items():
        warm = (End(heat, (Ratio(name, share),), counted),) if efficiency > 0 else ()
        yield Unit(flow, (taken,), (End(electricity), *warm), _price_of(unit))


@_parts.register
def _(link: Link, name: str) -> Iterator[Part]:
    for way, begin, end in (
        ("forward_kw", link.from_node, link.to_node),
        ("backward_kw", link.to_node, link.from_node),
    ):
        if way == "forward_kw" or link.both_ways:
            arrives = End(end, (Ratio(name, "delivered"),))
            yield Unit(Flow(name, way), (End(begin),), (arrives,), _price_of(link))


@_parts.register
def _(pump: Pump, name: str) -> Iterator[Part]:
    power = (End(pump.node("electricity"), (Ratio(name, "electricity_kwh_per_m3"),)),)
    beside = power if pump.electricity_kwh_per_m3 > 0 else ()
    flow = Flow(name, "pumped_m3_per_hour")
    yield Unit(flow, (End(pump.from_node), *beside), (End(pump.to_node),))
