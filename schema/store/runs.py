"""Evaluations and simulation runs, filtered, ordered and paged: the rows behind most tables and pictures.

A row is an evaluation (`study_runs`, e) with its dispatch's columns (`simulation_runs`, s) beside it. Runs
without an evaluation (in progress, or of no study) are rows too, wherever the filter does not ask for what
only evaluations have.
"""
# ruff: noqa: S608

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from schema.errors import Finding, InputError
from schema.store import zones
from schema.store.queries import fetch
from schema.store.statements import CANDIDATE, Row
from schema.store.values import compact_json
from schema.store.view import Direction, View, view_of
from schema.store.where import Fragment, Term, joined, parse_where
from schema.store.zones import BLOCKS_IN_LIST, EVALUATIONS_OF_BLOCK

_DISPATCH: Final = "LEFT JOIN simulation_runs s ON s.run_id = e.simulation_run_id"
_JOINED: Final = f"study_runs e {_DISPATCH}"
_IN_ORDER: Final = f"study_runs e INDEXED BY idx_study_runs_study_id_evaluation_number {_DISPATCH}"
_IN_BLOCKS: Final = f"CROSS JOIN {EVALUATIONS_OF_BLOCK} {_DISPATCH}"
# Users may speak of either table's word for it.
_STATUS: Final = {"completed": "success"}
_LEAST: Final = "-1.7976931348623157e308"  # no number lies below


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
        where: filters on columns, KPIs, parameters and objectives, see `schema.store.where`.
        order_by: a column, parameter or objective, ` desc` behind it for the largest first; by study and
            evaluation unless told, what is in progress first.
        limit: how many at most; None for all.
        offset: how many to leave out first.

    Raises:
        InputError: an unknown study or name, or a filter that cannot be read.
    """
    terms = parse_where(where)
    name, descending = _order(order_by)
    named = {term.name for term in terms} | ({name} if name else set())
    view = view_of(connection, study_ids, named)
    page = [-1 if limit is None else limit, offset]
    parts = []
    if status != "running":
        last = -1 if limit is None or name else limit + offset
        narrow = zones.narrowed(terms) if zones.kept(connection) else None
        parts.append(_evaluations(view, terms, status, generation, name, narrow, last))
    bare = view.bare()
    if generation is None and named <= bare.scope.columns.keys() and not named & view.of_evaluations:
        parts.append(_bare_runs(bare, terms, status, name))
    if not parts:
        return []
    order = "study_id, evaluation_number"
    if name is not None:
        order = f"sort_key {'DESC' if descending else 'ASC'} NULLS LAST, {order}"
    sql = " UNION ALL ".join(part.sql for part in parts)
    values = [value for part in parts for value in part.values]
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
        by: an objective, another KPI, a parameter or any numeric column; the fitness unless told.
        n: how many at most.
        direction: unless told, the study's own for an objective, else that of the KPI's nature.
        where: filters, as in `runs`.

    Raises:
        InputError: an unknown study or name, a filter that cannot be read, or studies that disagree on
            which way an objective is better.
    """
    terms = parse_where(where)
    name = by or "fitness"
    view = view_of(connection, study_ids, [name, *(term.name for term in terms)])
    descending = (direction or view.direction(name)) == "maximise"
    if view.is_fitness(name) and direction in {None, view.direction(name)} and (study_ids or terms):
        name, descending = "fitness", False
    if name == "fitness" and not descending:
        return _fittest(connection, view, terms, n)
    if view.is_kpi(name) and zones.kept(connection):
        found = _best_in_blocks(connection, view, name, terms, descending, n)
        if found is not None:
            return found
    key = Fragment(f"s.{name}") if view.is_kpi(name) and not study_ids else view.key(name)
    source = _IN_ORDER if study_ids else _JOINED
    return _ranked(connection, view, key, source, terms, descending, n)


def _candidates(view: View, terms: Sequence[Term], *more: Fragment) -> Fragment:
    return joined([Fragment(CANDIDATE), *more, *(view.scope.condition(term) for term in terms)])


def _ranked(
    connection: sqlite3.Connection,
    view: View,
    key: Fragment,
    source: str,
    terms: Sequence[Term],
    descending: bool,
    n: int,
) -> list[Row]:
    """By whatever has a number, one row after the other."""
    has_one = Fragment(f"{key.sql} IS NOT NULL", key.values)
    sql, values = view.select(key, source, _candidates(view, terms, *view.within("e"), has_one))
    order = f"sort_key {'DESC' if descending else 'ASC'}, evaluation_number"
    return _without_key(fetch(connection, f"{sql} ORDER BY {order} LIMIT ?", [*values, n]))


def _fittest(connection: sqlite3.Connection, view: View, terms: Sequence[Term], n: int) -> list[Row]:
    """By fitness: each study's index gives its best ones, and the best of all are among them.

    It is entered at the study's best, as many that break a constraint may lie before it.
    """
    of_study = Fragment(f"e.study_id = t.study_id AND e.fitness >= coalesce(t.best_fitness, {_LEAST})")
    inner = _candidates(view, terms, of_study)
    studies = _studies_of_the_best(view, None if terms else n)
    source = (
        f"({studies.sql}) t CROSS JOIN study_runs e ON e.rowid IN (SELECT e.rowid FROM {_JOINED} "
        f"WHERE {inner.sql} ORDER BY e.fitness, e.evaluation_number LIMIT ?) {_DISPATCH}"
    )
    sql, _ = view.select(Fragment("e.fitness"), source, Fragment("1"))
    values = [*studies.values, *inner.values, n, n]
    return _without_key(
        fetch(connection, f"{sql} ORDER BY sort_key, study_id, evaluation_number LIMIT ?", values)
    )


