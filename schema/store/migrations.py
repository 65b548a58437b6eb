"""The database's versions: ordered, named steps; a shipped one is never edited.

Each step is committed in one transaction together with the record that it was taken.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from schema.store import tables
from schema.store.values import utc_text

MIGRATIONS = Migrations("ecosystemiser")


@MIGRATIONS()
def m001_first_tables(db: Database) -> None:
    for table in tables.FIRST_TABLES:
        table.create(db)


def names(migrations: Migrations = MIGRATIONS) -> list[str]:
    """Every step that this version knows, in order."""
    fresh = Database(memory=True)
    with closing(fresh.conn):
        return [step.name for step in migrations.pending(fresh)]


def applied(db: Database, migrations: Migrations = MIGRATIONS) -> list[str]:
    """The steps that the database has taken, in order; it is not changed."""
    return [step.name for step in migrations.applied(db)]


def migrate(db: Database, file: Path, migrations: Migrations = MIGRATIONS) -> Path | None:
    """Bring the database up to this version.

    Where there is something to lose, a copy of the file is set aside first.

    Returns:
        The copy, or None where none was needed.
    """
    if not migrations.pending(db):
        return None
    taken = applied(db, migrations)
    copy = set_aside(db.conn, file, taken[-1]) if taken else None
    # Off while tables are rebuilt, or dropping the old one would cascade; it cannot change in a transaction.
    db.conn.execute("PRAGMA foreign_keys=OFF")
    try:
        migrations.apply(db)
    finally:
        db.conn.execute("PRAGMA foreign_keys=ON")
    return copy


def set_aside(connection: sqlite3.Connection, file: Path, version: str) -> Path:
    """Copy the database, its write-ahead log included, beside the file."""
    moment = utc_text().replace(":", "").replace(".", "")
    copy = file.with_name(f"{file.stem}.{version}.{moment}{file.suffix}")
    with closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    return copy
