"""Results judged by a study's objectives and constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from schema.store.records import Evaluation, Kpis
from schema.study import Bound, Sense, SolverSettings
from tasks.evaluate import Design, EvaluationStatus, Result


class Judge(Protocol):
    """What decides how a result scores: any study."""

    @property
    def study(self) -> str:
        """Its id."""

    @property
    def solver(self) -> SolverSettings:
        """How each evaluation is dispatched."""

    @property
    def objectives(self) -> Mapping[str, Sense]:
        """KPIs and the way in which they are better; the first one is the fitness."""

    @property
    def constraints(self) -> Mapping[str, Bound]:
        """Limits on KPIs."""


@dataclass(frozen=True)
class Scored:
    """A settled evaluation as an algorithm sees it.

    Attributes:
        objectives: in natural units; empty where there is no solution.
        violations: KPI to the amount by which its bound is broken, raw; empty where none is.
        status: whether there is a solution at all.
    """

    design: Design
    status: EvaluationStatus
    objectives: Mapping[str, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)

    @property
    def solved(self) -> bool:
        return self.status == "success"

    @property
    def satisfying(self) -> bool:
        """Whether it counts for bests and fronts."""
        return self.solved and not self.violations


def minimised(study: Judge, objectives: Mapping[str, float]) -> list[float]:
    """Objectives as a vector to minimise; infinite where there is no solution."""
    return [
        (-1.0 if sense == "maximise" else 1.0) * objectives.get(name, math.nan) if objectives else math.inf
        for name, sense in study.objectives.items()
    ]


def score(study: Judge, result: Result) -> Scored:
    """Objectives and broken constraints of a result."""
    if result.status != "success":
        return Scored(result.design, result.status)
    objectives = {name: result.kpis[name] for name in study.objectives}
    violations = {
        name: amount
        for name, bound in study.constraints.items()
        if (amount := violation(bound, result.kpis[name])) > 0
    }
    return Scored(result.design, result.status, objectives, violations)


def violation(bound: Bound, value: float) -> float:
    """Amount by which a value breaks a bound; 0 where it does not."""
    below = bound.min - value if bound.min is not None else 0.0
    above = value - bound.max if bound.max is not None else 0.0
    return max(below, above, 0.0)


def scaled_violations(study: Judge, scored: Scored) -> list[float]:
    """Violations relative to their bound's size (1 if that is 0); infinite where there is no solution."""
    if not scored.solved:
        return [math.inf] * len(study.constraints)
    return [scored.violations.get(name, 0.0) / _size(bound) for name, bound in study.constraints.items()]


def _size(bound: Bound) -> float:
    return max(abs(limit) for limit in (bound.min, bound.max) if limit is not None) or 1.0


def evaluation_of(
    study: Judge, system_id: str, timesteps: int, generation: int | None, result: Result, scored: Scored
) -> Evaluation:
    """A result as it is recorded."""
    metadata: dict[str, Any] = {"message": result.message, **result.details}
    if result.cached_from:
        metadata["cached_from"] = result.cached_from
    return Evaluation(
        study_id=study.study,
        evaluation_number=result.design.number,
        parameters=result.design.values,
        status=result.status,
        system_id=system_id,
        timesteps=timesteps,
        solver_type=solver_of(study, result.design),
        generation_number=generation,
        objectives=scored.objectives,
        fitness=minimised(study, scored.objectives)[0] if scored.solved else None,
        constraint_violations=scored.violations,
        kpis=Kpis.of(result.kpis),
        evaluation_time_seconds=result.seconds,
        solver_time_seconds=result.solver_seconds,
        started_at=result.started_at,
        files=result.files,
        metadata=metadata,
        reusable=result.reusable,
    )


def solver_of(study: Judge, design: Design) -> str:
    """The method by which a design is dispatched; a design may state its own."""
    return str(design.values.get("solver.method", study.solver.method))


def scored_from_row(row: Mapping[str, Any]) -> Scored:
    """A recorded evaluation as an algorithm sees it."""
    design = Design(row["evaluation_number"], row["parameters"])
    return Scored(
        design, row["simulation_status"], row["objectives"] or {}, row["constraint_violations"] or {}
    )