def _studies_of_the_best(view: View, n: int | None) -> Fragment:
    """The n best designs of all lie in the n studies whose best is best, if no filter tells otherwise (None)."""
    within = joined(view.within("t"))
    every = f"SELECT t.study_id, t.best_fitness FROM studies t WHERE {within.sql}"
    if n is None:
        return Fragment(every, within.values)
    told = f"SELECT * FROM ({every} AND t.best_fitness IS NOT NULL ORDER BY t.best_fitness LIMIT ?) told"
    untold = f"{every} AND t.best_fitness IS NULL"
    return Fragment(f"{told} UNION ALL {untold}", (*within.values, n, *within.values))


def _best_in_blocks(
    connection: sqlite3.Connection, view: View, name: str, terms: Sequence[Term], descending: bool, n: int
) -> list[Row] | None:
    """By a KPI: of all blocks, those with the best extremes hold the best; None where no block has it.

    A filter may leave few of a block's rows, so that more blocks have to be looked into.
    """
    extreme, way = zones.best(name, descending=descending), "DESC" if descending else "ASC"
    narrow = zones.narrowed(terms)
    within = joined([*view.within("z"), Fragment(f"+z.{extreme} IS NOT NULL"), *([narrow] if narrow else [])])
    # Of all studies, the index of the extreme gives the blocks in order; of some, it is kept out by the plus.
    plus = "+" if view.study_ids else ""
    ordered = (
        f"SELECT z.study_id, z.block, z.{extreme} FROM {zones.TABLE} z WHERE {within.sql} "
        f"ORDER BY {plus}z.{extreme} {way}, z.study_id, z.block LIMIT ?"
    )
    has_one = Fragment(f"s.{name} IS NOT NULL")
    sql, values = view.select(
        Fragment(f"s.{name}"), f"{BLOCKS_IN_LIST} {_IN_BLOCKS}", _candidates(view, terms, has_one)
    )
    looked = n
    while True:
        blocks = connection.execute(ordered, [*within.values, looked + 1]).fetchall()
        listed = compact_json([[block[0], block[1]] for block in blocks[:looked]])
        rows = fetch(
            connection,
            f"{sql} ORDER BY sort_key {way}, e.study_id, evaluation_number LIMIT ?",
            [listed, *values, n],
        )
        if len(blocks) <= looked:
            return _without_key(rows) if blocks else None
        if len(rows) == n:
            last, next_extreme = rows[-1]["sort_key"], blocks[looked][2]
            if last >= next_extreme if descending else last <= next_extreme:
                return _without_key(rows)
        looked *= 4


def _order(order_by: str | None) -> tuple[str | None, bool]:
    if not order_by:
        return None, False
    name, _, way = order_by.strip().partition(" ")
    if way.strip().lower() not in {"", "asc", "desc"}:
        message = f"cannot order by {order_by!r}: write a name, and ` desc` behind it for the largest first"
        raise InputError(Finding("", "order_by", order_by, "NAME or NAME desc", message))
    return name, way.strip().lower() == "desc"


def _evaluations(
    view: View,
    terms: Sequence[Term],
    status: str | None,
    generation: int | None,
    order: str | None,
    narrow: Fragment | None,
    last: int,
) -> Fragment:
    wanted = []
    if status is not None:
        wanted.append(Fragment("e.simulation_status = ?", (_STATUS.get(status, status),)))
    if generation is not None:
        wanted.append(Fragment("e.generation_number = ?", (generation,)))
    wanted += [view.scope.condition(term) for term in terms]
    if narrow is not None:
        # Block by block in the order of studies and evaluations; the page ends when it is full.
        found = _selected(view, f"{zones.TABLE} z {_IN_BLOCKS}", [*view.within("z"), narrow, *wanted], order)
        sql = f"SELECT * FROM ({found.sql} ORDER BY z.study_id, z.block, e.evaluation_number LIMIT ?) page"
        return Fragment(sql, (*found.values, last))
    wanted = [*view.within("e"), *wanted]
    # All of these indexes begin alike: left alone, SQLite sorts each study by another one.
    source = _IN_ORDER if order is None and not view.study_ids else _JOINED
    return _selected(view, source, wanted, order)


def _bare_runs(view: View, terms: Sequence[Term], status: str | None, order: str | None) -> Fragment:
    # Both, as an index holds those few; the plus keeps SQLite to it, as a study may have many.
    bare = Fragment("s.study_run_id IS NOT s.run_id AND s.study_run_id IS NULL")
    wanted = [bare, *view.within("+s")]
    if status is not None:
        told = [word for word, other in _STATUS.items() if status in {word, other}] or [status]
        wanted.append(Fragment("s.simulation_status = ?", (told[0],)))
    wanted += [view.scope.condition(term) for term in terms]
    return _selected(view, "simulation_runs s", wanted, order)


def _selected(view: View, source: str, wanted: Sequence[Fragment], order: str | None) -> Fragment:
    key = view.scope.operand(order, "order_by") if order else Fragment("NULL")
    return view.select(key, source, joined(wanted))


def _without_key(rows: list[Row]) -> list[Row]:
    for row in rows:
        del row["sort_key"]
    return rows
