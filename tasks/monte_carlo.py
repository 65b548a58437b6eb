"""A Monte Carlo study by ask and tell: rounds of samples around one design or around every design of a front.

Round by round a Sobol design may double (`samples: auto`); its first rows stay what they were, so only the new
ones are asked. The numbers of an evaluation tell its row: design by design, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schema.base import Value
from schema.loading import LoadedStudy
from schema.store.records import Sensitivity, Uncertainty
from schema.studies import MonteCarloStudy
from tasks.bases import Base
from tasks.bookkeeping import Analysis
from tasks.fronts import non_dominated
from tasks.sampling import factors_of, unit_design, values_at
from tasks.scoring import Scored
from tasks.sensitivity import Effect, distributed_rows, effects, is_constant, widest_interval
from tasks.uncertainty import clusters, spread

Array = NDArray[np.float64]
FIRST_ROUND = 64


class MonteCarlo:
    """The samples of one study, and what they tell.

    Args:
        loaded: the study and its system.
        bases: the designs that are put through what is uncertain.

    Attributes:
        samples: N so far.
        rounds: what each round told, as it is recorded.
    """

    def __init__(self, study: MonteCarloStudy, loaded: LoadedStudy, bases: Sequence[Base]) -> None:
        self._study, self._loaded, self._bases = study, loaded, bases
        self._names = list(study.uncertain)
        self.samples = 0
        self.rounds: list[dict[str, Any]] = []
        self._unit = np.empty((0, len(self._names)))
        self._told: list[list[Scored]] = [[] for _ in bases]

    @property
    def most_rounds(self) -> int:
        """How many rounds there are at most."""
        return len(self._plan)

    @property
    def _plan(self) -> list[int]:
        """N of each round."""
        sampling = self._study.sampling
        if sampling.samples != "auto":
            return [sampling.samples]
        plan = [min(FIRST_ROUND, sampling.max_samples)]
        while plan[-1] * 2 <= sampling.max_samples:
            plan.append(plan[-1] * 2)
        return plan

    def ask(self) -> list[dict[str, Value]]:
        """The next round's designs; none when there is nothing more to ask."""
        if len(self.rounds) == self.most_rounds or self._is_sure():
            return []
        self.samples = self._plan[len(self.rounds)]
        known = len(self._unit)
        self._unit = unit_design(self._study.sampling, self.samples, len(self._names))
        sampled = values_at(self._study.uncertain, self._unit[known:])
        return [values for base in self._bases for values in self._around(base, sampled)]

    def _around(self, base: Base, sampled: Array) -> list[dict[str, Value]]:
        system, solver = self._loaded.system.system, self._study.solver
        factors = factors_of(self._study.uncertain, base.values, system, solver)
        return [
            {**base.values, **dict(zip(self._names, row, strict=True))}
            for row in (sampled * factors).tolist()
        ]

    def tell(self, answers: Sequence[Scored]) -> None:
        """The round's answers, in the order of the questions."""
        each = len(answers) // len(self._bases)
        for position in range(len(self._bases)):
            self._told[position] += answers[position * each : (position + 1) * each]
        self.rounds.append({"samples": self.samples, "widest_interval": self._widest()})

    def _widest(self) -> float | None:
        """Width of the widest interval of all indices [-]; None where none is sought or there is none yet."""
        if self._study.sampling.samples != "auto":
            return None
        widths = [widest_interval(self._effects(y)) for y in self._all_outputs()]
        return max((width for width in widths if width is not None), default=None)

    def _is_sure(self) -> bool:
        """Whether the widest interval is narrow enough, or nothing varies that more samples could explain."""
        if not self.rounds:
            return False
        widest = self.rounds[-1]["widest_interval"]
        if widest is None:
            return all(is_constant(y[np.isfinite(y)]) for y in self._all_outputs())
        return bool(widest < self._study.sampling.target_interval)

    def _all_outputs(self) -> Iterator[Array]:
        """Every output of every design, each (rows,)."""
        for position in range(len(self._bases)):
            yield from self._outputs(position).T

    def _outputs(self, position: int) -> Array:
        """A design's outputs, (rows, outputs), NaN where a sample has no answer."""
        missing = [np.nan] * len(self._study.outputs)
        return np.array(
            [
                [scored.objectives[name] for name in self._study.outputs] if scored.solved else missing
                for scored in self._told[position]
            ]
        )

    def _values(self) -> Array:
        return values_at(self._study.uncertain, self._unit)

    def _effects(self, Y: Array) -> list[Effect]:
        return effects(self._study.sampling, self._unit, self._values(), Y)

    # -- what is recorded in the end

    def analyses(self) -> list[Analysis]:
        """How every output of every design spreads, and what every uncertain number does to it."""
        stays = self._stays()
        return [
            self._analysis(base, name, Y[:, k], stays.get(position))
            for position, base in enumerate(self._bases)
            for Y in [self._outputs(position)]
            for k, name in enumerate(self._study.outputs)
        ]

    def _analysis(self, base: Base, output: str, Y: Array, stays: Mapping[str, Any] | None) -> Analysis:
        study = self._study
        rows = distributed_rows(study.sampling, len(Y), len(self._names))
        high_is_adverse = study.objectives[output] == "minimise"
        found = spread(Y[rows], high_is_adverse=high_is_adverse, seed=study.sampling.seed)
        uncertainty = None
        if found is not None:
            told = {
                "intervals_95": found.intervals,
                "samples": found.samples,
                "left_out": len(rows) - found.samples,
            }
            metadata = {**told, "adverse": "high" if high_is_adverse else "low", **(stays or {})}
            uncertainty = Uncertainty(study.study, output, base.run_id, **found.figures, metadata=metadata)
        sensitivities = [
            _sensitivity(study.study, output, name, index, effect, base)
            for index, (name, effect) in enumerate(zip(self._names, self._effects(Y), strict=True))
        ]
        return Analysis(uncertainty, sensitivities)

    def summary(self) -> dict[str, Any]:
        """What the study's record says of its samples beside the figures."""
        scored = [answer for told in self._told for answer in told]
        solved = np.array([answer.solved for answer in scored])
        sampled = np.tile(self._values(), (len(self._bases), 1))
        unsolved = int((~solved).sum())
        return {
            "sampling": {
                "method": self._study.sampling.method,
                "samples": self.samples,
                "evaluations": len(scored),
                "rounds": self.rounds,
                "reached_target": self._is_sure() if self._study.sampling.samples == "auto" else None,
            },
            "left_out": {
                "count": unsolved,
                "share": unsolved / len(scored),
                "failed": sum(answer.status == "failed" for answer in scored),
                "infeasible": sum(answer.status == "infeasible" for answer in scored),
                "clusters": [asdict(cluster) for cluster in clusters(self._names, sampled, solved)],
            },
        }

    def _stays(self) -> dict[int, dict[str, Any]]:
        """By design, how often it is on the front when all of them meet the same samples."""
        if len(self._bases) < 2:
            return {}
        signs = np.array([1.0 if way == "minimise" else -1.0 for way in self._study.objectives.values()])
        F = np.stack([self._outputs(position) for position in range(len(self._bases))]) * signs
        rows = distributed_rows(self._study.sampling, F.shape[1], len(self._names))
        return staying(F[:, rows])


