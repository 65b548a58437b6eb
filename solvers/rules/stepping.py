"""One pass over the steps, for many designs at once.

In each step every flow begins at 0 with all its room, and the ways are followed in their order: each takes as much
as the scarcest of its flows has room for. All nodes stay in balance, so only demands can be left short.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.maths import Array
from solvers.rules.levels import Level
from solvers.rules.network import Flow, Network
from solvers.rules.tables import Rows, Table
from solvers.rules.ways import Product, Way

_BLOCK = 64
"""Steps that are worked on together; their rows stay in the processor's cache."""
NOTHING = 1e-9
"""A flow up to this is no flow; it excludes no other."""


class _Move(NamedTuple):
    """A flow that a way raises: by `rows` times what arrives, or by just that.

    Attributes:
        left: its room; None where no later way asks for it.
        place: where it is told; None where it is not.
        begins: whether nothing has flown before.
        rows: how much of it goes with what arrives.
    """

    left: Array | None
    place: int | None
    begins: bool
    rows: Rows | None


@dataclass(frozen=True)
class _Push:
    """A way, ready to be followed.

    Attributes:
        barred: before it, the room of the first is taken wherever the second flows.
        first: room of a flow that goes one to one with what arrives.
        limits: rooms of the other flows, with how much of each goes with what arrives.
        into: place of a flow that is what arrives; None where there is none that begins here.
        moves: what else the way changes.
        spared: room and place of flows that are lowered again, with how much.
    """

    barred: tuple[tuple[Array, int], ...]
    first: Array
    limits: tuple[tuple[Array, Rows | None], ...]
    into: int | None
    moves: tuple[_Move, ...]
    spared: tuple[tuple[Array, int, Rows | None], ...]


