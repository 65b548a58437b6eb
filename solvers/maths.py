"""How a component's equations are written: once, for CVXPY and for numbers alike.

Each type of component is a `Maths`: from its data come `numbers` (the parameters of its equations), and
`equations(p, v, m)` states ports, constraints and cost in terms of parameters `p`, variables `v` and the
operations `m`. With CVXPY's operations the same lines build the model that is compiled; with numpy's they are
evaluated on a solution, outside the optimiser, to check it.

Symbols: T steps of Δ hours; series have shape (T,). Power is positive in the direction that a port names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import MappingProxyType, SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from schema.components import Component
from schema.profiles import ProfileRef
from schema.system import Horizon

Array = NDArray[np.float64]
Numbers = Mapping[str, Array]
"""Parameters of one component's equations by name: scalars of shape () or series (T,)."""


class Operations(Protocol):
    """What equations need beyond + and -; for CVXPY expressions and for arrays."""

    def times(self, factor: Any, series: Any) -> Any:
        """Element by element."""
        ...

    def total(self, weights: Any, series: Any) -> Any:
        """Σ_t weights_t · series_t."""
        ...

    def previous(self, series: Any) -> Any:
        """The series one step earlier, 0 before the first step."""
        ...

    def recent(self, series: Any, steps: Any) -> Any:
        """Sum over this step and those before it, `steps` in all."""
        ...

    def spread(self, values: Any, groups: Array) -> Any:
        """For each step the value of its group: groups is (T, G) of zeros and ones."""
        ...


class NumpyOperations:
    """The operations on arrays."""

    def times(self, factor: Any, series: Any) -> Any:
        return factor * series

    def total(self, weights: Any, series: Any) -> Any:
        return float(np.dot(weights, series))

    def previous(self, series: Any) -> Any:
        shifted = np.empty_like(series)
        shifted[0] = 0.0
        shifted[1:] = series[:-1]
        return shifted

    def recent(self, series: Any, steps: Any) -> Any:
        count = int(steps)
        sums = np.cumsum(series, axis=-1)
        sums[..., count:] -= sums[..., :-count].copy()
        return sums

    def spread(self, values: Any, groups: Array) -> Any:
        return groups @ values


UNITS = MappingProxyType({"_m3_per_hour": "m³/h", "_m3": "m³", "_kwh": "kWh", "_kw": "kW"})
"""Units of ports and variables by the end of their names."""


@cache
def unit_of(name: str) -> str:
    """The unit that a port's or a variable's name ends in."""
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "-")


@dataclass(frozen=True)
class Var:
    """A variable of a component, with the names of the parameters that bound it."""

    name: str
    upper: str
    """Parameter of the upper bound, (T,) or (G,); may be infinite."""
    lower: str | None = None
    """Parameter of the lower bound; 0 unless named."""
    integer: bool = False
    """Whole numbers only."""
    stock: int = 0
    """+1 for what is held from step to step, -1 for what is owed."""

    @property
    def unit(self) -> str:
        return unit_of(self.name)


@dataclass(frozen=True)
class Port:
    """What a component puts into a node (sign +1) or takes from it (sign -1).

    Attributes:
        carrier: one of the component's `own_carriers`.
        sign: +1 or -1.
        flow: power [kW], of water volume [m³/h]; the port's name ends in the unit.
    """

    carrier: str
    sign: int
    flow: Any


@dataclass(frozen=True)
class Equations:
    """What a component adds to the model.

    Attributes:
        ports: flows at its nodes by name.
        equal: residuals (T,) that must be 0, by label.
        at_most: residuals (T,) that must not be above 0, by label.
        objective: its part of the dispatch objective [€].
    """

    ports: Mapping[str, Port]
    equal: Mapping[str, Any] = field(default_factory=dict)
    at_most: Mapping[str, Any] = field(default_factory=dict)
    objective: Any = 0.0


