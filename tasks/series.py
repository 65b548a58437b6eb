"""Time series of a dispatch, as files."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from schema.store.folders import series_place
from schema.store.rebuild import record_of
from schema.store.records import RunFiles, run_id_of
from schema.store.timeseries import write_run
from schema.store.values import utc_text
from solvers.judging import Dispatch
from tasks.evaluate import Assignment, Design
from tasks.versions import versions


def write_series(assignment: Assignment, design: Design, dispatch: Dispatch) -> RunFiles:
    """Write a run's flows, states, configuration and KPIs into the study's folder, wherever series go."""
    index = dispatch.system.horizon.index
    run_id = run_id_of(assignment.study_id, design.number)
    config = {
        "study_id": assignment.study_id,
        "evaluation_number": design.number,
        "parameters": dict(design.values),
        "system": dispatch.system.model_dump(mode="json"),
        "reference_system": assignment.system.model_dump(mode="json"),
        "system_hash": assignment.system_hash,
        "profiles": "profiles.parquet",
        "solver": assignment.solver.model_dump(mode="json"),
        "versions": versions(),
        "timestamp": utc_text(),
        # So that the index can be made anew from the folders.
        "record": record_of(assignment.results, assignment.study_id, run_id),
    }
    accounts = {name: asdict(account) for name, account in dispatch.accounts.items()}
    return write_run(
        series_place(assignment.results),
        assignment.study_id,
        run_id,
        flows=pd.DataFrame(dict(dispatch.flows), index=index),
        components=pd.DataFrame(dict(dispatch.states), index=index),
        units=dispatch.units,
        profiles=pd.DataFrame(dict(assignment.series), index=index),
        system_hash=assignment.system_hash,
        config=config,
        kpis={**dispatch.kpis, "by_component": accounts},
    )
