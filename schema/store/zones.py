"""The least and the most of every KPI in each block of a study's evaluations, and the best of its candidates.

An index of each KPI would make the database half as large again. A block's extremes take a hundredth of it, and
a question for what is rare, or for what is best, needs to look into few blocks only. Bests are of the candidates
alone: the cheapest designs are often those that break a constraint. Triggers keep all of it, so it holds whoever
writes; where a row is replaced or deleted, its block stays wider than need be, which costs a look and no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from schema.store.records import KPI_COLUMNS, MAXIMISED_KPIS, Evaluation
from schema.store.statements import CANDIDATE
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


def best(name: str, *, descending: bool) -> str:
    """The column that leads to a KPI's best candidates; turned round, the extreme of all rows has to do."""
    if descending == (name in MAXIMISED_KPIS):
        return f"best_{name}"
    return f"{'most' if descending else 'least'}_{name}"


# -- what writes

Column = tuple[str, str]  # what it tells, and of which KPI

_EXTREMES: Final[tuple[Column, ...]] = tuple(
    (word, name) for name in KPI_COLUMNS for word in ("least", "most")
)
_BESTS: Final[tuple[Column, ...]] = tuple(("best", name) for name in KPI_COLUMNS)
_ALL: Final = _EXTREMES + _BESTS
_BLOCK_OF: Final = f"e.study_id, e.evaluation_number / {BLOCK} AS block"
_FROM: Final = (
    "FROM study_runs e JOIN simulation_runs s ON s.run_id = e.simulation_run_id "
    "WHERE e.evaluation_number IS NOT NULL"
)