@dataclass(frozen=True)
class Setting:
    """What a component's numbers depend on besides its own data.

    Attributes:
        horizon: the time steps.
        series: the system's profiles, each (T,).
        months: (T, M), one where a step lies in the horizon's m-th calendar month.
        month_shares: (M,), share of each calendar month that the horizon covers [-].
        carbon_price_eur_per_kg: weight of CO2 in the dispatch, price and weight together.
        exchange_price_eur_per_kwh: weight of electricity that is imported or exported.
    """

    horizon: Horizon
    series: Mapping[str, Array]
    months: Array
    month_shares: Array
    carbon_price_eur_per_kg: float = 0.0
    exchange_price_eur_per_kwh: float = 0.0

    @cached_property
    def ones(self) -> Array:
        return np.ones(self.horizon.steps)

    def of(self, value: float | ProfileRef) -> Array:
        """A number or a named profile as a series (T,)."""
        if isinstance(value, ProfileRef):
            return self.series[value.profile] * value.scale
        return self.ones * value

    def running_cost(self, price_eur_per_kwh: float) -> dict[str, Array]:
        """The parameter `running_eur_per_kw` of a cost that goes with a flow; none where it costs nothing."""
        if price_eur_per_kwh == 0:
            return {}
        return {"running_eur_per_kw": self.ones * (self.horizon.step_hours * price_eur_per_kwh)}

    def limit(self, value: float | None) -> Array:
        """A limit as a series (T,); infinite where there is none."""
        return self.ones * (np.inf if value is None else value)


def calendar_months(horizon: Horizon) -> tuple[Array, Array]:
    """The months of a horizon, for monthly demand charges.

    Returns:
        membership (T, M) of steps in local calendar months, and the share (M,) of each month that is covered.
    """
    index = horizon.index
    codes = index.year.to_numpy() * 12 + index.month.to_numpy() - 1
    months, position, counts = np.unique(codes, return_inverse=True, return_counts=True)
    membership = np.zeros((horizon.steps, months.size))
    membership[np.arange(horizon.steps), position] = 1.0
    hours = np.array([_hours_of_month(int(code), horizon.timezone) for code in months])
    return membership, counts * horizon.step_hours / hours


def _hours_of_month(code: int, timezone: str) -> float:
    import pandas as pd

    year, month = divmod(code, 12)
    start = pd.Timestamp(year=year, month=month + 1, day=1)
    begin, end = (stamp.tz_localize(timezone) for stamp in (start, start + pd.offsets.MonthBegin(1)))
    return float((end - begin) / pd.Timedelta(hours=1))


@dataclass(frozen=True)
class Ledger:
    """What a component's solved flows cost and emit over the horizon, investment apart."""

    cost_eur: float = 0.0
    co2_kg: float = 0.0


@dataclass(frozen=True)
class Maths:
    """The mathematics of one type of component.

    Attributes:
        numbers: data to parameters.
        variables: the variables, given the component (some stand only where an attribute asks for them).
        equations: ports, constraints and objective in terms of parameters, variables and operations.
        ledger: cost and CO2 of solved flows.
        exclusive: two variables that must not both be above 0 in a step, where both stand.
        optional: attributes that add terms to the equations where they are not 0.
        weighted: whether the parameters go with the weights of CO2 and of exchange.
        structural: attributes whose very values decide which equations there are, as a count of steps.
    """

    numbers: Callable[[Any, Setting], dict[str, Any]]
    variables: Callable[[Any], tuple[Var, ...]]
    equations: Callable[[Any, Any, Operations], Equations]
    ledger: Callable[[Numbers, Mapping[str, Array]], Ledger] = lambda _numbers, _values: Ledger()
    exclusive: tuple[str, str] | None = None
    weighted: bool = False
    optional: tuple[str, ...] = ()
    structural: tuple[str, ...] = ()

    def numbers_of(self, component: Component, setting: Setting) -> Numbers:
        """The component's parameters as arrays."""
        raw = self.numbers(component, setting)
        return MappingProxyType({name: np.asarray(value, dtype=float) for name, value in raw.items()})


def running_cost(p: Any, series: Any, m: Operations) -> Any:
    """Σ running cost · series, where there is such a cost."""
    return m.total(p.running_eur_per_kw, series) if hasattr(p, "running_eur_per_kw") else 0.0


def running_ledger(variable: str) -> Callable[[Numbers, Mapping[str, Array]], Ledger]:
    """The ledger of a component that has no other cost than a running cost of one variable."""

    def ledger(p: Numbers, v: Mapping[str, Array]) -> Ledger:
        price = p.get("running_eur_per_kw")
        return Ledger() if price is None else Ledger(float(price @ v[variable]))

    return ledger


def namespace(values: Mapping[str, Any]) -> SimpleNamespace:
    """Names as attributes, so that equations read like the maths."""
    return SimpleNamespace(**values)
