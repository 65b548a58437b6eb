"""Evaluations and simulation runs, filtered, ordered and paged: the rows behind most tables and pictures.

A row is an evaluation (`study_runs`, e) with its dispatch's columns (`simulation_runs`, s) beside it. Runs
without an evaluation (in progress, or of no study) are rows too, wherever the filter does not ask for what
only evaluations have.
"""
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from schema.errors import Finding, InputError
from schema.store.queries import fetch, required_studies
from schema.store.statements import CANDIDATE, IN_LIST, PARAMETER_NAMES, Row
from schema.store.tables import JSON_COLUMNS
from schema.store.values import compact_json
from schema.store.where import Fragment, Scope, Term, joined, objective, parse_where

Direction = Literal["minimise", "maximise"]

# Which way is better, for KPIs that are no objective of the study.
_MAXIMISED: Final = frozenset(
    {"self_consumption_rate", "self_sufficiency_rate", "renewable_fraction", "total_generation_kwh"}
)
_JOINED: Final = "study_runs e LEFT JOIN simulation_runs s ON s.run_id = e.simulation_run_id"
_IN_ORDER: Final = _JOINED.replace("e LEFT", "e INDEXED BY idx_study_runs_study_id_evaluation_number LEFT")
# A dispatch bears its evaluation's id, or is one of the few that the index of the others holds.
_LED_BY_KPI: Final = (
    "simulation_runs s CROSS JOIN study_runs e ON e.rowid IN ("
    "SELECT rowid FROM study_runs WHERE run_id = s.run_id AND simulation_run_id = s.run_id UNION ALL "
    "SELECT rowid FROM study_runs WHERE simulation_run_id = s.run_id AND simulation_run_id <> run_id)"
)
# Users may speak of either table's word for it.
_STATUS: Final[Mapping[str, str]] = {"completed": "success"}


def runs(
    connection: sqlite3.Connection,
    *,
    study_ids: Sequence[str] = (),
    status: str | None = None,
    generation: int | None = None,
    where: Sequence[str] = (),
    order_by: str | None = None,
    limit: int | None = 100,
    offset: int = 0,
) -> list[Row]:
    """Runs of some studies, or of all.

    Args:
        connection: the store's.
        study_ids: the studies; none for all.
        status: success (or completed), failed, infeasible or running.
        generation: of which generation.
        where: filters on columns, parameters and objectives, see `schema.store.where`.
        order_by: a column, parameter or objective, ` desc` behind it for the largest first; by study and
            evaluation unless told, what is in progress first.
        limit: how many at most; None for all.
        offset: how many to leave out first.

    Raises:
        InputError: an unknown study or name, or a filter that cannot be read.
    """
    terms = parse_where(where)
    view = _view(connection, study_ids)
    name, descending = _order(order_by)
    parts = [] if status == "running" else [_evaluations(view, terms, status, generation, name)]
    bare = view.bare()
    named = {term.name for term in terms} | ({name} if name else set())
    if generation is None and named <= bare.scope.columns.keys() and not named & view.of_evaluations:
        parts.append(_bare_runs(bare, terms, status, name))
    if not parts:
        return []
    order = "study_id, evaluation_number"
    if name is not None:
        order = f"sort_key {'DESC' if descending else 'ASC'} NULLS LAST, {order}"
    sql = " UNION ALL ".join(part.sql for part in parts)
    values = [value for part in parts for value in part.values]
    page = [-1 if limit is None else limit, offset]
    return _without_key(fetch(connection, f"{sql} ORDER BY {order} LIMIT ? OFFSET ?", [*values, *page]))