@dataclass(frozen=True)
class _Plan:
    """What is done in a step: which rooms are opened, and which ways are followed."""

    opened: tuple[tuple[Array, Rows], ...]
    pushes: tuple[_Push, ...]


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
        self._ways, self._table, self._levels = ways, table, levels
        self._limits = {flow: table.rows(limit) for flow, limit in limits.items()}
        shape = (table.designs,)
        flows = {flow for way in ways for flow, _ in way.terms} | set(limits)
        flows |= {flow for level in levels for flow in (level.store.give, level.store.take, level.store.wish)}
        self._room = {flow: np.zeros(shape) for flow in sorted(flows)}
        self._place = {flow: place for place, flow in enumerate(sorted(kept))}
        self._rivals: dict[Flow, Flow] = {}
        for one, other in network.rivals:
            self._rivals |= {one: other, other: one}
        amounts = {products for way in ways for _, products in way.terms + way.counted + way.spared}
        self._coefficients = {products: self._rows(products) for products in amounts}
        self._alive = self._alive_ways(limits)
        self._amount, self._part = np.empty(shape), np.empty(shape)
        self._endless = np.full(shape, np.inf)
        self._barred = np.empty(shape, dtype=bool)

    def _rows(self, products: tuple[Product, ...]) -> Rows | None:
        return None if products == ((),) else self._table.rows(self._table.sum_of(products))

    def _alive_ways(self, limits: dict[Flow, Array]) -> NDArray[np.bool_]:
        """(T, ways), whether anything can go a way in a step."""
        steps = self._table.steps
        alive = {flow: np.broadcast_to((limit > 0).any(axis=1), steps) for flow, limit in limits.items()}
        for level in self._levels:
            alive[level.store.wish] = np.array([wish is not None for wish in level.wish])
            alive[level.store.take] = _positive(level.most_charge)
            alive[level.store.give] = _positive(level.most_discharge or [np.zeros(1)] * steps)
        columns = [np.logical_and.reduce([alive[flow] for flow, _ in way.terms]) for way in self._ways]
        return np.array(columns).T.reshape(steps, len(self._ways))

    def run(self, results: dict[Flow, Array]) -> None:
        """Work out the flows that are kept, and the levels, into arrays (n, T) by `names`."""
        steps, designs = self._table.steps, self._table.designs
        plans = self._plans()
        buffers = {name: np.zeros((_BLOCK, designs)) for name in self.names}
        for start in range(0, steps, _BLOCK):
            stop = min(start + _BLOCK, steps)
            for level in self._levels:
                level.level = level.level.copy()
            for buffer in buffers.values():
                buffer.fill(0.0)
            self._block(start, plans[start:stop], buffers)
            for name, buffer in buffers.items():
                results[name][:, start:stop] = buffer[: stop - start].T

    @property
    def names(self) -> list[Flow]:
        """What `run` works out."""
        return [*self._place, *(level.name for level in self._levels)]

    def _block(self, start: int, plans: Sequence[_Plan], buffers: dict[Flow, Array]) -> None:
        # By steps: the row of each flow.
        rows = list(zip(*(buffers[flow] for flow in self._place), strict=True))
        stores = [
            (
                level,
                (self._room[level.store.take], self._room[level.store.give], self._room[level.store.wish]),
                (self._place[level.store.take], self._place.get(level.store.give, 0)),
                list(buffers[level.name]),
            )
            for level in self._levels
        ]
        for at, plan in enumerate(plans):
            step, used = start + at, rows[at]
            for room, limit in plan.opened:
                np.copyto(room, limit[step])
            for level, rooms, _, _ in stores:
                level.open(step, *rooms)
            for push in plan.pushes:
                self._follow(push, step, used)
            for level, _, (take, give), levels in stores:
                level.close(used[take], used[give], levels[at])

    def _plans(self) -> list[_Plan]:
        """What is done in each step; steps in which the same ways are alive share a plan."""
        plans: dict[bytes, _Plan] = {}
        found = []
        for alive in self._alive:
            key = alive.tobytes()
            if key not in plans:
                ways = [way for way, is_alive in zip(self._ways, alive, strict=True) if is_alive]
                plans[key] = self._planned(ways)
            found.append(plans[key])
        return found

    def _planned(self, ways: Sequence[Way]) -> _Plan:
        stores = [level.store for level in self._levels]
        stored = {flow for store in stores for flow in (store.give, store.take, store.wish)}
        flows = {flow for way in ways for flow, _ in way.terms}
        opened = [(self._room[flow], self._limits[flow]) for flow in sorted(flows - stored)]
        last = {flow: turn for turn, way in enumerate(ways) for flow, _ in way.terms}
        used_since: dict[Flow, bool] = {}
        begun: set[Flow] = set()
        pushes = []
        for turn, way in enumerate(ways):
            barred = []
            for flow, _ in way.terms:
                rival = self._rivals.get(flow)
                if rival is not None and used_since.get(rival):
                    barred.append((self._room[flow], self._place[rival]))
                    used_since[rival] = False
            used_since |= dict.fromkeys((flow for flow, _ in way.terms), True)
            later = {flow for flow, _ in way.terms if last[flow] > turn}
            pushes.append(self._pushed(way, tuple(barred), later, begun))
            begun.update(flow for flow, _ in (*way.terms, *way.counted, *way.spared))
        return _Plan(tuple(opened), tuple(pushes))

    def _pushed(
        self,
        way: Way,
        barred: tuple[tuple[Array, int], ...],
        later: AbstractSet[Flow],
        begun: AbstractSet[Flow],
    ) -> _Push:
        """A way of which some flows are asked for later, and some have begun before."""
        terms = [(self._room[flow], self._coefficients[products]) for flow, products in way.terms]
        plain = next((place for place, (_, rows) in enumerate(terms) if rows is None), None)
        first = self._endless if plain is None else terms[plain][0]
        limits = [term for place, term in enumerate(terms) if place != plain]
        moves = [
            _Move(self._room[flow] if flow in later else None, self._place.get(flow), flow not in begun, rows)
            for (flow, _), (_, rows) in zip(way.terms, terms, strict=True)
        ] + [
            _Move(None, self._place[flow], flow not in begun, self._coefficients[products])
            for flow, products in way.counted
        ]
        into = next((m.place for m in moves if m.rows is None and m.begins and m.place is not None), None)
        moves = [move._replace(place=None) if move.place == into else move for move in moves]
        moves = [move for move in moves if move.left is not None or move.place is not None]
        spared = [
            (self._room[flow], self._place[flow], self._coefficients[products])
            for flow, products in way.spared
        ]
        return _Push(barred, first, tuple(limits), into, tuple(moves), tuple(spared))

    def _follow(self, push: _Push, step: int, used: Sequence[Array]) -> None:
        for room, rival in push.barred:
            np.greater(used[rival], NOTHING, out=self._barred)
            np.copyto(room, 0.0, where=self._barred)
        amount, part = self._amount if push.into is None else used[push.into], self._part
        most = push.first
        for room, rows in push.limits:
            if rows is None:
                np.minimum(most, room, out=amount)
            else:
                np.divide(room, rows[step], out=part)
                np.minimum(most, part, out=amount)
            most = amount
        for _, spare, rows in push.spared:
            there = used[spare] if rows is None else np.divide(used[spare], rows[step], out=part)
            np.minimum(most, there, out=amount)
            most = amount
        for left, place, begins, rows in push.moves:
            if rows is None:
                moved = amount
            else:
                moved = used[place] if begins and place is not None else part
                np.multiply(amount, rows[step], out=moved)
            if left is not None:
                np.subtract(left, moved, out=left)
                if rows is not None:
                    # What a ratio took may be more than there was by the last bit of a number.
                    np.maximum(left, 0.0, out=left)
            if place is not None and moved is not used[place]:
                np.add(used[place], moved, out=used[place])
        for bought, spare, rows in push.spared:
            moved = amount if rows is None else np.multiply(amount, rows[step], out=part)
            np.add(bought, moved, out=bought)
            np.subtract(used[spare], moved, out=used[spare])
            np.maximum(used[spare], 0.0, out=used[spare])


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
