"""The backend's tables and ours beside them.

`energy_data` is kept in the order of time and user: a cycle appends to its end, whatever its size.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

from schema.community.results_files import ENERGY_COLUMNS
from schema.community.ticks import as_text


class Moment(TypeDecorator[datetime]):
    """A moment in UTC to the second: text such as 2026-06-21T12:00:00Z in SQLite, a native type elsewhere."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        native = dialect.name != "sqlite"
        return dialect.type_descriptor(DateTime(timezone=True) if native else String(20))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return as_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        _ = dialect
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if moment is None:
            return None
        # Some databases keep no offset: what we write is UTC.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


METADATA = MetaData()

USERS = Table("users", METADATA, Column("id", String(36), primary_key=True))

USER_SYSTEMS = Table(
    "user_systems",
    METADATA,
    Column("user_id", String(36), primary_key=True),
    Column("panel_wattage", Float),
    Column("panel_count", Integer),
    Column("battery_capacity_kwh", Float),
    Column("inverter_capacity_kw", Float),
    Column("household_size", Integer),
)

ENERGY_DATA = Table(
    "energy_data",
    METADATA,
    Column("user_id", String(36), nullable=False),
    Column("timestamp", Moment, nullable=False),
    *(Column(name, Float, nullable=False) for name in ENERGY_COLUMNS),
    Column("source", String(40), nullable=False),
    Column("simulation_run_id", String(40), nullable=False),
    PrimaryKeyConstraint("timestamp", "user_id", name="energy_data_once"),
    sqlite_with_rowid=False,
)

TOTAL_COLUMNS = ("generation_kwh", "consumption_kwh", "grid_import_kwh", "grid_export_kwh", "shared_kwh")

CYCLES = Table(
    "simulation_cycles",
    METADATA,
    Column("simulation_run_id", String(40), primary_key=True),
    Column("timestamp", Moment, nullable=False, unique=True),
    Column("status", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("cycle_seconds", Float),
    Column("users", Integer),
    Column("users_left_out", Integer),
    Column("records", Integer),
    *(Column(name, Float) for name in TOTAL_COLUMNS),
    Column("transport", String(20)),
    Column("seed", String(20)),
    Column("weather_factor", Float),
    Column("dispatch", String(20)),
    Column("results_file", String(100)),
    Column("results_sha256", String(64)),
    Column("message", Text),
)

TRANSFERS = Table(
    "simulation_transfers",
    METADATA,
    Column("transfer_id", Integer, primary_key=True, autoincrement=True),
    Column("simulation_run_id", String(40), nullable=False, index=True),
    Column("happened_at", Moment, nullable=False),
    Column("transport", String(20), nullable=False),
    Column("direction", String(10), nullable=False),
    Column("file", String(100), nullable=False),
    Column("place", Text, nullable=False),
    Column("size_bytes", Integer),
    Column("sha256", String(64)),
    Column("outcome", String(10), nullable=False),
    Column("message", Text),
)

REFUSALS = Table(
    "simulation_refusals",
    METADATA,
    Column("refusal_id", Integer, primary_key=True, autoincrement=True),
    Column("simulation_run_id", String(40), nullable=False),
    Column("happened_at", Moment, nullable=False),
    Column("file", String(200), nullable=False),
    Column("errors", Integer, nullable=False),
    Index("simulation_refusals_by_time", "happened_at"),
)

HEALTH = Table(
    "community_health",
    METADATA,
    Column("change_id", Integer, primary_key=True, autoincrement=True),
    Column("happened_at", Moment, nullable=False),
    Column("healthy", Boolean, nullable=False),
    Column("reasons", Text, nullable=False),
)
