"""The statements behind the store's verbs; identifiers are this package's own, values are bound."""
# ruff: noqa: S608

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from schema.store.records import Front
from schema.store.tables import JSON_COLUMNS, SIMULATION_RUNS, STUDY_RUNS
from schema.store.values import compact_json, finite

Row = dict[str, Any]

# What counts for bests and fronts: solved, and within the study's constraints.
# The plus: an index of the fitness is worth nothing where the order is another, and is found without it.
CANDIDATE: Final = (
    "e.simulation_status = 'success' AND e.constraint_violations = '{}' AND +e.fitness IS NOT NULL"
)
IN_LIST: Final = "IN (SELECT value FROM json_each(?))"
# An evaluation's own names, else its study's.
PARAMETER_NAMES: Final = (
    "coalesce(e.parameter_names, (SELECT parameter_names FROM studies WHERE studies.study_id = e.study_id))"
)
# The names first: of two columns with one name, a row gives the first.
EVALUATIONS: Final = f"SELECT {PARAMETER_NAMES} AS parameter_names, e.* FROM study_runs e"


def insert(table: str, columns: Iterable[str]) -> str:
    names = list(columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"


def upsert(table: str, columns: Iterable[str], *, kept: Collection[str]) -> str:
    """An insert that replaces the row of the same `run_id`, all but the kept columns."""
    names = list(columns)
    replaced = ", ".join(f"{name} = excluded.{name}" for name in names if name not in kept)
    return f"{insert(table, names)} ON CONFLICT (run_id) DO UPDATE SET {replaced}"


_START_COLUMNS: Final = (
    *("run_id", "study_id", "system_id", "timesteps", "timestamp", "solver_type"),
    *("simulation_status", "created_at", "updated_at", "metadata_json"),
)
# Fronts set them; settling an evaluation again leaves them.
_MARKS: Final = ("is_pareto_optimal", "domination_count")
START_RUN: Final = upsert("simulation_runs", _START_COLUMNS, kept={"run_id", "study_id", "created_at"})
SETTLE_SIMULATION_RUN: Final = upsert(
    "simulation_runs",
    SIMULATION_RUNS.columns,
    kept={"run_id", "study_id", "created_at", "timestamp"},
)
SETTLE_STUDY_RUN: Final = upsert(
    "study_runs",
    [name for name in STUDY_RUNS.columns if name not in _MARKS],
    kept={"run_id", "study_id", "evaluation_number", "created_at"},
)

# Of two that were solved at once, the one that came first stays.
OFFER_DISPATCH: Final = (
    f"{insert('dispatches', ('dispatch_key', 'study_id', 'evaluation_number', 'sums'))} "
    "ON CONFLICT (dispatch_key) DO NOTHING"
)

ATTACH_FILES: Final = (
    "UPDATE simulation_runs SET results_path = :results_path, flows_path = :flows_path, "
    "components_path = :components_path, updated_at = :updated_at WHERE run_id = :run_id"
)


def decoded(rows: Sequence[sqlite3.Row]) -> list[Row]:
    """The rows as dicts, their JSON columns as what they hold, `parameters` beside them."""
    if not rows:
        return []
    places: dict[str, int] = {}
    for place, name in enumerate(rows[0].keys()):
        places.setdefault(name, place)
    # Column by column: a row's cells one by one would take most of the time that an answer takes.
    columns = list(zip(*map(tuple, rows), strict=True))
    told: dict[str, Sequence[Any]] = {name: columns[place] for name, place in places.items()}
    for name in JSON_COLUMNS & told.keys():
        told[name] = _names(told[name]) if name == "parameter_names" else _loaded(told[name])
    if "timestamp" in told:
        # Times that would repeat the one before them are left out.
        for name, before in (("created_at", "timestamp"), ("updated_at", "created_at")):
            every = told.get(name, told[before])
            told[name] = [own or other for own, other in zip(every, told[before], strict=True)]
    if "is_pareto_optimal" in told:
        told["is_pareto_optimal"] = [bool(mark) for mark in told["is_pareto_optimal"]]
    result: list[Row] = [dict(zip(told, values, strict=True)) for values in zip(*told.values(), strict=True)]
    if {"parameter_names", "parameter_vector"} <= told.keys():
        for row in result:
            names, values = row["parameter_names"], row["parameter_vector"]
            if names is not None and values is not None:
                row["parameters"] = dict(zip(names, values, strict=False))
    return result


def _loaded(texts: Sequence[str | None]) -> list[Any]:
    """What a column's JSON texts hold, read as one text."""
    told: list[Any] = json.loads(f"[{','.join('null' if text is None else text for text in texts)}]")
    if len(told) != len(texts):  # one of them is no JSON, and is named by its error
        return [None if text is None else json.loads(text) for text in texts]
    return told


def _names(texts: Sequence[str | None]) -> list[list[str] | None]:
    """Names are the same in row after row."""
    known: dict[str, list[str]] = {text: json.loads(text) for text in set(texts) if text is not None}
    return [None if text is None else list(known[text]) for text in texts]


# -- studies


def study(connection: sqlite3.Connection, study_id: str) -> Row | None:
    row = connection.execute("SELECT * FROM studies WHERE study_id = ?", [study_id]).fetchone()
    return None if row is None else decoded([row])[0]


def taken_id(connection: sqlite3.Connection, study_id: str) -> str | None:
    """The study whose id differs from this one in case at most: folders may not tell them apart."""
    row = connection.execute(
        "SELECT study_id FROM studies WHERE study_id = ? COLLATE NOCASE", [study_id]
    ).fetchone()
    return None if row is None else str(row["study_id"])


def update_study(connection: sqlite3.Connection, study_id: str, changes: Mapping[str, Any]) -> None:
    changed = ", ".join(f"{name} = :{name}" for name in changes)
    connection.execute(
        f"UPDATE studies SET {changed} WHERE study_id = :study_id", {**changes, "study_id": study_id}
    )


def delete_study(connection: sqlite3.Connection, study_id: str) -> None:
    """Delete a study and whatever belongs to it; to be called with foreign keys off.

    By way of the foreign keys, every single one of its dispatches would be looked for in all evaluations.
    """
    connection.execute(
        "UPDATE study_runs SET simulation_run_id = NULL WHERE simulation_run_id <> run_id AND study_id <> ? "
        "AND simulation_run_id IN (SELECT run_id FROM simulation_runs WHERE study_id = ?)",
        [study_id, study_id],
    )
    belonging = connection.execute(
        "SELECT DISTINCT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) f "
        "WHERE m.type = 'table' AND f.\"table\" = 'studies' AND f.\"from\" = 'study_id'"
    ).fetchall()
    for table in [*(str(row["name"]) for row in belonging), "studies"]:
        connection.execute(f"DELETE FROM {table} WHERE study_id = ?", [study_id])


def places_of_series(connection: sqlite3.Connection, study_id: str) -> list[str]:
    """The URLs of places, other than the results folder, to which the study's time series went."""
    rows = connection.execute(
        "SELECT DISTINCT substr(results_path, 1, instr(results_path, '/simulation_runs/') - 1) AS place "
        "FROM simulation_runs WHERE study_id = ? AND instr(results_path, '://') > 0",
        [study_id],
    )
    return [str(row["place"]) for row in rows]


# -- evaluations


def common_names(connection: sqlite3.Connection, study_id: str, names: str) -> str:
    """The parameter names that hold for the study's evaluations, these where it has none yet."""
    connection.execute(
        "UPDATE studies SET parameter_names = ? WHERE study_id = ? AND parameter_names IS NULL",
        [names, study_id],
    )
    row = connection.execute("SELECT parameter_names FROM studies WHERE study_id = ?", [study_id]).fetchone()
    return str(row["parameter_names"])


def count_study_runs(connection: sqlite3.Connection, run_ids: Collection[str]) -> int:
    """How many of these evaluations are recorded already."""
    sql = f"SELECT count(*) FROM study_runs WHERE run_id {IN_LIST}"
    return int(connection.execute(sql, [compact_json(list(run_ids))]).fetchone()[0])


def best_of_others(
    connection: sqlite3.Connection, study_id: str, run_ids: Collection[str]
) -> tuple[float | None, str | None]:
    """The study's best fitness and its run, these evaluations left out."""
    sql = (
        f"SELECT fitness, run_id FROM study_runs e WHERE study_id = ? AND {CANDIDATE} "
        f"AND run_id NOT {IN_LIST} ORDER BY fitness, run_id LIMIT 1"
    )
    row = connection.execute(sql, [study_id, compact_json(list(run_ids))]).fetchone()
    return (None, None) if row is None else (row["fitness"], row["run_id"])


def settle_interrupted(connection: sqlite3.Connection, study_id: str, now: str) -> list[str]:
    """Runs left `running` have failed; those that were being run again get back their recorded status."""
    rows = connection.execute(
        "UPDATE simulation_runs SET updated_at = ?, simulation_status = coalesce((SELECT "
        "CASE e.simulation_status WHEN 'success' THEN 'completed' ELSE e.simulation_status END "
        "FROM study_runs e WHERE e.simulation_run_id = simulation_runs.run_id), 'failed'), "
        "metadata_json = json_set(coalesce(metadata_json, '{}'), '$.interrupted', json('true')) "
        "WHERE study_id = ? AND simulation_status = 'running' RETURNING run_id",
        [now, study_id],
    ).fetchall()
    return sorted(str(row["run_id"]) for row in rows)


def take_up(connection: sqlite3.Connection, rows: Collection[Row]) -> None:
    """Make rows of simulation runs go on from what is there.

    What became of a run before stays in `attempts` of its metadata when it is tried again, the oldest first.
    What is recorded twice with the same end was recorded anew, not tried again.
    """
    known = connection.execute(
        "SELECT run_id, simulation_status, timestamp, created_at, updated_at, metadata_json FROM simulation_runs "
        f"WHERE run_id {IN_LIST}",
        [compact_json([row["run_id"] for row in rows])],
    ).fetchall()
    before = {str(run["run_id"]): run for run in decoded(known)}
    for row in rows:
        run = before.get(row["run_id"])
        if run is None:
            row["updated_at"] = None
            continue
        metadata = run["metadata_json"] or {}
        attempts = metadata.get("attempts", [])
        starts, goes_on = row["simulation_status"] == "running", run["simulation_status"] == "running"
        if starts or not (goes_on or run["simulation_status"] == row["simulation_status"]):
            attempts = [*attempts, _attempt(run, metadata)]
        if attempts:
            row["metadata_json"] = compact_json({**json.loads(row["metadata_json"]), "attempts": attempts})


def _attempt(run: Row, metadata: Mapping[str, Any]) -> Row:
    told = {"message": metadata["message"]} if "message" in metadata else {}
    return {
        "status": run["simulation_status"],
        "begun": run["timestamp"],
        "settled": run["updated_at"],
        "interrupted": bool(metadata.get("interrupted")),
        **told,
    }


def keep_reasons(connection: sqlite3.Connection, study_id: str) -> list[str]:
    """Note in the simulation runs of failed evaluations why they failed, before that is replaced; their ids."""
    rows = connection.execute(
        "SELECT s.run_id, s.metadata_json AS run_json, e.metadata_json AS evaluation_json FROM study_runs e "
        "JOIN simulation_runs s ON s.run_id = e.simulation_run_id "
        "WHERE e.study_id = ? AND e.simulation_status = 'failed' ORDER BY s.run_id",
        [study_id],
    ).fetchall()
    kept = []
    for row in rows:
        run, evaluation = json.loads(row["run_json"] or "{}"), json.loads(row["evaluation_json"] or "{}")
        earlier = [
            {"status": "failed", "settled": None, "interrupted": False, **told}
            for told in evaluation.get("earlier_attempts", [])
        ]
        run |= {"message": evaluation.get("message")}
        if earlier:
            run["attempts"] = [*run.get("attempts", []), *earlier]
        kept.append({"run_id": row["run_id"], "metadata_json": compact_json(run)})
    connection.executemany(
        "UPDATE simulation_runs SET metadata_json = :metadata_json WHERE run_id = :run_id", kept
    )
    return [str(row["run_id"]) for row in kept]


# -- analyses


def replace_uncertainty(connection: sqlite3.Connection, row: Row) -> int:
    """Write an analysis in the place of the study's last one of the same output and design; its id."""
    same = connection.execute(
        "SELECT analysis_id FROM uncertainty_analysis WHERE study_id = :study_id "
        "AND objective_name IS :objective_name AND target_solution_id IS :target_solution_id",
        row,
    ).fetchone()
    if same is None:
        return int(connection.execute(insert("uncertainty_analysis", row), row).lastrowid or 0)
    # Kept, as sensitivities point to it.
    analysis_id = int(same["analysis_id"])
    changed = ", ".join(f"{name} = :{name}" for name in row)
    connection.execute(
        f"UPDATE uncertainty_analysis SET {changed} WHERE analysis_id = :analysis_id",
        {**row, "analysis_id": analysis_id},
    )
    return analysis_id


def replace_sensitivity(connection: sqlite3.Connection, row: Row) -> None:
    """Write a parameter's indices in the place of the study's last ones for the same output."""
    connection.execute(
        "DELETE FROM sensitivity_analysis WHERE study_id = :study_id AND objective_name IS :objective_name "
        "AND parameter_name = :parameter_name AND analysis_id IS :analysis_id",
        row,
    )
    connection.execute(insert("sensitivity_analysis", row), row)


# -- generations and fronts


def replace_convergence(connection: sqlite3.Connection, row: Row) -> None:
    connection.execute(
        "DELETE FROM convergence_metrics "
        "WHERE study_id = :study_id AND generation_number = :generation_number",
        row,
    )
    connection.execute(insert("convergence_metrics", row), row)


def replace_front(
    connection: sqlite3.Connection, study_id: str, generation: int | None, front: Front, now: str
) -> None:
    """Write the front of a generation (None: the final one) and mark its evaluations, and no others."""
    run_ids = compact_json(list(front.run_ids))
    row = {
        "study_id": study_id,
        "generation_number": None if generation is None else int(generation),
        "front_size": len(front.run_ids),
        "hypervolume": finite(front.hypervolume),
        "run_ids": run_ids,
        "created_at": now,
    }
    connection.execute(
        "DELETE FROM pareto_fronts WHERE study_id = :study_id AND generation_number IS :generation_number",
        row,
    )
    connection.execute(insert("pareto_fronts", row), row)
    connection.execute(
        f"UPDATE study_runs SET is_pareto_optimal = 0 "
        f"WHERE study_id = ? AND is_pareto_optimal = 1 AND run_id NOT {IN_LIST}",
        [study_id, run_ids],
    )
    connection.execute(
        f"UPDATE study_runs SET is_pareto_optimal = 1 "
        f"WHERE study_id = ? AND is_pareto_optimal = 0 AND run_id {IN_LIST}",
        [study_id, run_ids],
    )


def set_domination(connection: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    connection.executemany(
        "UPDATE study_runs SET domination_count = ? WHERE run_id = ?",
        [(int(count), run_id) for run_id, count in counts.items()],
    )
