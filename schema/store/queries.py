"""What studies and their analyses tell: functions over the connection, rows as dicts with decoded JSON."""
# ruff: noqa: S608

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from schema.errors import Finding, InputError
from schema.store.records import KPI_COLUMNS, STUDY_TYPES
from schema.store.statements import EVALUATIONS, IN_LIST, Row, decoded, study
from schema.store.values import compact_json, utc_text
from schema.store.where import unknown_name


def list_studies(
    connection: sqlite3.Connection,
    *,
    study_type: str | None = None,
    status: str | None = None,
    since: str | datetime | None = None,
    containing: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Row]:
    """The studies, newest first.

    Args:
        connection: the store's.
        study_type: `ga`, `mc`, `parametric`, `single`, or the name in full.
        status: pending, running, completed, failed or cancelled.
        since: created at or after (ISO-8601; UTC unless told).
        containing: a part of its id, name or description, in capitals or not.
        limit: how many at most.
        offset: how many to leave out first.

    Raises:
        InputError: an unknown type, or a date that is none.
    """
    wanted = {
        "study_type = ?": None if study_type is None else _type(study_type),
        "status = ?": status,
        "created_at >= ?": None if since is None else _moment(since),
        _CONTAINS: None if not containing else containing.lower(),
    }
    conditions = {sql: value for sql, value in wanted.items() if value is not None}
    sql = (
        f"SELECT * FROM studies WHERE {' AND '.join(conditions) or '1'} "
        "ORDER BY created_at DESC, rowid DESC LIMIT ? OFFSET ?"
    )
    return fetch(connection, sql, [*conditions.values(), -1 if limit is None else limit, offset])


# No pattern: a word's % and _ are what they are.
_CONTAINS: Final = (
    "instr(lower(study_id || ' ' || coalesce(study_name, '') || ' ' || coalesce(description, '')), ?) > 0"
)


def recorded_runs(connection: sqlite3.Connection, study_ids: Sequence[str] = ()) -> int:
    """How many evaluations are recorded, of some studies or of all, as each study counts its own."""
    within = f"WHERE study_id {IN_LIST}" if study_ids else ""
    values = [compact_json(list(study_ids))] if study_ids else []
    found = connection.execute(f"SELECT coalesce(sum(run_count), 0) FROM studies {within}", values)
    return int(found.fetchone()[0])


def required_study(connection: sqlite3.Connection, study_id: str) -> Row:
    """The study's row.

    Raises:
        InputError: there is no such study; the nearest name is told.
    """
    found = study(connection, study_id)
    if found is None:
        known = [
            row["study_id"] for row in connection.execute("SELECT study_id FROM studies ORDER BY created_at")
        ]
        raise InputError(unknown_name("study_id", study_id, known))
    return found


def evaluations(connection: sqlite3.Connection, study_id: str) -> list[Row]:
    """Every settled evaluation of a study in order, as `study_runs` has it: for replaying the study.

    Raises:
        InputError: there is no such study.
    """
    required_study(connection, study_id)
    return fetch(connection, f"{EVALUATIONS} WHERE e.study_id = ? ORDER BY e.evaluation_number", [study_id])


def simulation_run(connection: sqlite3.Connection, run_id: str) -> Row | None:
    """One row of `simulation_runs`: the dispatch's KPIs and where its files lie."""
    rows = fetch(connection, "SELECT * FROM simulation_runs WHERE run_id = ?", [run_id])
    return rows[0] if rows else None


def required_run(connection: sqlite3.Connection, run_id: str) -> Row:
    """As `simulation_run`.

    Raises:
        InputError: there is no such run.
    """
    run = simulation_run(connection, run_id)
    if run is None:
        message = f"there is no run {run_id!r}: `ecosystemiser query runs` lists those there are"
        raise InputError(Finding("", "run_id", run_id, "the id of a run", message))
    return run


def evaluation(connection: sqlite3.Connection, run_id: str) -> Row:
    """A settled evaluation, as `evaluations` has it.

    Raises:
        InputError: there is no such run, or it was never settled.
    """
    run = required_run(connection, run_id)
    rows = fetch(connection, f"{EVALUATIONS} WHERE e.run_id = ?", [run["study_run_id"]])
    if not rows:
        message = f"{run_id} was never settled: `ecosystemiser run STUDY.yaml --resume` solves it"
        raise InputError(Finding("", "run_id", run_id, "a settled run", message))
    return rows[0]


