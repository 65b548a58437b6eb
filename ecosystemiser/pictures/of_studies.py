"""Pictures of what a study has in the store; None where there is nothing of that kind to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ecosystemiser.pictures import convergence as converging
from ecosystemiser.pictures import fronts, sensitivity, sweeps
from ecosystemiser.pictures import uncertainty as spreading
from ecosystemiser.pictures.marks import Picture
from ecosystemiser.pictures.wording import words
from ecosystemiser.study_results import front_of, knee_of
from schema.kpis import KPI_UNITS
from schema.store import queries
from schema.store.runs import best_designs
from schema.store.statements import Row
from schema.store.store import Store

_SHOWN_BEHIND = 3_000


def front(
    store: Store,
    study_id: str,
    generation: int | None = None,
    *,
    colour: str | None = None,
    behind: int = _SHOWN_BEHIND,
) -> Picture | None:
    """The front; `colour` is any KPI or parameter, `behind` how many dominated designs are shown.

    Raises:
        InputError: nothing of the front's designs has that name.
    """
    study = queries.required_study(store.connection, study_id)
    objectives = objectives_of(study)
    rows = _with_other_kpis(store, front_of(store, study_id, generation))
    if not rows or len(objectives) < 2 or study["study_type"] == "single":
        return None
    known = {row["run_id"] for row in rows}
    best = best_designs(store.connection, study_ids=[study_id], n=behind)
    when = "" if generation is None else f" after generation {generation}"
    names = [words(name) for name in objectives]
    versus = " against ".join(names) if len(names) == 2 else ", ".join(names)
    return fronts.pareto_front(
        rows,
        objectives,
        title=f"{study_id}: {versus}{when}",
        others=[row for row in best if row["run_id"] not in known] if generation is None else [],
        knee=knee_of(rows, objectives),
        colour=_checked(rows, colour) or _usual_colour(objectives),
    )


def parallel(
    store: Store, study_id: str, generation: int | None = None, *, colour: str | None = None
) -> Picture | None:
    """The front's designs across objectives and parameters.

    Raises:
        InputError: nothing of the front's designs has the name `colour`.
    """
    study = queries.required_study(store.connection, study_id)
    objectives = objectives_of(study)
    rows = _with_other_kpis(store, front_of(store, study_id, generation))
    if not rows or not objectives or study["study_type"] == "single":
        return None
    when = "" if generation is None else f" after generation {generation}"
    return fronts.parallel(
        rows,
        objectives,
        title=f"{study_id}: the designs of the front{when}",
        knee=knee_of(rows, objectives),
        colour=_checked(rows, colour),
        system=reference_of(study),
    )


def convergence(store: Store, study_id: str) -> Picture | None:
    """How the search came along."""
    study = queries.required_study(store.connection, study_id)
    objectives = objectives_of(study)
    rows = queries.convergence(store.connection, study_id)
    if not objectives or not any(row["best_fitness"] is not None for row in rows):
        return None
    title = f"{study_id}: convergence over {len(rows)} generation{'s' if len(rows) != 1 else ''}"
    return converging.convergence(rows, objectives, title=title)


def distribution(store: Store, study_id: str, objective: str | None = None) -> Picture | None:
    """How the outputs of a Monte Carlo study of one design spread, or one of them."""
    spreads = queries.uncertainty(store.connection, study_id, objective)
    study = queries.required_study(store.connection, study_id)
    content = (study["metadata_json"] or {}).get("content", {})
    is_of_one_design = len({row["target_solution_id"] for row in spreads}) == 1
    if not is_of_one_design or "sampling" not in content:
        return None
    values = samples_of(store, study_id, content)
    title = f"{study_id}: how sure the outputs are"
    return spreading.distributions(spreads, values, title=title) if any(map(len, values.values())) else None


def samples_of(store: Store, study_id: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Every output's values over the samples that follow the distributions and have an answer, (n,)."""
    from schema.studies import Sampling
    from tasks.sensitivity import distributed_rows

    rows = queries.evaluations(store.connection, study_id)
    method = Sampling.model_validate({"method": content["sampling"]["method"]})
    follows = distributed_rows(method, len(rows), len(content["uncertain"]))
    solved = [rows[i]["objectives"] for i in follows if rows[i]["objectives"]]
    return {name: np.array([one[name] for one in solved]) for name in content["outputs"]}


def sensitivities(store: Store, study_id: str, objective: str | None = None) -> Picture | None:
    """What the parameters do to the outputs; None where that is not known, or of a whole front."""
    effects = _effects_of_one(store, study_id, objective)
    if not effects:
        return None
    study = queries.required_study(store.connection, study_id)
    return sensitivity.sensitivities(
        effects, objectives_of(study), title=f"{study_id}: what matters", system=reference_of(study)
    )


