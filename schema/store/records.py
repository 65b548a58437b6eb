"""What is recorded: studies, evaluations before and after they are solved, generations, analyses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, Self

from schema.errors import Finding, InputError
from schema.store.values import compact_json, finite, utc_text

StudyType = Literal["genetic_algorithm", "monte_carlo", "parametric", "single"]
StudyStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
EvaluationStatus = Literal["success", "failed", "infeasible"]
Parameter = float | int | str | bool

# What the command line calls them.
STUDY_TYPES: Final[Mapping[str, StudyType]] = {
    "ga": "genetic_algorithm",
    "mc": "monte_carlo",
    "genetic_algorithm": "genetic_algorithm",
    "monte_carlo": "monte_carlo",
    "parametric": "parametric",
    "single": "single",
}
SIMULATION_STATUS: Final[Mapping[EvaluationStatus, str]] = {
    "success": "completed",
    "failed": "failed",
    "infeasible": "infeasible",
}
_STUDY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}")


def check_study_id(study_id: str) -> str:
    """The id as it is, once it is known to be safe as a folder's name.

    Raises:
        InputError: it is no slug of letters, digits, `_` and `-`, 64 characters at most.
    """
    return _checked(study_id, _STUDY_ID, "study", 64)


def check_run_id(run_id: str) -> str:
    """As `check_study_id`, for a run (96 characters at most).

    Raises:
        InputError: it is no slug.
    """
    return _checked(run_id, _RUN_ID, "run", 96)


def run_id_of(study_id: str, evaluation_number: int) -> str:
    """The id of a study's evaluation, the same in `study_runs` and `simulation_runs`."""
    return f"{study_id}-{evaluation_number:07d}"


@lru_cache(maxsize=64)
def names_text(names: tuple[str, ...]) -> str:
    """Parameter names as stored: the same for a whole study."""
    return compact_json(list(names))


@dataclass(frozen=True)
class NewStudy:
    """A study as it is asked for.

    Attributes:
        objectives: name → `minimise` or `maximise`, in order; for Monte Carlo its outputs.
        constraints: KPI → its bounds.
        metadata: what else belongs to the record, such as the content's hash.
    """

    study_id: str
    study_type: StudyType
    study_name: str = ""
    description: str = ""
    base_system_config_path: str = ""
    objectives: Mapping[str, str] = field(default_factory=dict)
    constraints: Mapping[str, Any] = field(default_factory=dict)
    population_size: int | None = None
    max_generations: int | None = None
    max_evaluations: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        now = utc_text()
        return {
            "study_id": check_study_id(self.study_id),
            "study_type": self.study_type,
            "study_name": self.study_name or self.study_id,
            "description": self.description,
            "base_system_config_path": self.base_system_config_path,
            "optimization_objective": compact_json(self.objectives),
            "optimization_constraints": compact_json(self.constraints),
            "population_size": self.population_size,
            "max_generations": self.max_generations,
            "max_evaluations": self.max_evaluations,
            "created_at": now,
            "updated_at": now,
            "metadata_json": compact_json(self.metadata),
        }


@dataclass(frozen=True)
class Kpis:
    """The eight KPIs of a solved dispatch over its horizon [€, kg, shares of 1, kWh], and any others."""

    total_cost: float | None = None
    total_co2: float | None = None
    self_consumption_rate: float | None = None
    self_sufficiency_rate: float | None = None
    renewable_fraction: float | None = None
    total_generation_kwh: float | None = None
    total_demand_kwh: float | None = None
    net_grid_usage_kwh: float | None = None
    other: Mapping[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, float | None]) -> Self:
        """From a flat mapping; names that are none of the eight go to `other`."""
        eight = {name: values[name] for name in KPI_COLUMNS if name in values}
        return cls(**eight, other={name: values[name] for name in values if name not in eight})

    def columns(self) -> dict[str, float | None]:
        return {name: finite(getattr(self, name)) for name in KPI_COLUMNS}


KPI_COLUMNS: Final = tuple(field.name for field in fields(Kpis) if field.name != "other")
# Of the others, less is better.
MAXIMISED_KPIS: Final = frozenset(
    {"self_consumption_rate", "self_sufficiency_rate", "renewable_fraction", "total_generation_kwh"}
)


@dataclass(frozen=True)
class RunFiles:
    """Where a run's files lie, relative to the results folder."""

    results_path: str
    flows_path: str
    components_path: str


_NO_FILES: Final = RunFiles("", "", "")


