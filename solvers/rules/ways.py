"""The ways that energy and water can go, and which is taken first.

A way leads from one source through units to one sink, with all that the units take and give beside. It never
comes to a node twice, so a ring of links or an electrolyser with its fuel cell needs no order of its own. Every
flow is in ratio to what arrives, and a way is followed as far as the scarcest of its flows allows.

First come first served, in this order:

1. demands: from free sources, from storages, from what is bought
2. wishes (what a car needs for its next trip, what a shiftable demand has wished, what a storage lacks): from free
   sources, from storages (not for storages), from what is bought
3. demands and wishes again, with what comes out beside being sold
4. storages, from free sources, where what is stored is worth more than what it could be sold for
5. sales, from free sources
6. storages, from free sources, where selling is worth more

and what is left of free sources is curtailed. What a unit must run goes before all of these, and also from what is
bought or stored to storages and sales (`solvers.rules.committed`).

Free and stored energy takes the way through the fewest units first, then that which loses least. What is bought
takes the cheapest way, by the means of prices and efficiencies over the horizon, with a credit for what comes out
beside.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeVar

from solvers.maths import Numbers
from solvers.rules.network import End, Flow, Give, Network, Ratio, Sink, Source, Take, Unit

Product = tuple[Ratio, ...]
"""Ratios multiplied; () is 1."""
Terms = tuple[tuple[Flow, tuple[Product, ...]], ...]
"""How much of each flow goes with one unit at the sink: sums of products."""

_MOST_CHAINS = 3
"""Chains of nodes by which ways to one sink come to a node: the shortest ones."""
_MOST_UNITS_BESIDE = 1
"""Units through which what is taken beside may come."""
_HALF = 0.5
"""What is stored beside counts half of what it would cost: it may be lost, or not be needed."""


@dataclass(frozen=True)
class Way:
    """From a source to a sink.

    Attributes:
        source, sink: where it begins and ends.
        units: how many it leads through.
        terms: its flows, each limited by its room.
        counted: flows that only count what passes.
        costs: what each unit at the sink costs, as (component, name of a price, sum of products).
        beside: sinks that must take what comes out beside, and how much.
        others: sources of what is taken beside.
        spared: flows that the way lowers again.
        surplus: whether it is only for what a unit must run and nothing asks for.
    """

    source: Source
    sink: Sink
    units: int
    terms: Terms
    counted: Terms = ()
    costs: tuple[tuple[str, str, tuple[Product, ...]], ...] = ()
    beside: tuple[tuple[Sink, Product], ...] = ()
    others: tuple[Source, ...] = ()
    spared: Terms = ()
    surplus: bool = False


@dataclass(frozen=True)
class _Part:
    """A way as far as it is known: from `node` on to its end."""

    node: str
    need: Product
    visited: tuple[str, ...]
    units: int = 0
    terms: tuple[tuple[Flow, Product], ...] = ()
    counted: tuple[tuple[Flow, Product], ...] = ()
    costs: tuple[tuple[str, str, Product], ...] = ()
    beside: tuple[tuple[Sink, Product], ...] = ()
    others: tuple[Source, ...] = ()
    spared: tuple[tuple[Flow, Product], ...] = ()


_EndT = TypeVar("_EndT", Source, Sink)


class _Places:
    """What is where in a network."""

    def __init__(self, network: Network) -> None:
        self.sources: Mapping[str, list[Source]] = _by_node(network.sources)
        bought = [source for source in network.sources if source.rank is Give.BOUGHT]
        spare = [Sink((source.flow,), source.node, Take.SPARE, source.price) for source in bought]
        self.sinks_beside: Mapping[str, list[Sink]] = _by_node([*network.sinks, *spare])
        self.units: dict[str, list[tuple[Unit, End]]] = defaultdict(list)
        for unit in network.units:
            for end in unit.outputs:
                self.units[end.node].append((unit, end))


def _by_node(ends: Sequence[_EndT]) -> Mapping[str, list[_EndT]]:
    places: dict[str, list[_EndT]] = defaultdict(list)
    for end in ends:
        places[end.node].append(end)
    return places


def ways_of(network: Network) -> tuple[Way, ...]:
    """All ways of a network, in no order of merit."""
    places = _Places(network)
    giving_back = {source.flow.component for source in network.sources if source.rank is Give.STORED}
    apart = [*network.rivals, *((store.give, store.take) for store in network.stores)]
    committed = {switch.flow for switch in network.switches}
    found: set[frozenset[object]] = set()
    ways: list[Way] = []
    for sink in sorted(network.sinks, key=lambda sink: sink.rank):
        begin = _Part(sink.node, (), (sink.node,), terms=tuple((flow, ()) for flow in sink.flows))
        for part, source in _supplies(places, begin, most_units=len(places.units)):
            is_asked_for = _is_allowed(source, sink, giving_back)
            if is_asked_for or committed:
                way = replace(_way(part, source, sink), surplus=not is_asked_for)
                if way.surplus and committed.isdisjoint(flow for flow, _ in way.terms):
                    continue
                flows, spared = dict(way.terms), dict(way.spared)
                same: frozenset[object] = frozenset((*flows, *way.spared) if way.beside else way.terms)
                clash = any(one in flows and other in flows for one, other in apart) or flows.keys() & spared
                if same not in found and not clash:
                    found.add(same)
                    ways.append(way)
    return tuple(ways)


def _is_allowed(source: Source, sink: Sink, giving_back: set[str]) -> bool:
    component = sink.flows[0].component
    match sink.rank:
        case Take.DEMAND:
            return True
        case Take.WISH:
            return source.rank is not Give.STORED or component not in giving_back
        case _:
            return source.rank is Give.FREE


def _supplies(places: _Places, begin: _Part, *, most_units: int) -> Iterator[tuple[_Part, Source]]:
    """Everything from which the need of a part can be met, those through the fewest units first."""
    waiting = deque([begin])
    chains: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    while waiting:
        part = waiting.popleft()
        known = chains[part.node]
        if part.visited not in known and len(known) >= _MOST_CHAINS:
            continue
        known.add(part.visited)
        yield from ((part, source) for source in places.sources.get(part.node, ()))
        if part.units - begin.units < most_units:
            for unit, end in places.units.get(part.node, ()):
                if unit.inputs[0].node not in part.visited:
                    waiting.extend(_before(places, part, unit, end))


def _before(places: _Places, part: _Part, unit: Unit, end: End) -> Iterator[_Part]:
    """The part with a unit before it, once for each way to get rid of or to get what goes beside."""
    run = part.need + _inverse(end.ratio)
    main, *beside = unit.inputs
    longer = replace(
        part,
        node=main.node,
        need=run + main.ratio,
        visited=(*part.visited, main.node),
        units=part.units + 1,
        terms=(*part.terms, (unit.flow, run)),
        counted=(*part.counted, *((flow, part.need) for flow in end.also)),
        costs=(*part.costs, (unit.flow.component, unit.price, run)) if unit.price else part.costs,
    )
    others = [other for other in unit.outputs if other is not end]
    taken = [[(other, sink) for sink in places.sinks_beside.get(other.node, ())] for other in others]
    got = [list(_got(places, other, run + other.ratio, part.visited)) for other in beside]
    for sinks, supplies in product(product(*taken), product(*got)):
        yield _with_beside(longer, run, sinks, supplies)


def _got(
    places: _Places, other: End, need: Product, visited: tuple[str, ...]
) -> Iterator[tuple[_Part, Source]]:
    begin = _Part(other.node, need, (*visited, other.node))
    return _supplies(places, begin, most_units=_MOST_UNITS_BESIDE)


def _with_beside(
    part: _Part, run: Product, sinks: Sequence[tuple[End, Sink]], supplies: Sequence[tuple[_Part, Source]]
) -> _Part:
    terms, counted, costs, beside, others = (
        list(part.terms), list(part.counted), list(part.costs), list(part.beside), list(part.others),
    )  # fmt: skip
    spared = list(part.spared)
    for end, sink in sinks:
        amount = run + end.ratio
        side = spared if sink.rank is Take.SPARE else terms
        side += [(flow, amount) for flow in sink.flows]
        counted += [(flow, amount) for flow in end.also]
        beside.append((sink, amount))
    for supply, source in supplies:
        terms += [*supply.terms, (source.flow, supply.need)]
        costs += [*supply.costs, *_cost(source, supply.need)]
        counted += supply.counted
        beside += supply.beside
        spared += supply.spared
        others += [*supply.others, source]
    return replace(
        part,
        terms=tuple(terms),
        counted=tuple(counted),
        costs=tuple(costs),
        beside=tuple(beside),
        others=tuple(others),
        spared=tuple(spared),
    )


def _cost(source: Source, need: Product) -> list[tuple[str, str, Product]]:
    return [(source.flow.component, source.price, need)] if source.price else []


def _inverse(ratio: Product) -> Product:
    return tuple(factor._replace(power=-factor.power) for factor in ratio)


def _way(part: _Part, source: Source, sink: Sink) -> Way:
    costs = [*part.costs, *_cost(source, part.need)]
    return Way(
        source,
        sink,
        part.units,
        _summed([*part.terms, (source.flow, part.need)]),
        _summed(part.counted),
        tuple((component, price, (_simple(amount),)) for component, price, amount in costs),
        tuple((taker, _simple(amount)) for taker, amount in part.beside),
        part.others,
        _summed(part.spared),
    )


def _summed(terms: Sequence[tuple[Flow, Product]]) -> Terms:
    sums: dict[Flow, tuple[Product, ...]] = {}
    for flow, amount in terms:
        sums[flow] = (*sums.get(flow, ()), _simple(amount))
    return tuple(sums.items())


def _simple(amount: Product) -> Product:
    """Without what cancels."""
    powers: dict[tuple[str, str], int] = {}
    for component, name, power in amount:
        powers[component, name] = powers.get((component, name), 0) + power
    return tuple(
        Ratio(*parameter, 1 if power > 0 else -1)
        for parameter, power in powers.items()
        for _ in range(abs(power))
    )


class Means:
    """Means over the horizon of a design's parameters."""

    def __init__(self, numbers: Mapping[str, Numbers], reference: Means | None = None) -> None:
        self._numbers, self._reference = numbers, reference
        self._known: dict[tuple[str, str], float] = {}

    def of(self, component: str, name: str) -> float:
        """Mean of a parameter; what is the reference's own is not worked out again."""
        key = (component, name)
        if key not in self._known:
            reference, own = self._reference, self._numbers[component][name]
            same = reference is not None and reference._numbers[component].get(name) is own  # noqa: SLF001
            self._known[key] = reference.of(component, name) if same and reference else float(own.mean())
        return self._known[key]

    def amount(self, products: Sequence[Product]) -> float:
        """A sum of products of ratios."""
        total = 0.0
        for factors in products:
            value = 1.0
            for component, name, power in factors:
                mean = self.of(component, name)
                value = value * mean if power > 0 else value / mean
            total += value
        return total


