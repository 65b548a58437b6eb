"""The tables as first shipped, with their keys and indexes.

A shipped table is not edited here: later columns, tables and indexes come as migrations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_SQL_TYPES: Final = {str: "TEXT", int: "INTEGER", float: "REAL"}


@dataclass(frozen=True)
class Reference:
    """A column that points to another table's key, and what happens when that row is deleted."""

    column: str
    table: str
    key: str
    on_delete: str


@dataclass(frozen=True)
class Table:
    """One table: its key first, then its columns.

    Attributes:
        only: indexes that hold a part of the rows, and which.
        filled: columns that are never NULL, with the value they start from.
    """

    name: str
    columns: Mapping[str, type]
    key: str
    references: Sequence[Reference] = ()
    indexes: Sequence[tuple[str, ...]] = ()
    filled: Mapping[str, str | int] = field(default_factory=dict)
    only: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def statements(self) -> list[str]:
        """What makes the table and its indexes."""
        # By hand: sqlite-utils cannot make tables that point to each other.
        made = [self._table()]
        for columns in self.indexes:
            name = "_".join(["idx", self.name, *columns])
            part = self.only.get(columns, "")
            made.append(f"CREATE INDEX {name} ON {self.name} ({', '.join(columns)}) {part}")
        return made

    def _table(self) -> str:
        parts = [self._column(name) for name in self.columns]
        for r in self.references:
            parts.append(
                f"FOREIGN KEY ({r.column}) REFERENCES {r.table} ({r.key}) ON DELETE {r.on_delete} "
                "DEFERRABLE INITIALLY DEFERRED"
            )
        return f"CREATE TABLE {self.name} ({', '.join(parts)}) STRICT"

    def _column(self, name: str) -> str:
        text = f"{name} {_SQL_TYPES[self.columns[name]]}"
        if name == self.key:
            return f"{text} PRIMARY KEY NOT NULL"
        if name in self.filled:
            return f"{text} NOT NULL DEFAULT {self.filled[name]!r}"
        return text


OF_STUDY = Reference("study_id", "studies", "study_id", "CASCADE")

STUDIES = Table(
    "studies",
    {
        "study_id": str,
        "study_type": str,
        "study_name": str,
        "description": str,
        "base_system_config_path": str,
        "optimization_objective": str,
        "optimization_constraints": str,
        "population_size": int,
        "max_generations": int,
        "max_evaluations": int,
        "status": str,
        "progress_percent": float,
        "run_count": int,
        "best_fitness": float,
        "best_solution_id": str,
        "created_at": str,
        "updated_at": str,
        "completed_at": str,
        "execution_time_seconds": float,
        "metadata_json": str,
    },
    key="study_id",
    indexes=[("study_type",), ("status",), ("best_fitness",)],
    filled={"status": "pending", "progress_percent": 0, "run_count": 0},
)

STUDY_RUNS = Table(
    "study_runs",
    {
        "run_id": str,
        "study_id": str,
        "evaluation_number": int,
        "generation_number": int,
        "parameter_vector": str,
        "parameter_names": str,
        "fitness": float,
        "objectives": str,
        "constraint_violations": str,
        "simulation_run_id": str,
        "simulation_status": str,
        "evaluation_time_seconds": float,
        "solver_time_seconds": float,
        "is_pareto_optimal": int,
        "domination_count": int,
        "created_at": str,
        "metadata_json": str,
    },
    key="run_id",
    references=[OF_STUDY, Reference("simulation_run_id", "simulation_runs", "run_id", "SET NULL")],
    indexes=[
        ("study_id", "evaluation_number"),
        ("study_id", "generation_number"),
        ("study_id", "fitness"),
        ("study_id", "is_pareto_optimal"),
        # Without it, every deleted simulation run would scan all evaluations for those that point to it.
        ("simulation_run_id",),
    ],
    filled={"is_pareto_optimal": 0},
    # Marked evaluations are few: an index of all would cost more than it finds.
    only={("study_id", "is_pareto_optimal"): "WHERE is_pareto_optimal = 1"},
)

