"""When a genetic study ends, and which of its limits ended it.

| symbol | meaning |
|---|---|
| g | generations so far |
| V_g | hypervolume of the front; with one objective the best fitness, its sign turned |
| n, τ | `stagnation.generations`, `stagnation.tolerance_fraction` |

Stagnation: V_g − V_(g−n) ≤ τ |V_g|.   (T1)
"""

from __future__ import annotations

from typing import Literal

from schema.store.records import Generation
from schema.study import GeneticStudy

StoppedBy = Literal["max_generations", "max_evaluations", "max_hours", "stagnation", "no_new_designs"]


class Stopping:
    """A study's limits, asked after every generation; the same generations end it at the same one.

    Args:
        study: its limits.

    Attributes:
        most_generations: that can be begun at all.
    """

    def __init__(self, study: GeneticStudy) -> None:
        self._limits = study.algorithm
        self._single = len(study.objectives) == 1
        self._population_size = study.population_size
        self.most_generations = study.planned // study.population_size
        self._evaluations = 0
        self._seconds = 0.0
        self._values: list[float | None] = []

    def tell(self, told: Generation) -> StoppedBy | None:
        """Take in a generation; the limit that it reached, if it did."""
        self._evaluations += told.evaluations_in_generation
        self._seconds += told.generation_time_seconds or 0.0
        self._values.append(self._value(told))
        limits = self._limits
        if len(self._values) >= limits.max_generations:
            return "max_generations"
        after_next = self._evaluations + self._population_size
        if limits.max_evaluations is not None and after_next > limits.max_evaluations:
            return "max_evaluations"
        if limits.max_hours is not None and self._seconds >= limits.max_hours * 3600:
            return "max_hours"
        return "stagnation" if self._stagnates else None

    def _value(self, told: Generation) -> float | None:
        if self._single:
            return None if told.best_fitness is None else -told.best_fitness
        return None if told.front is None else told.front.hypervolume

    @property
    def _stagnates(self) -> bool:
        limit = self._limits.stagnation
        if limit is None or len(self._values) <= limit.generations:
            return False
        before, now = self._values[-1 - limit.generations], self._values[-1]
        if before is None or now is None:
            return False
        return now - before <= limit.tolerance_fraction * abs(now)  # (T1)