def staying(F: Array) -> dict[int, dict[str, Any]]:
    """By design, the share of samples in which no other dominates it, and whether none does in the mean.

    Args:
        F: outputs to be minimised, (designs, samples, outputs), NaN where a sample has no answer. A design is not
            on the front of a sample that leaves it without an answer; samples that leave all without one do not
            count. Means are over the samples that every design has an answer for.
    """
    solved: NDArray[np.bool_] = np.asarray(np.isfinite(F).all(axis=2))
    counted = np.flatnonzero(solved.any(axis=0))
    on_front = np.zeros(len(F), dtype=int)
    for sample in counted:
        there = np.flatnonzero(solved[:, sample])
        on_front[there[non_dominated(F[there, sample])]] += 1
    common = solved.all(axis=0)
    in_the_mean = set(non_dominated(F[:, common].mean(axis=1)).tolist()) if common.any() else None
    return {
        position: {
            "front_share": float(on_front[position] / len(counted)) if len(counted) else None,
            "on_mean_front": None if in_the_mean is None else position in in_the_mean,
        }
        for position in range(len(F))
    }


def _sensitivity(
    study_id: str, output: str, name: str, index: int, effect: Effect, base: Base
) -> Sensitivity:
    return Sensitivity(
        study_id,
        output,
        name,
        index,
        correlation_coefficient=effect.pearson,
        rank_correlation=effect.spearman,
        sobol_first_order=effect.first,
        sobol_first_order_confidence=effect.first_confidence,
        sobol_total=effect.total,
        sobol_total_confidence=effect.total_confidence,
        mu_star=effect.mu_star,
        mu_star_confidence=effect.mu_star_confidence,
        sigma=effect.sigma,
        importance_rank=effect.rank,
        metadata={"used": effect.used, "target_solution_id": base.run_id},
    )
