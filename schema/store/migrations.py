"""The database's versions: ordered, named steps; a shipped one is never edited.

Each step is committed in one transaction together with the record that it was taken.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schema.store import tables
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


STEPS: Final[Sequence[Step]] = (m001_first_tables,)


def names(steps: Sequence[Step] = STEPS) -> list[str]:
    """Every step that this version knows, in order."""
    return [step.__name__ for step in steps]


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
    taken = applied(connection)
    if set(names(steps)) <= set(taken):
        return None
    copy = set_aside(connection, file, taken[-1]) if taken else None
    # Off while tables are rebuilt, or dropping the old one would cascade; it cannot change in a transaction.
    connection.execute("PRAGMA foreign_keys=OFF")
    try:
        _apply(connection, steps)
    finally:
        connection.execute("PRAGMA foreign_keys=ON")
    return copy


def set_aside(connection: sqlite3.Connection, file: Path, version: str) -> Path:
    """Copy the database, its write-ahead log included, beside the file."""
    moment = utc_text().replace(":", "")
    copy = file.with_name(f"{file.stem}.{version}.{moment}{file.suffix}")
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    return copy


def _apply(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(_SET)
    for step in steps:
        migrations(name=step.__name__)(step)
    migrations.apply(Database(connection, execute_plugins=False))