PARETO_FRONTS = Table(
    "pareto_fronts",
    {
        "pareto_id": int,
        "study_id": str,
        "generation_number": int,
        "front_size": int,
        "hypervolume": float,
        "run_ids": str,
        "created_at": str,
    },
    key="pareto_id",
    references=[OF_STUDY],
    indexes=[("study_id", "generation_number")],
)

CONVERGENCE_METRICS = Table(
    "convergence_metrics",
    {
        "metric_id": int,
        "study_id": str,
        "generation_number": int,
        "best_fitness": float,
        "average_fitness": float,
        "worst_fitness": float,
        "fitness_std_dev": float,
        "population_diversity": float,
        "stagnation_count": int,
        "generation_time_seconds": float,
        "evaluations_in_generation": int,
        "created_at": str,
    },
    key="metric_id",
    references=[OF_STUDY],
    indexes=[("study_id", "generation_number")],
)

UNCERTAINTY_ANALYSIS = Table(
    "uncertainty_analysis",
    {
        "analysis_id": int,
        "study_id": str,
        "target_solution_id": str,
        "objective_name": str,
        "mean_value": float,
        "median_value": float,
        "std_dev": float,
        "percentile_5": float,
        "percentile_25": float,
        "percentile_50": float,
        "percentile_75": float,
        "percentile_95": float,
        "var_95": float,
        "cvar_95": float,
        "created_at": str,
        "metadata_json": str,
    },
    key="analysis_id",
    references=[OF_STUDY],
    indexes=[("study_id",)],
)

SENSITIVITY_ANALYSIS = Table(
    "sensitivity_analysis",
    {
        "sensitivity_id": int,
        "study_id": str,
        "analysis_id": int,
        "objective_name": str,
        "parameter_name": str,
        "parameter_index": int,
        "correlation_coefficient": float,
        "rank_correlation": float,
        "sobol_first_order": float,
        "sobol_first_order_confidence": float,
        "sobol_total": float,
        "sobol_total_confidence": float,
        "mu_star": float,
        "mu_star_confidence": float,
        "sigma": float,
        "importance_rank": int,
        "created_at": str,
        "metadata_json": str,
    },
    key="sensitivity_id",
    references=[OF_STUDY, Reference("analysis_id", "uncertainty_analysis", "analysis_id", "CASCADE")],
    indexes=[("study_id", "importance_rank"), ("analysis_id",)],
)

SIMULATION_RUNS = Table(
    "simulation_runs",
    {
        "run_id": str,
        "study_id": str,
        "study_run_id": str,
        "system_id": str,
        "timesteps": int,
        "timestamp": str,
        "solver_type": str,
        "simulation_status": str,
        "total_cost": float,
        "total_co2": float,
        "self_consumption_rate": float,
        "self_sufficiency_rate": float,
        "renewable_fraction": float,
        "total_generation_kwh": float,
        "total_demand_kwh": float,
        "net_grid_usage_kwh": float,
        "results_path": str,
        "flows_path": str,
        "components_path": str,
        "created_at": str,
        "updated_at": str,
        "metadata_json": str,
    },
    key="run_id",
    references=[OF_STUDY, Reference("study_run_id", "study_runs", "run_id", "SET NULL")],
    indexes=[
        ("study_id",),
        ("timestamp",),
        ("solver_type",),
        ("total_cost",),
        ("renewable_fraction",),
        ("study_run_id",),
    ],
)

# Dispatches that later evaluations may take over; it came with a later step.
DISPATCHES = Table(
    "dispatches",
    {"dispatch_key": str, "study_id": str, "evaluation_number": int, "sums": str},
    key="dispatch_key",
    references=[OF_STUDY],
)

# Parents before children; study_runs and simulation_runs point to each other.
FIRST_TABLES = (
    STUDIES,
    STUDY_RUNS,
    SIMULATION_RUNS,
    PARETO_FRONTS,
    CONVERGENCE_METRICS,
    UNCERTAINTY_ANALYSIS,
    SENSITIVITY_ANALYSIS,
)

JSON_COLUMNS = frozenset(
    {
        "optimization_objective",
        "optimization_constraints",
        "parameter_vector",
        "parameter_names",
        "objectives",
        "constraint_violations",
        "run_ids",
        "metadata_json",
    }
)
