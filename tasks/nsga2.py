"""NSGA-II by ask and tell, through pymoo; Deb et al. 2002, doi:10.1109/4235.996017.

Continuous variables keep their range, whole ones are rounded, choices are positions in their sorted list. What
cannot vary is left out of the search. The random generator is pymoo's own, made from the study's seed: the same
answers told in the same order lead to the same questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.core.termination import NoTermination
from pymoo.operators.sampling.lhs import LatinHypercubeSampling

from schema.study import Choices, GeneticStudy, Variable
from tasks.scoring import Scored, minimised, scaled_violations

Array = NDArray[np.float64]


class SearchSpace:
    """Between a study's variables and vectors of numbers."""

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


class _Round(Repair):  # type: ignore[misc]
    """Whole numbers where the space has them."""

    def __init__(self, whole: NDArray[np.bool_]) -> None:
        super().__init__()
        self._whole = whole

    def _do(self, _problem: Any, X: Array, **_kwargs: Any) -> Array:
        X = X.copy()
        X[:, self._whole] = np.round(X[:, self._whole])
        return X


class Nsga2:
    """The search of one study.

    Args:
        study: variables, objectives, constraints and settings.
    """

    def __init__(self, study: GeneticStudy) -> None:
        self._study = study
        self.space = SearchSpace(study.variables)
        problem = Problem(
            n_var=len(self.space.free),
            n_obj=len(study.objectives),
            n_ieq_constr=len(study.constraints),
            xl=self.space.lower,
            xu=self.space.upper,
        )
        self._algorithm = NSGA2(
            pop_size=study.algorithm.population_size,
            sampling=LatinHypercubeSampling(),
            repair=_Round(self.space.whole),
        )
        self._algorithm.setup(problem, termination=NoTermination(), seed=study.algorithm.seed)
        self._asked: Any = None
        self._only_design_asked = False

    def ask(self) -> list[dict[str, float]]:
        """Designs of the next generation; fewer than asked for where no new ones can be found, in the end none."""
        if not self.space.free:
            only = [] if self._only_design_asked else [self.space.decode(self.space.lower)]
            self._only_design_asked = True
            return only
        self._asked = self._algorithm.ask()
        if self._asked is None:
            return []
        return [self.space.decode(x) for x in self._asked.get("X")]

    def tell(self, generation: Sequence[Scored]) -> None:
        """The answers, in the order of the questions."""
        if not self.space.free:
            return
        F = np.array([minimised(self._study, scored.objectives) for scored in generation])
        G = np.array([scaled_violations(self._study, scored) for scored in generation])
        self._asked.set("F", F)
        self._asked.set("G", G.reshape(len(generation), -1))
        self._asked.apply(lambda individual: individual.evaluated.update({"F", "G", "H"}))
        with np.errstate(invalid="ignore"):
            # Between designs without a solution the crowding distance is inf - inf; they rank last all the same.
            self._algorithm.tell(infills=self._asked)

    @property
    def population(self) -> Array:
        """Free variables of the surviving population, scaled to 0 to 1; (n, d)."""
        if not self.space.free:
            return np.empty((1, 0))
        X = np.asarray(self._algorithm.pop.get("X"), dtype=float)
        return np.asarray((X - self.space.lower) / (self.space.upper - self.space.lower))
