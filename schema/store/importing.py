"""Older result files into runs of today: Parquet files, rows, and the KPIs that the files allow.

A file tells the flows between components and of what sort each component is, not what its energy costs, emits
or comes from. So the energies and the two rates of self-supply can be worked out; cost, CO2 and the renewable
fraction cannot, and stay NULL. The formulas are those of `solvers.kpis` (K1 to K5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from schema.errors import Finding, InputError
from schema.store import queries
from schema.store.importing_files import ResultFile, read_result
from schema.store.records import Evaluation, Kpis, NewStudy, run_id_of
from schema.store.store import Store

_ELECTRICITY: Final = "electricity"
_UNKNOWN_START: Final = "1970-01-01T00:00:00"
_STUDY: Final = "imported"


@dataclass(frozen=True)
class Clock:
    """When the steps were: the files do not say. The older software knew no other step than an hour."""

    start: datetime | None = None
    step_minutes: int = 60


@dataclass(frozen=True)
class Imported:
    """A file and its run; `new` is false where the same content had been imported before."""

    file: str
    run_id: str
    new: bool


def import_results(
    store: Store, paths: Sequence[Path], *, study_id: str = _STUDY, clock: Clock | None = None
) -> list[Imported]:
    """Import files into a study, each as a run; what the study has already is passed over.

    Args:
        store: open for writing.
        paths: the files; all of them are checked before the first is imported.
        study_id: the study, made where there is none; it takes imports only.
        clock: when the steps were.

    Raises:
        InputError: with everything that is wrong with any file; nothing was imported.
        StudyAliveError: the study is being written.
    """
    results = _all_read(paths)
    with store.claim(study_id):
        known = _known(store, study_id)
        number = 1 + max((n for n, _ in known.values()), default=-1)
        told = []
        for result in results:
            new = result.sha256 not in known
            if new:
                known[result.sha256] = (number, run_id_of(study_id, number))
                _record(store, study_id, number, result, clock or Clock())
                number += 1
            told.append(Imported(result.name, known[result.sha256][1], new))
        return told


def kpis_of(result: ResultFile, step_hours: float) -> Kpis:
    """The KPIs that the flows allow."""
    kinds = {name: component.kind for name, component in result.components.items()}
    grids = {name for name, kind in kinds.items() if kind == "transmission"}

    def energy_kwh(counts: Callable[[str, str], bool]) -> float:
        return step_hours * sum(
            sum(flow.power_kw)
            for flow in result.flows.values()
            if flow.kind == _ELECTRICITY and counts(flow.source, flow.target)
        )

    generation = energy_kwh(lambda source, _: kinds[source] == "generation")
    demand = energy_kwh(lambda _, target: kinds[target] in {"consumption", "generation"})
    grid_import = energy_kwh(lambda source, target: source in grids and target not in grids)
    grid_export = energy_kwh(lambda source, target: target in grids and source not in grids)
    return Kpis(
        total_generation_kwh=generation,
        total_demand_kwh=demand,
        net_grid_usage_kwh=grid_import - grid_export,
        self_consumption_rate=_rate(generation - grid_export, generation),
        self_sufficiency_rate=_rate(demand - grid_import, demand),
    )


def _rate(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0


def _all_read(paths: Iterable[Path]) -> list[ResultFile]:
    results: list[ResultFile] = []
    findings: list[Finding] = []
    for path in paths:
        try:
            results.append(read_result(path))
        except InputError as error:
            findings += error.findings
    if findings:
        raise InputError(findings)
    return results


def _known(store: Store, study_id: str) -> dict[str, tuple[int, str]]:
    """What the study has imported: content → evaluation number and run; the study is made if need be."""
    study = store.study(study_id)
    if study is None:
        about = "Runs of the older EcoSystemiser"
        store.create_study(NewStudy(study_id, "single", description=about, metadata={"imported": True}))
        return {}
    if not (study["metadata_json"] or {}).get("imported"):
        message = f"study {study_id} was not made of imports: give another --study-id"
        raise InputError(Finding("", "--study-id", study_id, "a new id, or that of imports", message))
    rows = queries.evaluations(store.connection, study_id)
    return {
        (row["metadata_json"] or {}).get("imported", {}).get("sha256", row["run_id"]): (
            row["evaluation_number"],
            row["run_id"],
        )
        for row in rows
    }


def _record(store: Store, study_id: str, number: int, result: ResultFile, clock: Clock) -> None:
    """The files first: what a kill leaves behind is a folder without a row, which the next import replaces."""
    from schema.store.timeseries import write_run

    kpis = kpis_of(result, clock.step_minutes / 60.0)
    origin = {"file": result.name, "sha256": result.sha256, "metadata": dict(result.metadata)}
    files = write_run(
        store.results_dir,
        study_id,
        run_id_of(study_id, number),
        **_frames(result, clock),
        system_hash=result.sha256,
        config=_config(study_id, number, result, clock, origin),
        kpis=kpis.columns(),
    )
    evaluation = Evaluation(
        study_id,
        number,
        parameters={},
        status="success",
        system_id=result.system_id,
        timesteps=result.timesteps,
        solver_type=_solver(result),
        kpis=kpis,
        started_at=result.timestamp,
        files=files,
        metadata={"imported": origin},
    )
    store.record([evaluation])
    store.finish_study(study_id, "completed")


def _frames(result: ResultFile, clock: Clock) -> dict[str, Any]:
    import pandas as pd

    start = pd.Timestamp(clock.start or _UNKNOWN_START)
    start = start.tz_localize("UTC") if start.tzinfo is None else start
    index = pd.date_range(start, periods=result.timesteps, freq=pd.Timedelta(minutes=clock.step_minutes))
    flows = {f"{flow.source}.{name}": flow.power_kw for name, flow in result.flows.items()}
    parts = result.components.items()
    levels = {f"{name}.level_kwh": c.level_kwh for name, c in parts if c.level_kwh is not None}
    profiles = {name: c.profile for name, c in parts if c.profile is not None}
    return {
        "flows": pd.DataFrame(flows, index=index),
        "components": pd.DataFrame(levels, index=index),
        "profiles": pd.DataFrame(profiles, index=index) if profiles else None,
        "units": dict.fromkeys(flows, "kW") | dict.fromkeys(levels, "kWh"),
    }


def _config(
    study_id: str, number: int, result: ResultFile, clock: Clock, origin: dict[str, Any]
) -> dict[str, Any]:
    return {
        "study_id": study_id,
        "evaluation_number": number,
        "parameters": {},
        "imported": origin,
        "system_id": result.system_id,
        "timesteps": result.timesteps,
        "timestamp": result.timestamp,
        "step_minutes": clock.step_minutes,
        "start": clock.start,
        "components": {name: dict(component.told) for name, component in result.components.items()},
        "flows": {
            name: {"source": flow.source, "target": flow.target, "type": flow.kind}
            for name, flow in result.flows.items()
        },
        "solver": {"method": _solver(result)},
        "study": {"study_type": "single", "metadata": {"imported": True}},
        "system_hash": result.sha256,
    }


def _solver(result: ResultFile) -> str:
    told = result.metadata.get("solver_type", result.metadata.get("solver"))
    return told[:60] if isinstance(told, str) and told else "unknown"
