"""The index made anew from the run folders alone, in the results folder and where time series go.

A folder tells its evaluation (`simulation_config.json`, `kpis.json`) and, in `record`, what the database knew when
it was written: the study, and the evaluation if it had been settled. Evaluations that kept no files are lost
with the database, and so are generations and analyses.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from schema.errors import Finding, InputError
from schema.store import queries
from schema.store.database import FILE_NAME, LOCKS_FOLDER, RUNS_FOLDER
from schema.store.errors import StoreError
from schema.store.folders import COMMIT_MARK, SERIES_VARIABLE, Place, folder_at, series_place
from schema.store.locks import waited_for
from schema.store.records import (
    Evaluation,
    Front,
    Kpis,
    NewStudy,
    RunFiles,
    StudyStatus,
    check_run_id,
    check_study_id,
)
from schema.store.statements import EVALUATIONS
from schema.store.store import Store
from schema.store.values import finite, utc_text

SERIES_FILES: Final = ("flows.parquet", "components.parquet")
_OF_EVALUATION: Final = (
    *("generation_number", "fitness", "objectives", "constraint_violations", "simulation_status"),
    *("evaluation_time_seconds", "solver_time_seconds", "is_pareto_optimal", "metadata_json"),
)
_OF_STUDY: Final = (
    *("study_type", "study_name", "description", "base_system_config_path", "status", "population_size"),
    *(
        "max_generations",
        "max_evaluations",
        "optimization_objective",
        "optimization_constraints",
        "metadata_json",
    ),
)
_ENDS: Final[Mapping[str, StudyStatus]] = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass(frozen=True)
class Rebuilt:
    """What was found in the folders.

    Attributes:
        set_aside: where the database that was there lies now.
        unreadable: folders that tell no run.
    """

    studies: int
    runs: int
    set_aside: Path | None
    unreadable: tuple[str, ...] = ()


def record_of(results_dir: Path, study_id: str, run_id: str) -> dict[str, Any]:
    """What the database knows of a run's study and evaluation, to be kept in the run's folder; {} if nothing."""
    try:
        with Store.open(results_dir, read_only=True) as store:
            study = store.study(study_id)
            rows = queries.fetch(store.connection, f"{EVALUATIONS} WHERE e.run_id = ?", [run_id])
    except (InputError, StoreError):
        return {}
    known: dict[str, Any] = {}
    if study is not None:
        known["study"] = {name: study[name] for name in _OF_STUDY}
    if rows:
        known["evaluation"] = {name: rows[0][name] for name in _OF_EVALUATION}
    return known


def rebuild(results_dir: Path) -> Rebuilt:
    """Make the folder's database anew; the one that is there is set aside, never deleted.

    Raises:
        InputError: a study is being written, or the folder cannot be used.
    """
    if not results_dir.is_dir():
        message = "there is no such folder: name the results folder"
        raise InputError(Finding(str(results_dir), "--results", "nothing", "a folder", message))
    _require_quiet(results_dir)
    found = _found([results_dir, series_place(results_dir)])
    new = results_dir / f".rebuilding.{secrets.token_hex(4)}"
    studies, runs, unreadable = 0, 0, []
    try:
        with Store.open(new) as store:
            require_file(store)
            for study_id, its_runs in found.items():
                taken = [run for run in its_runs if _adopted(store, run)]
                unreadable += [run.base for run in its_runs if run not in taken]
                studies, runs = studies + bool(taken), runs + len(taken)
                if taken:
                    _settle(store, study_id, taken)
            # All of it in one file.
            store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Rebuilt(studies, runs, _put_in_place(results_dir, new / FILE_NAME), tuple(unreadable))
    finally:
        shutil.rmtree(new, ignore_errors=True)


def require_file(store: Store) -> None:
    """Refuse to care for a database that is no file of the results folder.

    Raises:
        InputError: it is on a server.
    """
    connection: object = store.connection
    if not isinstance(connection, sqlite3.Connection):
        message = "the database is on a server: use the server's own tools to check, back up and restore it"
        raise InputError(Finding("", "database", "a server", "a results folder's own database", message))


def run_folders(results_dir: Path) -> Iterator[Path]:
    """Every folder in the results folder that bears the name of a run, by study and run."""
    for run in _runs(results_dir):
        yield results_dir / run.base


def adopt(store: Store, folder: Path) -> bool:
    """Record the run that a folder tells; False where it tells none that can be understood."""
    return _adopted(store, _Run(folder.parents[2], folder.parent.name, folder.name))


# -- from a folder


class _Run(NamedTuple):
    place: Place
    study_id: str
    run_id: str

    @property
    def base(self) -> str:
        """Where its files lie, as recorded."""
        way = f"{RUNS_FOLDER}/{self.study_id}/{self.run_id}"
        return way if isinstance(self.place, Path) else f"{self.place}/{way}"

    def read(self, name: str) -> dict[str, Any]:
        with folder_at(self.place, RUNS_FOLDER, self.study_id, self.run_id).open(name) as file:
            told = json.loads(file.read())
        if not isinstance(told, dict):
            raise TypeError(f"{name} holds no object")
        return told


def _found(places: Iterable[Place]) -> dict[str, list[_Run]]:
    """All runs at some places, by study and run; one that is at several is taken from the last.

    Raises:
        InputError: a place cannot be read.
    """
    found: dict[str, dict[str, _Run]] = {}
    for place in places:
        try:
            for run in _runs(place):
                found.setdefault(run.study_id, {})[run.run_id] = run
        except OSError as error:
            message = f"the runs in {place} cannot be listed ({error}): see that it can be reached"
            finding = Finding("", SERIES_VARIABLE, str(place), "a place that can be read", message)
            raise InputError(finding) from error
    return {study_id: [runs[run_id] for run_id in sorted(runs)] for study_id, runs in sorted(found.items())}


def _runs(place: Place) -> Iterator[_Run]:
    for study_id in _slugs(folder_at(place, RUNS_FOLDER).folders(), check_study_id):
        for run_id in _slugs(folder_at(place, RUNS_FOLDER, study_id).folders(), check_run_id):
            yield _Run(place, study_id, run_id)


def _slugs(names: Iterable[str], check: Callable[[str], str]) -> Iterator[str]:
    for name in names:
        with suppress(InputError):
            yield check(name)


def _adopted(store: Store, run: _Run) -> bool:
    try:
        config, kpis = run.read("simulation_config.json"), run.read(COMMIT_MARK)
        evaluation = _evaluation(run, config, kpis)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    if store.study(run.study_id) is None:
        store.create_study(_study(run.study_id, config))
    store.record([evaluation])
    return True


def _settle(store: Store, study_id: str, runs: Sequence[_Run]) -> None:
    """Give a rebuilt study its status, and the front that its runs were on."""
    records = [_record(run.read("simulation_config.json")) for run in runs]
    marked = [
        run.run_id
        for run, record in zip(runs, records, strict=True)
        if (record.get("evaluation") or {}).get("is_pareto_optimal")
    ]
    if marked:
        store.record_final_front(study_id, Front(marked))
    study = records[-1].get("study") or {}
    # A front's files come at a study's end; with files for all, the end may never have come.
    content = (study.get("metadata_json") or {}).get("content") or {}
    likely: StudyStatus = "failed" if content.get("timeseries") == "all" else "completed"
    store.finish_study(study_id, _ENDS.get(study.get("status") or "", likely))


def _record(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("record") or {}


def _study(study_id: str, config: Mapping[str, Any]) -> NewStudy:
    told = _record(config).get("study") or {}
    return NewStudy(
        study_id,
        told.get("study_type") or "single",
        told.get("study_name") or study_id,
        told.get("description") or "",
        told.get("base_system_config_path") or "",
        told.get("optimization_objective") or {},
        told.get("optimization_constraints") or {},
        told.get("population_size"),
        told.get("max_generations"),
        told.get("max_evaluations"),
        {**(told.get("metadata_json") or {}), "rebuilt_at": utc_text()},
    )


def _evaluation(run: _Run, config: Mapping[str, Any], kpis: Mapping[str, Any]) -> Evaluation:
    record = _record(config)
    known = record.get("evaluation") or {}
    numbers = {name: finite(value) for name, value in kpis.items() if isinstance(value, int | float)}
    scored = (
        known if known.get("simulation_status") == "success" else _scored(record.get("study") or {}, numbers)
    )
    system = config.get("system") or {}
    moment = config.get("timestamp")
    made = Evaluation(
        run.study_id,
        int(config["evaluation_number"]),
        parameters=dict(config["parameters"]),
        status="success",  # only what was solved keeps files
        system_id=str(config.get("system_id") or system["system"]),
        timesteps=int(config.get("timesteps") or system["horizon"]["steps"]),
        solver_type=str(config["solver"]["method"]),
        generation_number=known.get("generation_number"),
        objectives=scored.get("objectives") or {},
        fitness=scored.get("fitness"),
        constraint_violations=scored.get("constraint_violations") or {},
        kpis=Kpis.of(numbers),
        evaluation_time_seconds=known.get("evaluation_time_seconds"),
        solver_time_seconds=known.get("solver_time_seconds"),
        started_at=datetime.fromisoformat(moment) if isinstance(moment, str) else None,
        files=RunFiles(run.base, *(f"{run.base}/{name}" for name in SERIES_FILES)),
        metadata=known.get("metadata_json") or _imported(config),
    )
    if made.run_id != run.run_id:
        raise ValueError(f"{run.run_id} says that it is {made.run_id}")
    return made


def _scored(study: Mapping[str, Any], kpis: Mapping[str, float | None]) -> dict[str, Any]:
    """Objectives, fitness and broken constraints of a run that was not settled yet when it was written."""
    senses = study.get("optimization_objective") or {}
    objectives = {name: kpis[name] for name in senses if kpis.get(name) is not None}
    first = next(iter(senses), "")
    value = objectives.get(first)
    broken: dict[str, float] = {}
    for name, bound in (study.get("optimization_constraints") or {}).items():
        told = kpis.get(name)
        if told is not None:
            amount = max(bound.get("min", told) - told, told - bound.get("max", told))
            broken |= {name: amount} if amount > 0 else {}
    fitness = None if value is None else -value if senses[first] == "maximise" else value
    return {"objectives": objectives, "fitness": fitness, "constraint_violations": broken}


def _imported(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"imported": config["imported"]} if "imported" in config else {}


# -- the file


def _require_quiet(results_dir: Path) -> None:
    from schema.store import locks

    for file in (results_dir / LOCKS_FOLDER).glob("study-*.lock"):
        holder = locks.holder(file)
        if holder is not None:
            study_id = file.stem.removeprefix("study-")
            message = (
                f"study {study_id} is being run (process {holder.pid}): wait until it ends, or cancel it"
            )
            raise InputError(Finding(str(results_dir), "", study_id, "no study in progress", message))


def _put_in_place(results_dir: Path, new: Path) -> Path | None:
    file = results_dir / FILE_NAME
    (results_dir / LOCKS_FOLDER).mkdir(exist_ok=True)
    with waited_for(results_dir / LOCKS_FOLDER / "database.lock"):
        aside = _set_aside(file) if file.exists() else None
        new.replace(file)
    return aside


def _set_aside(file: Path) -> Path:
    """Damaged or not: the file as it is, with the log that belongs to it."""
    name = f"{file.stem}.before-rebuild.{utc_text().replace(':', '')}.{secrets.token_hex(2)}{file.suffix}"
    aside = file.with_name(name)
    os.link(file, aside)
    for ending in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            file.with_name(file.name + ending).replace(aside.with_name(aside.name + ending))
    return aside