_EQUAL = 9
"""Decimals of costs that count."""


def order_of(ways: Sequence[Way], network: Network, means: Means) -> tuple[int, ...]:
    """The places of the ways, those taken first to the front.

    Args:
        ways: all of a network's.
        network: whose they are.
        means: of the design's parameters.
    """
    prices = _bought_at(network, ways, means)
    costs = [_cost_of(way, means, prices) for way in ways]
    needed: dict[str, float] = {}
    earned: dict[Flow, float] = {}
    for way, cost in zip(ways, costs, strict=True):
        if way.surplus:
            continue
        if way.source.rank is Give.BOUGHT and way.sink.rank is Take.DEMAND:
            needed[way.sink.node] = min(needed.get(way.sink.node, cost), cost)
        if way.sink.rank is Take.SELL:
            gain = _sale(way, means)
            earned[way.source.flow] = max(earned.get(way.source.flow, gain), gain)
    efficiency = {
        store.take: means.of(store.component, store.charged) / means.of(store.component, store.released)
        for store in network.stores
        if store.discharge
    }

    def key(place: int) -> tuple[float, ...]:
        way, take = ways[place], _turn_of(ways[place])
        if way.sink.rank is Take.STORE and way.sink.flows[0] in efficiency and way.sink.node in needed:
            worth = needed[way.sink.node] * efficiency[way.sink.flows[0]]
            lost = earned.get(way.source.flow, 0.0) * means.amount(dict(way.terms)[way.source.flow])
            take = max(take, _LAST * (worth < lost))
        beside = sum(source.rank for source in way.others)
        if way.source.rank is Give.BOUGHT:
            # What serves two at once for less than the one alone goes first: else another takes the place of both.
            saved = prices.get(way.sink.node, 0.0) - costs[place] if way.beside else 0.0
            cost = -saved if saved > 0 else costs[place]
            taken = sum(sink.rank for sink, _ in way.beside)
            return (take, way.source.rank, saved <= 0, round(cost, _EQUAL), taken, way.units, beside, place)
        drawn = means.amount(dict(way.terms)[way.source.flow])
        return (take, way.source.rank, way.units, beside, round(drawn, _EQUAL), place)

    return tuple(sorted(range(len(ways)), key=key))


