"""The results database on a Postgres server, for teams whose flows write from several machines at once.

A connection here is used as one to SQLite: the same statements (see `dialects`), rows that are read the same way,
the same errors. All tables stand in the schema `ecosystemiser`; their shape is read from a new SQLite database, so
that a migration is written once.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql as compose

from schema.errors import Finding, InputError
from schema.store import migrations, zones
from schema.store.dialects import for_postgres
from schema.store.errors import StudyAliveError
from schema.store.locks import Holder
from schema.store.values import utc_text

SCHEMA: Final = "ecosystemiser"
_CONNECT_TIMEOUT_SECONDS: Final = 10
# No sign of Postgres stands for it, so no cell holds it.
_NUL, _INSTEAD = "\0", "\ufffd"
_TYPES: Final = {"TEXT": 'text COLLATE "C"', "INTEGER": "bigint", "REAL": "double precision"}
# Two processes must not make or change the tables at once; any number would do.
_TABLES_LOCK: Final = 7_202_501


class PostgresRow:
    """A row, by name or position; of two columns with one name it gives the first."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: Sequence[str], values: Sequence[Any]) -> None:
        self._names, self._values = names, values

    def keys(self) -> list[str]:
        return list(self._names)

    def __getitem__(self, key: str | int) -> Any:
        return self._values[self._names.index(key) if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _row_factory(cursor: psycopg.Cursor[Any]) -> Any:
    # `rowid` is SQLite's own, in no row of `SELECT *`.
    named = [
        (index, column.name)
        for index, column in enumerate(cursor.description or ())
        if column.name != "rowid"
    ]
    names, places = tuple(name for _, name in named), [index for index, _ in named]
    whole = len(places) == len(cursor.description or ())

    def made(values: Sequence[Any]) -> PostgresRow:
        return PostgresRow(names, values if whole else [values[place] for place in places])

    return made


class PostgresCursor:
    """What a statement gave."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    def fetchone(self) -> PostgresRow | None:
        row: PostgresRow | None = self._cursor.fetchone()
        return row

    def fetchall(self) -> list[PostgresRow]:
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[PostgresRow]:
        return iter(self._cursor)

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int:
        """The number that the last insert was given."""
        row: PostgresRow = self._cursor.connection.execute("SELECT lastval()").fetchall()[0]
        return int(row[0])


class PostgresConnection:
    """What the store uses of a SQLite connection, over one to Postgres. Threads may share it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._connection.row_factory = _row_factory

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> PostgresCursor:
        """Run a statement of the store.

        Raises:
            sqlite3.Error: the server does not take it; the store tells it in plain words.
        """
        text = for_postgres(sql)
        with _as_sqlite_errors():
            if text is None:
                return PostgresCursor(self._connection.cursor())
            return PostgresCursor(self._connection.execute(text.encode(), _plain(values) or None))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> None:
        """Run a statement for each row.

        Raises:
            sqlite3.Error: as `execute`.
        """
        text = for_postgres(sql)
        with _as_sqlite_errors(), self._connection.cursor() as cursor:
            if text is not None:
                cursor.executemany(text.encode(), [_plain(row) for row in rows])

    def rollback(self) -> None:
        """Take back what was begun; a connection that is lost has taken it back already."""
        with _as_sqlite_errors():
            if not self._connection.closed:
                self._connection.execute("ROLLBACK")

    def limit_time(self, seconds: float | None) -> None:
        """Give up statements that take longer; None for no limit."""
        with _as_sqlite_errors():
            self._connection.execute(
                "SELECT set_config('statement_timeout', %s, false)", [str(int((seconds or 0) * 1000))]
            )

    def close(self) -> None:
        self._connection.close()


def open_postgres(url: str, *, read_only: bool = False) -> PostgresConnection:
    """The server's results database, made or brought up to date where needed; a reader changes nothing.

    Raises:
        InputError: it cannot be reached or used; the finding says what to do.
    """
    connection = _connected(url, read_only=read_only)
    try:
        with _told_plainly(url):
            _check_version(connection, url)
            if read_only:
                _check_current(connection, url)
            elif _applied(connection) != migrations.names():
                _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return PostgresConnection(connection)


def shown(url: str) -> str:
    """The URL as it may be told: without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


# -- who writes a study


class PostgresClaims:
    """One writer per study on all machines: a lock of the server, which ends with its session."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def claimed(self, study_id: str) -> Iterator[None]:
        """Hold the study.

        Raises:
            StudyAliveError: somebody else holds it.
        """
        # A session of its own: it says who holds the study, and no statement of the store's can end it.
        with closing(_connected(self._url, name=f"{SCHEMA} {os.getpid()} {socket.gethostname()}")) as session:
            row = session.execute(f"SELECT pg_try_advisory_lock({_KEY})", [study_id]).fetchone()
            if row is None or not row[0]:
                found = self.holder(study_id) or Holder(None, "")
                raise StudyAliveError(study_id, found.pid, found.host)
            _sessions.add(session)
            try:
                yield
            finally:
                _sessions.discard(session)

    def holder(self, study_id: str) -> Holder | None:
        """Who holds the study now; None where nobody does."""
        with closing(_connected(self._url)) as session:
            row = session.execute(_HOLDER, [study_id]).fetchone()
        if row is None:
            return None
        _, pid, host = (*str(row[0]).split(" ", 2), "", "")[:3]
        return Holder(int(pid) if pid.isdecimal() else None, host)

    def forget(self, study_id: str) -> None:
        """Nothing of a study's lock is left behind."""


_KEY: Final = f"hashtextextended('{SCHEMA}.' || %s, 0)"
_HOLDER: Final = f"""
    SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid),
        LATERAL (SELECT {_KEY} AS key) k
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295"""  # noqa: S608

_sessions: set[psycopg.Connection[Any]] = set()


def _leave_to_parent() -> None:
    """A forked child must not keep its parent's claims alive, nor end them."""
    for session in _sessions:
        os.close(session.fileno())
    _sessions.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


# -- connecting


def _connected(url: str, *, read_only: bool = False, name: str = SCHEMA) -> psycopg.Connection[Any]:
    settings = {
        "search_path": SCHEMA,
        "default_transaction_read_only": "on" if read_only else "off",
        # A machine that went away must not hold its study for hours.
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
    }
    with _told_plainly(url):
        return psycopg.connect(
            url,
            autocommit=True,  # transactions are begun by hand, as with SQLite
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            application_name=name[:63],
            options=" ".join(f"-c {key}={value}" for key, value in settings.items()),
        )


@contextmanager
def _told_plainly(url: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if secret := urlsplit(url).password:
            reason = reason.replace(secret, "…")
        message = (
            f"the database {shown(url)} cannot be used ({reason}): see that the server runs, and that the "
            "address, the user and the password (better in PGPASSWORD or ~/.pgpass than in the address) are right"
        )
        finding = Finding("", "--database", shown(url), "a Postgres database that can be used", message)
        raise InputError(finding) from error


@contextmanager
def _as_sqlite_errors() -> Iterator[None]:
    """The store knows one family of errors."""
    try:
        yield
    except psycopg.IntegrityError as error:
        raise sqlite3.IntegrityError(_first_line(error)) from error
    except psycopg.Error as error:
        raise sqlite3.OperationalError(_first_line(error)) from error


def _first_line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _plain(values: Any) -> Any:
    """The values without a sign that Postgres has no room for."""
    if isinstance(values, Mapping):
        return {name: _cell(value) for name, value in values.items()}
    return [_cell(value) for value in values]


def _cell(value: Any) -> Any:
    return value.replace(_NUL, _INSTEAD) if isinstance(value, str) else value


# -- tables and versions


def _applied(connection: psycopg.Connection[Any]) -> list[str]:
    """The steps that the database has taken, in order."""
    if connection.execute("SELECT to_regclass('versions')").fetchone() == (None,):
        return []
    return [str(row[0]) for row in connection.execute("SELECT name FROM versions ORDER BY number")]


def _check_version(connection: psycopg.Connection[Any], url: str) -> None:
    known = migrations.names()
    unknown = [name for name in _applied(connection) if name not in known]
    if unknown:
        message = f"{shown(url)} was written by a newer version ({unknown[-1]}): update this installation"
        raise InputError(Finding("", "--database", unknown[-1], f"{known[-1]} or older", message))


def _check_current(connection: psycopg.Connection[Any], url: str) -> None:
    taken, known = _applied(connection), migrations.names()
    if not taken:
        message = f"there are no results in {shown(url)}: run a study first, or name another database"
        raise InputError(Finding("", "--database", "no results", "a database with results", message))
    if taken != known:
        message = f"{shown(url)} is of an older version: bring it up to date with `ecosystemiser db migrate`"
        raise InputError(Finding("", "--database", taken[-1], known[-1], message))


def _migrate(connection: psycopg.Connection[Any]) -> None:
    """Bring tables, columns and indexes to what a new SQLite database has; all or nothing."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_TABLES_LOCK])
        if connection.execute("SELECT to_regnamespace(%s)", [SCHEMA]).fetchone() == (None,):
            connection.execute(compose.SQL("CREATE SCHEMA {}").format(compose.Identifier(SCHEMA)))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS versions (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "name text UNIQUE NOT NULL, applied_at text NOT NULL)"
        )
        taken = _applied(connection)
        missing = [name for name in migrations.names() if name not in taken]
        if not missing:
            return  # another process was quicker
        connection.execute(resources.files("schema.store").joinpath("postgres.sql").read_bytes())
        with _newest_sqlite() as shape:
            _make_tables(connection, shape)
        connection.cursor().executemany(
            "INSERT INTO versions (name, applied_at) VALUES (%s, %s)",
            [(name, utc_text()) for name in missing],
        )


@contextmanager
def _newest_sqlite() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as shape:
        shape.row_factory = sqlite3.Row
        migrations.migrate(shape, Path(":memory:"))
        yield shape


_TABLES: Final = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' "
    "AND name NOT GLOB '_sqlite_*' ORDER BY rowid"
)
_INDEXES: Final = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?"
)
# A whole index by which a column's rows are found.
_BEGINS_WITH: Final = (
    "SELECT 1 FROM pragma_index_list(?) l, pragma_index_info(l.name) i "
    "WHERE NOT l.partial AND i.seqno = 0 AND i.name = ?"
)
_REFERENCES: Final = (
    "SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND conrelid = to_regclass(%s)"
)


def _make_tables(connection: psycopg.Connection[Any], shape: sqlite3.Connection) -> None:
    # What SQLite's triggers keep to find rows quickly is left to the server, which does so by itself.
    tables = [str(row["name"]) for row in shape.execute(_TABLES) if row["name"] != zones.TABLE]
    run = partial(_run, connection)
    for table in tables:
        columns = shape.execute("SELECT * FROM pragma_table_info(?)", [table]).fetchall()
        keys = [row for row in columns if row["pk"]]
        is_numbered = [row["type"] for row in keys] == ["INTEGER"]
        key = f"PRIMARY KEY ({', '.join(row['name'] for row in keys)})"
        parts = [*(_column(row, is_numbered=is_numbered) for row in keys), key]
        run(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(parts)})")
        for column in columns:
            run(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {_column(column)}")
        if is_numbered:
            continue  # the key is the row id
        run(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS rowid bigint GENERATED ALWAYS AS IDENTITY")
        run(f"CREATE UNIQUE INDEX IF NOT EXISTS idx_{table}_rowid ON {table} (rowid)")
    for table in tables:
        # Once all tables are there: some point to each other. Those of an older version may be others.
        for (name,) in connection.execute(_REFERENCES, [table]).fetchall():
            run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for reference in shape.execute("SELECT * FROM pragma_foreign_key_list(?)", [table]):
            run(
                f"ALTER TABLE {table} ADD FOREIGN KEY ({reference['from']}) "
                f"REFERENCES {reference['table']} ({reference['to']}) ON DELETE {reference['on_delete']} "
                "DEFERRABLE INITIALLY DEFERRED"
            )
            if shape.execute(_BEGINS_WITH, [table, reference["from"]]).fetchone() is None:
                # Without it every row deleted there would be looked for in all rows here.
                name = f"idx_{table}_every_{reference['from']}"
                run(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({reference['from']})")
    for table in tables:
        for row in shape.execute(_INDEXES, [table]):
            run(f"DROP INDEX IF EXISTS {row['name']}")
            run(for_postgres(row["sql"]) or "")
    # SQLite's writers take turns; here two could take ids that differ in case alone.
    run("CREATE UNIQUE INDEX IF NOT EXISTS idx_studies_id_in_any_case ON studies (lower(study_id))")


def _column(row: sqlite3.Row, *, is_numbered: bool = False) -> str:
    parts = [row["name"], _TYPES[row["type"]]]
    if is_numbered:
        parts.append("GENERATED BY DEFAULT AS IDENTITY")
    if row["dflt_value"] is not None:
        parts.append(f"NOT NULL DEFAULT {row['dflt_value']}")
    return " ".join(parts)


def _run(connection: psycopg.Connection[Any], statement: str) -> None:
    """A statement of ours without values; its names are the tables' own."""
    connection.execute(statement.encode())
