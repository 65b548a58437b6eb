"""One pass over the steps, for many designs at once.

In each step every flow begins at 0 with all its room, and the ways are followed in their order: each takes as much
as the scarcest of its flows has room for. All nodes stay in balance, so only demands can be left short.

Symbols: q_f room of a flow f, y_f what has flown, c_f how much of it goes with each unit that arrives; r flows
that a way lowers again, a what arrives by it.

(J6)  a = min(min_f q_f / c_f, min_r y_r / c_r)
(J7)  q_f ← max(q_f - c_f a, 0),   y_f ← y_f + c_f a,   y_r ← max(y_r - c_r a, 0),   q_r ← q_r + c_r a
(J8)  a = 0 where y of what must not run beside one of its flows is above 0

A step is a list of operations on arrays that stay where they are, worked out once for all steps in which the same
ways are alive: calling numpy takes longer than what it then does for some hundred designs. What numpy is given
matters too: the smaller of an array and a number takes three times as long as that of two arrays, and results in
place of arguments less than by name, which `fmin` and `fmax` allow and `minimum` and `maximum` do not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.maths import Array
from solvers.rules.levels import Level, Levels
from solvers.rules.network import Flow, Network
from solvers.rules.tables import Rows, Table
from solvers.rules.ways import Product, Way

_BLOCK = 32
"""Steps that are worked on together; their rows stay in the processor's cache."""
NOTHING = 1e-9
"""A flow up to this is no flow; it excludes no other."""
_NEXT_TO_NOTHING = np.array(NOTHING)

Operation = tuple[Callable[..., object], Any, Any, Array]
"""What is called, with two arrays and the one that it fills."""
_FEW_OPERATIONS = 3
"""So many are done before it is asked whether they are of any use."""


class _Feeds:
    """Parameters in arrays that stay where they are, filled anew with each step where they change.

    Args:
        limits: of flows, by steps and designs, (T or 1, n or 1).
        ratios: of flows to what arrives, likewise.
        designs: n.

    Attributes:
        now: what they are in a step: limits (n,), ratios (n,) or () where all designs have the same.
        changing: arrays that change, with what they are in each step.
    """

    def __init__(
        self, limits: Mapping[Flow, Array], ratios: Mapping[tuple[Product, ...], Array], designs: int
    ) -> None:
        self.changing: dict[Hashable, tuple[Array, Array]] = {}
        self.now: dict[Hashable, Array] = {}
        for flow, array in limits.items():
            self.now[flow] = np.array(np.broadcast_to(array[0], designs))
            if array.shape[0] > 1:
                self.changing[flow] = (self.now[flow], array)
        for products, array in ratios.items():
            self.add(products, array)

    def add(self, key: Hashable, array: Array) -> Array:
        """One more, by steps and designs: what it is in a step."""
        if key not in self.now:
            self.now[key] = np.array(array[0].reshape(()) if array.shape[1] == 1 else array[0])
            if array.shape[0] > 1:
                self.changing[key] = (self.now[key], array)
        return self.now[key]


class Turn(NamedTuple):
    """Operations, and those that follow where any of what they found is not 0; always where they found nothing."""

    first: list[Operation]
    found: Array | None
    then: list[Operation]


@dataclass(frozen=True)
class Plan:
    """What is done in a step: which parameters are read, and what follows."""

    read: tuple[tuple[Array, Array], ...]
    turns: tuple[Turn, ...]


