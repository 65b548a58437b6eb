"""`rule_based`: a dispatch by fixed priorities, worked out for a whole population at once.

The priorities stand in `solvers.rules.ways`, the limits of levels and how the last steps are steered in
`solvers.rules.levels`. The answer is judged as any other is; a demand that is left short is a failed dispatch.
A cyclic storage may miss its end: then the level that it reached takes the place of the one that it should have
reached in the checks, and the message and the solution's `missed` tell by how much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from time import perf_counter
from types import MappingProxyType
from typing import Any

import numpy as np

from schema.components import Component, Dispatchable
from solvers.case import Case, Engine
from solvers.judging import Dispatch, judge
from solvers.maths import Array, Numbers
from solvers.model import maths_of
from solvers.rules.committed import CommittedPassage, full_load_ratio, segments_of, starts_of
from solvers.rules.levels import Level, level_of
from solvers.rules.network import AT_LOAD, Flow, Give, Network, Store, network_of, switches_of
from solvers.rules.stepping import Passage
from solvers.rules.tables import Table
from solvers.rules.telling import shortages
from solvers.rules.ways import Means, Way, order_of, ways_of
from solvers.solution import Solution, Status

_MOST_CELLS = 3_000_000
"""Designs times steps that are worked on together; a flow of them takes 24 MB."""
_EXACT = 1e-9
"""A level this near to its end, relative to the capacity, has reached it."""

Values = dict[str, dict[str, Array]]


class Room:
    """Memory for flows, used again by the next designs: fresh memory costs as much as the pass itself."""

    def __init__(self) -> None:
        self._arrays: dict[Flow, Array] = {}

    def arrays(self, names: Sequence[Flow], shape: tuple[int, int]) -> dict[Flow, Array]:
        """An array (n, T) for each name, with whatever stands in it."""
        for name in names:
            if name not in self._arrays or len(self._arrays[name]) < shape[0]:
                self._arrays[name] = np.empty(shape)
        return {name: self._arrays[name][: shape[0]] for name in names}


def most_together(steps: int) -> int:
    """How many designs are worked on together, by the steps of the horizon."""
    return max(1, _MOST_CELLS // steps)


def dispatch(case: Case, engine: Engine) -> Dispatch:
    """The dispatch of one design."""
    return dispatch_all([case], engine)[0]


def dispatch_all(cases: Sequence[Case], engine: Engine, room: Room | None = None) -> list[Dispatch]:
    """The dispatches of several designs; each gets what it would get alone.

    Args:
        cases: designs of one system.
        engine: its engine.
        room: memory that is used again; the dispatches then have no flows, states and values.
    """
    found: dict[int, Dispatch] = {}
    seen = [_with_full_load(case) for case in cases]
    for (network, order), places in _alike(seen, engine).items():
        ways = [_ways(network)[place] for place in order]
        for chunk in _chunks(places, most_together(cases[0].system.horizon.steps)):
            began = perf_counter()
            values = _passed(
                [seen[place] for place in chunk], network, ways, Room() if room is None else room
            )
            seconds = (perf_counter() - began) / len(chunk)
            for place, own in zip(chunk, values, strict=True):
                judged = _judged(cases[place], network, own, seconds)
                found[place] = judged if room is None else judged.without_series()
    return [found[place] for place in range(len(cases))]


def _chunks(places: Sequence[int], most: int) -> list[Sequence[int]]:
    """Parts of about equal length."""
    count = -(-len(places) // most)
    bounds = [len(places) * part // count for part in range(count + 1)]
    return [places[start:stop] for start, stop in pairwise(bounds)]


def _with_full_load(case: Case) -> Case:
    """With the ratios at full load of units whose efficiency goes with their load."""
    lines = {switch.component: switch.line for switch in switches_of(case.system) if switch.line}
    if not lines:
        return case
    numbers = dict(case.numbers)
    for name, ratio in lines.items():
        own = numbers[name]
        numbers[name] = MappingProxyType({**own, AT_LOAD: full_load_ratio(own, ratio)})
    return replace(case, numbers=numbers)


def _alike(cases: Sequence[Case], engine: Engine) -> dict[tuple[Network, tuple[int, ...]], list[int]]:
    """Places of designs that share a network and an order of its ways."""
    groups: dict[tuple[Network, tuple[int, ...]], list[int]] = defaultdict(list)
    reference = Means(engine.reference.numbers)
    for place, case in enumerate(cases):
        network = network_of(case.system)
        order = order_of(_ways(network), network, Means(case.numbers, reference))
        groups[network, order].append(place)
    return groups


_KNOWN_WAYS: dict[Network, tuple[Way, ...]] = {}


def _ways(network: Network) -> tuple[Way, ...]:
    if network not in _KNOWN_WAYS:
        _KNOWN_WAYS[network] = ways_of(network)
    return _KNOWN_WAYS[network]


def _passed(cases: Sequence[Case], network: Network, ways: Sequence[Way], room: Room) -> list[Values]:
    """The variables of designs that share a network and the order of its ways, lying in `room`."""
    system = cases[0].system
    table = Table([case.numbers for case in cases], system.horizon.steps)
    uppers = {
        Flow(name, var.name): var.upper
        for name, component in system.components.items()
        for var in maths_of(component).variables(component)
    }
    limits = _limits(cases[0], network, table, uppers)
    levels = [
        level_of(store, table, uppers, system.horizon.step_hours, _feeders(network, store, table, uppers))
        for store in network.stores
    ]
    kept = _kept(ways, levels, uppers)
    if network.switches:
        units = {
            name: [_unit(case, name) for case in cases] for name in (s.component for s in network.switches)
        }
        passage: Passage = CommittedPassage(network, ways, table, limits, levels, kept, units)
    else:
        passage = Passage(network, ways, table, limits, levels, kept)
    results = room.arrays(passage.names, (len(cases), system.horizon.steps))
    passage.run(results)
    return [_values(case, network, {flow: series[place] for flow, series in results.items()})
            for place, case in enumerate(cases)]  # fmt: skip


def _unit(case: Case, name: str) -> Dispatchable:
    unit = case.system.components[name]
    assert isinstance(unit, Dispatchable)  # as it has a switch
    return unit


def _kept(ways: Sequence[Way], levels: Sequence[Level], uppers: Mapping[Flow, str]) -> set[Flow]:
    flows = {flow for way in ways for flow, _ in way.terms + way.counted + way.spared}
    flows |= {flow for level in levels for flow in (level.store.give, level.store.take) if flow.name}
    not_served = {flow.component for flow in uppers if flow.name.startswith("unserved")}
    return {
        flow for flow in flows if flow in uppers or (flow.name == "served" and flow.component in not_served)
    }


def _limits(case: Case, network: Network, table: Table, uppers: Mapping[Flow, str]) -> dict[Flow, Array]:
    """The most that flows can be, for those that are not a store's."""
    limits: dict[Flow, Array] = {}
    for source in network.sources:
        if source.rank is not Give.STORED:
            limits[source.flow] = table.array(source.flow.component, uppers[source.flow])
    for unit in network.units:
        limits[unit.flow] = table.array(unit.flow.component, uppers[unit.flow])
    stored = {flow for store in network.stores for flow in (store.take, store.wish)}
    for sink in network.sinks:
        flow = sink.flows[0]
        if flow in stored:
            continue
        if not sink.price:
            (name,) = (key for key in case.numbers[flow.component] if key.startswith("demand_"))
            limits[flow] = table.array(flow.component, name)
            continue
        # What would have to be paid for is not sold.
        pays = table.array(flow.component, sink.price) >= 0
        limits[flow] = np.where(pays, table.array(flow.component, uppers[flow]), 0.0)
    return limits


