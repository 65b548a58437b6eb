"""The database's versions: ordered, named steps; a shipped one is never edited.

Each step is committed in one transaction together with the record that it was taken. A database of the older
EcoSystemiser goes the same way, with a step before and one after the first: they bring its rows into the first
tables, and all later steps find what they find everywhere.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schema.store import legacy, tables, zones
from schema.store.values import utc_text

if TYPE_CHECKING:
    # It loads pandas: a second that only a database in need of a step should cost.
    from sqlite_utils import Database

Step = Callable[["Database"], None]

_SET: Final = "ecosystemiser"


def m001_first_tables(db: Database) -> None:
    for table in tables.FIRST_TABLES:
        for statement in table.statements():
            db.execute(statement)


def m002_names_once_per_study(db: Database) -> None:
    """A million evaluations need not repeat their parameters' names, nor two indexes what the key finds."""
    db.execute("ALTER TABLE studies ADD COLUMN parameter_names TEXT")
    db.execute("DROP INDEX idx_study_runs_simulation_run_id")
    db.execute(
        "CREATE INDEX idx_study_runs_simulation_run_id ON study_runs (simulation_run_id) "
        "WHERE simulation_run_id <> run_id"
    )
    # Without its foreign key to study_runs, which SQLite can only drop with the table.
    names = ", ".join(tables.SIMULATION_RUNS.columns)
    db.execute("ALTER TABLE simulation_runs RENAME TO old_simulation_runs")
    for columns in tables.SIMULATION_RUNS.indexes:
        db.execute(f"DROP INDEX {'_'.join(['idx', 'simulation_runs', *columns])}")
    rebuilt = replace(
        tables.SIMULATION_RUNS,
        references=[tables.OF_STUDY],
        only={("study_run_id",): "WHERE study_run_id IS NOT run_id"},
    )
    made, *indexes = rebuilt.statements()
    db.execute(made)
    db.execute(f"INSERT INTO simulation_runs ({names}) SELECT {names} FROM old_simulation_runs")  # noqa: S608
    db.execute("DROP TABLE old_simulation_runs")
    for index in indexes:
        db.execute(index)


def m003_kpi_zones(db: Database) -> None:
    zones.create(db.conn)


def m004_best_of_candidates(db: Database) -> None:
    zones.tell_candidates_apart(db.conn)


def m005_dispatches_to_take_over(db: Database) -> None:
    """A table of its own: rows in the order of their making, so that only the short keys' index is scattered."""
    for statement in tables.DISPATCHES.statements():
        db.execute(statement)


def older_tables_set_aside(db: Database) -> None:
    legacy.set_tables_aside(db.conn)


def older_rows_taken_over(db: Database) -> None:
    legacy.take_rows_over(db.conn)


STEPS: Final[Sequence[Step]] = (
    m001_first_tables,
    m002_names_once_per_study,
    m003_kpi_zones,
    m004_best_of_candidates,
    m005_dispatches_to_take_over,
)


def names(steps: Sequence[Step] = STEPS) -> list[str]:
    """Every step that this version knows, in order."""
    return [step.__name__ for step in steps]


def unknown(connection: sqlite3.Connection) -> list[str]:
    """The steps that the database has taken and this version does not know: a newer one took them."""
    known = names(_way_of_older(STEPS))
    return [name for name in applied(connection) if name not in known]


def pending(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> list[Step]:
    """The steps that the database has yet to take, in order."""
    taken = applied(connection)
    older = older_tables_set_aside.__name__ in taken or (not taken and legacy.is_older(connection))
    way = _way_of_older(steps) if older else steps
    return [step for step in way if step.__name__ not in taken]


def _way_of_older(steps: Sequence[Step]) -> list[Step]:
    return [older_tables_set_aside, steps[0], older_rows_taken_over, *steps[1:]]


def applied(connection: sqlite3.Connection) -> list[str]:
    """The steps that the database has taken, in order; it is not changed."""
    there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlite_migrations'"
    if connection.execute(there).fetchone() is None:
        return []
    taken = connection.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", [_SET]
    )
    return [str(row["name"]) for row in taken]


def migrate(connection: sqlite3.Connection, file: Path, steps: Sequence[Step] = STEPS) -> Path | None:
    """Bring the database up to this version.

    Where there is something to lose, a copy of the file is set aside first.

    Returns:
        The copy, or None where none was needed.
    """
    missing, taken = pending(connection, steps), applied(connection)
    if not missing:
        return None
    version = taken[-1] if taken else "older" if legacy.is_older(connection) else None
    copy = set_aside(connection, file, version) if version else None
    # Off while tables are rebuilt, or dropping the old one would cascade; it cannot change in a transaction.
    connection.execute("PRAGMA foreign_keys=OFF")
    # On, or renaming a table would rewrite what other tables and views say of it.
    connection.execute("PRAGMA legacy_alter_table=ON")
    try:
        _apply(connection, missing)
    finally:
        connection.execute("PRAGMA legacy_alter_table=OFF")
        connection.execute("PRAGMA foreign_keys=ON")
    return copy


def set_aside(connection: sqlite3.Connection, file: Path, version: str) -> Path:
    """Copy the database, its write-ahead log included, beside the file; no earlier copy is written over."""
    name = f"{file.stem}.{version}.{utc_text().replace(':', '')}"
    copy, count = file.with_name(name + file.suffix), 1
    while copy.exists():
        count += 1
        copy = file.with_name(f"{name}-{count}{file.suffix}")
    back_up(connection, copy)
    return copy


def back_up(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy the database as it is at one moment, others writing or not; a name stands for a whole copy."""
    half = copy.with_name(f".{copy.name}.{secrets.token_hex(4)}")
    try:
        with closing(sqlite3.connect(half)) as target:
            connection.backup(target)
            # One file that opens anywhere, on read-only media too.
            target.execute("PRAGMA journal_mode=DELETE")
        half.replace(copy)
    finally:
        half.unlink(missing_ok=True)


def _apply(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(_SET)
    for step in steps:
        migrations(name=step.__name__)(step)
    migrations.apply(Database(connection, execute_plugins=False))
