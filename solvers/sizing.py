"""Capacities that the solver chooses together with the dispatch.

Symbols: z_k the k-th capacity that is chosen, in its own unit; a_k its annuity and fixed cost over the horizon for
each unit [€]; p a parameter of a component's equations; l, u bounds of its variables x.

(Z1)  min_k ≤ z_k ≤ max_k
(Z2)  p(z) = p(0) + Σ_k (p(e_k) - p(0)) z_k            what depends on a capacity is linear in it
(Z3)  l(z) ≤ x ≤ u(z)                                  as rows where a bound depends on z
(Z4)  objective + Σ_k a_k z_k

(Z2) is read off the component's own numbers, at capacities of 0 and 1, and held against those at their maxima: no
component's equations know of sizing. The answer is then dispatched as the system that has these capacities: judged
by its own numbers like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import cvxpy as cp
import numpy as np

from schema.components import Component
from schema.system import System
from solvers.economics import annuity_eur_per_year, fixed_cost_eur_per_year
from solvers.maths import Array, Numbers, Var
from solvers.solution import Solution

_AT_ZERO, _PER = " at 0", " per "
_COST = "yearly cost [€]"


class NotLinearError(ValueError):
    """A capacity cannot be chosen by the solver: what depends on it is not linear in it."""


def size_variables(system: System, name: str) -> tuple[Var, ...]:
    """The capacities of a component that are to be chosen (Z1), each of shape (1,)."""
    return tuple(
        Var(attribute, f"most {attribute}", f"least {attribute}", integer=range_.integer)
        for attribute, range_ in _ranges(system, name).items()
    )


def _ranges(system: System, name: str) -> dict[str, Any]:
    paths = {path.partition("."): range_ for path, range_ in system.sizing.items()}
    return {attribute: range_ for (owner, _, attribute), range_ in paths.items() if owner == name}


def sized_numbers(
    system: System, name: str, numbers_of: Callable[[Component], Numbers], variables: tuple[Var, ...]
) -> Numbers:
    """A component's parameters with what they gain for each unit of its capacities (Z2).

    Args:
        system: with `sizing`.
        name: the component.
        numbers_of: the parameters of such a component.
        variables: the component's. What bounds them stands at its widest, so that columns have bounds.

    Raises:
        NotLinearError: a parameter is not linear in the capacities.
    """
    ranges, component = _ranges(system, name), system.components[name]
    if not ranges:
        return numbers_of(component)
    nothing = dict.fromkeys(ranges, 0.0)
    at_zero = component.with_changes(**nothing)
    base, numbers = numbers_of(at_zero), {}
    slopes = {}
    for attribute in ranges:
        one = component.with_changes(**{**nothing, attribute: 1.0})
        slopes[attribute] = {key: _difference(value, base[key]) for key, value in numbers_of(one).items()}
        numbers[_COST + _PER + attribute] = np.array(
            system.horizon.year_share * (_yearly(system, one) - _yearly(system, at_zero))
        )
        numbers[f"least {attribute}"] = np.array([ranges[attribute].min])
        numbers[f"most {attribute}"] = np.array([ranges[attribute].max])
    bounds = {var.lower: np.minimum for var in variables} | {var.upper: np.maximum for var in variables}
    largest = numbers_of(component)
    for key, value in base.items():
        gains = {attribute: slope[key] for attribute, slope in slopes.items() if slope[key].any()}
        _hold_linear(name, key, value, gains, ranges, largest[key])
        numbers |= {key + _PER + attribute: gain for attribute, gain in gains.items()}
        numbers[key] = value
        if gains and key in bounds:
            numbers[key + _AT_ZERO] = value
            numbers[key] = _widest(value, gains, ranges, bounds[key])
    return MappingProxyType(numbers)


def _widest(base: Array, gains: Mapping[str, Array], ranges: Mapping[str, Any], wider: np.ufunc) -> Array:
    """The largest or the smallest value that a bound may take."""
    ends = (wider(gain * ranges[a].min, gain * ranges[a].max) for a, gain in gains.items())
    return np.asarray(base + sum(ends))


def _difference(value: Array, base: Array) -> Array:
    """Value - base, 0 where both are the same infinity."""
    return np.subtract(value, base, out=np.zeros_like(value), where=value != base)


def _yearly(system: System, component: Component) -> float:
    rate = system.economics.discount_rate
    return annuity_eur_per_year(component, rate) + fixed_cost_eur_per_year(component)


def _hold_linear(
    name: str, key: str, base: Array, gains: Mapping[str, Array], ranges: Mapping[str, Any], largest: Array
) -> None:
    predicted = base + sum(gain * ranges[attribute].max for attribute, gain in gains.items())
    if not np.allclose(predicted, largest, rtol=1e-9, atol=1e-12):
        raise NotLinearError(
            f"{' and '.join(ranges)} of {name} cannot be left to the solver: its '{key}' is not linear in it"
        )


def slopes_in(numbers: Mapping[str, Numbers]) -> frozenset[tuple[str, str]]:
    """Which parameters depend on capacities that are to be chosen: part of a model's structure."""
    return frozenset((name, key) for name, own in numbers.items() for key in own if _PER in key)


