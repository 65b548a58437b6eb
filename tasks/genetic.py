"""Genetic algorithms by ask and tell, through pymoo.

| objectives | algorithm | |
|---|---|---|
| 1 | genetic algorithm | the fittest survive |
| 2, 3 | NSGA-II | Deb et al. 2002, doi:10.1109/4235.996017 |
| 4 and more | NSGA-III | Deb and Jain 2014, doi:10.1109/TEVC.2013.2281535 |

The random generator is pymoo's own, made from the study's seed: the same answers told in the same order lead
to the same questions.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.core.termination import NoTermination
from pymoo.operators.sampling.lhs import LatinHypercubeSampling
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.util.ref_dirs import get_reference_directions

from schema.study import GeneticStudy
from tasks.scoring import Scored, minimised, scaled_violations
from tasks.search_space import SearchSpace

Array = NDArray[np.float64]


class _Round(Repair):  # type: ignore[misc]
    """Whole numbers where the space has them."""

    def __init__(self, whole: NDArray[np.bool_]) -> None:
        super().__init__()
        self._whole = whole

    def _do(self, _problem: Any, X: Array, **_kwargs: Any) -> Array:
        X = X.copy()
        X[:, self._whole] = np.round(X[:, self._whole])
        return X


class _FirstGeneration(LatinHypercubeSampling):  # type: ignore[misc]
    """A Latin hypercube whose first designs are those that the search starts from.

    What such a design does not name keeps the hypercube's value.
    """

    def __init__(self, space: SearchSpace, start: Sequence[Mapping[str, float]]) -> None:
        super().__init__()
        self._space = space
        self._start = start

    def _do(self, problem: Any, n_samples: int, *args: Any, **kwargs: Any) -> Array:
        X = np.asarray(super()._do(problem, n_samples, *args, **kwargs))
        for place, values in enumerate(self._start[:n_samples]):
            X[place] = self._space.encode(values, X[place])
        return X


def _less_violating(pop: Any, P: NDArray[np.intp], random_state: np.random.Generator, **_: Any) -> Any:
    """NSGA-III's tournament, (n, 2) to (n, 1): the design that breaks less, else either.

    pymoo's own draws from a generator without a seed between designs that break equally much.
    """
    broken = np.array([[pop[i].CV[0] for i in pair] for pair in P])
    either = random_state.integers(0, 2, size=len(P))
    winner = np.where(broken[:, 0] == broken[:, 1], either, broken.argmin(axis=1))
    return P[np.arange(len(P)), winner][:, None]


def _algorithm(study: GeneticStudy, **settings: Any) -> Any:
    objectives = len(study.objectives)
    if objectives == 1:
        return GA(pop_size=study.population_size, **settings)
    if study.partitions is None:
        return NSGA2(pop_size=study.population_size, **settings)
    directions = get_reference_directions("das-dennis", objectives, n_partitions=study.partitions)
    selection = TournamentSelection(func_comp=_less_violating)
    return NSGA3(directions, pop_size=study.population_size, selection=selection, **settings)


class GeneticSearch:
    """The search of one study.

    Args:
        study: variables, objectives, constraints and settings.
        start: possible values at some or all of the variables' paths, for designs of the first generation.
    """

    def __init__(self, study: GeneticStudy, start: Sequence[Mapping[str, float]] = ()) -> None:
        self._study = study
        self.space = SearchSpace(study.variables)
        problem = Problem(
            n_var=len(self.space.free),
            n_obj=len(study.objectives),
            n_ieq_constr=len(study.constraints) + 1,
            xl=self.space.lower,
            xu=self.space.upper,
        )
        self._algorithm = _algorithm(
            study, sampling=_FirstGeneration(self.space, start), repair=_Round(self.space.whole)
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
        self._asked.set("F", np.array([minimised(self._study, scored.objectives) for scored in generation]))
        self._asked.set("G", np.array([self._broken(scored) for scored in generation]))
        self._asked.apply(lambda individual: individual.evaluated.update({"F", "G", "H"}))
        # pymoo silences all warnings of the process while it normalises objectives.
        with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
            # Between designs without a solution the crowding distance is inf - inf; they rank last all the same.
            self._algorithm.tell(infills=self._asked)

    def _broken(self, scored: Scored) -> list[float]:
        """Violations, and as the last of them that there is no solution at all.

        Without it NSGA-III would take infinite objectives for the worst corner of the front.
        """
        return [*scaled_violations(self._study, scored), 0.0 if scored.solved else np.inf]

    @property
    def population(self) -> Array:
        """Free variables of the surviving population, scaled to 0 to 1; (n, d)."""
        if not self.space.free:
            return np.empty((1, 0))
        X = np.asarray(self._algorithm.pop.get("X"), dtype=float)
        return np.asarray((X - self.space.lower) / (self.space.upper - self.space.lower))