_LAST = 6
"""The turn of storages that had better sell."""


def _turn_of(way: Way) -> int:
    """When a way is due, by the list above."""
    rank = way.sink.rank
    if rank > Take.WISH:
        return 4 if rank is Take.STORE else 5
    sells = any(sink.rank is Take.SELL for sink, _ in way.beside)
    return 3 if sells else 1 + rank


def _bought_at(network: Network, ways: Sequence[Way], means: Means) -> dict[str, float]:
    """What a kilowatt costs at nodes that buy directly, and at others by a way that has nothing beside."""
    prices: dict[str, float] = {}
    for source in network.sources:
        if source.rank is Give.BOUGHT:
            price = means.of(source.flow.component, source.price)
            prices[source.node] = min(prices.get(source.node, price), price)
    directly = set(prices)
    for way in ways:
        node = way.sink.node
        alone = way.source.rank is Give.BOUGHT and way.sink.rank is Take.DEMAND and not way.beside
        if alone and node not in directly:
            cost = _cost_of(way, means, prices)
            prices[node] = min(prices.get(node, cost), cost)
    return prices


def _cost_of(way: Way, means: Means, prices: Mapping[str, float]) -> float:
    cost = sum(means.of(component, price) * means.amount(amount) for component, price, amount in way.costs)
    for sink, amount in way.beside:
        worth = means.of(sink.flows[0].component, sink.price) if sink.price else prices.get(sink.node, 0.0)
        cost -= worth * means.amount((amount,)) * (_HALF if sink.rank is Take.STORE else 1.0)
    return cost


def _sale(way: Way, means: Means) -> float:
    """What each unit of the source earns."""
    price = means.of(way.sink.flows[0].component, way.sink.price)
    return price / means.amount(dict(way.terms)[way.source.flow])
