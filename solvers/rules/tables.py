"""Parameters of several designs as rows of steps: for each step an array with a number for each design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from solvers.maths import Array, Numbers
from solvers.rules.ways import Product

Rows = list[Array]
"""A row for each step, of shape (n,), or (1,) where all designs have the same number; rows may be one object."""

_BLOCK = 64
"""Steps that are read together."""
_FEW = 25


class Table:
    """Parameters of n designs of one structure over T steps."""

    def __init__(self, numbers: Sequence[Mapping[str, Numbers]], steps: int) -> None:
        self.designs, self.steps = len(numbers), steps
        self._numbers = numbers
        self._arrays: dict[tuple[str, str], Array] = {}

    def numbers_of(self, component: str) -> list[Numbers]:
        """The designs' parameters of one component."""
        return [numbers[component] for numbers in self._numbers]

    def has(self, component: str, name: str) -> bool:
        """Whether there is such a parameter."""
        return name in self._numbers[0][component]

    def array(self, component: str, name: str) -> Array:
        """A parameter by steps and designs; one row or column stands for equal ones."""
        key = (component, name)
        if key not in self._arrays:
            self._arrays[key] = self._read([numbers[component][name] for numbers in self._numbers])
        return self._arrays[key]

    def _read(self, values: Sequence[Array]) -> Array:
        first = values[0]
        if all(value is first for value in values):
            return (
                np.full((1, 1), first[0] if first.ndim else first) if _is_constant(first) else first[:, None]
            )
        if all(map(_is_constant, values)):
            return np.array([[value[0] if value.ndim else value for value in values]])
        array = np.empty((self.steps, self.designs))
        for start in range(0, self.steps, _BLOCK):
            part = slice(start, start + _BLOCK)
            array[part] = np.array([value[part] for value in values]).T
        return array

    def product(self, factors: Product) -> Array:
        """Ratios multiplied; (1, 1) of 1 without any."""
        value = np.ones((1, 1))
        for component, name, power in factors:
            array = self.array(component, name)
            value = value * array if power > 0 else value / array
        return value

    def sum_of(self, products: Sequence[Product]) -> Array:
        """Products added up."""
        total = self.product(products[0])
        for factors in products[1:]:
            total = total + self.product(factors)
        return total

    def rows(self, array: Array) -> Rows:
        """An array as rows."""
        if array.shape[0] == 1:
            return [np.broadcast_to(array[0], self.designs).copy()] * self.steps
        return list(array)

    def edged(self, component: str, name: str) -> tuple[Array, Array, Array] | None:
        """A parameter that is constant but for its first and last step: those and one between, each (n,)."""
        values = [numbers[component][name] for numbers in self._numbers]
        shared = all(value is values[0] for value in values)
        if not all(_is_constant(value[1:-1]) for value in (values[:1] if shared else values)):
            return None
        first, inner, last = ([value[at] for value in values] for at in (0, self.steps // 2, -1))
        return np.array(first), np.array(inner), np.array(last)

    def edged_rows(self, component: str, name: str) -> Rows:
        """A parameter as rows, cheap where only its first and last step are of their own."""
        has_edges = self.steps > 2 and self._numbers[0][component][name].ndim == 1
        edges = self.edged(component, name) if has_edges else None
        if edges is None:
            return self.rows(self.array(component, name))
        first, inner, last = edges
        return [first, *[inner] * (self.steps - 2), last]


def _is_constant(values: Array) -> bool:
    if values.ndim == 0 or values.size == 0:
        return True
    # What changes with the hour or the season is told at once.
    some = values[:: max(1, values.size // _FEW)]
    return bool((some == values[0]).all() and (values == values[0]).all())
