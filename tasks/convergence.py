"""What a study has found so far: its front, its bests, and how it comes along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schema.store.records import Front, Generation
from tasks.evaluate import run_id
from tasks.fronts import domination_counts, hypervolume, non_dominated, reference_point
from tasks.scoring import Judge, Scored, minimised

Array = NDArray[np.float64]


class Convergence:
    """The archive of a study's satisfying evaluations.

    Args:
        study: tells objectives and constraints.
        reference: point from which the hypervolume is measured, in natural units; else it is found as
            `GeneticAlgorithm.reference_point` says.
        measured: whether hypervolumes are worked out; with many objectives that takes long.
    """

    def __init__(
        self, study: Judge, reference: Mapping[str, float] | None = None, *, measured: bool = True
    ) -> None:
        self._study = study
        self._ids: list[str] = []
        self._scored: list[Scored] = []
        self._F = np.empty((0, len(study.objectives)))
        self._front = np.empty(0, dtype=np.intp)
        self._hypervolume: float | None = None
        self._measured = measured
        self._stagnation = 0
        self.reference = None if reference is None else np.array(minimised(study, reference))

    @property
    def hypervolume(self) -> float | None:
        """Of the front after the last generation; None before there is one."""
        return self._hypervolume

    @property
    def front(self) -> list[Scored]:
        """The non-dominated evaluations, by their first objective."""
        order = self._front[np.lexsort((self._front, self._F[self._front, 0]))]
        return [self._scored[i] for i in order]

    @property
    def best(self) -> dict[str, float]:
        """Best value of each objective, in natural units."""
        if not len(self._F):
            return {}
        senses = self._study.objectives.items()
        return {
            name: float(value) * (-1.0 if sense == "maximise" else 1.0)
            for (name, sense), value in zip(senses, self._F.min(axis=0), strict=True)
        }

    def tell(
        self, number: int, generation: Sequence[Scored], population: Array, seconds: float
    ) -> Generation:
        """Take in a generation and say how the study comes along."""
        satisfying = self.take_in(generation)
        fitness = np.array([minimised(self._study, scored.objectives)[0] for scored in satisfying])
        return Generation(
            study_id=self._study.study,
            generation_number=number,
            best_fitness=float(self._F[:, 0].min()) if len(self._F) else None,
            average_fitness=float(fitness.mean()) if fitness.size else None,
            worst_fitness=float(fitness.max()) if fitness.size else None,
            fitness_std_dev=float(fitness.std()) if fitness.size else None,
            population_diversity=diversity(population),
            stagnation_count=self._stagnation,
            generation_time_seconds=seconds,
            evaluations_in_generation=len(generation),
            front=self._front_record(),
        )

    def final_front(self) -> Front:
        """The front of the whole study."""
        return self._front_record()

    def domination_counts(self) -> dict[str, int]:
        """By run, how many evaluations dominate it."""
        return dict(zip(self._ids, map(int, domination_counts(self._F)), strict=True))

    def take_in(self, answers: Sequence[Scored]) -> list[Scored]:
        """Take in evaluations; those of them that count, as they keep the constraints."""
        satisfying = [scored for scored in answers if scored.satisfying]
        new = np.array([minimised(self._study, scored.objectives) for scored in satisfying])
        if not len(new):
            self._stagnation += 1
            return satisfying
        first = len(self._F)
        self._F = np.vstack([self._F, new])
        self._scored += satisfying
        self._ids += [run_id(self._study.study, scored.design) for scored in satisfying]
        candidates = np.concatenate([self._front, np.arange(first, len(self._F))])
        self._front = candidates[non_dominated(self._F[candidates])]
        if not self._measured:
            return satisfying
        if self.reference is None:
            self.reference = reference_point(new)
        before, self._hypervolume = self._hypervolume, hypervolume(self._F[self._front], self.reference)
        grew = before is None or self._hypervolume > before
        self._stagnation = 0 if grew else self._stagnation + 1
        return satisfying

    def _front_record(self) -> Front:
        ids = [run_id(self._study.study, scored.design) for scored in self.front]
        return Front(ids, self._hypervolume)


def diversity(population: Array) -> float:
    """Mean distance of the designs to their centre, each variable scaled to 0 to 1."""
    if not population.size:
        return 0.0
    return float(np.linalg.norm(population - population.mean(axis=0), axis=1).mean())
