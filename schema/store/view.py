"""What can be asked of a selection of studies: their rows' columns, parameters and objectives.

A row is an evaluation (`study_runs`, e) with its dispatch's columns (`simulation_runs`, s) beside it.
"""
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from schema.errors import Finding, InputError
from schema.store.queries import fetch, required_studies
from schema.store.records import KPI_COLUMNS, MAXIMISED_KPIS
from schema.store.statements import IN_LIST, PARAMETER_NAMES
from schema.store.tables import JSON_COLUMNS
from schema.store.values import compact_json
from schema.store.where import Fragment, Scope, objective

Direction = Literal["minimise", "maximise"]


@dataclass(frozen=True)
class View:
    """The studies looked at, the columns their rows have, and what can be named in them."""

    study_ids: Sequence[str]
    scope: Scope
    directions: Sequence[Mapping[str, Direction]]
    of_evaluations: frozenset[str]
    selected: Mapping[str, str]

    def within(self, table: str) -> list[Fragment]:
        """The table's rows are of these studies."""
        if not self.study_ids:
            return []
        if len(self.study_ids) == 1:  # an equality lets the index give the order too
            return [Fragment(f"{table}.study_id = ?", (self.study_ids[0],))]
        return [Fragment(f"{table}.study_id {IN_LIST}", (compact_json(list(self.study_ids)),))]

    def bare(self) -> View:
        """The same for runs without an evaluation."""
        selected = {
            name: f"s.{name}" if name in _SHARED else "NULL" if "e." in sql else sql
            for name, sql in self.selected.items()
        }
        selected["created_at"] = "coalesce(s.created_at, s.timestamp)"
        columns = {name: (selected[name], kind) for name, (_, kind) in self.scope.columns.items()}
        return View(self.study_ids, Scope(columns, (), ()), (), self.of_evaluations, selected)

    def select(self, key: Fragment, source: str, conditions: Fragment) -> Fragment:
        """The rows, `sort_key` behind their columns."""
        columns = ", ".join(f"{sql} AS {name}" for name, sql in self.selected.items())
        sql = f"SELECT {columns}, {key.sql} AS sort_key FROM {source} WHERE {conditions.sql}"
        return Fragment(sql, (*key.values, *conditions.values))

    def is_fitness(self, name: str) -> bool:
        """Whether the fitness orders designs just as this does, be it turned round."""
        first = all(next(iter(told), None) == name for told in self.directions)
        return first and len({told[name] for told in self.directions}) == 1

    def is_kpi(self, name: str) -> bool:
        """Whether it is a dispatch's KPI that has a column."""
        return name in KPI_COLUMNS and name in self.scope.columns

    def direction(self, name: str) -> Direction:
        """Which way is better: as the studies say, else by the KPI's nature.

        Raises:
            InputError: the studies disagree.
        """
        told = {directions[name] for directions in self.directions if name in directions}
        if len(told) > 1:
            message = f"the studies disagree on which way {name} is better: say minimise or maximise"
            raise InputError(Finding("", "direction", name, "minimise or maximise", message))
        if told:
            return told.pop()
        return "maximise" if name in MAXIMISED_KPIS or self._is_better_higher(name) else "minimise"

    def _is_better_higher(self, name: str) -> bool:
        if name not in self.scope.other_kpis:
            return False
        from schema.kpis import HIGHER_IS_BETTER  # it loads every component's schema

        return name in HIGHER_IS_BETTER

    def key(self, name: str) -> Fragment:
        """What designs are ordered by: an objective, a parameter, or a numeric column."""
        if name in self.scope.objectives:
            return objective(name)
        numeric = {key: column for key, column in self.scope.columns.items() if column[1] != "TEXT"}
        return replace(self.scope, columns=numeric).operand(name, "by")


_SHARED: Final = frozenset({"run_id", "study_id", "simulation_status", "created_at", "metadata_json"})


def view_of(connection: sqlite3.Connection, study_ids: Sequence[str], named: Iterable[str] = ()) -> View:
    """What the studies have; none for all.

    Args:
        connection: the store's.
        study_ids: the studies.
        named: what will be asked for; KPIs without a column are looked up only where one may be among it.

    Raises:
        InputError: one of them does not exist.
    """
    if study_ids:
        required_studies(connection, list(study_ids))
    evaluations, simulations = _columns(connection, "study_runs"), _columns(connection, "simulation_runs")
    own = {name: kind for name, kind in simulations.items() if name not in evaluations}
    selected = {name: f"e.{name}" for name in evaluations} | {name: f"s.{name}" for name in own}
    selected["parameter_names"] = PARAMETER_NAMES
    selected["updated_at"] = "coalesce(s.updated_at, s.created_at, s.timestamp)"
    kinds = {**simulations, **evaluations}
    columns = {name: (sql, kinds[name]) for name, sql in selected.items() if name not in JSON_COLUMNS}
    layouts, directions = _layouts(connection, study_ids)
    objectives = dict.fromkeys(name for told in directions for name in told)
    scope = Scope(columns, layouts, list(objectives))
    if set(named) - set(scope.known):
        scope = replace(scope, other_kpis=_other_kpis(connection, study_ids))
    return View(
        tuple(study_ids),
        scope,
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
    chosen, values = _chosen(study_ids)
    rows = fetch(
        connection,
        f"SELECT optimization_objective, coalesce(parameter_names, (SELECT r.parameter_names FROM study_runs r "
        "WHERE r.study_id = studies.study_id ORDER BY evaluation_number LIMIT 1)) AS layout "
        f"FROM studies {chosen}",
        values,
    )
    layouts = dict.fromkeys(row["layout"] for row in rows if row["layout"] is not None)
    return list(layouts), [row["optimization_objective"] or {} for row in rows]


def _other_kpis(connection: sqlite3.Connection, study_ids: Sequence[str]) -> list[str]:
    """KPIs without a column, as each study's first solved dispatch has them."""
    chosen, values = _chosen(study_ids)
    rows = fetch(
        connection,
        "SELECT s.metadata_json FROM studies JOIN simulation_runs s ON s.run_id = (SELECT e.simulation_run_id "
        "FROM study_runs e WHERE e.study_id = studies.study_id AND e.simulation_status = 'success' "
        f"ORDER BY e.evaluation_number LIMIT 1) {chosen}",
        values,
    )
    return list(dict.fromkeys(name for row in rows for name in (row["metadata_json"] or {}).get("kpis", {})))


def _chosen(study_ids: Sequence[str]) -> tuple[str, list[str]]:
    """A condition on `studies`, none for all of them."""
    return (f"WHERE studies.study_id {IN_LIST}", [compact_json(list(study_ids))]) if study_ids else ("", [])
