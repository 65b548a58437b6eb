"""The least and the most of every KPI in each block of a study's evaluations.

An index of each KPI would make the database half as large again. A block's extremes take a hundredth of it, and
a question for what is rare, or for what is best, needs to look into few blocks only. Triggers keep them, so they
hold whoever writes; where a row is replaced or deleted, its block stays wider than need be, which costs a look
and no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from schema.store.records import KPI_COLUMNS, MAXIMISED_KPIS, Evaluation
from schema.store.where import Fragment, Term, joined

TABLE: Final = "kpi_zones"
BLOCK: Final = 64

# -- what asks

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


def kept(connection: sqlite3.Connection) -> bool:
    """Whether this database keeps them; a server knows how its values spread and needs none."""
    return isinstance(connection, sqlite3.Connection)


def narrowed(terms: Iterable[Term]) -> Fragment | None:
    """Which blocks z may hold what fulfils the terms; None where none of them tells."""
    told = [
        Fragment(_POSSIBLE[term.operator].format(term.name), (term.value,))
        for term in terms
        if term.name in KPI_COLUMNS and term.operator in _POSSIBLE and isinstance(term.value, float)
    ]
    return joined(told) if told else None


# -- what writes

_EXTREMES: Final = [(word, name) for name in KPI_COLUMNS for word in ("least", "most")]
_CHOSEN: Final = {"least": "min", "most": "max"}
_INTO: Final = f"INSERT INTO {TABLE} (study_id, block, {', '.join(map('_'.join, _EXTREMES))})"
_BLOCK_OF: Final = f"e.study_id, e.evaluation_number / {BLOCK} AS block"
_FROM: Final = (
    "FROM study_runs e JOIN simulation_runs s ON s.run_id = e.simulation_run_id "
    "WHERE e.evaluation_number IS NOT NULL"
)
_WIDENED: Final = ", ".join(
    f"{word}_{name} = {_CHOSEN[word]}(coalesce({word}_{name}, excluded.{word}_{name}), "
    f"coalesce(excluded.{word}_{name}, {word}_{name}))"
    for word, name in _EXTREMES
)
_IS_WIDER: Final = " OR ".join(
    f"excluded.least_{name} < coalesce(least_{name}, 9e999) "
    f"OR excluded.most_{name} > coalesce(most_{name}, -9e999)"
    for name in KPI_COLUMNS
)
# Mostly nothing is wider, and then no index is touched.
_WIDER: Final = f"ON CONFLICT (study_id, block) DO UPDATE SET {_WIDENED} WHERE {_IS_WIDER}"


def widen(connection: sqlite3.Connection, chunk: Iterable[Evaluation]) -> None:
    """Take a chunk's KPIs into its blocks at once: row by row, the triggers then find nothing left to do."""
    if not kept(connection):
        return
    blocks: dict[tuple[str, int], list[Mapping[str, float | None]]] = {}
    for evaluation in chunk:
        block = (evaluation.study_id, evaluation.evaluation_number // BLOCK)
        blocks.setdefault(block, []).append(evaluation.kpis.columns())
    marks = ", ".join("?" * (2 + len(_EXTREMES)))
    connection.executemany(
        f"{_INTO} VALUES ({marks}) {_WIDER}", [(*block, *_extremes(rows)) for block, rows in blocks.items()]
    )


def _extremes(rows: Iterable[Mapping[str, float | None]]) -> list[float | None]:
    found: list[float | None] = []
    for name in KPI_COLUMNS:
        values = [value for row in rows if (value := row[name]) is not None]
        found += [min(values, default=None), max(values, default=None)]
    return found


def create(connection: sqlite3.Connection) -> None:
    """Make the table, fill it from what is there, and have it kept."""
    extremes = ", ".join(f"{word}_{name} REAL" for word, name in _EXTREMES)
    connection.execute(
        f"CREATE TABLE {TABLE} (study_id TEXT NOT NULL, block INTEGER NOT NULL, {extremes}, "
        "PRIMARY KEY (study_id, block), FOREIGN KEY (study_id) REFERENCES studies (study_id) "
        "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED) STRICT"
    )
    found = ", ".join(f"{_CHOSEN[word]}(s.{name})" for word, name in _EXTREMES)
    connection.execute(f"{_INTO} SELECT {_BLOCK_OF}, {found} {_FROM} GROUP BY e.study_id, block")
    for name in KPI_COLUMNS:
        better = f"{'most' if name in MAXIMISED_KPIS else 'least'}_{name}"
        connection.execute(f"CREATE INDEX idx_{TABLE}_{better} ON {TABLE} ({better})")
    solved = f"coalesce({', '.join(f'new.{name}' for name in KPI_COLUMNS)}) IS NOT NULL"
    # A dispatch bears its evaluation's id, or is one of the few that the index of the others holds.
    of_dispatch = (
        "e.rowid IN (SELECT rowid FROM study_runs WHERE run_id = new.run_id AND simulation_run_id = new.run_id "
        "UNION ALL SELECT rowid FROM study_runs WHERE simulation_run_id = new.run_id "
        "AND simulation_run_id <> run_id)"
    )
    for event in ("INSERT", f"UPDATE OF run_id, {', '.join(KPI_COLUMNS)}"):
        _have_kept(connection, event, f"simulation_runs WHEN {solved}", of_dispatch)
    for event in ("INSERT", "UPDATE OF study_id, evaluation_number, simulation_run_id"):
        _have_kept(connection, event, "study_runs", "e.run_id = new.run_id")


def _have_kept(connection: sqlite3.Connection, event: str, table: str, changed: str) -> None:
    name = f"{TABLE}_{table.split(maxsplit=1)[0]}_{event.split(maxsplit=1)[0].lower()}"
    found = ", ".join(f"s.{name}" for _, name in _EXTREMES)
    connection.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN "
        f"{_INTO} SELECT {_BLOCK_OF}, {found} {_FROM} AND {changed} {_WIDER}; END"
    )
