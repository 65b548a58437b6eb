"""Time series of a dispatch, as files: packed where it was solved, written by the flow's process."""

from __future__ import annotations

from dataclasses import asdict, replace

import pandas as pd

from schema.errors import InputError
from schema.store.folders import series_place
from schema.store.rebuild import record_of
from schema.store.records import RunFiles, run_id_of
from schema.store.timeseries import packed_run, write_packed
from schema.store.values import utc_text
from solvers.judging import Dispatch
from tasks.evaluate import Assignment, Design, PackedSeries, Result
from tasks.patience import patiently
from tasks.versions import versions


def write_series(assignment: Assignment, design: Design, dispatch: Dispatch) -> RunFiles:
    """Write a run's flows, states, configuration and KPIs into the study's folder, wherever series go."""
    return _write(assignment, design, pack_series(assignment, dispatch))


def pack_series(assignment: Assignment, dispatch: Dispatch) -> PackedSeries:
    """What a run's folder holds, to be sent to who writes it."""
    index = dispatch.system.horizon.index
    accounts = {name: asdict(account) for name, account in dispatch.accounts.items()}
    files = packed_run(
        flows=pd.DataFrame(dict(dispatch.flows), index=index),
        components=pd.DataFrame(dict(dispatch.states), index=index),
        units=dispatch.units,
        profiles=pd.DataFrame(dict(assignment.series), index=index),
        system_hash=assignment.system_hash,
        kpis={**dispatch.kpis, "by_component": accounts},
    )
    return PackedSeries(files, dispatch.system.model_dump(mode="json"))


def with_files(assignment: Assignment, result: Result) -> Result:
    """The result with its packed series written, if any; a design is not to blame for a disk that is full."""
    if result.packed is None:
        return result
    design, packed = result.design, result.packed
    try:
        files = patiently(
            lambda: _write(assignment, design, packed),
            assignment.failures.storage_patience_seconds,
            what=f"The time series of {run_id_of(assignment.study_id, design.number)}",
            passing=(InputError, OSError),
        )
    except (InputError, OSError) as error:
        return replace(result, packed=None, unwritten=str(error))
    return replace(result, packed=None, files=files)


def _write(assignment: Assignment, design: Design, packed: PackedSeries) -> RunFiles:
    run_id = run_id_of(assignment.study_id, design.number)
    config = {
        "study_id": assignment.study_id,
        "evaluation_number": design.number,
        "parameters": dict(design.values),
        "system": packed.system,
        "reference_system": assignment.system.model_dump(mode="json"),
        "system_hash": assignment.system_hash,
        "profiles": "profiles.parquet",
        "solver": assignment.solver.model_dump(mode="json"),
        "versions": versions(),
        "timestamp": utc_text(),
        # So that the index can be made anew from the folders.
        "record": record_of(assignment.results, assignment.study_id, run_id),
    }
    place = series_place(assignment.results)
    return write_packed(place, assignment.study_id, run_id, packed.files, config=config)
