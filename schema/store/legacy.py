"""The older EcoSystemiser's database, taken over into the first tables of today.

It has `simulation_runs` and `studies`, some have `study_runs` and analyses as well, and no version. Its tables
are renamed, the first tables are made, and the rows are copied. What a column cannot hold exactly (another word,
a penalty in the place of a fitness, a column that we do not have) stays in the row's `metadata_json` under
`older`; fronts and convergence have no such column, so their older tables stay, named `older_…`. Tables that
are none of ours are left alone.
"""
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, Final

from schema.store import legacy_values as old
from schema.store.statements import CANDIDATE, insert
from schema.store.tables import FIRST_TABLES, JSON_COLUMNS, Table
from schema.store.values import compact_json, finite, utc_text

Row = dict[str, Any]

_PREFIX: Final = "older_"
_TABLES: Final[Mapping[str, Table]] = {table.name: table for table in FIRST_TABLES}
_TELLING: Final = frozenset({"run_id", "study_id", "system_id", "solver_type"})
_NO_STUDY: Final = "older-runs"
# Theirs → ours, where the older layout has another name for a column.
_RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "study_runs": {"timestamp": "created_at"},
    "pareto_fronts": {"timestamp": "created_at"},
    "convergence_metrics": {
        "timestamp": "created_at",
        "fitness_std": "fitness_std_dev",
        "diversity_metric": "population_diversity",
    },
    "uncertainty_analysis": {"timestamp": "created_at", "metric_name": "objective_name"},
    "sensitivity_analysis": {"timestamp": "created_at", "metric_name": "objective_name"},
}


def is_older(connection: sqlite3.Connection) -> bool:
    """Whether the tables are the older layout's, if the database has no version."""
    return _columns(connection, "simulation_runs") >= _TELLING


def set_tables_aside(connection: sqlite3.Connection) -> None:
    """Rename the older tables and drop their indexes, whose names ours may need."""
    for name in _TABLES:
        if not _columns(connection, name):
            continue
        connection.execute(f"ALTER TABLE {name} RENAME TO {_PREFIX}{name}")
        made = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
        for row in connection.execute(made, [_PREFIX + name]).fetchall():
            quoted = str(row["name"]).replace('"', '""')
            connection.execute(f'DROP INDEX "{quoted}"')


def take_rows_over(connection: sqlite3.Connection) -> None:
    """Copy every older row into the first tables; drop the older tables of which nothing is left to keep."""
    decoding, connection.text_factory = connection.text_factory, _readable
    try:
        _Takeover(connection).run()
    finally:
        connection.text_factory = decoding


