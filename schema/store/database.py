"""Opening the results database: its settings, its version, and plain words where it cannot be opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from schema.errors import Finding, InputError
from schema.store import legacy, migrations
from schema.store.claims import Claims, FileClaims
from schema.store.locks import waited_for

DATABASE_VARIABLE = "ECOSYSTEMISER_DATABASE"
FILE_NAME = "simulation_index.sqlite"
LOCKS_FOLDER = ".locks"
RUNS_FOLDER = "simulation_runs"
BUSY_TIMEOUT_SECONDS = 60.0
# What is asked for often stays at hand, and what is written often is moved into the file less often: with
# SQLite's defaults, recording takes twice as long at a million evaluations.
_CACHE_KIB = 65_536
_PAGES_BETWEEN_CHECKPOINTS = 10_000  # 40 MB


def database_url() -> str | None:
    """The server whose database is used, where one is set; None for the results folder's own.

    Raises:
        InputError: it is none that can be used.
    """
    told = os.environ.get(DATABASE_VARIABLE, "").strip()
    if not told or told.startswith(("postgresql://", "postgres://")):
        return told or None
    # Not told in full: it may hold a password.
    kind, expected = told.partition(":")[0][:20], "postgresql://USER@HOST/DATABASE"
    message = f"the database must be {expected}, not {kind!r}; without one, the results folder has its own"
    raise InputError(Finding("", DATABASE_VARIABLE, kind, expected, message))


def is_there(results_dir: Path) -> bool:
    """Whether there is a database to read: a server is asked when it is opened."""
    return database_url() is not None or (results_dir / FILE_NAME).is_file()


def open_database(results_dir: Path, *, read_only: bool = False) -> tuple[sqlite3.Connection, Claims]:
    """The database, made or migrated where needed, and its locks; a reader changes nothing.

    Raises:
        InputError: it cannot be used; the finding says what to do.
    """
    url = database_url()
    if url is None:
        return _open_file(results_dir, read_only=read_only), FileClaims(results_dir / LOCKS_FOLDER)
    try:
        from schema.store.postgres import PostgresClaims, open_postgres
    except ImportError as error:
        message = f"Postgres needs packages that are not here ({error}): install the extra postgres"
        raise InputError(Finding("", DATABASE_VARIABLE, "no driver", "psycopg, sqlglot", message)) from error
    # It is used as one to SQLite is.
    return cast("sqlite3.Connection", open_postgres(url, read_only=read_only)), PostgresClaims(url)


def _open_file(results_dir: Path, *, read_only: bool) -> sqlite3.Connection:
    file = results_dir / FILE_NAME
    if read_only:
        return _open_to_read(file)
    with _told_plainly(results_dir):
        _make_folder(results_dir)
        with waited_for(results_dir / LOCKS_FOLDER / "database.lock"):
            # Under the lock: switching to WAL and migrating must not be raced by another process.
            return _open_to_write(file)


def _make_folder(results_dir: Path) -> None:
    if results_dir.exists() and not results_dir.is_dir():
        message = f"{results_dir} is a file: name a folder for the results"
        raise InputError(Finding(str(results_dir), "", "a file", "a folder", message))
    (results_dir / LOCKS_FOLDER).mkdir(parents=True, exist_ok=True)


def _open_to_write(file: Path) -> sqlite3.Connection:
    connection = _connected(str(file), uri=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL: a commit that was acknowledged outlives a power cut.
        connection.execute("PRAGMA synchronous=FULL")
        _check_version(connection, file)
        migrations.migrate(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_to_read(file: Path) -> sqlite3.Connection:
    if not file.is_file():
        message = f"there are no results in {file.parent}: run a study first, or name another results folder"
        raise InputError(Finding(str(file.parent), "", "no database", f"a folder with {FILE_NAME}", message))
    with _told_plainly(file.parent):
        address = f"{file.resolve().as_uri()}?mode=ro"
        if not os.access(file.parent, os.W_OK) and not file.with_name(file.name + "-wal").exists():
            # WAL readers write a shared-memory file; in a folder nobody writes to they need none.
            address += "&immutable=1"
        connection = _connected(address, uri=True)
        try:
            _check_version(connection, file)
            _check_current(connection, file)
        except BaseException:
            connection.close()
            raise
        return connection


def _connected(address: str, *, uri: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address,
        uri=uri,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,  # transactions are begun by hand, IMMEDIATE
        check_same_thread=False,  # SQLite serialises, the store locks its transactions
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_PAGES_BETWEEN_CHECKPOINTS}")
    return connection


def _check_version(connection: sqlite3.Connection, file: Path) -> None:
    unknown = migrations.unknown(connection)
    if unknown:
        message = (
            f"{file} was written by a newer version ({unknown[-1]}): update this installation, "
            "or use another results folder"
        )
        known = migrations.names()[-1]
        raise InputError(Finding(str(file), "", unknown[-1], f"{known} or older", message))
    # A process killed while making a new database may leave the table of steps behind, and nothing else.
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> '_sqlite_migrations'"
    )
    found = [str(row["name"]) for row in rows]
    if found and not migrations.applied(connection) and not legacy.is_older(connection):
        message = f"{file} is a database of something else: move it away, or use another results folder"
        raise InputError(Finding(str(file), "", ", ".join(found[:5]), "a results database", message))


def _check_current(connection: sqlite3.Connection, file: Path) -> None:
    if migrations.pending(connection):
        taken, known = migrations.applied(connection), migrations.names()
        found = taken[-1] if taken else "no version"
        message = f"{file} is of an older version: bring it up to date with `ecosystemiser db migrate`"
        raise InputError(Finding(str(file), "", found, known[-1], message))


@contextmanager
def _told_plainly(results_dir: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        message = f"the database in {results_dir} cannot be opened ({error}): {_remedy(error)}"
        finding = Finding(str(results_dir), "", str(error), "a database that can be opened", message)
        raise InputError(finding) from error
    except sqlite3.DatabaseError as error:
        file = results_dir / FILE_NAME
        message = (
            f"{file} is damaged or no SQLite database ({error}): put a backup in its place, "
            "or move it away to begin anew"
        )
        raise InputError(Finding(str(file), "", str(error), "a SQLite database", message)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        message = (
            f"{results_dir} cannot be used for results ({reason}): "
            "name a folder that you may write to and that has space left"
        )
        raise InputError(Finding(str(results_dir), "", reason, "a writable folder", message)) from error


def _remedy(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text:
        return "another process holds it; try again when that has ended"
    if "full" in text or "disk" in text:
        return "make space on the disk"
    return "name a folder that you may write to"
