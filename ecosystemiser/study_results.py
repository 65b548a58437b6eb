"""What a study found, read from the store: its front, which of its designs to show, and its pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecosystemiser.results import picture_folder
from schema.store import queries
from schema.store.database import FILE_NAME, RUNS_FOLDER
from schema.store.records import KPI_COLUMNS
from schema.store.runs import runs
from schema.store.statements import Row
from schema.store.store import Store
from tasks import fronts

if TYPE_CHECKING:
    from ecosystemiser.pictures.marks import Picture

_REASONS = 3
_TOLD = ("designs", "sampling", "left_out", "search", "stopped_by", "start")


@dataclass(frozen=True)
class StudyResults:
    """A study's results at one moment.

    Attributes:
        study: its row.
        statistics: its evaluations in numbers.
        front: its designs that none dominates, with their KPIs, by the first objective.
        hypervolume: of that front.
        runs: its evaluations, where it tries designs one beside the other.
        uncertainty: how its outputs spread, where it asks.
        sensitivity: what its parameters do, where it asks.
        results: the results folder.
        pictures: what each shows → its file.
    """

    study: Row
    statistics: Row
    front: list[Row]
    hypervolume: float | None
    runs: list[Row]
    uncertainty: list[Row]
    sensitivity: list[Row]
    results: Path
    pictures: Mapping[str, Path]

    @classmethod
    def read(cls, store: Store, study_id: str, pictures: Mapping[str, Path]) -> StudyResults:
        recorded = queries.fronts(store.connection, study_id)
        study = queries.required_study(store.connection, study_id)
        shows_all = study["study_type"] in {"parametric", "single"}
        return cls(
            study,
            queries.statistics(store.connection, study_id)[0],
            front_of(store, study_id),
            recorded[-1]["hypervolume"] if recorded else None,
            runs(store.connection, study_ids=[study_id], limit=None) if shows_all else [],
            queries.uncertainty(store.connection, study_id),
            queries.sensitivity(store.connection, study_id),
            store.results_dir,
            pictures,
        )

    @property
    def study_id(self) -> str:
        return str(self.study["study_id"])

    @property
    def objectives(self) -> dict[str, str]:
        return dict(self.study["optimization_objective"] or {})

    @property
    def kind(self) -> str:
        """Its type: genetic_algorithm, monte_carlo, parametric or single."""
        return str(self.study["study_type"])

    @property
    def is_answered(self) -> bool:
        """Whether it found what it was for: a front, where it seeks one, or else any dispatch."""
        found = self.front if self.kind == "genetic_algorithm" else self.statistics["successful"]
        return bool(found) and self.study["status"] == "completed"

    @property
    def told(self) -> Row:
        """What its record tells of its search, samples and designs beside the figures."""
        metadata = self.study["metadata_json"] or {}
        return {name: metadata[name] for name in _TOLD if name in metadata}

    @cached_property
    def knee(self) -> int | None:
        return knee_of(self.front, self.objectives)

    @property
    def paths(self) -> dict[str, str]:
        """Everything that was written, by what it is."""
        written = {"database": self.results / FILE_NAME}
        series = self.results / RUNS_FOLDER / self.study_id
        if series.is_dir():
            written["time_series"] = series
        return {name: str(path) for name, path in {**written, **self.pictures}.items()}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "study_id": self.study_id,
            "study_type": self.kind,
            "status": self.study["status"],
            "evaluations": self.statistics["evaluations"],
            "successful": self.statistics["successful"],
            "failed": self.statistics["failed"],
            "infeasible": self.statistics["infeasible"],
            "cached": self.statistics["cached"],
            "breaking_constraints": self.statistics["breaking_constraints"],
            "hypervolume": self.hypervolume,
            "knee": None if self.knee is None else self.front[self.knee]["run_id"],
            "front": [
                {
                    "run_id": row["run_id"],
                    "parameters": row["parameters"],
                    "objectives": row["objectives"],
                    "kpis": {name: row.get(name) for name in KPI_COLUMNS},
                }
                for row in self.front
            ],
            **self._analysed(),
            "paths": self.paths,
        }

    def _analysed(self) -> dict[str, Any]:
        """What only some kinds of study have."""
        if self.kind == "genetic_algorithm":
            return self.told
        if self.kind == "monte_carlo":
            return {"uncertainty": self.uncertainty, "sensitivity": self.sensitivity, **self.told}
        tried = [
            {
                "run_id": row["run_id"],
                "status": row["simulation_status"],
                "parameters": row["parameters"],
                "objectives": row["objectives"],
                "kpis": {name: row.get(name) for name in KPI_COLUMNS},
                "gap_fraction": gap_of(row),
                "evaluation_time_seconds": row["evaluation_time_seconds"],
                "solver_time_seconds": row["solver_time_seconds"],
            }
            for row in self.runs
        ]
        return {"runs": tried, "sensitivity": self.sensitivity, **self.told}


def gap_of(run: Mapping[str, Any]) -> float | None:
    """The relative gap to which a run was solved [-], where it is known."""
    gap = (run["metadata_json"] or {}).get("gap_fraction")
    return None if gap is None else float(gap)


def front_of(store: Store, study_id: str, generation: int | None = None) -> list[Row]:
    """A front's evaluations with their KPIs beside them."""
    rows = queries.pareto_front(store.connection, study_id, generation)
    for row in rows:
        run = queries.simulation_run(store.connection, row["simulation_run_id"] or row["run_id"]) or {}
        row |= {name: run.get(name) for name in KPI_COLUMNS}
    return rows


