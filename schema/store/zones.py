"""The least and the most of every KPI in each block of a study's evaluations.

An index of each KPI would double the database. A block's extremes take a hundredth of that, and a question for
what is rare, or for what is best, needs to look into few blocks only. Triggers keep them, so they hold whoever
writes; where a row is replaced or deleted, its block stays wider than need be, which costs a look and no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from schema.store.records import KPI_COLUMNS, MAXIMISED_KPIS
from schema.store.where import Fragment, Term, joined

TABLE: Final = "kpi_zones"
BLOCK: Final = 64

# The evaluations of a block z, in order. Both tables' keys lead, so that no sorting is needed.
EVALUATIONS_OF_BLOCK: Final = (
    "study_runs e INDEXED BY idx_study_runs_study_id_evaluation_number ON e.study_id = z.study_id "
    f"AND e.evaluation_number BETWEEN z.block * {BLOCK} AND z.block * {BLOCK} + {BLOCK - 1}"
)
# Blocks given as a JSON list of [study_id, block].
BLOCKS_IN_LIST: Final = (
    "(SELECT json_extract(value, '$[0]') AS study_id, json_extract(value, '$[1]') AS block "
    "FROM json_each(?)) z"
)

# What a block must have for one of its rows to fulfil a comparison with a value. The plus: a page is found in
# the order of the key, which an index of the extremes does not give.
_POSSIBLE: Final[Mapping[str, str]] = {
    ">": "+z.most_{0} > ?",
    ">=": "+z.most_{0} >= ?",
    "<": "+z.least_{0} < ?",
    "<=": "+z.least_{0} <= ?",
    "=": "? BETWEEN z.least_{0} AND z.most_{0}",
    "==": "? BETWEEN z.least_{0} AND z.most_{0}",
}
# A dispatch bears its evaluation's id, or is one of the few that the index of the others holds.
EVALUATIONS_OF_DISPATCH: Final = (
    "SELECT rowid FROM study_runs WHERE run_id = {0}.run_id AND simulation_run_id = {0}.run_id UNION ALL "
    "SELECT rowid FROM study_runs WHERE simulation_run_id = {0}.run_id AND simulation_run_id <> run_id"
)


def kept(connection: sqlite3.Connection) -> bool:
    """Whether this database keeps them; a server knows how its values spread and needs none."""
    return isinstance(connection, sqlite3.Connection)


def better_extreme(name: str) -> str:
    """The end of a KPI at which its best values lie; it has an index."""
    return f"{'most' if name in MAXIMISED_KPIS else 'least'}_{name}"


def narrowed(terms: Iterable[Term]) -> Fragment | None:
    """Which blocks z may hold what fulfils the terms; None where none of them tells."""
    told = [
        Fragment(_POSSIBLE[term.operator].format(term.name), (term.value,))
        for term in terms
        if term.name in KPI_COLUMNS and term.operator in _POSSIBLE and isinstance(term.value, float)
    ]
    return joined(told) if told else None


def create(connection: sqlite3.Connection) -> None:
    """Make the table, fill it from what is there, and have it kept."""
    extremes = ", ".join(f"least_{name} REAL, most_{name} REAL" for name in KPI_COLUMNS)
    connection.execute(
        f"CREATE TABLE {TABLE} (study_id TEXT NOT NULL, block INTEGER NOT NULL, {extremes}, "
        "PRIMARY KEY (study_id, block), FOREIGN KEY (study_id) REFERENCES studies (study_id) "
        "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED) STRICT"
    )
    connection.execute(_filled())
    for name in KPI_COLUMNS:
        extreme = better_extreme(name)
        connection.execute(f"CREATE INDEX idx_{TABLE}_{extreme} ON {TABLE} ({extreme})")
    of_dispatch = f"e.rowid IN ({EVALUATIONS_OF_DISPATCH.format('new')})"
    kpis = ", ".join(KPI_COLUMNS)
    solved = f"coalesce({', '.join(f'new.{name}' for name in KPI_COLUMNS)}) IS NOT NULL"
    for moment in ("INSERT", f"UPDATE OF run_id, {kpis}"):
        _have_kept(connection, f"{moment} ON simulation_runs WHEN {solved}", of_dispatch)
    for moment in ("INSERT", "UPDATE OF study_id, evaluation_number, simulation_run_id"):
        _have_kept(connection, f"{moment} ON study_runs", "e.run_id = new.run_id")


def _have_kept(connection: sqlite3.Connection, event: str, changed: str) -> None:
    moment, _, rest = event.partition(" ")
    table = rest.partition("ON ")[2].split()[0]
    name = f"{TABLE}_{table}_{moment.lower()}"
    connection.execute(f"CREATE TRIGGER {name} AFTER {event} BEGIN {_widen(changed)}; END")


_EXTREMES: Final = [(word, name) for name in KPI_COLUMNS for word in ("least", "most")]
_INTO: Final = (
    f"INSERT INTO {TABLE} (study_id, block, {', '.join(map('_'.join, _EXTREMES))}) SELECT e.study_id"
)
_FROM: Final = "FROM study_runs e JOIN simulation_runs s ON s.run_id = e.simulation_run_id WHERE"


def _filled() -> str:
    found = ", ".join(f"{_CHOSEN[word]}(s.{name})" for word, name in _EXTREMES)
    return (
        f"{_INTO}, e.evaluation_number / {BLOCK} AS block, {found} {_FROM} e.evaluation_number IS NOT NULL "
        "GROUP BY e.study_id, block"
    )


def _widen(changed: str) -> str:
    """Take the KPIs of these evaluations e into their blocks."""
    wider = ", ".join(
        f"{word}_{name} = {_CHOSEN[word]}(coalesce({word}_{name}, excluded.{word}_{name}), "
        f"coalesce(excluded.{word}_{name}, {word}_{name}))"
        for word, name in _EXTREMES
    )
    found = ", ".join(f"s.{name}" for _, name in _EXTREMES)
    return (
        f"{_INTO}, e.evaluation_number / {BLOCK}, {found} {_FROM} {changed} AND e.evaluation_number IS NOT NULL "
        f"ON CONFLICT (study_id, block) DO UPDATE SET {wider}"
    )


_CHOSEN: Final = {"least": "min", "most": "max"}