def kept_runs(connection: sqlite3.Connection, study_id: str) -> list[Row]:
    """The runs of a study that kept their files: `run_id` and `results_path`."""
    return fetch(
        connection,
        "SELECT run_id, results_path FROM simulation_runs WHERE study_id = ? AND results_path IS NOT NULL "
        "ORDER BY run_id",
        [study_id],
    )


def dispatches(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Row]:
    """Evaluations whose dispatch others may take over, by its key: `sums`, `kpis`, and what is told of them."""
    found = connection.execute(
        f"SELECT d.dispatch_key, d.sums, s.metadata_json AS run_metadata, {_OF_DISPATCH}, e.run_id, "
        "e.simulation_status, e.metadata_json FROM dispatches d "
        "JOIN study_runs e ON e.study_id = d.study_id AND e.evaluation_number = d.evaluation_number "
        "JOIN simulation_runs s ON s.run_id = e.simulation_run_id "
        f"WHERE d.dispatch_key {IN_LIST} AND e.simulation_status IN ('success', 'infeasible')",
        [compact_json(list(keys))],
    ).fetchall()
    told = {row["dispatch_key"]: row for row in decoded(found)}
    for row in told.values():
        other = json.loads(row.pop("run_metadata") or "{}").get("kpis", {})
        kpis = {**{name: row.pop(name) for name in KPI_COLUMNS}, **other}
        row["kpis"] = {name: value for name, value in kpis.items() if value is not None}
    return told


_OF_DISPATCH: Final = ", ".join(f"s.{name}" for name in KPI_COLUMNS)


def fronts(connection: sqlite3.Connection, study_id: str) -> list[Row]:
    """The study's fronts as recorded (size, hypervolume, run ids), by generation, the final one last.

    Raises:
        InputError: there is no such study.
    """
    required_study(connection, study_id)
    return fetch(
        connection,
        "SELECT * FROM pareto_fronts WHERE study_id = ? ORDER BY generation_number NULLS LAST",
        [study_id],
    )


def pareto_front(connection: sqlite3.Connection, study_id: str, generation: int | None = None) -> list[Row]:
    """The evaluations on a front, by their first objective.

    Args:
        connection: the store's.
        study_id: the study.
        generation: which generation's; None for the final front, or the latest while there is none.

    Raises:
        InputError: there is no such study.
    """
    required_study(connection, study_id)
    run_ids = _front_ids(connection, study_id, generation)
    if run_ids is None:
        return []
    return fetch(
        connection,
        f"{EVALUATIONS} WHERE e.run_id {IN_LIST} ORDER BY e.fitness, e.evaluation_number",
        [run_ids],
    )


def _front_ids(connection: sqlite3.Connection, study_id: str, generation: int | None) -> str | None:
    which = "generation_number = ?" if generation is not None else "? IS NULL"
    row = connection.execute(
        f"SELECT run_ids FROM pareto_fronts WHERE study_id = ? AND {which} "
        "ORDER BY generation_number IS NOT NULL, generation_number DESC LIMIT 1",
        [study_id, generation],
    ).fetchone()
    return None if row is None else str(row["run_ids"])


def convergence(connection: sqlite3.Connection, study_id: str) -> list[Row]:
    """The study's convergence by generation, each with its front's size and hypervolume.

    Raises:
        InputError: there is no such study.
    """
    required_study(connection, study_id)
    return fetch(
        connection,
        "SELECT c.*, p.front_size, p.hypervolume FROM convergence_metrics c LEFT JOIN pareto_fronts p "
        "ON p.study_id = c.study_id AND p.generation_number = c.generation_number "
        "WHERE c.study_id = ? ORDER BY c.generation_number",
        [study_id],
    )


def uncertainty(connection: sqlite3.Connection, study_id: str, objective: str | None = None) -> list[Row]:
    """How the study's outputs (or one of them) spread, as recorded.

    Raises:
        InputError: there is no such study, or no such output of it.
    """
    required_study(connection, study_id)
    rows = fetch(
        connection, "SELECT * FROM uncertainty_analysis WHERE study_id = ? ORDER BY analysis_id", [study_id]
    )
    return _of_output(rows, objective)