def best_designs(
    connection: sqlite3.Connection,
    *,
    study_ids: Sequence[str] = (),
    by: str | None = None,
    n: int = 10,
    direction: Direction | None = None,
    where: Sequence[str] = (),
) -> list[Row]:
    """The best evaluations that were solved and keep their study's constraints.

    Args:
        connection: the store's.
        study_ids: the studies; none for all.
        by: an objective or any numeric column; the fitness unless told.
        n: how many at most.
        direction: unless told, the study's own for an objective, else that of the KPI's nature.
        where: filters, as in `runs`.

    Raises:
        InputError: an unknown study or name, a filter that cannot be read, or studies that disagree on
            which way an objective is better.
    """
    terms = parse_where(where)
    view = _view(connection, study_ids)
    name = by or "fitness"
    descending = (direction or view.direction(name)) == "maximise"
    if direction is None and view.is_fitness(name):
        key, descending = Fragment("e.fitness"), False
    else:
        key = view.key(name)
    order = f"sort_key {'DESC' if descending else 'ASC'}, evaluation_number"
    conditions = joined(
        [
            *view.within("e"),
            Fragment(CANDIDATE),
            Fragment(f"{key.sql} IS NOT NULL", key.values),
            *(view.scope.condition(term) for term in terms),
        ]
    )
    source = _JOINED
    if key.sql.startswith("s.") and not study_ids:
        # Through all studies the KPI's own index leads the way; SQLite has to be told.
        source = _LED_BY_KPI
    elif study_ids and key.sql != "e.fitness":
        source = _IN_ORDER
    sql, values = view.select(key, source, conditions)
    return _without_key(fetch(connection, f"{sql} ORDER BY {order} LIMIT ?", [*values, n]))


@dataclass(frozen=True)
class _View:
    """The studies looked at, the columns their rows have, and what can be named in them."""

    study_ids: Sequence[str]
    scope: Scope
    directions: Sequence[Mapping[str, Direction]]
    of_evaluations: frozenset[str]
    selected: Mapping[str, str]

    def within(self, table: str) -> list[Fragment]:
        if not self.study_ids:
            return []
        if len(self.study_ids) == 1:  # an equality lets the index give the order too
            return [Fragment(f"{table}.study_id = ?", (self.study_ids[0],))]
        return [Fragment(f"{table}.study_id {IN_LIST}", (compact_json(list(self.study_ids)),))]

    def bare(self) -> _View:
        """The same for runs without an evaluation."""
        selected = {
            name: sql if sql.startswith("s.") else f"s.{name}" if name in _SHARED else "NULL"
            for name, sql in self.selected.items()
        }
        columns = {name: (selected[name], kind) for name, (_, kind) in self.scope.columns.items()}
        return _View(self.study_ids, Scope(columns, (), ()), (), self.of_evaluations, selected)

    def select(self, key: Fragment, source: str, conditions: Fragment) -> Fragment:
        """The rows, `sort_key` behind their columns."""
        columns = ", ".join(f"{sql} AS {name}" for name, sql in self.selected.items())
        sql = f"SELECT {columns}, {key.sql} AS sort_key FROM {source} WHERE {conditions.sql}"
        return Fragment(sql, (*key.values, *conditions.values))

    def is_fitness(self, name: str) -> bool:
        """Whether the fitness orders designs just as this does: then its index can be used."""
        first = bool(self.directions) and all(next(iter(d), None) == name for d in self.directions)
        return name == "fitness" or (first and not self.is_kpi_of_all(name))

    def is_kpi_of_all(self, name: str) -> bool:
        """Whether a KPI's own index finds it: it knows no studies, the fitness' index knows no others."""
        return not self.study_ids and self.scope.columns.get(name, ("", ""))[0].startswith("s.")

    def direction(self, name: str) -> Direction:
        told = {directions[name] for directions in self.directions if name in directions}
        if len(told) > 1:
            message = f"the studies disagree on which way {name} is better: say minimise or maximise"
            raise InputError(Finding("", "direction", name, "minimise or maximise", message))
        if told:
            return told.pop()
        return "maximise" if name in _MAXIMISED else "minimise"

    def key(self, name: str) -> Fragment:
        """What designs are ordered by: an objective, a parameter, or a numeric column."""
        if name in self.scope.objectives and not self.is_kpi_of_all(name):
            return objective(name)
        numeric = {key: column for key, column in self.scope.columns.items() if column[1] != "TEXT"}
        return Scope(numeric, self.scope.layouts, self.scope.objectives).operand(name, "by")


_SHARED: Final = frozenset({"run_id", "study_id", "simulation_status", "created_at", "metadata_json"})