def vectors(rows: Sequence[Row], objectives: Mapping[str, str]) -> NDArray[np.float64]:
    """The rows' objectives to be minimised, (n, m)."""
    signs = [-1.0 if sense == "maximise" else 1.0 for sense in objectives.values()]
    values = [[row["objectives"][name] for name in objectives] for row in rows]
    return np.array(values, dtype=float).reshape(len(rows), len(objectives)) * signs


def knee_of(front: Sequence[Row], objectives: Mapping[str, str]) -> int | None:
    """Position of the knee; None where the front has none but its extremes."""
    if len(front) < 3 or len(objectives) < 2:
        return None
    F = vectors(front, objectives)
    knee = fronts.knee(F)
    return None if knee in set(F.argmin(axis=0).tolist()) else knee


def spread_of(front: Sequence[Row], objectives: Mapping[str, str], count: int) -> list[int]:
    """Positions of some designs that stand for the whole front: the extremes, the knee, and what lies between.

    Each further one is the farthest from those chosen before, the objectives scaled to their ranges.
    """
    if len(front) <= count:
        return list(range(len(front)))
    F = vectors(front, objectives)
    scaled = (F - F.min(axis=0)) / np.where(np.ptp(F, axis=0) > 0, np.ptp(F, axis=0), 1.0)
    knee = knee_of(front, objectives)
    chosen = list(dict.fromkeys([*scaled.argmin(axis=0).tolist(), *([] if knee is None else [knee])]))
    distance = np.min([np.linalg.norm(scaled - scaled[index], axis=1) for index in chosen], axis=0)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[chosen[-1]], axis=1))
    return sorted(chosen[:count])


def reasons(store: Store, study_id: str) -> list[str]:
    """Why a study has no front, in a few lines."""
    statistics = queries.statistics(store.connection, study_id)[0]
    study = queries.required_study(store.connection, study_id)
    counted = (
        f"{statistics['evaluations']:,} evaluations: {statistics['successful']:,} solved "
        f"({statistics['breaking_constraints']:,} of them break a constraint), "
        f"{statistics['infeasible']:,} infeasible, {statistics['failed']:,} failed"
    )
    lines = [counted]
    for status in ("failed", "infeasible"):
        rows = runs(store.connection, study_ids=[study_id], status=status, limit=1_000)
        told = Counter(str((row["metadata_json"] or {}).get("message") or "no reason") for row in rows)
        lines += [f"{status}, {count:,} times: {text}" for text, count in told.most_common(_REASONS)]
    solved = runs(store.connection, study_ids=[study_id], status="success", limit=1_000)
    broken = Counter(name for row in solved for name in row["constraint_violations"] or {})
    for name, count in broken.most_common(_REASONS):
        amounts = [
            row["constraint_violations"][name] for row in solved if name in row["constraint_violations"]
        ]
        lines.append(f"the constraint on {name} is broken {count:,} times, by {min(amounts):.3g} at least")
    lines += [str(line) for line in (study["metadata_json"] or {}).get("reason", [])]
    return lines


# -- pictures

PICTURES = ("front", "convergence", "distribution", "sensitivity", "sweep")


def draw(store: Store, study_id: str) -> dict[str, Path]:
    """Draw what the study has into its folder of pictures.

    Raises:
        InputError: the folder cannot be written.
    """
    from ecosystemiser.pictures import files, of_studies

    made: tuple[Callable[[Store, str], Picture | None], ...] = (
        *(of_studies.front, of_studies.convergence, of_studies.distribution),
        *(of_studies.sensitivities, of_studies.sweep),
    )
    drawn = {}
    for name, of_study in zip(PICTURES, made, strict=True):
        picture = of_study(store, study_id)
        if picture is not None:
            drawn[name] = picture_folder(store.results_dir, study_id) / f"{name}.png"
            files.save(picture, drawn[name])
    return drawn


def drawn_before(results: Path, study_id: str) -> dict[str, Path]:
    """The pictures that `draw` left."""
    files = {name: picture_folder(results, study_id) / f"{name}.png" for name in PICTURES}
    return {name: file for name, file in files.items() if file.is_file()}