def _feeders(network: Network, store: Store, table: Table, uppers: Mapping[Flow, str]) -> Array:
    """The most that can come to a storage in the last step from what is at its node, (n,)."""
    node = next(sink.node for sink in network.sinks if store.take in sink.flows)
    most = np.zeros(table.designs)
    if any(source.node == node and source.rank is Give.BOUGHT for source in network.sources):
        most += np.inf
    for unit in network.units:
        for end in unit.outputs:
            if end.node == node:
                limit = table.rows(table.array(unit.flow.component, uppers[unit.flow]))[-1]
                most = most + limit * table.rows(table.product(end.ratio))[-1]
    return most


def _values(case: Case, network: Network, series: Mapping[Flow, Array]) -> Values:
    """A design's variables, by component and name."""
    signs = {Flow(store.component, store.level): store.sign for store in network.stores}
    values: Values = {}
    for name, component in case.system.components.items():
        numbers, own = case.numbers[name], values.setdefault(name, {})
        for var in maths_of(component).variables(component):
            flow = Flow(name, var.name)
            if flow in series:
                own[var.name] = series[flow] if signs.get(flow, 1) > 0 else -series[flow]
            elif var.name.startswith("unserved"):
                own[var.name] = np.maximum(numbers[var.upper] - series[Flow(name, "served")], 0.0)
            elif var.name not in {"monthly_peak_kw", "yearly_peak_kw"}:
                own[var.name] = np.zeros(case.system.horizon.steps)
        own |= _peaks(numbers, own) | _commitment(component, numbers, own)
    return values