@dataclass(frozen=True)
class RunStart:
    """An evaluation that is about to be solved."""

    study_id: str
    evaluation_number: int
    system_id: str
    timesteps: int
    solver_type: str
    started_at: datetime | None = None

    @property
    def run_id(self) -> str:
        return run_id_of(self.study_id, self.evaluation_number)

    def row(self) -> dict[str, Any]:
        now = utc_text()
        begun = utc_text(self.started_at) if self.started_at else now
        return {
            "run_id": self.run_id,
            "study_id": self.study_id,
            "system_id": self.system_id,
            "timesteps": int(self.timesteps),
            "timestamp": begun,
            "solver_type": self.solver_type,
            "simulation_status": "running",
            "created_at": None if now == begun else now,
            "updated_at": now,
            "metadata_json": "{}",
        }


@dataclass(frozen=True)
class Reusable:
    """What lets other evaluations take over a dispatch.

    Attributes:
        key: a hash of all that decides it.
        sums: what its KPIs are worked out from, as text; None where they are taken as they are.
    """

    key: str
    sums: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """A settled evaluation: the design, how it ended, and the dispatch's KPIs.

    Attributes:
        parameters: dotted path → value, in the study's order.
        objectives: name → value in natural units; empty where there is no solution.
        fitness: the first objective, negated where it is maximised; None where there is none.
        constraint_violations: KPI → amount by which the study's bound is broken, raw.
        started_at: when it was begun; needed only where no `RunStart` was recorded.
        metadata: of the evaluation (`study_runs.metadata_json`).
        reusable: None where no other evaluation may take over its dispatch.
    """

    study_id: str
    evaluation_number: int
    parameters: Mapping[str, Parameter]
    status: EvaluationStatus
    system_id: str
    timesteps: int
    solver_type: str
    generation_number: int | None = None
    objectives: Mapping[str, float] = field(default_factory=dict)
    fitness: float | None = None
    constraint_violations: Mapping[str, float] = field(default_factory=dict)
    kpis: Kpis = field(default_factory=Kpis)
    evaluation_time_seconds: float | None = None
    solver_time_seconds: float | None = None
    started_at: datetime | None = None
    files: RunFiles | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reusable: Reusable | None = None

    def __post_init__(self) -> None:
        if self.status != "success" and (self.fitness is not None or self.objectives):
            raise ValueError(f"{self.run_id} is {self.status}: it has no fitness and no objectives")

    @cached_property
    def run_id(self) -> str:
        return run_id_of(self.study_id, self.evaluation_number)

    @property
    def is_candidate(self) -> bool:
        """Whether it counts for bests and fronts: solved, and within the study's constraints."""
        return (
            self.status == "success" and not self.constraint_violations and finite(self.fitness) is not None
        )

    def study_run_row(self, now: str) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "study_id": self.study_id,
            "evaluation_number": int(self.evaluation_number),
            "generation_number": None if self.generation_number is None else int(self.generation_number),
            "parameter_vector": compact_json(list(self.parameters.values())),
            "parameter_names": names_text(tuple(self.parameters)),
            "fitness": finite(self.fitness),
            "objectives": compact_json(self.objectives),
            "constraint_violations": compact_json(self.constraint_violations),
            "simulation_run_id": self.run_id,
            "simulation_status": self.status,
            "evaluation_time_seconds": finite(self.evaluation_time_seconds),
            "solver_time_seconds": finite(self.solver_time_seconds),
            "created_at": now,
            "metadata_json": compact_json(self.metadata),
        }

    def dispatch_row(self) -> dict[str, Any] | None:
        """Under which key others find its dispatch; None where they shall not."""
        if self.reusable is None:
            return None
        return {
            "dispatch_key": self.reusable.key,
            "study_id": self.study_id,
            "evaluation_number": int(self.evaluation_number),
            "sums": self.reusable.sums,
        }

    def simulation_run_row(self, now: str) -> dict[str, Any]:
        kept = {"kpis": self.kpis.other} if self.kpis.other else {}
        return _simulation_run_row(self, now, self.study_id, self.run_id, kept)


@dataclass(frozen=True)
class SingleRun:
    """A dispatch that was solved by itself and belongs to no study: a row of `simulation_runs` alone.

    Attributes:
        metadata: what was asked for and how it was answered.
    """

    run_id: str
    system_id: str
    timesteps: int
    solver_type: str
    status: EvaluationStatus
    started_at: datetime
    kpis: Kpis = field(default_factory=Kpis)
    files: RunFiles | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def row(self, now: str) -> dict[str, Any]:
        kept = {"kpis": self.kpis.other, **self.metadata} if self.kpis.other else self.metadata
        return _simulation_run_row(self, now, None, None, kept)


