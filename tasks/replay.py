"""A recorded run, solved again: its time series where none were kept, and whether the record still holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schema.errors import Finding, InputError
from schema.loading import load_system
from schema.store import queries
from schema.store.records import KPI_COLUMNS, RunFiles
from schema.store.store import Store
from schema.store.timeseries import place_of, read_details, read_series
from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.judging import Dispatch
from tasks.evaluate import Assignment, Design
from tasks.series import write_series
from tasks.versions import versions

SAME = 1e-6
"""Largest difference of a KPI that counts as none, relative to its size (at least 1)."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Replay:
    """A run as it was recorded and as it came out now.

    Attributes:
        run_id: the run.
        recorded_status, recorded: its status and its KPIs in the record.
        dispatch: of now.
        series: the system's profiles, each (T,).
        other_versions: what it was made with that is another now: name to both versions.
        files: where its time series were written; None without a solution.
    """

    run_id: str
    recorded_status: str
    recorded: Mapping[str, float]
    dispatch: Dispatch
    series: Mapping[str, NDArray[np.float64]]
    other_versions: Mapping[str, tuple[str, str]]
    files: RunFiles | None = None

    @property
    def status(self) -> str:
        """In the record's words."""
        status = self.dispatch.status
        return "success" if status.has_solution else str(status)

    @property
    def differences(self) -> dict[str, float]:
        """KPIs that came out otherwise, by how much."""
        now = self.dispatch.kpis
        apart = {name: now.get(name, np.nan) - value for name, value in self.recorded.items()}
        return {
            name: d for name, d in apart.items() if not abs(d) <= SAME * max(1.0, abs(self.recorded[name]))
        }

    @property
    def agrees(self) -> bool:
        return self.status == self.recorded_status and not self.differences


def replay(store: Store, run_id: str) -> Replay:
    """Solve a run again, write its time series and tell how it compares with its record.

    Raises:
        InputError: there is no such run, or nothing is left to solve it from.
        StudyAliveError: its study is being run.
    """
    found, assignment, design = _solved(store, run_id)
    if not found.dispatch.status.has_solution:
        return found
    with store.claim(assignment.study_id):
        files = write_series(assignment, design, found.dispatch)
        store.attach_files({run_id: files})
    return replace(found, files=files)


def solve_again(store: Store, run_id: str) -> Replay:
    """As `replay`, and nothing is written: the store may be open to read only.

    Raises:
        InputError: there is no such run, or nothing is left to solve it from.
    """
    return _solved(store, run_id)[0]


def _solved(store: Store, run_id: str) -> tuple[Replay, Assignment, Design]:
    row = queries.evaluation(store.connection, run_id)
    study = queries.required_study(store.connection, row["study_id"])
    assignment = assignment_of(store, study)
    design = Design(row["evaluation_number"], row["parameters"])
    dispatch = Dispatcher(assignment.system, assignment.series, assignment.solver).dispatch(design.values)
    made_with, today = study["metadata_json"].get("versions", {}), versions()
    found = Replay(
        run_id,
        row["simulation_status"],
        _recorded_kpis(store, run_id),
        dispatch,
        assignment.series,
        {name: (old, today[name]) for name, old in made_with.items() if today.get(name, old) != old},
    )
    return found, assignment, design


def _recorded_kpis(store: Store, run_id: str) -> dict[str, float]:
    run = queries.simulation_run(store.connection, run_id) or {}
    return {name: run[name] for name in KPI_COLUMNS if run.get(name) is not None}


def assignment_of(store: Store, study: Row) -> Assignment:
    """All that it takes to dispatch designs of a recorded study again.

    Raises:
        InputError: nothing is left to dispatch them from.
    """
    content = study["metadata_json"].get("content", {})
    system_hash = content.get("system_hash")
    if system_hash is None:
        message = f"{study['study_id']} was recorded without its system: it cannot be solved again"
        raise InputError(Finding("", "", study["study_id"], "a study of this program", message))
    found = _from_file(study, system_hash) or _from_kept_run(store, study, system_hash)
    if found is None:
        file = study["base_system_config_path"]
        message = (
            f"{file} is no longer the system that {study['study_id']} was run with, or is gone, and no run of "
            "the study kept its profiles: put that system back to solve its runs again"
        )
        raise InputError(Finding(str(file), "", "another system or none", "the study's system", message))
    system, series = found
    solver = SolverSettings.model_validate(content["solver"])
    return Assignment(system, series, system_hash, solver, str(study["study_id"]), store.results_dir)


def _from_file(study: Row, system_hash: str) -> tuple[System, Mapping[str, NDArray[np.float64]]] | None:
    """The system's own file, if it still says what it said."""
    try:
        loaded = load_system(Path(study["base_system_config_path"]))
    except InputError:
        return None
    return (loaded.system, loaded.series) if loaded.content_hash == system_hash else None


def _from_kept_run(
    store: Store, study: Row, system_hash: str
) -> tuple[System, Mapping[str, NDArray[np.float64]]] | None:
    """The system and its profiles as some run of the study has kept them."""
    study_id = str(study["study_id"])
    for row in queries.kept_runs(store.connection, study_id):
        try:
            place = place_of(store.results_dir, study_id, row["run_id"], row["results_path"])
            config, _ = read_details(place, study_id, row["run_id"])
            profiles = read_series(place, study_id, row["run_id"], "profiles")
        except (InputError, OSError, ValueError):
            continue
        if config.get("system_hash") == system_hash:
            system = System.model_validate(config["reference_system"])
            return system, {name: profiles[name].to_numpy(float) for name in profiles.columns}
    return None