def _commitment(component: Component, numbers: Numbers, own: Mapping[str, Array]) -> dict[str, Array]:
    """What follows from when a unit is on, and from its output."""
    found: dict[str, Array] = {}
    if "start" in own:
        found["start"] = starts_of(own["on"], bool(numbers["was_on"][0]))
    if "idle_kw" in numbers:
        found |= segments_of(numbers, own[maths_of(component).variables(component)[0].name])
    return found


def _peaks(numbers: Numbers, own: Mapping[str, Array]) -> dict[str, Array]:
    peaks: dict[str, Array] = {}
    if "all_steps" in numbers:
        peaks["yearly_peak_kw"] = own["import_kw"].max(keepdims=True)
    if "months" in numbers:
        peaks["monthly_peak_kw"] = (numbers["months"] * own["import_kw"][:, None]).max(axis=0)
        if "ratchet" in numbers:
            peaks["monthly_peak_kw"] = np.maximum(
                peaks["monthly_peak_kw"], numbers["ratchet"] * peaks["yearly_peak_kw"]
            )
    return peaks


def _judged(case: Case, network: Network, values: Values, seconds: float) -> Dispatch:
    numbers, missed = dict(case.numbers), []
    for store in network.stores:
        if store.cyclic:
            level = float(values[store.component][store.level][-1])
            off = level - float(numbers[store.component][store.lowest][-1])
            capacity = float(numbers[store.component][store.highest].max())
            if abs(off) > _EXACT * max(1.0, capacity):
                numbers[store.component] = _ending_at(numbers[store.component], store, level)
                missed.append((store, off))
    message = "; ".join(["by rules", *(_told(store, off) for store, off in missed)])
    amounts = {store.component: off for store, off in missed}
    solution = Solution(
        Status.FEASIBLE, message, values=values, solver_seconds=seconds, attempts=("rules",), missed=amounts
    )
    judged = judge(replace(case, numbers=numbers), solution)
    if judged.status is Status.FAILED:
        short = shortages(case.system, numbers, judged.solution.values, network)
        if short:
            message = "the rules leave a need unmet: " + "; ".join(short)
            judged = replace(judged, solution=replace(judged.solution, message=message))
    return judged


def _told(store: Store, off: float) -> str:
    unit = "m³" if store.level.endswith("_m3") else "kWh"
    side = "above" if off > 0 else "below"
    return f"{store.component} ends {abs(off):.3g} {unit} {side} the level at which it began"


def _ending_at(numbers: Numbers, store: Store, level: float) -> Numbers:
    """The parameters with the level that was reached in the place of the one at the end."""
    changed: dict[str, Any] = dict(numbers)
    for name in (store.lowest, store.highest):
        changed[name] = numbers[name].copy()
        changed[name][-1] = level
    return MappingProxyType(changed)