def _simulation_run_row(
    run: Evaluation | SingleRun,
    now: str,
    study_id: str | None,
    study_run_id: str | None,
    metadata: Mapping[str, Any],
) -> dict[str, Any]:
    files = run.files or _NO_FILES
    begun = utc_text(run.started_at) if run.started_at else now
    return {
        "run_id": run.run_id,
        "study_id": study_id,
        "study_run_id": study_run_id,
        "system_id": run.system_id,
        "timesteps": int(run.timesteps),
        "timestamp": begun,
        "solver_type": run.solver_type,
        "simulation_status": SIMULATION_STATUS[run.status],
        **run.kpis.columns(),
        "results_path": files.results_path or None,
        "flows_path": files.flows_path or None,
        "components_path": files.components_path or None,
        # A time that would repeat the one before it is left out.
        "created_at": None if now == begun else now,
        "updated_at": now,
        "metadata_json": compact_json(metadata) if metadata else "{}",
    }


@dataclass(frozen=True)
class Front:
    """A set of non-dominated evaluations and the hypervolume it spans."""

    run_ids: Sequence[str]
    hypervolume: float | None = None


@dataclass(frozen=True)
class Generation:
    """What a generation told, once its evaluations are recorded.

    Attributes:
        front: the non-dominated evaluations so far; None where the study has one objective.
        domination_counts: run id → how many evaluations dominate it.
    """

    study_id: str
    generation_number: int
    best_fitness: float | None = None
    average_fitness: float | None = None
    worst_fitness: float | None = None
    fitness_std_dev: float | None = None
    population_diversity: float | None = None
    stagnation_count: int = 0
    generation_time_seconds: float | None = None
    evaluations_in_generation: int = 0
    front: Front | None = None
    domination_counts: Mapping[str, int] = field(default_factory=dict)

    def row(self, now: str) -> dict[str, Any]:
        numbers = [
            *("best_fitness", "average_fitness", "worst_fitness", "fitness_std_dev"),
            *("population_diversity", "generation_time_seconds"),
        ]
        return {
            "study_id": self.study_id,
            "generation_number": int(self.generation_number),
            **{name: finite(getattr(self, name)) for name in numbers},
            "stagnation_count": int(self.stagnation_count),
            "evaluations_in_generation": int(self.evaluations_in_generation),
            "created_at": now,
        }


@dataclass(frozen=True)
class Uncertainty:
    """How an output spreads when what is uncertain varies.

    Attributes:
        objective_name: the output.
        target_solution_id: the design whose surroundings were sampled, where it is a recorded one.
        var_95: value at risk: the 95 % quantile towards the adverse side.
        cvar_95: the mean of what lies beyond it.
    """

    study_id: str
    objective_name: str
    target_solution_id: str | None = None
    mean_value: float | None = None
    median_value: float | None = None
    std_dev: float | None = None
    percentile_5: float | None = None
    percentile_25: float | None = None
    percentile_50: float | None = None
    percentile_75: float | None = None
    percentile_95: float | None = None
    var_95: float | None = None
    cvar_95: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def row(self, now: str) -> dict[str, Any]:
        return _analysis_row(self, now)


@dataclass(frozen=True)
class Sensitivity:
    """What one parameter does to an output.

    Attributes:
        objective_name: the output.
        parameter_index: the parameter's place in the study's order.
        analysis_id: the uncertainty analysis that it belongs to, as `Store.record_uncertainty` gave it.
        importance_rank: 1 for the parameter that matters most.
    """

    study_id: str
    objective_name: str
    parameter_name: str
    parameter_index: int
    analysis_id: int | None = None
    correlation_coefficient: float | None = None
    rank_correlation: float | None = None
    sobol_first_order: float | None = None
    sobol_first_order_confidence: float | None = None
    sobol_total: float | None = None
    sobol_total_confidence: float | None = None
    mu_star: float | None = None
    mu_star_confidence: float | None = None
    sigma: float | None = None
    importance_rank: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def row(self, now: str) -> dict[str, Any]:
        return _analysis_row(self, now)


def _analysis_row(analysis: Uncertainty | Sensitivity, now: str) -> dict[str, Any]:
    row = {field.name: getattr(analysis, field.name) for field in fields(analysis)}
    metadata = compact_json(row.pop("metadata"))
    kept = {name: finite(value) if isinstance(value, float) else value for name, value in row.items()}
    return {**kept, "created_at": now, "metadata_json": metadata}


def _checked(text: str, pattern: re.Pattern[str], kind: str, longest: int) -> str:
    if pattern.fullmatch(text):
        return text
    expected = f"a letter or digit, then letters, digits, _ and -, {longest} characters at most"
    message = f"{text!r} cannot name a {kind}: use {expected}"
    raise InputError(Finding("", f"{kind}_id", repr(text), expected, message))
