"""The answer, checked outside the optimiser: the equations evaluated again on the solution, in numpy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from schema.system import System
from solvers.maths import Array, Equations, Numbers, Var
from solvers.model import NUMPY, bounds_of, maths_of, state_equations

TOLERANCE = 1e-6
"""Largest residual that is accepted, relative to the largest number in its equation (at least 1)."""

Values = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Checks:
    """Largest relative residual of each kind of check, and what failed, in words."""

    balance: float
    equations: float
    bounds: float
    exclusivity: float
    wholeness: float
    objective: float
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    def as_dict(self) -> dict[str, float | bool | list[str]]:
        """For JSON."""
        return {
            "passed": self.passed,
            "tolerance": TOLERANCE,
            "balance": self.balance,
            "equations": self.equations,
            "bounds": self.bounds,
            "exclusivity": self.exclusivity,
            "wholeness": self.wholeness,
            "objective": self.objective,
            "failures": list(self.failures),
        }


Names = Collection[tuple[str, str]]
"""Components and variables."""


def within_bounds(
    system: System, numbers: Mapping[str, Numbers], values: Values
) -> tuple[dict[str, dict[str, Array]], Names]:
    """The values without the dust that a solver's tolerance leaves outside their bounds.

    Returns:
        The values, and which of them were within their bounds already.
    """
    clean: dict[str, dict[str, Array]] = {name: {} for name in system.components}
    inside: set[tuple[str, str]] = set()
    for name, component in system.components.items():
        for var in maths_of(component).variables(component):
            value = values[name][var.name]
            if _is_inside(var, numbers[name], value):
                clean[name][var.name] = value
                inside.add((name, var.name))
                continue
            lower, upper = bounds_of(var, numbers[name])
            slack = TOLERANCE * (1.0 + np.abs(value))
            dust = (value > lower - slack) & (value < upper + slack)
            clean[name][var.name] = np.where(dust, np.clip(value, lower, upper), value)
    return clean, inside


def _is_inside(var: Var, numbers: Numbers, value: Array) -> bool:
    """Whether a variable is finite and within its bounds, in as few passes over it as can be."""
    lowest = value.min() >= 0 if var.lower is None else (value >= numbers[var.lower]).all()
    return bool(lowest and value.max() < np.inf and (value <= numbers[var.upper]).all())


def stated(system: System, numbers: Mapping[str, Numbers], values: Values) -> dict[str, Equations]:
    """Every component's equations evaluated on a solution."""
    return {
        name: state_equations(component, numbers[name], values.get(name, {}), NUMPY)
        for name, component in system.components.items()
    }


def check(
    system: System,
    numbers: Mapping[str, Numbers],
    values: Values,
    equations: Mapping[str, Equations],
    objective_eur: float,
    inside: Names = (),
) -> Checks:
    """Judge a solution.

    Args:
        system: what was dispatched.
        numbers: its parameters.
        values: the solution's variables.
        equations: `stated` on them.
        objective_eur: the objective that the solver claims.
        inside: variables that are known to be within their bounds.
    """
    failures: list[str] = []
    worst = {
        "balance": _balances(system, equations, failures),
        "equations": _equations(equations, values, failures),
        "bounds": _bounds(system, numbers, values, inside, failures),
        "exclusivity": _exclusivity(system, values, failures),
        "wholeness": _wholeness(system, values, failures),
        "objective": _objective(equations, objective_eur, failures),
    }
    return Checks(**worst, failures=tuple(failures))


def _note(failures: list[str], what: str, residual: float) -> float:
    # A residual that is not a number must fail too.
    if not residual <= TOLERANCE:
        failures.append(f"{what} is off by {residual:.3g}")
    return residual


def _largest(series: Array) -> float:
    """The largest |x|, without an array of |x|."""
    return float(np.maximum(series.max(), -series.min()))


def _balances(system: System, equations: Mapping[str, Equations], failures: list[str]) -> float:
    net: dict[str, Array] = {}
    scale: dict[str, float] = {}
    for name, stated_ in equations.items():
        for port in stated_.ports.values():
            node = system.components[name].node(port.carrier)
            if node not in net:
                net[node] = port.sign * port.flow
            elif port.sign > 0:
                net[node] += port.flow
            else:
                net[node] -= port.flow
            scale[node] = max(scale.get(node, 1.0), _largest(port.flow))
    return max(
        _note(failures, f"the balance of {node}", _largest(rest) / scale[node]) for node, rest in net.items()
    )


def _equations(equations: Mapping[str, Equations], values: Values, failures: list[str]) -> float:
    worst = 0.0
    for name, stated_ in equations.items():
        if not stated_.equal and not stated_.at_most:
            continue
        scale = max(1.0, *map(_largest, values[name].values()))
        for label, residual in stated_.equal.items():
            size = _largest(residual) / scale
            worst = max(worst, _note(failures, f"{name}: the equation of its {label}", size))
        for label, residual in stated_.at_most.items():
            size = max(float(residual.max()), 0.0) / scale
            worst = max(worst, _note(failures, f"{name}: the limit of its {label}", size))
    return worst


def _bounds(
    system: System, numbers: Mapping[str, Numbers], values: Values, inside: Names, failures: list[str]
) -> float:
    worst = 0.0
    for name, component in system.components.items():
        for var in maths_of(component).variables(component):
            value = values[name][var.name]
            if (name, var.name) in inside or _is_inside(var, numbers[name], value):
                continue
            lower, upper = bounds_of(var, numbers[name])
            if np.isfinite(value).all():
                outside = float(max((lower - value).max(), (value - upper).max(), 0.0))
                size = outside / max(1.0, float(np.abs(value).max()))
            else:
                size = np.inf
            worst = max(worst, _note(failures, f"{name}: the bound of its {var.name}", size))
    return worst


def _exclusivity(system: System, values: Values, failures: list[str]) -> float:
    worst = 0.0
    for name, component in system.components.items():
        pair = maths_of(component).exclusive
        if pair is not None and set(pair) <= set(values[name]):
            a, b = (values[name][key] for key in pair)
            both = float(np.minimum(a, b).max())
            size = both / max(1.0, float(a.max()), float(b.max())) if both != 0 else 0.0
            worst = max(worst, _note(failures, f"{name}: {pair[0]} and {pair[1]} at once, which", size))
    return worst


def _wholeness(system: System, values: Values, failures: list[str]) -> float:
    worst = 0.0
    for name, component in system.components.items():
        for var in maths_of(component).variables(component):
            if var.integer:
                value = values[name][var.name]
                finite = np.isfinite(value).all()
                size = float(np.abs(value - np.round(value)).max()) if finite else np.inf
                worst = max(worst, _note(failures, f"{name}: {var.name} is not whole, which", size))
    return worst


def _objective(equations: Mapping[str, Equations], objective_eur: float, failures: list[str]) -> float:
    recomputed = sum(float(stated_.objective) for stated_ in equations.values())
    size = abs(recomputed - objective_eur) / max(1.0, abs(recomputed))
    return _note(failures, "the objective", size)