def morris(store: Store, study_id: str, objective: str | None = None) -> Picture | None:
    """Morris' plane, where he was asked."""
    effects = _effects_of_one(store, study_id, objective)
    if not effects:
        return None
    study = queries.required_study(store.connection, study_id)
    return sensitivity.morris_plane(
        effects, objectives_of(study), title=f"{study_id}: how much each matters, and how evenly"
    )


def _effects_of_one(store: Store, study_id: str, objective: str | None) -> list[Row]:
    effects = [
        row
        for row in queries.sensitivity(store.connection, study_id, objective)
        if row["importance_rank"] is not None
    ]
    targets = {(row["metadata_json"] or {}).get("target_solution_id") for row in effects}
    return effects if len(targets) == 1 else []


def tornado(store: Store, study_id: str, objective: str | None = None) -> Picture | None:
    """How far each swept parameter moves the outputs."""
    effects = _swept(store, study_id, objective)
    if not effects:
        return None
    study = queries.required_study(store.connection, study_id)
    return sensitivity.tornado(
        effects, objectives_of(study), title=f"{study_id}: what moves the outputs", system=reference_of(study)
    )


def sweep(store: Store, study_id: str, objective: str | None = None) -> Picture | None:
    """The outputs over the values of a parametric study."""
    effects = _swept(store, study_id, objective)
    if not effects:
        return None
    study = queries.required_study(store.connection, study_id)
    return sweeps.sweep(
        effects, objectives_of(study), title=f"{study_id}: what was swept", system=reference_of(study)
    )


def _swept(store: Store, study_id: str, objective: str | None) -> list[Row]:
    effects = queries.sensitivity(store.connection, study_id, objective)
    return effects if all("levels" in (row["metadata_json"] or {}) for row in effects) else []


def interactions(
    store: Store, study_id: str, objective: str | None = None, pair: Sequence[str] | None = None
) -> Picture | None:
    """An output over two swept parameters.

    Raises:
        InputError: the study has not this output, or does not sweep these parameters.
    """
    from ecosystemiser.interactions import interaction_rows

    rows = interaction_rows(store, study_id, objective, pair)
    if not any(row["mean_value"] is not None for row in rows):
        return None
    study = queries.required_study(store.connection, study_id)
    one, other = rows[0]["parameter_a"], rows[0]["parameter_b"]
    return sweeps.heat_map(
        rows,
        objectives_of(study),
        title=f"{study_id}: {words(rows[0]['objective_name'])} over {one} and {other}",
        system=reference_of(study),
    )


# -- what they share


def objectives_of(study: Row) -> dict[str, str]:
    """Name → minimise or maximise."""
    return dict(study["optimization_objective"] or {})


def reference_of(study: Row) -> dict[str, Any]:
    """The system that the study varies, as it is recorded."""
    return dict((study["metadata_json"] or {}).get("reference_design") or {})


def _with_other_kpis(store: Store, rows: list[Row]) -> list[Row]:
    """The rows with the KPIs that only some systems have beside the eight."""
    for row in rows:
        run = queries.simulation_run(store.connection, row["simulation_run_id"] or row["run_id"]) or {}
        others = (run.get("metadata_json") or {}).get("kpis") or {}
        row |= {name: value for name, value in others.items() if name not in row}
    return rows


def _checked(rows: Sequence[Row], colour: str | None) -> str | None:
    """What is to colour, if every design has a number of that name.

    Raises:
        InputError: none has it, or it is not a number.
    """
    from schema.errors import Finding, InputError
    from schema.store.where import unknown_name

    if colour is None or not rows:
        return colour
    if all(isinstance(fronts.value_of(row, colour), int | float) for row in rows):
        return colour
    row = rows[0]
    known = [
        *(row.get("objectives") or {}),
        *(name for name in KPI_UNITS if isinstance(row.get(name), int | float)),
        *(n for n, v in (row.get("parameters") or {}).items() if isinstance(v, int | float)),
    ]
    known = list(dict.fromkeys(known))
    if colour in known:
        message = f"not every design of the front has '{colour}': colour by one of {', '.join(known)}"
        raise InputError(Finding("", "--colour", colour, "what every design has", message))
    raise InputError(unknown_name("--colour", colour, known))


def _usual_colour(objectives: Mapping[str, str]) -> str | None:
    """A third objective, else what shows best how the designs of a front differ."""
    rest = [*list(objectives)[2:], "self_sufficiency_rate", "renewable_fraction"]
    return next((name for name in rest if name in KPI_UNITS and name not in list(objectives)[:2]), None)
