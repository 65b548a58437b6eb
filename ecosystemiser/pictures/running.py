"""A dispatch as its pictures take it: what flows between which nodes, what is held, what energy costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecosystemiser.pictures.wording import component_colours

if TYPE_CHECKING:
    from schema.system import System
    from solvers.judging import Dispatch

Array = NDArray[np.float64]
_PRICES = (
    "import_price_eur_per_kwh",
    "export_price_eur_per_kwh",
    "price_eur_per_kwh",
    "import_price_eur_per_m3",
)


@dataclass(frozen=True, eq=False)
class Port:
    """A flow of a component at a node.

    Attributes:
        component: whose.
        key: its name there, such as `import_kw`.
        node: such as `electricity` or `heat@house_2`.
        sign: +1 where it goes into the node, -1 where it is taken from it.
        flow: [kW], of water [m³/h], (T,).
    """

    component: str
    key: str
    node: str
    sign: int
    flow: Array

    @property
    def is_water(self) -> bool:
        return self.key.endswith("_m3_per_hour")

    @property
    def name(self) -> str:
        """The component, and which of its flows where it has several there."""
        way = self.key.removesuffix("_kw").removesuffix("_m3_per_hour")
        plain = way in {"output", "input", "water", self.node.partition("@")[0]}
        return self.component if plain else f"{self.component}: {way.replace('_', ' ')}"


@dataclass(frozen=True)
class Running:
    """A dispatch over its horizon.

    Attributes:
        name: the run or the system.
        index: beginnings of the steps, by the system's own clock.
        step_hours: length of a step.
        ports: all flows.
        levels: what is held, `component.state` → (T,) [kWh, m³].
        prices: what energy costs, label → (T,), by unit.
        colours: of the components.
    """

    name: str
    index: pd.DatetimeIndex
    step_hours: float
    ports: tuple[Port, ...]
    levels: Mapping[str, Array]
    prices: Mapping[str, Mapping[str, Array]]
    colours: Mapping[str, str]

    @cached_property
    def nodes(self) -> list[str]:
        """The nodes, the one with the largest flows first of those with one unit."""
        through: dict[str, float] = {}
        for port in self.ports:
            through[port.node] = through.get(port.node, 0.0) + float(np.abs(port.flow).sum())
        water = {port.node for port in self.ports if port.is_water}
        return sorted((n for n in through if through[n] > 0), key=lambda n: (n in water, -through[n]))

    def at(self, node: str) -> list[Port]:
        """The flows at a node."""
        return [port for port in self.ports if port.node == node]

    def between(self, first: int, last: int) -> Running:
        """The steps from the first to before the last."""
        part = slice(first, last)
        return Running(
            self.name,
            self.index[part],
            self.step_hours,
            tuple(Port(p.component, p.key, p.node, p.sign, p.flow[part]) for p in self.ports),
            {name: level[part] for name, level in self.levels.items()},
            {unit: {n: p[part] for n, p in told.items()} for unit, told in self.prices.items()},
            self.colours,
        )

    @property
    def times(self) -> NDArray[np.datetime64]:
        """Beginnings of the steps and the end of the last, (T + 1,), by the wall clock."""
        step = pd.Timedelta(hours=self.step_hours)
        begins = self.index.tz_localize(None)
        return np.append(begins.to_numpy(), np.datetime64(begins[-1] + step))


def running(
    name: str,
    system: System,
    profiles: Mapping[str, Array],
    flows: Mapping[str, Array],
    levels: Mapping[str, Array],
) -> Running:
    """A dispatch from its series.

    Args:
        name: of the run or the system.
        system: the design that was dispatched.
        profiles: the system's, each (T,).
        flows: `component.port` → (T,).
        levels: `component.state` → (T,).
    """
    from schema.study import SolverSettings
    from solvers.case import reference_case
    from solvers.model import NUMPY, bounds_of, state_equations, variables_of

    case = reference_case(system, profiles, SolverSettings())
    ports = []
    for of, component in system.components.items():
        numbers = case.numbers[of]
        nothing = {v.name: np.zeros_like(bounds_of(v, numbers)[1]) for v in variables_of(system, of)}
        stated = state_equations(component, numbers, nothing, NUMPY)
        for key, port in stated.ports.items():
            flow = np.asarray(flows[f"{of}.{key}"], dtype=float)
            ports.append(Port(of, key, component.node(port.carrier), port.sign, flow))
    index = system.horizon.index
    types = {of: str(getattr(c, "type", "")) for of, c in system.components.items()}
    return Running(
        name,
        index,
        system.horizon.step_hours,
        tuple(ports),
        {key: np.asarray(level, dtype=float) for key, level in levels.items()},
        _prices(system, case.setting),
        component_colours(types),
    )


def _prices(system: System, setting: Any) -> dict[str, dict[str, Array]]:
    """What is paid and earned, by unit; nothing that is 0 throughout."""
    found: dict[str, dict[str, Array]] = {}
    for name, component in system.components.items():
        for attribute in _PRICES:
            value = getattr(component, attribute, None)
            if value is None:
                continue
            series = np.asarray(setting.of(value), dtype=float)
            if series.any():
                unit = "€/m³" if attribute.endswith("_m3") else "€/kWh"
                what = attribute.partition("_price")[0] if "_price" in attribute else ""
                found.setdefault(unit, {})[f"{name}: {what} price".replace(":  ", ": ")] = series
    return found


def running_of(name: str, dispatch: Dispatch, profiles: Mapping[str, Array]) -> Running:
    """A dispatch that was just solved."""
    return running(name, dispatch.system, profiles, dispatch.flows, dispatch.states)
