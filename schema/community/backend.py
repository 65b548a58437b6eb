"""The backend's database: opened, made where it is SQLite, and its failures in plain words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

from schema.community.errors import BackendError
from schema.community.settings import DATABASE_VARIABLE
from schema.community.tables import METADATA
from schema.errors import Finding, InputError

FILE_NAME = "backend.sqlite"


class Backend:
    """An open database; closed as a context manager.

    Args:
        url: SQLAlchemy's.
        busy_seconds: how long a locked SQLite is waited for.
        read_only: whether nothing is written, into SQLite not even by mistake.
    """

    def __init__(self, url: URL, busy_seconds: float, *, read_only: bool = False) -> None:
        self.url = url
        try:
            self._engine = create_engine(_to_read(url) if read_only else url)
        except (NoSuchModuleError, ArgumentError, ImportError) as error:
            raise InputError(_url_finding(f"cannot be used: {error}")) from None
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        if self._is_sqlite:
            _prepare_sqlite(self._engine, busy_seconds, writes=not read_only)

    @classmethod
    def open(cls, folder: Path, *, busy_seconds: float = 30.0) -> Self:
        """Open the database that the environment names, else the SQLite file in the community's folder.

        Tables that are missing are made.

        Raises:
            InputError: the URL cannot be used.
            BackendError: the database cannot be opened.
        """
        url = url_of(folder)
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        backend = cls(url, busy_seconds)
        with plain_errors():
            METADATA.create_all(backend._engine)
        return backend

    @classmethod
    def open_to_read(cls, folder: Path, *, busy_seconds: float = 30.0) -> Self | None:
        """As `open`, but nothing is made or changed; None where there is no community yet.

        Raises:
            InputError: the URL cannot be used.
        """
        url = url_of(folder)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return None
        return cls(url, busy_seconds, read_only=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that sees one state."""
        with plain_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing. In SQLite the only one that writes, from its beginning."""
        writer = self._engine.execution_options(writes=True)
        with plain_errors(), writer.connect() as connection, connection.begin():
            yield connection

    @property
    def place(self) -> str:
        """Where it is, without user and password."""
        return str(self.url.database) if self._is_sqlite else f"{self.url.host}/{self.url.database}"

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def url_of(folder: Path, environment: Mapping[str, str] = os.environ) -> URL:
    """Where the backend is.

    Raises:
        InputError: the environment names none that can be read.
    """
    stated = environment.get(DATABASE_VARIABLE)
    if not stated:
        return URL.create("sqlite", database=str(folder / FILE_NAME))
    try:
        return make_url(stated)
    except ArgumentError:  # its message may hold the password
        raise InputError(
            _url_finding("is not a SQLAlchemy URL such as postgresql+psycopg://host/name")
        ) from None


def _to_read(url: URL) -> URL:
    """The same database as one that SQLite opens to read only."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return url
    return url.set(database=Path(url.database).resolve().as_uri(), query={"mode": "ro", "uri": "true"})


def _url_finding(message: str) -> Finding:
    return Finding("", DATABASE_VARIABLE, "an unusable URL", "a SQLAlchemy URL", message)


@contextmanager
def plain_errors() -> Iterator[None]:
    """SQLAlchemy's errors in plain words, without statements and values."""
    try:
        yield
    except OperationalError as error:
        raise BackendError(f"the backend's database did not answer as it should: {_words(error)}") from error
    except SQLAlchemyError as error:
        raise BackendError(f"the backend's database refused: {_words(error)}") from error


def _words(error: SQLAlchemyError) -> str:
    reason = str(getattr(error, "orig", None) or type(error).__name__)
    return " ".join(reason.split())[:300]


def _prepare_sqlite(engine: Engine, busy_seconds: float, *, writes: bool) -> None:
    """WAL, a patient wait, and transactions that we begin ourselves: Python's begin too late to be exclusive."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}")
        if writes:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