def _view(connection: sqlite3.Connection, study_ids: Sequence[str]) -> _View:
    if study_ids:
        required_studies(connection, list(study_ids))
    evaluations, simulations = _columns(connection, "study_runs"), _columns(connection, "simulation_runs")
    own = {name: kind for name, kind in simulations.items() if name not in evaluations}
    selected = {name: f"e.{name}" for name in evaluations} | {name: f"s.{name}" for name in own}
    selected["parameter_names"] = PARAMETER_NAMES
    kinds = {**simulations, **evaluations}
    named = {name: (sql, kinds[name]) for name, sql in selected.items() if name not in JSON_COLUMNS}
    layouts, directions = _layouts(connection, study_ids)
    objectives = dict.fromkeys(name for told in directions for name in told)
    return _View(
        tuple(study_ids),
        Scope(named, layouts, list(objectives)),
        directions,
        frozenset(evaluations.keys() - _SHARED),
        selected,
    )


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    found = connection.execute("SELECT name, type FROM pragma_table_info(?)", [table])
    return {row["name"]: row["type"] for row in found}


def _layouts(
    connection: sqlite3.Connection, study_ids: Sequence[str]
) -> tuple[list[str], list[Mapping[str, Direction]]]:
    """The studies' distinct parameter names as stored, and their objectives with their directions."""
    chosen = f"WHERE study_id {IN_LIST}" if study_ids else ""
    rows = fetch(
        connection,
        f"SELECT optimization_objective, coalesce(parameter_names, (SELECT r.parameter_names FROM study_runs r "
        "WHERE r.study_id = studies.study_id ORDER BY evaluation_number LIMIT 1)) AS layout "
        f"FROM studies {chosen}",
        [compact_json(list(study_ids))] if study_ids else [],
    )
    layouts = dict.fromkeys(row["layout"] for row in rows if row["layout"] is not None)
    return list(layouts), [row["optimization_objective"] or {} for row in rows]


def _order(order_by: str | None) -> tuple[str | None, bool]:
    if not order_by:
        return None, False
    name, _, way = order_by.strip().partition(" ")
    if way.strip().lower() not in {"", "asc", "desc"}:
        message = f"cannot order by {order_by!r}: write a name, and ` desc` behind it for the largest first"
        raise InputError(Finding("", "order_by", order_by, "NAME or NAME desc", message))
    return name, way.strip().lower() == "desc"


def _evaluations(
    view: _View, terms: Sequence[Term], status: str | None, generation: int | None, order: str | None
) -> Fragment:
    wanted = list(view.within("e"))
    if status is not None:
        wanted.append(Fragment("e.simulation_status = ?", (_STATUS.get(status, status),)))
    if generation is not None:
        wanted.append(Fragment("e.generation_number = ?", (generation,)))
    wanted += [view.scope.condition(term) for term in terms]
    source = _JOINED
    if order is None and not view.study_ids:
        # All of these indexes begin alike: left alone, SQLite sorts each study by another one.
        source = _IN_ORDER
    return _selected(view, source, wanted, order)


def _bare_runs(view: _View, terms: Sequence[Term], status: str | None, order: str | None) -> Fragment:
    # Both, as an index holds those few; the plus keeps SQLite to it, as a study may have many.
    bare = Fragment("s.study_run_id IS NOT s.run_id AND s.study_run_id IS NULL")
    wanted = [bare, *view.within("+s")]
    if status is not None:
        told = [word for word, other in _STATUS.items() if status in {word, other}] or [status]
        wanted.append(Fragment("s.simulation_status = ?", (told[0],)))
    wanted += [view.scope.condition(term) for term in terms]
    return _selected(view, "simulation_runs s", wanted, order)


def _selected(view: _View, source: str, wanted: Sequence[Fragment], order: str | None) -> Fragment:
    key = view.scope.operand(order, "order_by") if order else Fragment("NULL")
    return view.select(key, source, joined(wanted))


def _without_key(rows: list[Row]) -> list[Row]:
    for row in rows:
        del row["sort_key"]
    return rows
