"""From a system's structure to a CVXPY problem: components' equations and one balance for each node.

(B1)  Σ sign · power_t = 0        over all ports at a node, for every step t
(O1)  minimise Σ components' objectives
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp

from schema.components import Component
from schema.system import System
from solvers.components import MATHS
from solvers.maths import (
    Array,
    Equations,
    Maths,
    Numbers,
    NumpyOperations,
    Operations,
    Setting,
    Var,
    namespace,
)
from solvers.sizing import Sized, size_variables, sized_numbers


class CvxpyOperations:
    """The operations of `solvers.maths.Operations` on CVXPY expressions."""

    def times(self, factor: Any, series: Any) -> Any:
        if factor.ndim == 1:
            # CVXPY 1.9 compiles multiply(parameter, x) through an array of T² rows; diag(parameter) @ x not.
            return cp.diag(factor) @ series
        return factor * series

    def total(self, weights: Any, series: Any) -> Any:
        return weights @ series

    def previous(self, series: Any) -> Any:
        return cp.hstack([0.0, series[:-1]]) if series.size > 1 else 0.0 * series

    def recent(self, series: Any, steps: Any) -> Any:
        count = min(int(steps), series.size)
        band = sp.diags_array([1.0] * count, offsets=range(0, -count, -1), shape=(series.size,) * 2)
        return sp.csr_array(band) @ series

    def spread(self, values: Any, groups: Array) -> Any:
        return groups @ values


NUMPY = NumpyOperations()
CVXPY = CvxpyOperations()


def maths_of(component: Component) -> Maths:
    return MATHS[type(component)]


def numbers_of(system: System, setting: Setting) -> dict[str, Numbers]:
    """Every component's parameters."""
    return {name: component_numbers(system, name, setting) for name in system.components}


def component_numbers(system: System, name: str, setting: Setting) -> Numbers:
    """One component's parameters; with what they gain by capacities that are to be chosen.

    Raises:
        NotLinearError: such a capacity enters a parameter in another way than linearly.
    """
    maths, component = maths_of(system.components[name]), system.components[name]
    return sized_numbers(system, name, lambda c: maths.numbers_of(c, setting), maths.variables(component))


def variables_of(system: System, name: str) -> tuple[Var, ...]:
    """A component's variables, its capacities that are to be chosen included."""
    component = system.components[name]
    return maths_of(component).variables(component) + size_variables(system, name)


def structure_of(system: System) -> Hashable:
    """What decides which equations there are; systems that share it share one compiled model."""
    return (
        system.horizon.steps,
        tuple(
            (name, type(c), tuple(map(c.node, c.own_carriers)), variables_of(system, name), _options(c))
            for name, c in system.components.items()
        ),
    )


def _options(component: Component) -> tuple[Hashable, ...]:
    maths = maths_of(component)
    stands = [bool(getattr(component, attribute)) for attribute in maths.optional]
    return (*stands, *(getattr(component, attribute) for attribute in maths.structural))


def state_equations(
    component: Component, numbers: Mapping[str, Any], values: Mapping[str, Any], operations: Operations
) -> Equations:
    """One component's equations on parameters and variables of any kind."""
    return maths_of(component).equations(namespace(numbers), namespace(values), operations)


@dataclass(frozen=True)
class Model:
    """A CVXPY problem with names for all that is in it.

    Attributes:
        problem: the problem, with exclusive pairs relaxed and the bounds of the system it was built from.
        parameters: by component and name.
        variables: by component, in the order of `Maths.variables`.
        constraints: by (component or node, label); balances carry the label "balance".
        exclusive: component, the two variables that must not both be above 0, and the node they meet at.
    """

    problem: cp.Problem
    parameters: Mapping[tuple[str, str], cp.Parameter]
    variables: Mapping[tuple[str, str], cp.Variable]
    constraints: Mapping[tuple[str, str], cp.Constraint]
    exclusive: tuple[tuple[str, str, str, str], ...]


def build(system: System, numbers: Mapping[str, Numbers]) -> Model:
    """State the whole problem; parameters take the values of `numbers`."""
    parameters: dict[tuple[str, str], cp.Parameter] = {}
    variables: dict[tuple[str, str], cp.Variable] = {}
    constraints: dict[tuple[str, str], cp.Constraint] = {}
    balances: dict[str, Any] = {}
    objective: Any = 0.0
    for name, component in system.components.items():
        variables_here = variables_of(system, name)
        bounds = {bound for var in variables_here for bound in (var.lower, var.upper)}
        symbols = {key: _symbol(key, value) for key, value in numbers[name].items() if key not in bounds}
        parameters |= {(name, key): s for key, s in symbols.items() if isinstance(s, cp.Parameter)}
        own = {var.name: _variable(var, numbers[name]) for var in variables_here}
        variables |= {(name, key): v for key, v in own.items()}
        sized = Sized(symbols, own, size_variables(system, name))
        stated = state_equations(component, sized.symbols, own, CVXPY)
        constraints |= {(name, label): residual <= 0 for label, residual in sized.limits(variables_here)}
        constraints |= {(name, label): residual == 0 for label, residual in stated.equal.items()}
        constraints |= {(name, label): residual <= 0 for label, residual in stated.at_most.items()}
        objective = objective + stated.objective + sized.cost  # (O1)
        for port in stated.ports.values():
            node = component.node(port.carrier)
            balances[node] = balances.get(node, 0.0) + port.sign * port.flow
    constraints |= {(node, "balance"): _balance(supply) for node, supply in balances.items()}  # (B1)
    exclusive = tuple(
        (name, *pair, c.node(c.own_carriers[0]))
        for name, c in system.components.items()
        if (pair := maths_of(c).exclusive) is not None and all((name, key) in variables for key in pair)
    )
    problem = cp.Problem(cp.Minimize(objective), list(constraints.values()))
    return Model(problem, parameters, variables, constraints, exclusive)


def bounds_of(var: Var, numbers: Numbers) -> tuple[Array, Array]:
    """Lower and upper bound of a variable, each of its shape."""
    upper = numbers[var.upper]
    return (np.zeros_like(upper) if var.lower is None else numbers[var.lower]), upper


def _symbol(name: str, value: Array) -> Any:
    """Scalars and series are parameters; matrices and counts of steps belong to the structure."""
    return (
        value
        if value.ndim == 2 or name.endswith("_steps")
        else cp.Parameter(value.shape, name=name, value=value)
    )


def _variable(var: Var, numbers: Numbers) -> cp.Variable:
    # Bounds are numbers here and are applied anew to the program's columns: CVXPY 1.9 takes a variable with
    # parametric bounds for a parametrised expression and then refuses to multiply it by a parameter.
    lower, upper = bounds_of(var, numbers)
    return cp.Variable(upper.shape, name=var.name, bounds=[lower, upper])


def _balance(supply: Any) -> cp.Constraint:
    return supply == 0
