"""Between a study's variables and vectors of numbers.

Continuous variables keep their range, whole ones are rounded, choices are positions in their sorted list. What
cannot vary is left out of the search.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from schema.study import Choices, Variable

Array = NDArray[np.float64]


class SearchSpace:
    """What a genetic algorithm searches.

    Attributes:
        free: paths of the d variables that can vary, in the study's order.
        lower, upper: their ends, (d,).
        whole: which of them are whole numbers, (d,).
    """

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self._variables = dict(variables)
        self._choices = {path: sorted(v.choices) for path, v in variables.items() if isinstance(v, Choices)}
        self.free = [path for path in variables if np.ptp(self._limits(path)) > 0]
        limits = np.array([self._limits(path) for path in self.free]).reshape(-1, 2)
        self.lower, self.upper = limits[:, 0], limits[:, 1]
        self.whole = np.array([self._is_whole(path) for path in self.free], dtype=bool)

    def _limits(self, path: str) -> tuple[float, float]:
        variable = self._variables[path]
        if isinstance(variable, Choices):
            return 0.0, float(len(variable.choices) - 1)
        return variable.min, variable.max

    def _is_whole(self, path: str) -> bool:
        variable = self._variables[path]
        return isinstance(variable, Choices) or variable.integer

    def decode(self, x: Array) -> dict[str, float]:
        """A vector (d,) as values at the study's paths, in the study's order."""
        free = dict(zip(self.free, x, strict=True))
        values = {}
        for path in self._variables:
            number = float(free.get(path, self._limits(path)[0]))
            values[path] = self._choices[path][round(number)] if path in self._choices else number
        return values

    def encode(self, values: Mapping[str, float], otherwise: Array) -> Array:
        """Values that are possible as a vector (d,), with `otherwise` (d,) where they name no value."""
        x = otherwise.copy()
        for place, path in enumerate(self.free):
            if path in values:
                value = values[path]
                x[place] = self._choices[path].index(value) if path in self._choices else value
        return x

    def nearest(self, values: Mapping[str, float]) -> dict[str, float]:
        """The nearest possible values at those paths that are variables."""
        return {path: self._nearest(path, value) for path, value in values.items() if path in self._variables}

    def _nearest(self, path: str, value: float) -> float:
        if path in self._choices:
            return min(self._choices[path], key=lambda choice: abs(choice - value))
        lower, upper = self._limits(path)
        return float(np.clip(round(value) if self._is_whole(path) else value, lower, upper))