def _readable(raw: bytes) -> str:
    """Text that is not UTF-8 stays readable, byte by byte."""
    return raw.decode("utf-8", "backslashreplace")


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {str(row["name"]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", [table])}


class _Takeover:
    """One database's rows on their way; ids that change are followed wherever they are spoken of."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._now = utc_text()
        self._studies, self._evaluations, self._simulations = old.Ids(64), old.Ids(96), old.Ids(96)
        self._analyses: dict[str, int] = {}
        self._objectives: dict[str, list[str]] = {}
        self._numbers: dict[str, int] = {}
        self._simulation_status: dict[str, str] = {}
        self._links: dict[str, Any] = {}
        self._unnamed_type: set[str] = set()
        self._unnamed_status: set[str] = set()

    def run(self) -> None:
        ways = {
            "studies": self._study,
            "simulation_runs": self._simulation,
            "study_runs": self._evaluation,
            "pareto_fronts": self._front,
            "convergence_metrics": self._convergence,
            "uncertainty_analysis": self._uncertainty,
            "sensitivity_analysis": self._sensitivity,
        }
        for name, way in ways.items():
            for older in self._older(name):
                row, beside = _fitted(_TABLES[name], older)
                way(row, beside, older)
        self._link()
        self._settle_studies()
        for name, table in _TABLES.items():
            if "metadata_json" in table.columns or next(self._older(name), None) is None:
                self._connection.execute(f"DROP TABLE IF EXISTS {_PREFIX}{name}")

    def _older(self, name: str) -> Iterator[Row]:
        if _columns(self._connection, _PREFIX + name):
            for row in self._connection.execute(f"SELECT * FROM {_PREFIX}{name}"):
                yield dict(row)

    def _write(self, name: str, row: Row, beside: Row) -> int:
        table = _TABLES[name]
        if "metadata_json" in table.columns:
            metadata = row.get("metadata_json")
            if not isinstance(metadata, dict):
                beside |= {} if metadata is None else {"metadata_json": metadata}
                metadata = {}
            row["metadata_json"] = metadata | ({"older": beside} if beside else {})
        for column in JSON_COLUMNS & row.keys():
            row[column] = None if row[column] is None else compact_json(row[column])
        for column, start in table.filled.items():
            row[column] = start if row.get(column) is None else row[column]
        return int(self._connection.execute(insert(name, row), row).lastrowid or 0)

    # -- studies

    def _study(self, row: Row, beside: Row, older: Row) -> None:
        told = older.get("study_id")
        study_id = row["study_id"] = self._studies.give(told, _NO_STUDY)
        _keep(beside, "study_id", told, study_id)
        row["study_name"] = row.get("study_name") or study_id
        for name, words, unnamed in (
            ("study_type", old.STUDY_TYPES, self._unnamed_type),
            ("status", old.STUDY_STATUS, self._unnamed_status),
        ):
            row[name] = old.word(older.get(name), words)
            _keep(beside, name, older.get(name), row[name])
            if row[name] is None:
                unnamed.add(study_id)
        directions = old.directions(older.get("optimization_objective"))
        _replace(row, beside, older, "optimization_objective", directions)
        constraints = row.get("optimization_constraints")
        if not isinstance(constraints, dict):
            _replace(row, beside, older, "optimization_constraints", {})
        self._objectives[study_id] = list(directions)
        row["created_at"] = row.get("created_at") or self._now
        row["updated_at"] = row.get("updated_at") or row["created_at"]
        self._write("studies", row, beside)

    def _study_of(self, row: Row, beside: Row, older: Row) -> str:
        """The study that a row belongs to; made where there is none, so that nothing leads nowhere."""
        told = older.get("study_id")
        known = self._studies[_NO_STUDY if told is None else told]
        if known is None:
            made: Row = {"study_id": _NO_STUDY if told is None else told}
            self._study({}, {"made_for": "rows that name it"}, made)
            known = self._studies[made["study_id"]]
        _keep(beside, "study_id", told, known)
        row["study_id"] = known
        return str(known)

    # -- runs

    def _simulation(self, row: Row, beside: Row, older: Row) -> None:
        self._study_of(row, beside, older)
        told = older.get("run_id")
        run_id = row["run_id"] = self._simulations.give(told, f"{row['study_id']}-run")
        _keep(beside, "run_id", told, run_id)
        stated = older.get("simulation_status")
        status = old.word(stated, old.SIMULATION_STATUS)
        if status is None:
            status = "failed" if row.get("total_cost") is None else "completed"
        _keep(beside, "simulation_status", stated, status)
        row["simulation_status"] = self._simulation_status[run_id] = status
        if row.pop("study_run_id", None) is not None:
            self._links[run_id] = older["study_run_id"]
        row["created_at"] = row.get("created_at") or row.get("timestamp") or self._now
        self._write("simulation_runs", row, beside)

    def _evaluation(self, row: Row, beside: Row, older: Row) -> None:
        study_id = self._study_of(row, beside, older)
        number = self._numbers.get(study_id, -1) + 1
        if row.get("evaluation_number") is None:
            row["evaluation_number"] = number
        self._numbers[study_id] = max(number - 1, row["evaluation_number"])
        told = older.get("run_id")
        row["run_id"] = self._evaluations.give(told, f"{study_id}-{row['evaluation_number']:07d}")
        _keep(beside, "run_id", told, row["run_id"])
        simulation = older.get("simulation_run_id")
        row["simulation_run_id"] = self._simulations[simulation]
        _keep(beside, "simulation_run_id", simulation, row["simulation_run_id"])
        vector, names = old.parameters(row.get("parameter_vector"), row.get("parameter_names"))
        _replace(row, beside, older, "parameter_vector", vector)
        _replace(row, beside, older, "parameter_names", names)
        violations = old.violations(row.get("constraint_violations"))
        _replace(row, beside, older, "constraint_violations", violations)
        self._score(row, beside, older, self._objectives.get(study_id, []))
        row["created_at"] = row.get("created_at") or self._now
        self._write("study_runs", row, beside)

    def _score(self, row: Row, beside: Row, older: Row, names: list[str]) -> None:
        """Status, objectives and fitness; without a solution there is no fitness, whatever was put there."""
        objectives = old.named(row.get("objectives"), names)
        stated, fitness = older.get("simulation_status"), row.get("fitness")
        made_up = "fitness" in beside or (fitness is not None and abs(fitness) >= old.PENALTY)
        status = old.word(stated, old.EVALUATION_STATUS)
        if status is None and not made_up:
            of_simulation = self._simulation_status.get(row["simulation_run_id"] or "")
            told = fitness is not None or bool(objectives)
            status = old.word(of_simulation, old.EVALUATION_STATUS) or ("success" if told else None)
        status = status or "failed"
        _keep(beside, "simulation_status", stated, status)
        solved = status == "success" and not made_up
        row["simulation_status"] = status
        _replace(row, beside, older, "objectives", objectives if solved else {})
        _replace(row, beside, older, "fitness", fitness if solved else None)

    # -- what was made of them

    def _front(self, row: Row, beside: Row, older: Row) -> None:
        self._study_of(row, beside, older)
        told = row.get("run_ids")
        ids = told if isinstance(told, list) else []
        row["run_ids"] = [self._evaluations[run_id] or str(run_id) for run_id in ids]
        row["front_size"] = row.get("front_size") or len(ids)
        row.pop("pareto_id", None)
        self._write("pareto_fronts", row, beside)

    def _convergence(self, row: Row, beside: Row, older: Row) -> None:
        self._study_of(row, beside, older)
        row.pop("metric_id", None)
        self._write("convergence_metrics", row, beside)

    def _uncertainty(self, row: Row, beside: Row, older: Row) -> None:
        self._study_of(row, beside, older)
        told = row["target_solution_id"] = older.get("target_solution_id")
        if told is not None:
            row["target_solution_id"] = self._evaluations[told] or str(told)
            _keep(beside, "target_solution_id", told, row["target_solution_id"])
        row.pop("analysis_id", None)
        given = self._write(
            "uncertainty_analysis", row, beside | {"analysis_id": old.kept(older.get("analysis_id"))}
        )
        self._analyses[str(older.get("analysis_id"))] = given

    def _sensitivity(self, row: Row, beside: Row, older: Row) -> None:
        self._study_of(row, beside, older)
        row["analysis_id"] = self._analyses.get(str(older.get("analysis_id")))
        row.pop("sensitivity_id", None)
        ids = {
            name: old.kept(older[name])
            for name in ("sensitivity_id", "analysis_id")
            if older.get(name) is not None
        }
        self._write("sensitivity_analysis", row, beside | ids)

    # -- when all rows are there

    def _link(self) -> None:
        self._connection.execute(
            "UPDATE simulation_runs SET study_run_id = e.run_id FROM study_runs e "
            "WHERE e.simulation_run_id = simulation_runs.run_id"
        )
        for run_id, told in self._links.items():
            known = self._evaluations[told]
            self._connection.execute(
                "UPDATE simulation_runs SET study_run_id = coalesce(study_run_id, ?), "
                "metadata_json = json_patch(metadata_json, ?) WHERE run_id = ?",
                [
                    known,
                    compact_json({"older": {"study_run_id": old.kept(told)}} if known != told else {}),
                    run_id,
                ],
            )

    def _settle_studies(self) -> None:
        rows = self._connection.execute(
            "SELECT s.*, (SELECT count(*) FROM study_runs r WHERE r.study_id = s.study_id) AS evaluations, "
            "(SELECT count(*) FROM simulation_runs r WHERE r.study_id = s.study_id) AS simulations, "
            "EXISTS (SELECT 1 FROM study_runs r WHERE r.study_id = s.study_id AND generation_number >= 0) "
            "AS has_generations FROM studies s"
        ).fetchall()
        for row in rows:
            self._settle_study(dict(row))

    def _settle_study(self, study: Row) -> None:
        study_id = study["study_id"]
        changes: Row = {"run_count": study["evaluations"] or study["run_count"] or study["simulations"]}
        if study["evaluations"]:
            changes |= self._best(study_id)
        if study_id in self._unnamed_type:
            kind = "genetic_algorithm" if study["has_generations"] else "parametric"
            changes["study_type"] = kind if study["evaluations"] > 1 else "single"
        if study_id in self._unnamed_status:
            changes["status"] = "completed" if study["evaluations"] or study["simulations"] else "pending"
        if changes.get("status", study["status"]) == "completed":
            changes["progress_percent"] = 100.0
        told = {name: study[name] for name in changes if study[name] != changes[name]}
        names = {"run_count", "best_fitness", "best_solution_id", "progress_percent"}
        beside = {name: value for name, value in told.items() if name in names and value}
        metadata = compact_json({"older": beside} if beside else {})
        assigned = ", ".join(f"{name} = :{name}" for name in changes)
        self._connection.execute(
            f"UPDATE studies SET {assigned}, metadata_json = json_patch(metadata_json, :metadata) "
            "WHERE study_id = :study_id",
            {**changes, "metadata": metadata, "study_id": study_id},
        )

    def _best(self, study_id: str) -> Row:
        row = self._connection.execute(
            f"SELECT fitness, run_id FROM study_runs e WHERE study_id = ? AND {CANDIDATE} "
            "ORDER BY fitness, run_id LIMIT 1",
            [study_id],
        ).fetchone()
        fitness, run_id = (None, None) if row is None else (finite(row["fitness"]), row["run_id"])
        return {"best_fitness": fitness, "best_solution_id": run_id}


def _fitted(table: Table, older: Row) -> tuple[Row, Row]:
    """The row as far as it fits its table, and what does not."""
    row: Row = {}
    beside: Row = {}
    renamed = _RENAMED.get(table.name, {})
    for name, value in older.items():
        target = renamed.get(name, name)
        exact = value is None
        if target in table.columns and target not in row:
            row[target], exact = old.fitted(value, target, table.columns[target])
        if not exact:
            beside[name] = old.kept(value)
    return row, beside


def _keep(beside: Row, name: str, told: object, taken: object) -> None:
    """Keep what was told where something else was taken."""
    if told is not None and told != taken:
        beside[name] = old.kept(told)


def _replace(row: Row, beside: Row, older: Row, name: str, value: Any) -> None:
    """Take a value, keeping what stood there where that is another."""
    if row.get(name) is not None and row[name] != value:
        beside[name] = old.kept(older[name])
    row[name] = value
