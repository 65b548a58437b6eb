"""A day's energy data as SQL that any SQLite, and most other databases, can read back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from schema.community.backend import Backend
from schema.community.csv_files import written_whole
from schema.community.tables import ENERGY_DATA
from schema.community.ticks import as_text

_BATCH = 500
_COMPLETE = "-- complete\n"


def backup_name(day: date) -> str:
    return f"backup_energy_data_{day:%Y%m%d}.sql"


def is_complete(path: Path) -> bool:
    """Whether a backup was written when its day was over."""
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.readline() == _COMPLETE
    except FileNotFoundError:
        return False


def write_backup(backend: Backend, day: date, folder: Path, *, complete: bool) -> Path:
    """Write the energy data of a day in UTC, whole or not at all.

    Args:
        backend: the database.
        day: whose data.
        folder: where to.
        complete: the day is over, so that the file need not be written again.
    """
    path = folder / backup_name(day)
    with written_whole(path) as stream:
        stream.write(_COMPLETE if complete else "-- the day is not over\n")
        stream.write(f"-- energy data of {day:%Y-%m-%d} (UTC)\n")
        stream.write("BEGIN;\n")
        stream.write(_create())
        stream.writelines(_inserts(backend, day))
        stream.write("COMMIT;\n")
    return path


def _create() -> str:
    dialect: Dialect = sqlite.dialect()
    text = str(CreateTable(ENERGY_DATA, if_not_exists=True).compile(dialect=dialect)).strip()
    return f"{text.removesuffix('WITHOUT ROWID').strip()};\n"


def _inserts(backend: Backend, day: date) -> Iterator[str]:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    stamps = ENERGY_DATA.c.timestamp
    wanted = select(ENERGY_DATA).where(stamps >= begin, stamps < begin + timedelta(days=1)).order_by(stamps)
    names = ", ".join(column.name for column in ENERGY_DATA.columns)
    with backend.reading() as connection:
        rows = connection.execution_options(yield_per=_BATCH).execute(wanted)
        for batch in rows.partitions(_BATCH):
            values = ",\n".join(f"({', '.join(map(_literal, row))})" for row in batch)
            yield f"INSERT INTO {ENERGY_DATA.name} ({names}) VALUES\n{values};\n"


def _literal(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    text = as_text(value) if isinstance(value, datetime) else str(value)
    return "'" + text.replace("'", "''") + "'"