def sensitivity(connection: sqlite3.Connection, study_id: str, objective: str | None = None) -> list[Row]:
    """What the study's parameters do to its outputs (or to one of them), the most important first.

    Raises:
        InputError: there is no such study, or no such output of it.
    """
    required_study(connection, study_id)
    rows = fetch(
        connection,
        "SELECT * FROM sensitivity_analysis WHERE study_id = ? "
        "ORDER BY objective_name, importance_rank NULLS LAST, parameter_index",
        [study_id],
    )
    return _of_output(rows, objective)


def _of_output(rows: list[Row], objective: str | None) -> list[Row]:
    if objective is None:
        return rows
    known = list(dict.fromkeys(str(row["objective_name"]) for row in rows))
    if objective not in known:
        raise InputError(unknown_name("objective", objective, known))
    return [row for row in rows if row["objective_name"] == objective]


def run_history(connection: sqlite3.Connection, run_id: str) -> list[Row]:
    """How often a run was tried, and what became of it: one row an attempt, the latest last.

    The latest has the evaluation's times [s], message and the solver's own attempts beside it.

    Raises:
        InputError: there is no such run.
    """
    run = required_run(connection, run_id)
    metadata = run["metadata_json"] or {}
    now = {"begun": run["timestamp"], "settled": run["updated_at"], "status": run["simulation_status"]}
    if now["status"] == "running":
        now["settled"] = None
    attempts = [*metadata.get("attempts", []), {**now, "interrupted": metadata.get("interrupted")}]
    rows = [_attempt(run, number, attempt) for number, attempt in enumerate(attempts, 1)]
    if now["status"] != "running":
        told, earlier = _evaluated(connection, run, first=len(rows) == 1)
        rows[-1] |= told
        rows[-1:] = [
            *(_attempt(run, number, one) for number, one in enumerate(earlier, len(rows))),
            {**rows[-1], "attempt": len(rows) + len(earlier)},
        ]
    return rows


def _attempt(run: Row, number: int, told: Row) -> Row:
    return {
        "run_id": run["run_id"],
        "attempt": number,
        "simulation_status": told["status"],
        "begun": told["begun"],
        "settled": told.get("settled"),
        "interrupted": bool(told.get("interrupted")),
        "evaluation_time_seconds": told.get("seconds"),
        "solver_time_seconds": None,
        "message": told.get("message"),
        "solver_attempts": None,
    }


def _evaluated(connection: sqlite3.Connection, run: Row, *, first: bool) -> tuple[Row, list[Row]]:
    """What the evaluation tells of the latest attempt, and of those before it that were tried again at once."""
    found = fetch(
        connection,
        "SELECT created_at, evaluation_time_seconds, solver_time_seconds, metadata_json FROM study_runs "
        "WHERE run_id = ?",
        [run["study_run_id"]],
    )
    if not found:
        return {}, []
    metadata, created_at = found[0].pop("metadata_json") or {}, found[0].pop("created_at")
    told = {**found[0], "message": metadata.get("message"), "solver_attempts": metadata.get("attempts")}
    # What is done to the run's row later, such as naming its files, settles nothing.
    return {"settled": created_at, **told} if first else told, metadata.get("earlier_attempts", [])


def side_by_side(connection: sqlite3.Connection, study_ids: list[str]) -> list[Row]:
    """The studies in the order asked for, each with how many of its evaluations were solved and its front.

    `front` holds the final front's evaluations (the latest so far while there is none): run id and
    objectives.

    Raises:
        InputError: one of them does not exist.
    """
    required_studies(connection, study_ids)
    rows = []
    for study_id in study_ids:
        found = required_study(connection, study_id)
        solved = connection.execute(
            "SELECT count(fitness) FROM study_runs WHERE study_id = ?", [study_id]
        ).fetchone()[0]
        rows.append(
            {
                **{name: found[name] for name in _COMPARED},
                "evaluations": found["run_count"],
                "solved": int(solved),
                "front": _front_objectives(connection, study_id),
            }
        )
    return rows


_COMPARED: Final = (
    *("study_id", "study_type", "status", "optimization_objective", "best_fitness", "best_solution_id"),
    *("execution_time_seconds", "created_at"),
)


