"""Levels from step to step, and the limits that the rules set to them.

Symbols: l level after a step, b = keep · l_{t-1} + carried_t what it is without charging, η what a unit of charge
adds, ρ what a unit of discharge takes, c_max and d_max the most of both, [l_min, l_max] the bounds of the model.

(J1)  charge at most (ceiling_t - b) / η and c_max,  discharge at most (b - floor_t) / ρ and d_max,
      wish (w_t - b) / η
(J2)  n_t = max(l_min_t, (n_{t+1} - carried_{t+1} - η c_max_{t+1}) / keep_{t+1}):  with less, a later bound breaks
(J3)  a car's wish and floor:  the most of n until it leaves
(J4)  a shiftable demand's level is what it had ahead of its wish, its wish max(0, n_t), its ceiling what is
      still to be wished in the window
(J5)  a cyclic storage that must end with E:  in its last steps floor and ceiling are the level that losses bring
      to E by the end, and its wish is the level from which half its power still reaches E

The last steps are as many as empty the storage twice at full power, at least a day, at most a quarter of the
horizon.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from solvers.maths import Array
from solvers.rules.network import Flow, Store
from solvers.rules.tables import Rows, Table

_STEERED_HOURS = 24.0
_STEERED_SHARE = 0.25
_HALF = 0.5


@dataclass(frozen=True)
class Level:
    """The limits of one store of n designs.

    Attributes:
        store: what it is.
        keep, carried: rows; None where a step keeps all, or carries nothing for any design.
        floor, ceiling, wish: rows; no wish where it is None.
        most_charge, most_discharge: rows; no discharge where they are none.
        charged, released: (n,), η and ρ.
    """

    store: Store
    keep: Rows | None
    carried: Sequence[Array | None]
    floor: Rows
    ceiling: Rows
    wish: Sequence[Array | None]
    most_charge: Rows
    most_discharge: Rows
    charged: Array
    released: Array

    @property
    def name(self) -> Flow:
        """Its variable."""
        return Flow(self.store.component, self.store.level)


class Levels:
    """All S stores of n designs on their way through the steps, worked out together.

    A parameter is copied only in the steps in which it changes.

    Args:
        levels: the stores.
        flows: (2, S, n), what a step charges and discharges.
        level: (S, n), where the levels stand.

    Attributes:
        take, give, wish: (S, n), how much may be put in, taken out, and is wished in the step.
    """

    def __init__(self, levels: Sequence[Level], flows: Array, level: Array) -> None:
        shape = level.shape
        self._flows, self._level = flows, level
        self._room = np.zeros((2, *shape))
        self.take, self.give = self._room
        self.wish, self._wished = np.zeros(shape), np.empty(shape)
        self._base, self._part = np.empty(shape), np.empty((2, *shape))
        self._keep, self._carried = np.ones(shape), np.zeros(shape)
        self._floor, self._ceiling = np.empty(shape), np.empty(shape)
        self._most = np.zeros((2, *shape))
        self._by_flow = np.array([[one.charged for one in levels], [one.released for one in levels]])
        self._nothing = np.zeros((2, *shape))
        self._by_level = 1.0 / self._by_flow
        self._carries = [
            any(row is not None for row in rows) for rows in zip(*(x.carried for x in levels), strict=True)
        ]
        self._wishes = [
            any(row is not None for row in rows) for rows in zip(*(x.wish for x in levels), strict=True)
        ]
        self._changes: dict[int, list[tuple[Array, Array]]] = defaultdict(list)
        nothing, no_wish = np.zeros(shape[1]), np.full(shape[1], -np.inf)
        for place, one in enumerate(levels):
            self._feed(self._keep[place], one.keep or ())
            self._feed(self._carried[place], [nothing if row is None else row for row in one.carried])
            self._feed(self._floor[place], one.floor)
            self._feed(self._ceiling[place], one.ceiling)
            self._feed(self._wished[place], [no_wish if row is None else row for row in one.wish])
            self._feed(self._most[0, place], one.most_charge)
            self._feed(self._most[1, place], one.most_discharge)

    def _feed(self, into: Array, rows: Sequence[Array]) -> None:
        before = None
        for step, row in enumerate(rows):
            if row is not before:
                self._changes[step].append((into, row))
                before = row

    def open(self, step: int) -> None:
        """How much may be put in, taken out, and is wished in a step (J1)."""
        for into, row in self._changes.get(step, ()):
            np.copyto(into, row)
        base, room = self._base, self._room
        np.multiply(self._level, self._keep, base)
        if self._carries[step]:
            np.add(base, self._carried, base)
        np.subtract(self._ceiling, base, self.take)
        np.subtract(base, self._floor, self.give)
        np.multiply(room, self._by_level, room)
        np.fmin(room, self._most, room)
        np.fmax(room, self._nothing, room)
        if self._wishes[step]:
            np.subtract(self._wished, base, self.wish)
            np.multiply(self.wish, self._by_level[0], self.wish)
            np.fmax(self.wish, self._nothing[0], self.wish)

    def close(self) -> None:
        """The levels after a step."""
        np.multiply(self._flows, self._by_flow, self._part)
        np.add(self._base, self._part[0], self._level)
        np.subtract(self._level, self._part[1], self._level)


@dataclass(frozen=True)
class _Bounds:
    lowest: Rows
    highest: Rows
    keep: Rows
    carried: Rows
    most_charge: Rows
    charged: Array


def level_of(
    store: Store, table: Table, uppers: Mapping[Flow, str], step_hours: float, feeders: Array
) -> Level:
    """A store with its limits for every step.

    Args:
        store: which.
        table: the designs' parameters.
        uppers: parameters of the flows' upper bounds.
        step_hours: Δ.
        feeders: (n,), the most that what is bought can bring to it.
    """

    def row(name: str) -> Array:
        return table.rows(table.array(store.component, name))[0] if name else np.ones(table.designs)

    def rows(name: str) -> Rows:
        return table.edged_rows(store.component, name) if name else [np.ones(table.designs)] * table.steps

    lowest, highest = rows(store.lowest), rows(store.highest)
    carried = rows(store.carried)
    if store.sign < 0:
        lowest, highest, carried = (_each(rows, np.negative) for rows in (highest, lowest, carried))
    most_discharge = rows(uppers[store.give]) if store.discharge else []
    bounds = _Bounds(lowest, highest, rows(store.keep), carried, rows(uppers[store.take]), row(store.charged))
    wish: Sequence[Array | None]
    if store.sign < 0:
        floor, ceiling, wish = lowest, _still_wished(bounds), _served_at_once(bounds)
    elif store.keep == "keep":
        floor, ceiling = _for_the_next_trip(bounds), highest
        wish = floor
    else:
        floor, ceiling, wish = _plain(store, bounds, most_discharge, step_hours, feeders)
    return Level(
        store, bounds.keep if store.keep else None, _each(carried, lambda row: row if row.any() else None),
        floor, ceiling, list(wish), bounds.most_charge, most_discharge, bounds.charged, row(store.released),
    )  # fmt: skip


_MadeT = TypeVar("_MadeT")


def _each(rows: Rows, made: Callable[[Array], _MadeT]) -> list[_MadeT]:
    """Something made of each row, once where rows are one object."""
    known: dict[int, _MadeT] = {}
    found = []
    for row in rows:
        key = id(row)
        if key not in known:
            known[key] = made(row)
        found.append(known[key])
    return found


def _needed(b: _Bounds) -> Rows:
    """What a level must be after each step for the rest to be possible (J2)."""
    needed = list(b.lowest)
    for t in range(len(needed) - 2, -1, -1):
        with np.errstate(divide="ignore", invalid="ignore"):
            before = (needed[t + 1] - b.carried[t + 1] - b.charged * b.most_charge[t + 1]) / b.keep[t + 1]
        needed[t] = np.where(b.keep[t + 1] > 0, np.maximum(b.lowest[t], before), b.lowest[t])
    return needed


def _for_the_next_trip(b: _Bounds) -> Rows:
    """What a car is charged to as soon as it can be (J3)."""
    wish = _needed(b)
    for t in range(len(wish) - 2, -1, -1):
        stays = (b.most_charge[t + 1] > 0) & (b.keep[t + 1] > 0)
        later = np.where(stays, wish[t + 1] - b.carried[t + 1], -np.inf)
        wish[t] = np.minimum(np.maximum(wish[t], later), b.highest[t])
    return wish


def _served_at_once(b: _Bounds) -> Rows:
    """What has been wished, or must be served ahead (J4)."""
    return [np.maximum(needed, 0.0) for needed in _needed(b)]


def _still_wished(b: _Bounds) -> Rows:
    """What can be served ahead (J4)."""
    ceiling = list(b.highest)
    for t in range(len(ceiling) - 2, -1, -1):
        ceiling[t] = np.minimum(ceiling[t], ceiling[t + 1] - b.carried[t + 1])
    return ceiling


def _plain(
    store: Store, b: _Bounds, most_discharge: Rows, step_hours: float, feeders: Array
) -> tuple[Rows, Rows, list[Array | None]]:
    """Floor, ceiling and wish of a storage (J5)."""
    floor, ceiling, steps = list(b.lowest), list(b.highest), len(b.lowest)
    keep = b.keep[0]
    sinks = (b.lowest[0] > 0) & ((keep < 1) | (b.carried[0] < b.lowest[0]))
    wish = _each(b.lowest, lambda row: _where(sinks, row))
    if not store.cyclic:
        return floor, ceiling, wish
    end, power = b.lowest[-1].copy(), np.minimum(b.most_charge[-1], feeders)
    step_kwh = b.charged * power * _HALF
    steered = _steered_steps(ceiling[0], most_discharge[-1], step_hours, steps)
    held, reached = end, end
    for back in range(int(steered.max())):
        t = steps - 1 - back
        within = steered > back
        low, high = (b.lowest[t], b.highest[t]) if back else (end, end)
        held = np.minimum(held, high)
        reached = np.maximum(reached, low)
        floor[t] = np.where(within, np.maximum(held, low), low)
        ceiling[t] = np.where(within, np.maximum(held, low), high)
        plain = wish[t]
        wish[t] = np.where(within, reached, -np.inf if plain is None else plain)
        held = held / keep
        reached = (reached - step_kwh) / keep
    return floor, ceiling, wish


def _where(applies: NDArray[np.bool_], row: Array) -> Array | None:
    return np.where(applies, row, -np.inf) if applies.any() else None


def _steered_steps(capacity: Array, most_discharge: Array, step_hours: float, steps: int) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        twice = 2.0 * capacity / most_discharge
    hours = np.maximum(np.where(np.isfinite(twice), twice, _STEERED_HOURS), _STEERED_HOURS)
    return np.maximum(np.minimum(np.ceil(hours / step_hours), np.floor(steps * _STEERED_SHARE)), 1.0)
