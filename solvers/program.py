"""A model compiled once: CVXPY's canonical form as affine maps from parameters to a linear program.

CVXPY reduces a parametrised problem to   min c'x + d,  rows,  l ≤ x ≤ u   in which costs and rows are affine in
the parameters θ (its "disciplined parametrised programming", Agrawal et al. 2019, arXiv:1910.12430). The maps
are read off once; a new design is then a few sparse products instead of a canonicalisation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cvxpy as cp
import numpy as np
import scipy.sparse as sp
from cvxpy.lin_ops.lin_op import CONSTANT_ID
from numpy.typing import NDArray

from schema.system import System
from solvers.maths import Array, Numbers, Var
from solvers.model import Model, bounds_of, build, variables_of

Indices = NDArray[np.int32]


@dataclass(frozen=True)
class LinearProgram:
    """min cost'x + offset  subject to  row_lower ≤ A x ≤ row_upper,  lower ≤ x ≤ upper;  A by columns.

    Attributes:
        cost: (n,).
        offset: constant of the objective.
        lower, upper: (n,).
        row_lower, row_upper: (m,).
        starts, rows, values: compressed columns of A.
        integers: columns that must be whole, in ascending order.
    """

    cost: Array
    offset: float
    lower: Array
    upper: Array
    row_lower: Array
    row_upper: Array
    starts: Indices
    rows: Indices
    values: Array
    integers: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int32))

    @property
    def matrix(self) -> sp.csc_array:
        shape = (self.row_lower.size, self.cost.size)
        return sp.csc_array((self.values, self.rows, self.starts), shape=shape)


@dataclass(frozen=True)
class RowName:
    """Which equation a row of the program belongs to."""

    owner: str
    label: str
    step: int


class Program:
    """The compiled model of one structure.

    Attributes:
        columns: where each component's variable stands in x.
        row_slices: where each equation's rows stand, by (component or node, label).
        exclusive: component, the two variables that must not both be above 0, and the node they meet at.
        bounded: component and variable of each block of columns.
        width: number of columns.
        integers: columns that must be whole, in ascending order.
    """

    def __init__(self, system: System, numbers: Mapping[str, Numbers]) -> None:
        model = build(system, numbers)
        canonical = _canonical_form(model.problem)
        self.exclusive = model.exclusive
        self.width = int(canonical.x.size)
        self.columns = _columns(model, canonical)
        self._bounded = [
            (name, var, self.columns[name, var.name])
            for name in system.components
            for var in variables_of(system, name)
        ]
        self.bounded = tuple((name, var) for name, var, _ in self._bounded)
        self.integers = _integers(self._bounded)
        self._slots = {
            key: slice(start := canonical.param_id_to_col[parameter.id], start + parameter.size)
            for key, parameter in model.parameters.items()
            if parameter.id in canonical.param_id_to_col
        }
        self._theta_size = canonical.total_param_size + 1
        self._constant_at = canonical.param_id_to_col[CONSTANT_ID]
        self._read_maps(canonical)
        self.row_slices = _row_slices(model, canonical)

    def _read_maps(self, canonical: Any) -> None:
        n = self.width
        self._cost = sp.csr_array(canonical.q)
        reduced = canonical.reduced_A
        reduced.cache()
        indices, pointers, _ = reduced.problem_data_index
        in_matrix = int(pointers[n])
        # CVXPY states rows as A x + b in a cone; here they read -A x within b.
        self._matrix = -sp.csr_array(reduced.reduced_mat[:in_matrix])
        self._offsets = sp.csr_array(reduced.reduced_mat[in_matrix:])
        self._offset_rows = np.asarray(indices[in_matrix:])
        self._starts = np.asarray(pointers[: n + 1], dtype=np.int32)
        self._rows = np.asarray(indices[:in_matrix], dtype=np.int32)
        self._row_count = int(canonical.constr_size)
        self._equal_rows = int(canonical.cone_dims.zero)

    @property
    def places(self) -> sp.csr_array:
        """The matrix with where each value stands in `LinearProgram.values`, counted from 1, in its place."""
        counted = np.arange(1, self._rows.size + 1)
        shape = (self._row_count, self.width)
        return sp.csr_array(sp.csc_array((counted, self._rows, self._starts), shape=shape))

    def theta(self, numbers: Mapping[str, Numbers]) -> Array:
        """The vector of all parameters, with the constant 1."""
        theta = np.zeros(self._theta_size)
        theta[self._constant_at] = 1.0
        for (component, name), slot in self._slots.items():
            theta[slot] = numbers[component][name]
        return theta

    def _bounds(self, numbers: Mapping[str, Numbers]) -> tuple[Array, Array]:
        lower, upper = np.empty(self.width), np.empty(self.width)
        for component, var, place in self._bounded:
            lower[place], upper[place] = bounds_of(var, numbers[component])
        return lower, upper

    def linear_program(self, numbers: Mapping[str, Numbers]) -> LinearProgram:
        """The program with these parameters."""
        theta = self.theta(numbers)
        cost = self._cost @ theta
        lower, upper = self._bounds(numbers)
        right = np.zeros(self._row_count)
        right[self._offset_rows] = self._offsets @ theta
        left = right.copy()
        left[self._equal_rows :] = -np.inf
        return LinearProgram(
            cost=cost[:-1],
            offset=float(cost[-1]),
            lower=lower,
            upper=upper,
            row_lower=left,
            row_upper=right,
            starts=self._starts,
            rows=self._rows,
            values=self._matrix @ theta,
            integers=self.integers,
        )

    def row_name(self, row: int) -> RowName:
        """What a row of the program says."""
        for (owner, label), place in self.row_slices.items():
            if place.start <= row < place.stop:
                return RowName(owner, label, row - place.start)
        raise IndexError(f"the program has no row {row}")

    def column_name(self, column: int) -> tuple[str, str, int]:
        """Component, variable and step of a column."""
        for (component, variable), place in self.columns.items():
            if place.start <= column < place.stop:
                return component, variable, column - place.start
        raise IndexError(f"the program has no column {column}")

    def split(self, x: Array) -> dict[str, dict[str, Array]]:
        """A solution by component and variable."""
        parts: dict[str, dict[str, Array]] = {}
        for (component, variable), place in self.columns.items():
            parts.setdefault(component, {})[variable] = x[place]
        return parts


def _canonical_form(problem: cp.Problem) -> Any:
    data, _, _ = problem.get_problem_data(cp.HIGHS, enforce_dpp=True)
    return data[cp.settings.PARAM_PROB]


def _columns(model: Model, canonical: Any) -> dict[tuple[str, str], slice]:
    places = {}
    for key, variable in model.variables.items():
        start = canonical.var_id_to_col.get(variable.id)
        if start is not None:
            places[key] = slice(start, start + variable.size)
    return places


def _integers(bounded: Iterable[tuple[str, Var, slice]]) -> Indices:
    whole = [np.arange(place.start, place.stop) for _, var, place in bounded if var.integer]
    return np.sort(np.concatenate(whole)).astype(np.int32) if whole else np.zeros(0, dtype=np.int32)


def _row_slices(model: Model, canonical: Any) -> dict[tuple[str, str], slice]:
    names = {constraint.id: key for key, constraint in model.constraints.items()}
    places, start = {}, 0
    for constraint in canonical.constraints:
        places[names[constraint.id]] = slice(start, start + constraint.size)
        start += constraint.size
    return places
