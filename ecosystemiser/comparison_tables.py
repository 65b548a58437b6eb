"""Studies beside each other and their analyses, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecosystemiser.design_tables import moment
from ecosystemiser.printing import Grid, Row, heading, number


def comparison(rows: Sequence[Row]) -> Grid:
    """Studies side by side, one a line, with what each covers of the others' fronts."""
    columns = {
        "study_id": [row["study_id"] for row in rows],
        "type": [str(row["study_type"]).replace("_", " ") for row in rows],
        "status": [row["status"] for row in rows],
        "evaluations": [row["evaluations"] for row in rows],
        "solved": [row["solved"] for row in rows],
        "front": [row["front_size"] for row in rows],
    }
    for name in rows[0]["objectives"]:
        columns[f"best {heading(name)}"] = [row["objectives"][name] for row in rows]
    columns["hypervolume"] = [row["hypervolume"] for row in rows]
    for other in (row["study_id"] for row in rows):
        columns[f"covers {other}"] = [row["covers"].get(other) for row in rows]
    return Grid(
        "Studies compared: best values, hypervolumes to one common point, coverage of fronts", columns
    )


def uncertainty(rows: Sequence[Row], study_id: str) -> Grid:
    """How outputs spread, one output (of one design) a line."""
    names = ["objective_name", "mean_value", "std_dev", *(f"percentile_{p}" for p in (5, 25, 50, 75, 95))]
    told = [{**row, "of run": row["target_solution_id"], **_front(row)} for row in rows]
    columns = _told(told, ["of run", *names, "var_95", "cvar_95", "share on front", "on mean front"])
    figures = [name for name in columns if name.startswith(("mean v", "std", "percentile", "var", "cvar"))]
    return Grid(f"Uncertainty of {study_id}", _each_to_its_size(columns, figures), right=figures)


def _each_to_its_size(columns: Mapping[str, list[Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Figures of several outputs in one column, each with the digits that itself calls for."""
    return {
        name: [number(value) for value in values] if name in names else values
        for name, values in columns.items()
    }


def _front(row: Row) -> dict[str, object]:
    """How a design of a front fares under what is uncertain."""
    metadata = row["metadata_json"] or {}
    return {"share on front": metadata.get("front_share"), "on mean front": metadata.get("on_mean_front")}


def sensitivity(rows: Sequence[Row], study_id: str) -> Grid:
    """What parameters do to outputs, the most important first; only what was worked out."""
    names = [
        *("of run", "objective_name", "importance_rank", "parameter_name"),
        *("sobol_first_order", "sobol_first_order_confidence", "sobol_total", "sobol_total_confidence"),
        *("mu_star", "mu_star_confidence", "sigma", "correlation_coefficient", "rank_correlation"),
    ]
    told = [{**row, "of run": (row["metadata_json"] or {}).get("target_solution_id")} for row in rows]
    columns = _told(told, names)
    figures = [name for name in ("mu star", "mu star confidence", "sigma") if name in columns]
    return Grid(f"Sensitivity of {study_id}", _each_to_its_size(columns, figures), right=figures)


def interactions(rows: Sequence[Row]) -> Grid:
    """An output's means, one parameter's values downwards, the other's to the right."""
    first = rows[0]
    down, across = (list(dict.fromkeys(row[f"value_{side}"] for row in rows)) for side in "ab")
    means = {(row["value_a"], row["value_b"]): row["mean_value"] for row in rows}
    columns: dict[str, list[object]] = {first["parameter_a"]: down}
    for value in across:
        columns[f"{first['parameter_b']} = {value}"] = [means.get((a, value)) for a in down]
    return Grid(f"Mean {heading(first['objective_name'])}", columns)


def history(rows: Sequence[Row]) -> Grid:
    """A run's attempts, the latest last."""
    told = _told(rows, ["attempt", "simulation_status", "interrupted", "message", "solver_attempts"])
    times = {name: [moment(row[name]) for row in rows] for name in ("begun", "settled")}
    seconds = _told(rows, ["evaluation_time_seconds", "solver_time_seconds"])
    return Grid(f"Attempts at {rows[0]['run_id']}", {**told, **times, **seconds})


def _told(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[object]]:
    """The columns that hold anything."""
    columns = {name: [row[name] for row in rows] for name in names}
    return {
        name.replace("_", " "): [", ".join(map(str, v)) if isinstance(v, list) else v for v in values]
        for name, values in columns.items()
        if any(value is not None for value in values)
    }
