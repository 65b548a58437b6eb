"""Pictures of a study's analyses, from its record."""

from __future__ import annotations

from typing import Any

import numpy as np

from schema.store import queries
from schema.store.statements import Row
from schema.store.store import Store


def distribution_picture(store: Store, study_id: str) -> Any:
    """How the outputs of a Monte Carlo study of one design spread; None where there is no such thing."""
    from schema.studies import Sampling
    from tasks.render_analyses import distributions
    from tasks.sensitivity import distributed_rows

    spreads = queries.uncertainty(store.connection, study_id)
    study = queries.required_study(store.connection, study_id)
    content = (study["metadata_json"] or {}).get("content", {})
    is_of_one_design = len({row["target_solution_id"] for row in spreads}) == 1
    if not is_of_one_design or "sampling" not in content:
        return None
    rows = queries.evaluations(store.connection, study_id)
    parameters = len(content["uncertain"])
    follows = distributed_rows(
        Sampling.model_validate({"method": content["sampling"]["method"]}), len(rows), parameters
    )
    solved = [rows[i]["objectives"] for i in follows if rows[i]["objectives"]]
    values = {name: np.array([one[name] for one in solved]) for name in content["outputs"]}
    return distributions(spreads, values, title=f"{study_id}: how sure the outputs are")


def sensitivity_picture(store: Store, study_id: str) -> Any:
    """What the parameters do to the outputs; None where that is not known, or of a whole front."""
    from tasks.render_analyses import sensitivities

    effects = [
        row for row in queries.sensitivity(store.connection, study_id) if row["importance_rank"] is not None
    ]
    if len({(row["metadata_json"] or {}).get("target_solution_id") for row in effects}) != 1:
        return None
    return sensitivities(effects, _outputs(store, study_id), title=f"{study_id}: what matters")


def sweep_picture(store: Store, study_id: str) -> Any:
    """The outputs over the values of a parametric study; None for another."""
    from tasks.render_analyses import sweep

    effects = queries.sensitivity(store.connection, study_id)
    if not effects or not all("levels" in (row["metadata_json"] or {}) for row in effects):
        return None
    return sweep(effects, _outputs(store, study_id), title=f"{study_id}: what was swept")


def _outputs(store: Store, study_id: str) -> Row:
    return dict(queries.required_study(store.connection, study_id)["optimization_objective"] or {})
