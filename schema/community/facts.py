"""What the backend tells of the community's state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, select

from schema.community.backend import Backend
from schema.community.records import COMPLETED
from schema.community.tables import CYCLES, ENERGY_DATA, REFUSALS, TOTAL_COLUMNS, USER_SYSTEMS, USERS


@dataclass(frozen=True)
class Facts:
    """A look at the backend.

    Attributes:
        active_users: users with panels.
        users_without_data: those of them whom the newest tick does not hold.
        newest_data: the newest tick with data.
        last_cycle: the row of the cycle that began last; None if there was none.
        refusals: files refused since the moment asked for.
        totals_kwh: of the day.
        ticks_today: recorded ticks of the day.
        database_seconds: how long all this took to ask.
    """

    active_users: int
    users_without_data: int
    newest_data: datetime | None
    last_cycle: Mapping[str, Any] | None
    refusals: int
    totals_kwh: Mapping[str, float]
    ticks_today: int
    database_seconds: float


def look(backend: Backend, *, day: tuple[datetime, datetime], refused_since: datetime) -> Facts:
    """Ask for everything at once.

    Args:
        backend: the database.
        day: beginning and end of the day whose totals are wanted.
        refused_since: from when on refused files count.
    """
    began = time.perf_counter()
    with backend.reading() as connection:
        newest = connection.execute(
            select(ENERGY_DATA.c.timestamp).order_by(ENERGY_DATA.c.timestamp.desc()).limit(1)
        ).scalar()
        active, without = _users(connection, newest)
        last = connection.execute(
            select(CYCLES).order_by(CYCLES.c.started_at.desc(), CYCLES.c.timestamp.desc()).limit(1)
        )
        last_cycle = last.mappings().first()
        refusals = connection.execute(
            select(func.count()).select_from(REFUSALS).where(REFUSALS.c.happened_at >= refused_since)
        ).scalar_one()
        ticks, totals = _day(connection, *day)
    return Facts(
        active_users=active,
        users_without_data=without,
        newest_data=newest,
        last_cycle=None if last_cycle is None else dict(last_cycle),
        refusals=refusals,
        totals_kwh=totals,
        ticks_today=ticks,
        database_seconds=time.perf_counter() - began,
    )


def _users(connection: Connection, newest: datetime | None) -> tuple[int, int]:
    """Users with panels, and how many of them the newest tick lacks."""
    data = ENERGY_DATA.c
    there = and_(data.user_id == func.lower(USERS.c.id), data.timestamp == newest)
    active, with_data = connection.execute(
        select(func.count(), func.count(data.user_id))
        .select_from(USERS)
        .join(USER_SYSTEMS, USERS.c.id == USER_SYSTEMS.c.user_id)
        .outerjoin(ENERGY_DATA, there)
        .where(USER_SYSTEMS.c.panel_count > 0)
    ).one()
    return active, active - with_data


def _day(connection: Connection, begin: datetime, end: datetime) -> tuple[int, dict[str, float]]:
    row = connection.execute(
        select(func.count(), *(func.coalesce(func.sum(CYCLES.c[name]), 0.0) for name in TOTAL_COLUMNS)).where(
            CYCLES.c.status == COMPLETED, CYCLES.c.timestamp >= begin, CYCLES.c.timestamp < end
        )
    ).one()
    return row[0], {name: round(float(total), 6) for name, total in zip(TOTAL_COLUMNS, row[1:], strict=True)}


def quarter_hours(backend: Backend, day: tuple[datetime, datetime]) -> list[dict[str, Any]]:
    """The recorded ticks of a day in order: `timestamp`, how many `users`, and their energies together [kWh]."""
    begin, end = day
    columns = [CYCLES.c[name] for name in ("timestamp", "users", *TOTAL_COLUMNS)]
    with backend.reading() as connection:
        rows = connection.execute(
            select(*columns)
            .where(CYCLES.c.status == COMPLETED, CYCLES.c.timestamp >= begin, CYCLES.c.timestamp < end)
            .order_by(CYCLES.c.timestamp)
        )
        return [dict(row) for row in rows.mappings()]
