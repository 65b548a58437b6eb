"""Pictures of one dispatch: a week of it, its load durations, and where its energy goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecosystemiser.pictures.marks import (
    Layer,
    Line,
    Mark,
    Panel,
    Panels,
    Picture,
    Place,
    Rule,
    Sankey,
    Stack,
    Stream,
)
from ecosystemiser.pictures.running import Port, Running
from ecosystemiser.pictures.wording import FAINT, GREY, INK, SERIES, rounded

_MOST_NODES = 4
_NOTHING = 1e-6
"""Share of the largest flow that is none."""
HOURS_PER_WEEK = 168
_LOSSES, _AMBIENT = "#C8C8C8", "#BFD7EA"


def week(run: Running, *, nodes: Sequence[str] = ()) -> Picture:
    """Who gives and who takes at every node, hour by hour, with storage levels and prices.

    Args:
        run: a part of the dispatch, a week as a rule.
        nodes: which to show; those with the largest flows unless told.
    """
    shown = list(nodes) or run.nodes[:_MOST_NODES]
    panels = [_balance(run, node) for node in shown]
    panels += _levels(run)
    panels += [
        Panel(
            [
                _step_line(run, series, name, SERIES[i % len(SERIES)], unit)
                for i, (name, series) in enumerate(told.items())
            ],
            "",
            f"price [{unit}]",
            height=0.7,
            legend="beside",
        )
        for unit, told in run.prices.items()
    ]
    left = len(run.nodes) - len(shown)
    part = f"; {left} more node{'s' if left > 1 else ''} left out" if left > 0 else ""
    first, last = run.index[0], run.index[-1]
    return Picture(
        f"{run.name}: dispatch from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
        Panels(panels, shared_x=True),
        below=f"above zero what comes in, below zero what is taken; time of {run.index.tz or 'UTC'}{part}",
        width=11.0,
        height=0.8 + 2.0 * sum(panel.height for panel in panels),
    )


def _balance(run: Running, node: str) -> Panel:
    ports = _told(run.at(node))
    unit = "m³/h" if any(port.is_water for port in ports) else "kW"
    layers = [Layer(p.name, p.sign * p.flow, run.colours[p.component]) for p in ports]
    up = [layer for layer, port in zip(layers, ports, strict=True) if port.sign > 0]
    down = [layer for layer, port in zip(layers, ports, strict=True) if port.sign < 0]
    marks: list[Mark] = [Stack(run.times, part, unit) for part in (up, down) if part]
    return Panel(
        [*marks, Rule(0.0, colour=INK, upright=False, width=0.8)],
        "",
        f"{node} [{unit}]",
        height=1.4,
        legend="beside",
    )


def _told(ports: Sequence[Port]) -> list[Port]:
    """Those that carry anything."""
    most = max((float(np.abs(port.flow).max()) for port in ports), default=0.0)
    return [port for port in ports if float(np.abs(port.flow).max()) > _NOTHING * max(most, _NOTHING)]


def _levels(run: Running) -> list[Panel]:
    """What is held, in a panel for each unit."""
    panels = []
    for unit, end in (("kWh", "_kwh"), ("m³", "_m3")):
        held = {name: level for name, level in run.levels.items() if name.endswith(end) and level.any()}
        if not held:
            continue
        lines = []
        for name, level in held.items():
            component, _, state = name.partition(".")
            words = component if state.startswith("level") else f"{component}: {state.removesuffix(end)}"
            # A level is reached at the end of its step.
            lines.append(Line(run.times[1:], level, words, run.colours.get(component, GREY), unit=unit))
        panels.append(Panel(lines, "", f"held [{unit}]", height=0.9, legend="beside"))
    return panels


def _step_line(run: Running, series: NDArray[np.float64], name: str, colour: str, unit: str) -> Line:
    return Line(run.times, np.append(series, series[-1:]), name, colour, 1.8, steps=True, unit=unit)


# -- load duration


def duration(run: Running, *, nodes: Sequence[str] = ()) -> Picture:
    """For how many hours each flow is at least how large.

    Args:
        run: the whole dispatch.
        nodes: which to show; those with the largest flows unless told.
    """
    shown = list(nodes) or run.nodes[:_MOST_NODES]
    panels = []
    hours = np.arange(len(run.index) + 1, dtype=np.float64) * run.step_hours
    for node in shown:
        ports = _told(run.at(node))
        unit = "m³/h" if any(port.is_water for port in ports) else "kW"
        lines: list[Mark] = []
        if len([port for port in ports if port.sign < 0]) > 1:
            total = sum((port.flow for port in ports if port.sign < 0), np.zeros(len(run.index)))
            lines.append(_falling(hours, total, "all that is taken", INK, unit, dashed=True))
        for port in sorted(ports, key=lambda port: -port.sign):
            lines.append(
                _falling(hours, port.flow, port.name, run.colours[port.component], unit, dashed=port.sign < 0)
            )
        panels.append(
            Panel(
                lines, "hours of the horizon, the largest flow first [h]", f"{node} [{unit}]", legend="beside"
            )
        )
    return Picture(
        f"{run.name}: load durations",
        Panels(panels, shared_x=True),
        below="for how long each flow is at least how large; whole lines come in, dashed ones are taken",
        width=10.5,
        height=0.9 + 3.2 * len(panels),
    )


def _falling(
    hours: NDArray[np.float64], flow: NDArray[np.float64], name: str, colour: str, unit: str, *, dashed: bool
) -> Line:
    falling = np.sort(np.abs(flow))[::-1]
    most = 1500
    if len(falling) <= most:
        return Line(hours, np.append(falling, falling[-1:]), name, colour, 1.8, dashed, steps=True, unit=unit)
    # Each point is its own step's: a year's curve needs no more of them than a picture is wide.
    kept = np.unique(np.linspace(0, len(falling) - 1, most).round().astype(int))
    return Line(hours[kept], falling[kept], name, colour, 1.8, dashed, unit=unit)


# -- Sankey


def sankey(run: Running) -> Picture:
    """Where the energy of the whole horizon comes from, what becomes of it, and where it goes.

    What converters gain from their surroundings or lose stands there too. Storages give on the left and take on
    the right; between both lie their losses and what they hold in the end.
    """
    # Where there is more of water, energy only pumps it.
    water = 2 * sum(port.is_water for port in run.ports) > len(run.ports)
    ports = [port for port in run.ports if port.is_water == water and _amount(run, port) > 0]
    most = max((_amount(run, port) for port in ports), default=0.0)
    ports = [port for port in ports if _amount(run, port) > 1e-4 * most]
    if not ports:
        raise ValueError("nothing flows")
    unit = "m³" if water else "kWh"
    drawn = _Drawing(run, ports)
    columns = 1 + max(place.column for place in drawn.places())
    total = sum(_amount(run, port) for port in ports if port.sign > 0 and not drawn.converts(port.component))
    return Picture(
        f"{run.name}: where the {'water' if water else 'energy'} goes",
        Sankey(drawn.places(), drawn.streams, unit),
        below=f"{unit} over {len(run.index) * run.step_hours:,.0f} hours; "
        f"{rounded(total, total)} {unit} come in, from storages too",
        width=max(11.0, 2.1 * columns),
        height=6.4,
    )


def _amount(run: Running, port: Port) -> float:
    return float(np.abs(port.flow).sum()) * run.step_hours


class _Drawing:
    """Places and streams as the ports ask for them."""

    def __init__(self, run: Running, ports: Sequence[Port]) -> None:
        self._run, self._ports = run, ports
        self._known: dict[str, tuple[int, str]] = {}
        self._names: list[str] = []
        self._columns_of: list[int] = []
        self.streams: list[Stream] = []
        signs: dict[str, set[int]] = {}
        nodes: dict[str, set[str]] = {}
        for port in ports:
            signs.setdefault(port.component, set()).add(port.sign)
            nodes.setdefault(port.component, set()).add(port.node)
        self._converters = {name for name in signs if len(signs[name]) == 2 and len(nodes[name]) > 1}
        columns = self._columns()
        last = max(columns.values(), default=0) + 1
        # What would flow back to the left ends on the right and begins anew on the left, as with storages.
        self._cut = {
            port for port in ports if self.converts(port.component) and self._runs_back(port, columns)
        }
        for port in ports:
            self._add(port, columns, last)
        self._close(columns, last)

    def converts(self, component: str) -> bool:
        return component in self._converters

    def _columns(self) -> dict[str, int]:
        """Nodes and converters from left to right: each behind what it is fed by, rings cut where they close."""
        feeds: dict[str, list[str]] = {port.node: [] for port in sorted(self._ports, key=self._supply)}
        for port in self._ports:
            if self.converts(port.component):
                before, after = (port.node, port.component) if port.sign < 0 else (port.component, port.node)
                feeds.setdefault(before, []).append(after)
        order, open_, back = [], set(), set()

        def visit(name: str) -> None:
            open_.add(name)
            for after in feeds.get(name, []):
                if after in open_:
                    back.add((name, after))
                elif after not in order:
                    visit(after)
            open_.discard(name)
            order.append(name)

        for name in list(feeds):
            if name not in order:
                visit(name)
        columns = dict.fromkeys(order, 1)
        for name in reversed(order):
            for after in feeds.get(name, []):
                if (name, after) not in back:
                    columns[after] = max(columns[after], columns[name] + 1)
        levels = sorted(set(columns.values()))
        return {name: 1 + levels.index(column) for name, column in columns.items()}

    def _supply(self, port: Port) -> float:
        """Nodes that much comes into from outside are the first."""
        own = [
            p for p in self._ports if p.node == port.node and p.sign > 0 and not self.converts(p.component)
        ]
        return -sum(_amount(self._run, p) for p in own)

    @staticmethod
    def _runs_back(port: Port, columns: dict[str, int]) -> bool:
        node, component = columns[port.node], columns[port.component]
        return node <= component if port.sign > 0 else component <= node

    def _place(self, key: str, name: str, column: int, colour: str) -> int:
        if key not in self._known:
            self._known[key] = (len(self._names), colour)
            self._names.append(name)
            self._columns_of.append(column)
        return self._known[key][0]

    def _add(self, port: Port, columns: dict[str, int], last: int) -> None:
        colour = self._run.colours[port.component]
        node = self._place(f"node {port.node}", port.node, columns[port.node], FAINT)
        if self.converts(port.component) and port not in self._cut:
            other = self._place(port.component, port.component, columns[port.component], colour)
        elif port.sign > 0:
            other = self._place(f"from {port.name}", port.name, 0, colour)
        else:
            other = self._place(f"to {port.name}", port.name, last, colour)
        ends = (other, node) if port.sign > 0 else (node, other)
        self.streams.append(Stream(*ends, _amount(self._run, port), colour))

    def _close(self, columns: dict[str, int], last: int) -> None:
        """What converters gain from their surroundings or lose."""
        for name in sorted(self._converters):
            own = [port for port in self._ports if port.component == name and port not in self._cut]
            gained = sum(port.sign * _amount(self._run, port) for port in own)
            size = max(_amount(self._run, port) for port in own)
            if abs(gained) < 1e-3 * size:
                continue
            here = self._place(name, name, columns[name], self._run.colours[name])
            if gained > 0:
                there = self._place("surroundings", "surroundings", 0, _AMBIENT)
                self.streams.append(Stream(there, here, gained, _AMBIENT))
            else:
                there = self._place("losses", "losses", last, _LOSSES)
                self.streams.append(Stream(here, there, -gained, _LOSSES))

    def places(self) -> list[Place]:
        colours = [colour for _, colour in self._known.values()]
        told = zip(self._names, self._columns_of, colours, strict=True)
        return [Place(name, column, colour) for name, column, colour in told]
