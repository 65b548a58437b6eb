"""Units that are switched on and off, or bound by a ramp, in the pass over the steps.

Symbols: y output [kW], u on (0 or 1), m its least output while on [kW], a most that it can give, ρ Δ what a
ramp allows in a step, r = max(m, ρ Δ) what it reaches in the step of a start and from where it stops, U and D
minimum up and down time in steps, k steps since it was switched last; [lo, hi] what it may run in the step.

(J9)   on before:   y in [max(m, y_{t-1} - ρ Δ), min(a, y_{t-1} + ρ Δ)] or off;   it must stay on where k < U or
       y_{t-1} > r
(J10)  off before:  y in [m, min(a, r)] or off;   it must stay off where k < D
(J11)  first lo = 0: it runs what it is asked for. Where a demand or a wish asks for less than its least, or where
       it must be on, lo is its least; that goes before all else, and what nothing asks for goes to storages and
       sales. Where there is no place for it, or only surplus asks, it is off
(J12)  what goes with y at part load is x(y) = c y, with c of the y before; again until c is that of y

In each step the ways are followed as often as something changes by (J11) or (J12), in one unit at a time: in the
one that comes last in the order of ways first. There is no foresight: a unit that must stay on where its least
output has no place breaks a rule, and the checks fail. Without a least output it stays on, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schema.components import Dispatchable
from solvers.maths import Array, Numbers
from solvers.rules.levels import Level
from solvers.rules.network import AT_LOAD, Flow, Network, Switch, Take
from solvers.rules.stepping import NOTHING, Operation, Passage, Plan, Turn
from solvers.rules.tables import Table
from solvers.rules.ways import Product, Way

_EXACT = 1e-9
"""An output this near to where it should be is there, relative to the capacity."""
_LONG_AGO = 1 << 40
_MOST_RATIOS = 8
"""So often the efficiency follows the load; then the load is held."""
_MOST_PASSES = 40

ON = "on"


class Switched:
    """One unit of n designs on its way through the steps.

    Attributes:
        flow: y.
        lo, hi: (n,), what it may run in the step.
        needed: (n,), what demands and wishes ask of it.
        ratio: (n,), c.
        available: (n,), a in the step.
    """

    def __init__(self, switch: Switch, units: Sequence[Dispatchable], numbers: Sequence[Numbers]) -> None:
        self.switch, self.flow = switch, switch.flow

        def of(name: str, otherwise: float) -> Array:
            return np.array([float(own[name]) if name in own else otherwise for own in numbers])

        capacity = np.array([unit.capacity_kw for unit in units], dtype=float)
        loads = [unit.initial_load_fraction for unit in units]
        self._least_load, self._ramp = of("least_kw", 0.0), of("ramp_kw", np.inf)
        self._up, self._down = of("min_up_steps", 1.0), of("min_down_steps", 1.0)
        self._is_told = np.array([load is not None for load in loads])
        self._before = np.array([load or 0.0 for load in loads]) * capacity
        self.on = (
            np.array([bool(load) for load in loads]) if switch.whole else np.ones(len(units), dtype=bool)
        )
        self._since = np.full(len(units), _LONG_AGO, dtype=float)
        self._slack = _EXACT * (1.0 + capacity)
        shape = capacity.shape
        self.lo, self.hi, self.needed, self.available = (np.zeros(shape) for _ in range(4))
        self.ratio, self._tries = np.ones(shape), np.zeros(shape)
        self._is_held, self._is_off = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        self.line: Line | None = None

    def open(self, step: int) -> None:
        """What it may do in a step (J9, J10)."""
        bound = self._is_told | (step > 0)
        fall, rise = self._before - self._ramp, self._before + self._ramp
        least = np.where(self.on & bound, np.maximum(self._least_load, fall), self._least_load)
        reach = np.where(self.on, rise, np.maximum(self._least_load, self._ramp))
        most = np.where(bound, np.minimum(self.available, reach), self.available)
        if self.switch.whole:
            stops_from = np.maximum(self._least_load, self._ramp) + self._slack
            self._must = self.on & ((self._since < self._up) | (bound & (self._before > stops_from)))
            self._is_off = ~self._must & (
                (~self.on & (self._since < self._down)) | (most < least - self._slack)
            )
        else:
            self._must, self._is_off = np.ones_like(self.on), np.zeros_like(self.on)
        self._least = least
        self._is_held = np.zeros_like(self.on)
        self._tries = np.zeros_like(self._least)
        np.copyto(self.lo, 0.0)
        np.copyto(self.hi, np.where(self._is_off, 0.0, most))

    def settle(self, output: Array, busy: NDArray[np.bool_]) -> None:
        """What it may do instead, in designs where nothing else has changed; these are busy then (J11, J12).

        Args:
            output: (n,), what it ran.
            busy: (n,), designs whose ways must be followed again.
        """
        short = (output < self._least - self._slack) & ~self._is_off & ~busy
        held = short & ~self._is_held & (self._must | (self.needed > NOTHING))
        off = short & ~held & ~self._must & (self._is_held | (output > 0))
        np.copyto(self.lo, np.minimum(self._least, self.hi), where=held)
        for limit in (self.lo, self.hi):
            np.copyto(limit, 0.0, where=off)
        self._is_held |= held
        self._is_off |= off
        busy |= held | off
        if self.line is not None:
            self._follow_load(self.line.other_flow(output), output, busy)

    def _follow_load(self, other: Array, output: Array, busy: NDArray[np.bool_]) -> None:
        wrong = (output > NOTHING) & ~busy & (np.abs(other - self.ratio * output) > self._slack)
        np.divide(other, output, out=self.ratio, where=wrong)
        self._tries += wrong
        pinned = wrong & (self._tries > _MOST_RATIOS)
        for limit in (self.lo, self.hi):
            np.copyto(limit, output, where=pinned)
        busy |= wrong

    def close(self, output: Array) -> None:
        """Hand on to the next step."""
        if self.switch.whole:
            stays = self.on & (self._least <= 0)
            on = (output > NOTHING) | self._must | stays
            self._since = np.where(on == self.on, self._since + 1, 1)
            self.on = on
        self._before = output.copy()


class Line:
    """What goes with the output of a unit at part load, for n designs (P1 of `solvers.components.part_load`)."""

    def __init__(
        self, begins: Array, slope: Array, idle: Array, bends: Sequence[tuple[Array, Array, Array]]
    ) -> None:
        self.begins, self.slope, self.idle, self.bends = begins, slope, idle, bends

    def other_flow(self, output: Array) -> Array:
        """x(y), (n,); below the first point as at it: the line drawn on would come to less than nothing."""
        load = np.maximum(output, self.begins)
        total = self.slope * load + self.idle
        for bend, begins, length in self.bends:
            total = total + bend * np.clip(load - begins, 0.0, length)
        return np.divide(total * output, load, out=np.zeros_like(output), where=output > 0)


def segments_of(numbers: Numbers, output: Array) -> dict[str, Array]:
    """The variables of a part-load line for an output (T,)."""
    values: dict[str, Array] = {}
    begins, k = numbers["from_kw"] + numbers["length_1_kw"], 2
    while f"length_{k}_kw" in numbers:
        length = numbers[f"length_{k}_kw"]
        values[f"segment_{k}_kw"] = np.clip(output - begins, 0.0, length)
        values[f"use_{k}"] = (values[f"segment_{k}_kw"] > 0).astype(float)
        begins, k = begins + length, k + 1
    return values


def starts_of(on: Array, was_on: bool) -> Array:
    """(T,), 1 where a unit starts."""
    return np.maximum(np.diff(on, prepend=float(was_on)), 0.0)


def full_load_ratio(numbers: Numbers, ratio: str) -> Array:
    """How much of the other flow goes with the output at full load."""
    capacity, other, k = numbers["from_kw"] + numbers["length_1_kw"], numbers["idle_kw"], 2
    while f"length_{k}_kw" in numbers:
        capacity = capacity + numbers[f"length_{k}_kw"]
        other = other + numbers[f"bend_{k}"] * numbers[f"length_{k}_kw"]
        k += 1
    if capacity <= 0:
        return np.asarray(numbers[ratio])
    return np.asarray(numbers[ratio] + other / capacity)


class CommittedPassage(Passage):
    """The pass of designs whose network has units with rules of commitment.

    Args:
        network, ways, table, limits, levels, kept: as for any pass.
        units: those of the designs, by component.
    """

    def __init__(
        self,
        network: Network,
        ways: Sequence[Way],
        table: Table,
        limits: dict[Flow, Array],
        levels: Sequence[Level],
        kept: Collection[Flow],
        units: Mapping[str, Sequence[Dispatchable]],
    ) -> None:
        switches = sorted(network.switches, key=lambda switch: _first_place(switch, ways))
        told = {Flow(switch.component, ON) for switch in switches if switch.whole}
        super().__init__(network, ways, table, limits, levels, {*kept, *(s.flow for s in switches), *told})
        self._units = [
            Switched(switch, units[switch.component], table.numbers_of(switch.component))
            for switch in switches
        ]
        self._busy = np.zeros(table.designs, dtype=bool)
        self._need, self._rest = np.empty(table.designs), np.empty(table.designs)
        self._always: set[Hashable] = set()
        for unit in self._units:
            # What its ways find as the most that it can be is what it may run.
            unit.available, self._feeds.now[unit.flow] = self._feeds.now[unit.flow], unit.hi
            self._always.add(unit.flow)
            if unit.switch.line:
                unit.line = self._line(unit.switch)
                np.copyto(unit.ratio, table.array(unit.switch.component, AT_LOAD)[0])
        self._at_load = [
            operation
            for products in self._ratios
            if any(factor.name == AT_LOAD for product in products for factor in product)
            for operation in self._ratio_at_load(products)
        ]

    def _line(self, switch: Switch) -> Line:
        name, start = switch.component, self._fed(switch.component, "from_kw")
        begins, bends, k = start + self._fed(name, "length_1_kw"), [], 2
        while self._table.has(name, f"length_{k}_kw"):
            length = self._fed(name, f"length_{k}_kw")
            bends.append((self._fed(name, f"bend_{k}"), begins, length))
            begins, k = begins + length, k + 1
        return Line(start, self._fed(name, switch.line), self._fed(name, "idle_kw"), bends)

    def _fed(self, component: str, parameter: str) -> Array:
        """A parameter that is read in every step."""
        key = (component, parameter)
        self._always.add(key)
        return self._feeds.add(key, self._table.array(component, parameter))

    def _ratio_at_load(self, products: tuple[Product, ...]) -> list[Operation]:
        """How a ratio is worked out that has a unit's load in it."""
        designs = self._table.designs
        operations: list[Operation] = []
        total, part = np.empty(designs), np.empty(designs)
        ratio_of = {unit.switch.component: unit.ratio for unit in self._units}
        self._feeds.now[products] = total
        self._feeds.changing.pop(products, None)
        into, one = total, np.ones(designs)
        for product in products:
            rest = tuple(factor for factor in product if factor.name != AT_LOAD)
            self._always.add((rest,))
            value = self._feeds.add((rest,), self._table.product(rest)) if rest else one
            operations.append((np.multiply, value, one, into))
            for component, name, power in product:
                if name == AT_LOAD:
                    operation = np.multiply if power > 0 else np.divide
                    operations.append((operation, into, ratio_of[component], into))
            if into is part:
                operations.append((np.add, total, part, total))
            into = part
        return operations

    def _follow(self, step: int, plan: Plan) -> None:
        """The ways as often as it takes until all units keep their rules."""
        for unit in self._units:
            unit.open(step)
        for _ in range(_MOST_PASSES):
            for operation, one, other, into in self._at_load:
                operation(one, other, into)
            super()._follow(step, plan)
            self._busy.fill(False)
            for unit in reversed(self._units):
                unit.settle(self._used[unit.flow], self._busy)
            if not self._busy.any():
                break
        for unit in self._units:
            unit.close(self._used[unit.flow])
            if unit.switch.whole:
                np.copyto(self._used[Flow(unit.switch.component, ON)], unit.on)

    def _planned(self, ways: Sequence[Way]) -> Plan:
        """First what each unit must run, then all else; every room is open, and every flow begins at 0."""
        flows = {flow for way in ways for flow, _ in way.terms} | {unit.flow for unit in self._units}
        stored = {flow for store in self._stores for flow in (store.give, store.take, store.wish)}
        opening: list[Operation] = [
            (np.add, self._feeds.now[flow], self._nothing, self._room[flow])
            for flow in sorted(flows - stored)
        ]
        turns = [Turn(opening, None, [])]
        opened = flows | stored
        for unit in self._units:
            forced = [way for way in ways if any(flow == unit.flow for flow, _ in way.terms)]
            operations = [o for way in forced for o in self._whole_turn(way, opened)]
            turns += self._reserved(unit, operations)
        asked = [way for way in ways if not way.surplus]
        for way in (way for way in asked if way.sink.rank <= Take.WISH):
            turns.append(Turn(self._whole_turn(way, opened), None, []))
        turns.append(
            Turn([(np.add, self._used[u.flow], self._nothing, u.needed) for u in self._units], None, [])
        )
        for way in (way for way in asked if way.sink.rank > Take.WISH):
            turns.append(Turn(self._whole_turn(way, opened), None, []))
        return Plan(self._read_for(ways), tuple(turns))

    def _whole_turn(self, way: Way, opened: set[Flow]) -> list[Operation]:
        first, _, then = self._followed(way, {flow for flow, _ in way.terms}, opened, set(self._used))
        return [*first, *then]

    def _reserved(self, unit: Switched, operations: list[Operation]) -> list[Turn]:
        """Ways that are followed as far as a unit must run what it does not run yet."""
        room, need, rest = self._room[unit.flow], self._need, self._rest
        first: list[Operation] = [
            (np.subtract, unit.lo, self._used[unit.flow], need),
            (np.fmax, need, self._nothing, need),
            (np.fmin, need, room, need),
            (np.subtract, room, need, rest),
            (np.add, need, self._nothing, room),
        ]
        return [Turn(first, need, operations), Turn([(np.add, room, rest, room)], None, [])]

    def _read_for(self, ways: Sequence[Way]) -> tuple[tuple[Array, Array], ...]:
        also = [read for key, read in self._feeds.changing.items() if key in self._always]
        return (*(read for read in super()._read_for(ways) if not any(read is one for one in also)), *also)


def _first_place(switch: Switch, ways: Sequence[Way]) -> int:
    return next(
        (place for place, way in enumerate(ways) if any(flow == switch.flow for flow, _ in way.terms)),
        len(ways),
    )
