"""One design, ready to be solved, and what is kept between the designs of a system."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from schema.base import Value
from schema.bounds import out_of_bounds, references
from schema.study import SolverSettings
from schema.system import System
from solvers import milp
from solvers.highs import PersistentHighs
from solvers.maths import Array, Numbers, Setting, calendar_months
from solvers.model import component_numbers, maths_of, numbers_of, structure_of
from solvers.program import LinearProgram, Program
from solvers.references import nearest_share, values_of
from solvers.sizing import slopes_in
from solvers.windows import Windows

_REFERENCE_LIMIT_SECONDS = 600.0
"""A study's own limit must not decide whether there is a reference basis."""


FAR_ABOVE_COST_EUR = 1000.0
"""Weight of a kilogram or a kilowatt-hour where these are the objective: cost decides only between equals."""


@dataclass(frozen=True)
class Case:
    """A design, ready to be solved.

    Attributes:
        system: the design.
        solver: settings, those among the design's values included.
        setting: horizon, profiles and weights.
        numbers: the components' parameters.
    """

    system: System
    solver: SolverSettings
    setting: Setting
    numbers: Mapping[str, Numbers]


def reference_case(system: System, series: Mapping[str, Array], solver: SolverSettings) -> Case:
    """The system as its file states it; of the study's settings its basis knows nothing."""
    months, month_shares = calendar_months(system.horizon)
    setting = Setting(system.horizon, series, months, month_shares, *weights_of(system, SolverSettings()))
    return Case(system, solver, setting, numbers_of(system, setting))


def weights_of(system: System, solver: SolverSettings) -> tuple[float, float]:
    """What CO2 [€/kg] and exchanged electricity [€/kWh] weigh in the dispatch, beside costs in €."""
    co2_eur_per_kg = system.economics.co2_price_eur_per_kg + solver.co2_weight_eur_per_kg
    exchange_eur_per_kwh = solver.grid_exchange_weight_eur_per_kwh
    match solver.objective:
        case "co2":
            co2_eur_per_kg += FAR_ABOVE_COST_EUR
        case "grid_exchange":
            exchange_eur_per_kwh += FAR_ABOVE_COST_EUR
    return co2_eur_per_kg, exchange_eur_per_kwh


def design_case(reference: Case, values: Mapping[str, Value]) -> Case:
    """The reference with these values at these dotted paths; what stays as it is, is taken from there.

    Raises:
        pydantic.ValidationError: a value is not valid where it stands.
        ValueError: a profile that is multiplied or put in place leaves what its attribute takes.
    """
    changes: dict[str, Any] = {
        path.partition(".")[2]: v for path, v in values.items() if path.startswith("solver.")
    }
    solver = reference.solver.with_changes(**changes) if changes else reference.solver
    system = reference.system.with_values(values)
    setting = reference.setting
    _require_sound_series(reference.system, system, setting.series)
    weights = weights_of(system, solver)
    same_weights = weights == (setting.carbon_price_eur_per_kg, setting.exchange_price_eur_per_kwh)
    if not same_weights:
        carbon, exchange = weights
        setting = replace(setting, carbon_price_eur_per_kg=carbon, exchange_price_eur_per_kwh=exchange)
    numbers = {
        name: reference.numbers[name]
        if component is reference.system.components[name]
        and (same_weights or not maths_of(component).weighted)
        else _sharing(component_numbers(system, name, setting), reference.numbers[name])
        for name, component in system.components.items()
    }
    return Case(system, solver, setting, numbers)


def _sharing(numbers: Numbers, reference: Numbers) -> Numbers:
    """Parameters with the reference's arrays in the place of equal ones: a population takes less memory."""
    return MappingProxyType(
        {
            name: known
            if (known := reference.get(name)) is not None and np.array_equal(known, value)
            else value
            for name, value in numbers.items()
        }
    )


def _require_sound_series(before: System, system: System, series: Mapping[str, Array]) -> None:
    for name, component in system.components.items():
        if component is before.components[name] or references(component) == references(
            before.components[name]
        ):
            continue
        for broken in out_of_bounds(component, series):
            raise ValueError(
                f"{name}.{broken.attribute}: the profile '{broken.reference.profile}' becomes {broken.value:g} in "
                f"{broken.steps} steps and must be {broken.bound}"
            )


def sized_case(case: Case, sizes: Mapping[str, float]) -> Case:
    """The design with these capacities in the place of those that were to be chosen."""
    system = case.system.with_values(sizes)
    owners = {path.partition(".")[0] for path in sizes}
    anew = {name: component_numbers(system, name, case.setting) for name in owners}
    return replace(case, system=system, numbers={**case.numbers, **anew})


def _structure(case: Case) -> Hashable:
    return structure_of(case.system), slopes_in(case.numbers)


@dataclass(frozen=True)
class Compiled:
    """A compiled model, its exclusive pairs, the basis from which its solves start, if any, and its stretches."""

    program: Program
    pairs: tuple[milp.Pair, ...]
    basis: Any
    windows: Windows

    def linear_program(self, case: Case) -> LinearProgram:
        """The program that a design becomes."""
        return self.program.linear_program(case.numbers)


class Engine:
    """Compiled models and one HiGHS for all designs of a system; not to be shared between threads.

    Each solve starts from the basis of the reference that is nearest to its design: a result depends on that
    alone, never on what was solved before.

    Attributes:
        reference: the system as its file states it.
        highs: the solver object.
    """

    def __init__(self, reference: Case) -> None:
        self.reference = reference
        self.highs = PersistentHighs()
        self._compiled: dict[Hashable, Compiled] = {}
        self._bases: dict[float, Any] = {}

    def compiled(self, case: Case) -> Compiled:
        """The model of the design's structure, compiled with the first design that has it, and its own basis."""
        structure = _structure(case)
        if structure not in self._compiled:
            program = Program(case.system, case.numbers)
            pairs = milp.pairs_of(program)
            is_reference = structure == _structure(self.reference)
            basis = self._basis(self.reference, program, pairs) if is_reference else None
            if is_reference:
                self._bases = {1.0: basis}
            windows = Windows(program, pairs, case.system.horizon.steps)
            self._compiled[structure] = Compiled(program, pairs, basis, windows)
        compiled = self._compiled[structure]
        return compiled if compiled.basis is None else self._started(case, compiled)

    def _started(self, case: Case, compiled: Compiled) -> Compiled:
        """From the basis of the nearest reference; from the file's where that one has none."""
        share = nearest_share(self.reference.system, case.system)
        if share not in self._bases:
            other = design_case(self.reference, values_of(self.reference.system, share))
            self._bases[share] = self._basis(other, compiled.program, compiled.pairs, start=compiled.basis)
        basis = self._bases[share]
        return compiled if basis is None else replace(compiled, basis=basis)

    def _basis(self, case: Case, program: Program, pairs: tuple[milp.Pair, ...], start: Any = None) -> Any:
        """Basis of a design's relaxation; None where that has no solution."""
        relaxed = milp.with_finite_pairs(program.linear_program(case.numbers), pairs)
        return self.highs.solve(
            relaxed, time_limit_seconds=_REFERENCE_LIMIT_SECONDS, basis=start, relaxed=True
        ).basis