def widen(connection: sqlite3.Connection, chunk: Iterable[Evaluation]) -> None:
    """Take a chunk's KPIs into its blocks at once: row by row, the triggers then find nothing left to do."""
    if not kept(connection):
        return
    blocks: dict[tuple[str, int], list[Evaluation]] = {}
    for evaluation in chunk:
        block = (evaluation.study_id, evaluation.evaluation_number // BLOCK)
        blocks.setdefault(block, []).append(evaluation)
    connection.executemany(_WIDEN, [(*block, *_told(rows)) for block, rows in blocks.items()])


def _told(chunk: Iterable[Evaluation]) -> list[float | None]:
    """A block's columns, in order."""
    rows = [(evaluation.kpis.columns(), evaluation.is_candidate) for evaluation in chunk]
    told: list[float | None] = []
    for word, name in _ALL:
        values = [
            value
            for kpis, candidate in rows
            if (value := kpis[name]) is not None and (candidate or word != "best")
        ]
        told.append((max if _is_most((word, name)) else min)(values, default=None))
    return told


def _is_most(column: Column) -> bool:
    word, name = column
    return word == "most" or (word == "best" and name in MAXIMISED_KPIS)


def _into(columns: Iterable[Column]) -> str:
    return f"INSERT INTO {TABLE} (study_id, block, {', '.join(map('_'.join, columns))})"


def _wider(columns: Iterable[Column]) -> str:
    """What becomes of a block that is there. Mostly nothing is wider, and then no index is touched."""
    widened, is_wider = [], []
    for column in columns:
        name, most = "_".join(column), _is_most(column)
        widened.append(
            f"{name} = {'max' if most else 'min'}(coalesce({name}, excluded.{name}), "
            f"coalesce(excluded.{name}, {name}))"
        )
        is_wider.append(
            f"excluded.{name} {'>' if most else '<'} coalesce({name}, {'-' if most else ''}9e999)"
        )
    return f"ON CONFLICT (study_id, block) DO UPDATE SET {', '.join(widened)} WHERE {' OR '.join(is_wider)}"


_WIDEN: Final = f"{_into(_ALL)} VALUES ({', '.join('?' * (2 + len(_ALL)))}) {_wider(_ALL)}"


# -- the steps that made it


def create(connection: sqlite3.Connection) -> None:
    """Make the table, fill it from what is there, and have it kept."""
    columns = ", ".join(f"{word}_{name} REAL" for word, name in _EXTREMES)
    connection.execute(
        f"CREATE TABLE {TABLE} (study_id TEXT NOT NULL, block INTEGER NOT NULL, {columns}, "
        "PRIMARY KEY (study_id, block), FOREIGN KEY (study_id) REFERENCES studies (study_id) "
        "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED) STRICT"
    )
    _fill(connection, _EXTREMES)
    for name in KPI_COLUMNS:
        better = f"{'most' if name in MAXIMISED_KPIS else 'least'}_{name}"
        connection.execute(f"CREATE INDEX idx_{TABLE}_{better} ON {TABLE} ({better})")
    _have_kept(connection, _EXTREMES, ("study_id", "evaluation_number", "simulation_run_id"))


def tell_candidates_apart(connection: sqlite3.Connection) -> None:
    """Add the best of each block's candidates, which what is best is found by from then on."""
    for name in KPI_COLUMNS:
        connection.execute(f"ALTER TABLE {TABLE} ADD COLUMN best_{name} REAL")
    _fill(connection, _ALL)
    for name in KPI_COLUMNS:
        connection.execute(f"DROP INDEX idx_{TABLE}_{'most' if name in MAXIMISED_KPIS else 'least'}_{name}")
        connection.execute(f"CREATE INDEX idx_{TABLE}_best_{name} ON {TABLE} (best_{name})")
    for event in (
        "simulation_runs_insert",
        "simulation_runs_update",
        "study_runs_insert",
        "study_runs_update",
    ):
        connection.execute(f"DROP TRIGGER {TABLE}_{event}")
    of_evaluation = ("study_id", "evaluation_number", "simulation_run_id")
    _have_kept(connection, _ALL, (*of_evaluation, "fitness", "constraint_violations", "simulation_status"))


def _value(column: Column) -> str:
    word, name = column
    return f"CASE WHEN {CANDIDATE} THEN s.{name} END" if word == "best" else f"s.{name}"


def _fill(connection: sqlite3.Connection, columns: Sequence[Column]) -> None:
    found = ", ".join(f"{'max' if _is_most(column) else 'min'}({_value(column)})" for column in columns)
    connection.execute(
        f"{_into(columns)} SELECT {_BLOCK_OF}, {found} {_FROM} GROUP BY e.study_id, block {_wider(columns)}"
    )


def _have_kept(
    connection: sqlite3.Connection, columns: Sequence[Column], of_evaluation: Iterable[str]
) -> None:
    solved = f"coalesce({', '.join(f'new.{name}' for name in KPI_COLUMNS)}) IS NOT NULL"
    # A dispatch bears its evaluation's id, or is one of the few that the index of the others holds.
    of_dispatch = (
        "e.rowid IN (SELECT rowid FROM study_runs WHERE run_id = new.run_id AND simulation_run_id = new.run_id "
        "UNION ALL SELECT rowid FROM study_runs WHERE simulation_run_id = new.run_id "
        "AND simulation_run_id <> run_id)"
    )
    for event in ("INSERT", f"UPDATE OF run_id, {', '.join(KPI_COLUMNS)}"):
        _trigger(connection, columns, event, f"simulation_runs WHEN {solved}", of_dispatch)
    for event in ("INSERT", f"UPDATE OF {', '.join(of_evaluation)}"):
        _trigger(connection, columns, event, "study_runs", "e.run_id = new.run_id")


def _trigger(
    connection: sqlite3.Connection, columns: Sequence[Column], event: str, table: str, changed: str
) -> None:
    name = f"{TABLE}_{table.split(maxsplit=1)[0]}_{event.split(maxsplit=1)[0].lower()}"
    found = ", ".join(map(_value, columns))
    connection.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN "
        f"{_into(columns)} SELECT {_BLOCK_OF}, {found} {_FROM} AND {changed} {_wider(columns)}; END"
    )
