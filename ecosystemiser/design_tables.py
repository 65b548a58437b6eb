"""Designs and studies as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ecosystemiser.printing import Grid, Row, duration, heading, number, quantity

if TYPE_CHECKING:
    from schema.store.store import Store


def designs(
    rows: Sequence[Row],
    title: str | None,
    *,
    before: Sequence[str] = ("run_id",),
    extra: Iterable[str] = (),
    marks: Sequence[str] = (),
) -> Grid:
    """Evaluations with their objectives and parameters.

    Args:
        rows: of the store.
        title: what they are.
        before: columns that stand first.
        extra: columns that stand after the objectives.
        marks: words at the end of a row.
    """
    objectives = _names(rows, "objectives")
    parameters = _names(rows, "parameters")
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in before}
    for name in objectives:
        columns[heading(name)] = [(row.get("objectives") or {}).get(name) for row in rows]
    for name in extra:
        if name not in {*objectives, *parameters, *before}:
            columns[heading(name)] = [row.get(name) for row in rows]
    for name in parameters:
        columns[heading(name)] = [(row.get("parameters") or {}).get(name) for row in rows]
    return Grid(title, columns, marks)


def _names(rows: Sequence[Row], column: str) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.get(column) or {}))


def studies(rows: Sequence[Row], store: Store) -> Grid:
    """Studies, one a line."""
    return Grid(
        None,
        {
            "study_id": [row["study_id"] for row in rows],
            "type": [str(row["study_type"]).replace("_", " ") for row in rows],
            "status": [state(row, store) for row in rows],
            "done": [f"{row['progress_percent'] or 0:.0f} %" for row in rows],
            "evaluations": [row["run_count"] for row in rows],
            "best": [best(row) for row in rows],
            "begun": [moment(row["created_at"]) for row in rows],
            "took": [_took(row) for row in rows],
        },
    )


def counts(rows: Sequence[Row]) -> Grid:
    """Studies' statistics beside each other."""
    names = ("evaluations", "successful", "infeasible", "failed", "breaking_constraints", "pareto_optimal")
    columns: dict[str, list[Any]] = {"study_id": [row["study_id"] for row in rows]}
    columns |= {name: [row[name] for row in rows] for name in names}
    return Grid(None, columns | {"took": [_took(row) for row in rows]})


def state(study: Row, store: Store) -> str:
    """The status; a study that says `running` while nobody runs it was interrupted."""
    status = str(study["status"])
    if status in {"running", "pending"} and store.holder(study["study_id"]) is None:
        return "interrupted"
    return status


def known_before(statistics: Row) -> str:
    """How many dispatches were known before, where any was."""
    cached = statistics["cached"]
    return f", {cached:,} from the cache" if cached else ""


def best(study: Row) -> str:
    """A study's best fitness as what it is."""
    objectives = study["optimization_objective"] or {}
    fitness = study["best_fitness"]
    if fitness is None or not objectives:
        return number(fitness)
    name, sense = next(iter(objectives.items()))
    return f"{name} {quantity(name, -fitness if sense == 'maximise' else fitness)}"


def moment(text: str | None) -> str:
    """A recorded time, to the minute."""
    return "–" if text is None else f"{text[:10]} {text[11:16]} UTC"


def _took(study: Row) -> str:
    seconds = study["execution_time_seconds"]
    return "–" if seconds is None else duration(seconds)


def facts(row: Row, title: str | None) -> Grid:
    """One row, its columns below each other."""
    told = {name: value for name, value in row.items() if value is not None and value != ""}
    values = [number(v) if isinstance(v, float) else f"{v:,}" if type(v) is int else v for v in told.values()]
    return Grid(title, {"what": list(told), "value": values})