def _front_objectives(connection: sqlite3.Connection, study_id: str) -> list[Row]:
    run_ids = _front_ids(connection, study_id, None)
    if run_ids is None:
        return []
    found = connection.execute(
        f"SELECT run_id, objectives FROM study_runs WHERE run_id {IN_LIST} ORDER BY fitness, evaluation_number",
        [run_ids],
    ).fetchall()
    # As one text: a front has hundreds of them.
    objectives = json.loads(f"[{','.join(str(row['objectives']) for row in found)}]")
    return [
        {"run_id": row["run_id"], "objectives": values} for row, values in zip(found, objectives, strict=True)
    ]


def statistics(connection: sqlite3.Connection, study_id: str | None = None) -> list[Row]:
    """One row: a study's evaluations in numbers, or, where no study is named, the whole database.

    Times are in seconds; fitness is of the evaluations that keep the study's constraints.

    Raises:
        InputError: there is no such study.
    """
    if study_id is None:
        return [_of_database(connection)]
    found = required_study(connection, study_id)
    kept = [
        *("study_id", "study_type", "study_name", "status", "progress_percent", "execution_time_seconds"),
        *("best_fitness", "best_solution_id", "created_at", "completed_at"),
    ]
    sql = f"SELECT {_COUNTS}, {_MEASURES} FROM study_runs WHERE study_id = ?"
    return [{**{name: found[name] for name in kept}, **fetch(connection, sql, [study_id])[0]}]


_COUNTS = """count(*) AS evaluations,
    coalesce(sum(simulation_status = 'success'), 0) AS successful,
    coalesce(sum(simulation_status = 'failed'), 0) AS failed,
    coalesce(sum(simulation_status = 'infeasible'), 0) AS infeasible"""
_MEASURES = """coalesce(sum(simulation_status = 'success' AND constraint_violations <> '{}'), 0)
        AS breaking_constraints,
    coalesce(sum(is_pareto_optimal), 0) AS pareto_optimal,
    coalesce(sum(json_extract(metadata_json, '$.cached_from') IS NOT NULL), 0) AS cached,
    count(DISTINCT generation_number) AS generations,
    avg(fitness) FILTER (WHERE constraint_violations = '{}') AS average_fitness,
    max(fitness) FILTER (WHERE constraint_violations = '{}') AS worst_fitness,
    sum(evaluation_time_seconds) AS evaluation_time_seconds,
    avg(evaluation_time_seconds) AS average_evaluation_time_seconds,
    avg(solver_time_seconds) AS average_solver_time_seconds"""


def _of_database(connection: sqlite3.Connection) -> Row:
    def counted(sql: str) -> dict[str, int]:
        return {str(name): int(count) for name, count in connection.execute(sql)}

    size = connection.execute(
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    ).fetchone()[0]
    by_status = counted("SELECT status, count(*) FROM studies GROUP BY status")
    return {
        "studies": sum(by_status.values()),
        "studies_by_status": by_status,
        "studies_by_type": counted("SELECT study_type, count(*) FROM studies GROUP BY study_type"),
        **fetch(connection, f"SELECT {_COUNTS} FROM study_runs", [])[0],
        "simulation_runs": connection.execute("SELECT count(*) FROM simulation_runs").fetchone()[0],
        "database_bytes": int(size),
    }


def fetch(connection: sqlite3.Connection, sql: str, values: list[Any] | tuple[Any, ...]) -> list[Row]:
    """The statement's rows, decoded."""
    return decoded(connection.execute(sql, values).fetchall())


def required_studies(connection: sqlite3.Connection, study_ids: list[str]) -> None:
    """As `required_study`, for several.

    Raises:
        InputError: one of them does not exist.
    """
    sql = f"SELECT study_id FROM studies WHERE study_id {IN_LIST}"
    found = {row["study_id"] for row in connection.execute(sql, [compact_json(study_ids)])}
    for study_id in study_ids:
        if study_id not in found:
            required_study(connection, study_id)


def _type(name: str) -> str:
    if name not in STUDY_TYPES:
        raise InputError(unknown_name("type", name, list(STUDY_TYPES)))
    return STUDY_TYPES[name]


def _moment(since: str | datetime) -> str:
    try:
        return utc_text(datetime.fromisoformat(since) if isinstance(since, str) else since)
    except ValueError:
        expected = "a date such as 2025-01-31 or 2025-01-31T12:00"
        message = f"{since!r} is no date: write {expected}"
        raise InputError(Finding("", "since", str(since), expected, message)) from None
