"""From a solution to a judged dispatch: checked outside the optimiser, with its KPIs, costs and flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from schema.system import System
from solvers.case import Case
from solvers.checks import Checks, check, stated, within_bounds
from solvers.kpis import Account, Operation, accounts_of, kpis_of, operation_of
from solvers.maths import Array, Equations, unit_of
from solvers.model import maths_of
from solvers.solution import Solution, Status

STATE_UNITS = ("kWh", "m³")


@dataclass(frozen=True)
class Dispatch:
    """A judged dispatch.

    Attributes:
        system: the design that was dispatched.
        solution: status, values and gap.
        checks: None without a solution.
        kpis: empty without a solution.
        accounts: cost and CO2 by component; empty without a solution.
        flows: `component.port` in kW, of water in m³/h, each (T,).
        states: `component.state` in kWh, of water in m³, each (T,).
        seconds: the whole evaluation's wall time.
        sizes: the capacities that the solver chose, by dotted path.
        operation: what the KPIs are worked out from; None without a solution.
    """

    system: System
    solution: Solution
    checks: Checks | None = None
    kpis: Mapping[str, float] = field(default_factory=dict)
    accounts: Mapping[str, Account] = field(default_factory=dict)
    flows: Mapping[str, Array] = field(default_factory=dict)
    states: Mapping[str, Array] = field(default_factory=dict)
    seconds: float = 0.0
    sizes: Mapping[str, float] = field(default_factory=dict)
    operation: Operation | None = None

    @property
    def status(self) -> Status:
        return self.solution.status

    def without_series(self) -> Dispatch:
        """The same without what has a number for every step."""
        return replace(self, solution=replace(self.solution, values={}), flows={}, states={})

    @property
    def units(self) -> dict[str, str]:
        """Unit of each of `flows` and `states`; their names end in it."""
        return {name: unit_of(name) for name in (*self.flows, *self.states)}


def judge(case: Case, solution: Solution) -> Dispatch:
    """Check a solution outside the optimiser and work out its KPIs; one that fails its checks has failed.

    A solution that claims no objective is told the one that its flows have.
    """
    system, numbers = case.system, case.numbers
    if not solution.status.has_solution:
        return Dispatch(system, solution)
    values, inside = within_bounds(system, numbers, solution.values)
    equations = stated(system, numbers, values)
    claimed = solution.objective_eur
    objective = sum(float(e.objective) for e in equations.values()) if claimed is None else claimed
    checks = check(system, numbers, values, equations, objective, inside)
    solution = replace(solution, values=values, objective_eur=objective)
    if not checks.passed:
        message = "the solution fails its checks: " + "; ".join(checks.failures)
        return Dispatch(system, replace(solution, status=Status.FAILED, message=message), checks)
    ledgers = {name: maths_of(c).ledger(numbers[name], values[name]) for name, c in system.components.items()}
    accounts = accounts_of(system, ledgers)
    flows, states = _series(system, equations, values)
    ports = {name: e.ports for name, e in equations.items()}
    operation = operation_of(system, numbers, values, ports, ledgers)
    kpis = kpis_of(system, operation, accounts)
    return Dispatch(system, solution, checks, kpis, accounts, flows, states, operation=operation)


def _series(
    system: System, equations: Mapping[str, Equations], values: Mapping[str, Mapping[str, Array]]
) -> tuple[dict[str, Array], dict[str, Array]]:
    flows = {f"{name}.{key}": port.flow for name, e in equations.items() for key, port in e.ports.items()}
    states = {
        f"{name}.{var.name}": values[name][var.name]
        for name, component in system.components.items()
        for var in maths_of(component).variables(component)
        if var.unit in STATE_UNITS
    }
    return flows, states