@dataclass(frozen=True)
class Sized:
    """A component's symbols in a model, its capacities among the variables.

    Attributes:
        stated: parameters by name, with those that `sized_numbers` adds.
        variables: CVXPY's, by name.
        sizes: the capacities among them.
    """

    stated: Mapping[str, Any]
    variables: Mapping[str, cp.Variable]
    sizes: tuple[Var, ...]

    @property
    def symbols(self) -> dict[str, Any]:
        """The parameters as the component's equations take them (Z2)."""
        own = [key for key in self.stated if _PER not in key and not key.endswith(_AT_ZERO)]
        return {key: self._at(key, self.stated[key]) for key in own}

    def _at(self, key: str, base: Any) -> Any:
        for size in self.sizes:
            gain = self.stated.get(key + _PER + size.name)
            if gain is not None:
                base = base + _times(gain, self.variables[size.name])
        return base

    def limits(self, variables: tuple[Var, ...]) -> Iterator[tuple[str, Any]]:
        """Residuals, none above 0, of the bounds that depend on capacities (Z3)."""
        for var in variables:
            x = self.variables[var.name]
            if (base := self.stated.get(var.upper + _AT_ZERO)) is not None:
                yield f"upper limit of {var.name}", x - self._at(var.upper, base)
            if var.lower and (base := self.stated.get(var.lower + _AT_ZERO)) is not None:
                yield f"lower limit of {var.name}", self._at(var.lower, base) - x

    @property
    def cost(self) -> Any:
        """What the capacities cost (Z4) [€]."""
        return sum(self.stated[_COST + _PER + z.name] * self.variables[z.name][0] for z in self.sizes)


def _times(gain: Any, size: cp.Variable) -> Any:
    if gain.ndim == 0:
        return gain * size[0]
    return cp.reshape(gain, (gain.size, 1), order="F") @ size


def chosen(
    system: System, solution: Solution, numbers: Mapping[str, Numbers]
) -> tuple[dict[str, float], Solution]:
    """The capacities that a solution chose, by dotted path, and the dispatch without them and their cost."""
    values = {name: dict(own) for name, own in solution.values.items()}
    sizes, cost_eur = {}, 0.0
    for path, range_ in system.sizing.items():
        name, _, attribute = path.partition(".")
        size = float(np.clip(values[name].pop(attribute)[0], range_.min, range_.max))
        sizes[path] = float(round(size)) if range_.integer else size
        cost_eur += float(numbers[name][_COST + _PER + attribute]) * size
    objective = None if solution.objective_eur is None else solution.objective_eur - cost_eur
    return sizes, replace(solution, values=values, objective_eur=objective)