class Passage:
    """The pass of n designs that share a network and an order of ways.

    Args:
        network: what the designs share.
        ways: in their order.
        table: the designs' parameters.
        limits: the most that each flow can be by steps and designs, for flows that are not a store's.
        levels: the stores.
        kept: flows that are told.
    """

    def __init__(
        self,
        network: Network,
        ways: Sequence[Way],
        table: Table,
        limits: dict[Flow, Array],
        levels: Sequence[Level],
        kept: Collection[Flow],
    ) -> None:
        self._ways, self._table = ways, table
        self._stores = [level.store for level in levels]
        count, designs = len(levels), table.designs
        charged = [store.take for store in self._stores]
        given = [store.give for store in self._stores]
        others = sorted(set(kept) - {*charged, *given})
        # What stores take, what they give, where they stand, all other flows.
        self._now = np.zeros((3 * count + len(others), designs))
        self._used = {flow: self._now[place] for place, flow in enumerate([*charged, *given])}
        self._used |= {flow: self._now[3 * count + place] for place, flow in enumerate(others)}
        self._flows = (self._now[: 2 * count], self._now[3 * count :])
        levels_now = self._now[2 * count : 3 * count]
        self._levels = (
            Levels(levels, self._flows[0].reshape(2, count, designs), levels_now) if levels else None
        )
        self._names = [*charged, *given, *(level.name for level in levels), *others]
        flows = {flow for way in ways for flow, _ in way.terms} | set(limits)
        self._room = {flow: np.empty(designs) for flow in sorted(flows)}
        for place, store in enumerate(self._stores):
            assert self._levels is not None  # as there are stores
            self._room[store.take], self._room[store.give] = (
                self._levels.take[place],
                self._levels.give[place],
            )
            self._room[store.wish] = self._levels.wish[place]
        self._rivals: dict[Flow, Flow] = {}
        for one, other in network.rivals:
            self._rivals |= {one: other, other: one}
        amounts = {products for way in ways for _, products in way.terms + way.counted + way.spared}
        ratios = {products: table.sum_of(products) for products in amounts if products != ((),)}
        self._ratios = tuple(ratios)
        self._feeds = _Feeds(limits, ratios, designs)
        self._nothing = np.zeros(designs)
        self._alive = self._alive_ways(limits, levels)
        self._amount, self._part = np.empty(designs), np.empty(designs)
        self._barred = np.empty(designs, dtype=bool)

    def _alive_ways(self, limits: dict[Flow, Array], levels: Sequence[Level]) -> NDArray[np.bool_]:
        """(T, ways), whether anything can go a way in a step."""
        steps = self._table.steps
        alive = {flow: np.broadcast_to((limit > 0).any(axis=1), steps) for flow, limit in limits.items()}
        for level in levels:
            alive[level.store.wish] = np.array([wish is not None for wish in level.wish])
            alive[level.store.take] = _positive(level.most_charge)
            alive[level.store.give] = _positive(level.most_discharge or [np.zeros(1)] * steps)
        columns = [np.logical_and.reduce([alive[flow] for flow, _ in way.terms]) for way in self._ways]
        return np.array(columns).T.reshape(steps, len(self._ways))

    def run(self, results: Mapping[Flow, Array]) -> None:
        """Work out the flows that are kept, and the levels, into arrays (n, T) by `names`."""
        plans = self._plans()
        block = np.empty((_BLOCK, *self._now.shape))
        for start in range(0, len(plans), _BLOCK):
            part = plans[start : start + _BLOCK]
            for at, plan in enumerate(part):
                self._step(start + at, plan)
                np.copyto(block[at], self._now)
            for place, name in enumerate(self._names):
                if name in results:
                    results[name][:, start : start + len(part)] = block[: len(part), place].T

    @property
    def names(self) -> list[Flow]:
        """What `run` works out."""
        return [flow for flow in self._names if flow.name]

    def _step(self, step: int, plan: Plan) -> None:
        for now, rows in plan.read:
            np.copyto(now, rows[step])
        self._follow(step, plan)
        if self._levels is not None:
            self._levels.close()

    def _follow(self, step: int, plan: Plan) -> None:
        """All ways, from levels as they were before the step."""
        if self._levels is not None:
            self._levels.open(step)
        for flows in self._flows:
            flows.fill(0.0)
        for first, found, then in plan.turns:
            for operation, one, other, into in first:
                operation(one, other, into)
            if found is None or np.count_nonzero(found):
                for operation, one, other, into in then:
                    operation(one, other, into)

    def _plans(self) -> list[Plan]:
        """What is done in each step; steps in which the same ways are alive share a plan."""
        plans: dict[bytes, Plan] = {}
        found = []
        for alive in self._alive:
            key = alive.tobytes()
            if key not in plans:
                ways = [way for way, is_alive in zip(self._ways, alive, strict=True) if is_alive]
                plans[key] = self._planned(ways)
            found.append(plans[key])
        return found

    def _planned(self, ways: Sequence[Way]) -> Plan:
        last = {flow: turn for turn, way in enumerate(ways) for flow, _ in way.terms}
        opened = {flow for store in self._stores for flow in (store.give, store.take, store.wish)}
        begun: set[Flow] = set()
        turns: list[Turn] = []
        for turn, way in enumerate(ways):
            later = {flow for flow, _ in way.terms if last[flow] > turn}
            first, amount, then = self._followed(way, later, opened, begun)
            turns.append(Turn(first, amount if len(then) > _FEW_OPERATIONS else None, then))
            opened |= later
            begun.update(flow for flow, _ in (*way.terms, *way.counted, *way.spared))
        return Plan(self._read_for(ways), tuple(turns))

    def _read_for(self, ways: Sequence[Way]) -> tuple[tuple[Array, Array], ...]:
        asked = {key for way in ways for term in way.terms + way.counted + way.spared for key in term}
        return tuple(read for key, read in self._feeds.changing.items() if key in asked)

    def _bar(self, used: Array, nothing: Array, amount: Array) -> None:
        np.greater(used, _NEXT_TO_NOTHING, self._barred)
        np.copyto(amount, nothing, where=self._barred)

    def _followed(
        self, way: Way, later: AbstractSet[Flow], opened: AbstractSet[Flow], begun: AbstractSet[Flow]
    ) -> Turn:
        """A way of which some flows are asked for later, and some are opened or begun before."""
        rooms = {flow: self._room[flow] if flow in opened else self._feeds.now[flow] for flow, _ in way.terms}
        ratios = {flow: self._feeds.now.get(products) for flow, products in way.terms + way.counted}
        into = next(
            (f for f, ratio in ratios.items() if ratio is None and f in self._used and f not in begun), None
        )
        amount = self._amount if into is None else self._used[into]
        limits = [(rooms[flow], ratios[flow]) for flow, _ in way.terms]
        limits += [(self._used[flow], self._feeds.now.get(products)) for flow, products in way.spared]
        first = self._scarcest(limits, amount)
        # Asked anew for each way: what is barred must not hang on which ways others need.
        rivals = [self._rivals[flow] for flow, _ in way.terms if flow in self._rivals]
        first += [(self._bar, self._used[rival], self._nothing, amount) for rival in rivals if rival in begun]
        then: list[Operation] = []
        for flow, ratio in ratios.items():
            used = None if flow == into else self._used.get(flow)
            room = self._room[flow] if flow in later else None
            if used is None and room is None:
                continue
            # What opens a room is done whatever comes by the way.
            turn = first if room is not None and flow not in opened else then
            moved = amount
            if ratio is not None:
                moved = self._part if used is None or flow in begun else used
                turn.append((np.multiply, amount, ratio, moved))
            if room is not None:
                turn.append((np.subtract, rooms[flow], moved, room))
                if ratio is not None:
                    # What a ratio took may be more than there was by the last bit of a number.
                    turn.append((np.fmax, room, self._nothing, room))
            if used is not None and moved is not used:
                turn.append((np.add, used, moved, used))
        return Turn(first, amount, then + self._lowered(way, amount, opened))

    def _scarcest(self, limits: Sequence[tuple[Array, Array | None]], amount: Array) -> list[Operation]:
        """What arrives, into `amount` (J6)."""
        operations: list[Operation] = []
        most: Array | None = None
        for room, ratio in sorted(limits, key=lambda limit: limit[1] is not None):
            there = room
            if ratio is not None:
                there = self._part if operations or most is not None else amount
                operations.append((np.divide, room, ratio, there))
            if most is not None:
                operations.append((np.fmin, most, there, amount))
                there = amount
            most = there
        assert most is not None  # every way has a source and a sink
        return operations if most is amount else [*operations, (np.add, most, self._nothing, amount)]

    def _lowered(self, way: Way, amount: Array, opened: AbstractSet[Flow]) -> list[Operation]:
        """Flows that a way lowers again, and the room that they leave (J7)."""
        operations: list[Operation] = []
        for flow, products in way.spared:
            ratio, moved, used, room = (
                self._feeds.now.get(products),
                amount,
                self._used[flow],
                self._room[flow],
            )
            if ratio is not None:
                moved = self._part
                operations.append((np.multiply, amount, ratio, moved))
            if flow in opened:
                operations.append((np.add, room, moved, room))
            operations.append((np.subtract, used, moved, used))
            operations.append((np.fmax, used, self._nothing, used))
        return operations


def _positive(rows: Rows) -> NDArray[np.bool_]:
    """(T,), whether any design has something in a step."""
    known: dict[int, bool] = {}
    found = []
    for row in rows:
        key = id(row)
        if key not in known:
            known[key] = bool((row > 0).any())
        found.append(known[key])
    return np.array(found)
