"""The designs that a study looks at: its own, or another study's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schema.base import Value
from schema.distributions import ScaledBy
from schema.errors import Finding, InputError
from schema.loading import LoadedStudy
from schema.store import queries
from schema.store.runs import best_designs
from schema.store.store import Store
from schema.studies import FromStudy, MonteCarloStudy, ParametricStudy, ScaleSteps
from schema.study import GeneticStudy
from schema.study_checks import Fitting, clashes, design_findings
from tasks import fronts
from tasks.warm_start import start_of

Row = Mapping[str, Any]
_KPI_OF_PICK = {"cheapest": "total_cost", "lowest_co2": "total_co2"}


@dataclass(frozen=True)
class Base:
    """A design that is looked at.

    Attributes:
        values: what differs from the system, by dotted path.
        run_id: under which another study recorded it, if one did.
    """

    values: Mapping[str, Value]
    run_id: str | None = None


def recorded(bases: Sequence[Base]) -> dict[str, Any]:
    """The designs as a study's record keeps them: the other study may change while this one runs."""
    return {"designs": [{"run_id": base.run_id, "values": dict(base.values)} for base in bases]}


def bases_of(store: Store, loaded: LoadedStudy) -> list[Base]:
    """The designs that a study looks at; one with no values for a study that seeks its own.

    Raises:
        InputError: another study has no such design, or the design does not fit this study's system; a search
            cannot start from another's front.
    """
    study = loaded.study
    if isinstance(study, GeneticStudy):
        start_of(store, loaded)  # refused here if there is none, before anything runs
        return [Base({})]
    if not isinstance(study.design, FromStudy):
        return [Base(study.design)]
    row = store.study(study.study)
    if row is not None and "designs" in row["metadata_json"]:
        return [Base(told["values"], told["run_id"]) for told in row["metadata_json"]["designs"]]
    found = [Base(row["parameters"], row["run_id"]) for row in _picked(store, study.design, loaded)]
    _require_fit(found, loaded)
    return found


def _picked(store: Store, design: FromStudy, loaded: LoadedStudy) -> list[Row]:
    file, other = str(loaded.path), design.from_study
    if store.study(other) is None:
        known = [str(row["study_id"]) for row in queries.list_studies(store.connection, limit=20)]
        message = (
            f"there is no study '{other}' in {store.results_dir}; there are {', '.join(known) or 'none'}"
        )
        raise InputError(Finding(file, "design.from_study", other, "a recorded study", message))
    if design.pick in _KPI_OF_PICK:
        rows = best_designs(store.connection, study_ids=[other], by=_KPI_OF_PICK[design.pick], n=1)
    elif design.pick in {"knee", "front"}:
        rows = queries.pareto_front(store.connection, other)
        if rows and design.pick == "knee":
            senses = (store.study(other) or {})["optimization_objective"]
            rows = [rows[_knee(rows, senses)]]
    else:
        rows = [row for row in queries.evaluations(store.connection, other) if row["run_id"] == design.pick]
        _require_run(rows, design, file)
    if not rows:
        message = f"study '{other}' has no design that was solved and keeps its constraints: nothing to pick"
        raise InputError(Finding(file, "design.pick", design.pick, "a study with a front", message))
    return list(rows)


def _knee(rows: Sequence[Row], senses: Mapping[str, str]) -> int:
    signs = np.array([-1.0 if sense == "maximise" else 1.0 for sense in senses.values()])
    return fronts.knee(np.array([[row["objectives"][name] for name in senses] for row in rows]) * signs)


def _require_run(rows: Sequence[Row], design: FromStudy, file: str) -> None:
    if not rows:
        message = (
            f"'{design.pick}' is no run of study '{design.from_study}'; pick a run id, knee, cheapest, lowest_co2 "
            "or front"
        )
        raise InputError(
            Finding(
                file, "design.pick", design.pick, "a run id, knee, cheapest, lowest_co2 or front", message
            )
        )
    if rows[0]["simulation_status"] != "success":
        message = f"run {design.pick} is {rows[0]['simulation_status']}: pick one that was solved"
        raise InputError(Finding(file, "design.pick", design.pick, "a run that was solved", message))


def _require_fit(bases: Sequence[Base], loaded: LoadedStudy) -> None:
    """Another study's design may name what this study's system lacks, or what this study varies itself."""
    fitting = Fitting(loaded.system.system, loaded.system.series, loaded.study.solver, str(loaded.path))
    study = loaded.study
    sections: dict[str, Mapping[str, Any]] = {
        "uncertain": study.uncertain if isinstance(study, MonteCarloStudy) else {},
        "sweep": study.sweep if isinstance(study, ParametricStudy) else {},
    }
    varied = {
        section: {path: isinstance(entry, ScaledBy | ScaleSteps) for path, entry in entries.items()}
        for section, entries in sections.items()
    }
    told: dict[str, Finding] = {f.message: f for f in clashes(bases[0].values, varied, fitting.file)}
    for base in bases:
        for finding in design_findings(base.values, fitting, recorded=True):
            told.setdefault(finding.message, finding)
    if told:
        raise InputError(told.values())
