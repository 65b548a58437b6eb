"""The backend's users and their systems, and the state in which a tick finds their batteries."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, inspect, literal, select

from schema.community.backend import Backend
from schema.community.households import Household, one_each, with_state
from schema.community.tables import ENERGY_DATA, USER_SYSTEMS, USERS
from schema.errors import Finding

LOOK_BACK = timedelta(days=7)
"""How far back the level of a household is looked for that the last recorded tick does not hold."""
_BATCH = 10_000


@dataclass(frozen=True)
class Export:
    """What the backend knows before a tick.

    Attributes:
        households: those that can be simulated.
        left_out: why others cannot.
        previous: the last tick recorded before, None if there is none.
    """

    households: Sequence[Household]
    left_out: Sequence[Finding]
    previous: datetime | None


def export(
    backend: Backend,
    tick: datetime,
    instead: Sequence[Household] | None = None,
    *,
    to_record: bool = True,
) -> Export:
    """Users with panels, or other households instead, as they are before a tick.

    A tick that is filled in after later ones finds the batteries of their households at rest, since the levels
    recorded after it stand; not where nothing is `to_record`.
    """
    with backend.reading() as connection:
        households, left_out = (instead, []) if instead is not None else _with_panels(connection)
        previous = previous_tick(connection, tick)
        levels = _levels(connection, [h.user_id for h in households], tick, previous)
        resting = _recorded_later(connection, tick) if to_record else set()
    with_states = [with_state(h, levels.get(h.user_id), rests=h.user_id in resting) for h in households]
    return Export(with_states, left_out, previous)


def _with_panels(connection: Connection) -> tuple[Sequence[Household], Sequence[Finding]]:
    stored = {column["name"] for column in inspect(connection).get_columns(USER_SYSTEMS.name)}
    columns = [c if c.name in stored else literal(None).label(c.name) for c in USER_SYSTEMS.columns]
    rows = connection.execute(
        select(*columns)
        .select_from(USER_SYSTEMS)
        .join(USERS, USERS.c.id == USER_SYSTEMS.c.user_id)
        .where(USER_SYSTEMS.c.panel_count > 0)
        .order_by(USER_SYSTEMS.c.user_id)
    ).mappings()
    return one_each([dict(row) for row in rows], USER_SYSTEMS.name)


def previous_tick(connection: Connection, tick: datetime) -> datetime | None:
    """The last tick recorded before this one."""
    found: datetime | None = connection.execute(
        select(ENERGY_DATA.c.timestamp)
        .where(ENERGY_DATA.c.timestamp < tick)
        .order_by(ENERGY_DATA.c.timestamp.desc())
        .limit(1)
    ).scalar()
    return found


def _levels(
    connection: Connection, user_ids: Sequence[str], tick: datetime, previous: datetime | None
) -> dict[str, float]:
    """Battery levels before a tick; those who were away are looked for further back."""
    if previous is None:
        return {}
    data = ENERGY_DATA.c
    levels = _levels_at(connection, previous)
    if all(user_id in levels for user_id in user_ids):
        return levels
    ends = connection.execute(
        select(data.user_id, func.max(data.timestamp).label("at"))
        .where(data.timestamp < previous, data.timestamp >= tick - LOOK_BACK)
        .group_by(data.user_id)
    ).all()
    away = {user_id: at for user_id, at in ends if user_id not in levels}
    for at in set(away.values()):
        moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
        there = _levels_at(connection, moment)
        levels |= {user_id: there[user_id] for user_id, when in away.items() if when == at}
    return levels


def _levels_at(connection: Connection, tick: datetime) -> dict[str, float]:
    data = ENERGY_DATA.c
    rows = connection.execute(select(data.user_id, data.battery_soc_kwh).where(data.timestamp == tick))
    return {user_id: level for user_id, level in rows}  # noqa: C416 - rows are no pairs to mypy


def _recorded_later(connection: Connection, tick: datetime) -> set[str]:
    data = ENERGY_DATA.c
    return set(connection.execute(select(data.user_id).where(data.timestamp > tick).distinct()).scalars())


def count_users(backend: Backend) -> int:
    with backend.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(USERS)).scalar_one())


def add_example_households(backend: Backend, count: int, seed: int = 1) -> None:
    """Fill an empty backend with made-up households; the same seed makes the same ones."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    with backend.writing() as connection:
        for first in range(0, count, _BATCH):
            number = min(_BATCH, count - first)
            ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(number)]
            connection.execute(insert(USERS), [{"id": user_id} for user_id in ids])
            connection.execute(insert(USER_SYSTEMS), [_example_system(user_id, chance) for user_id in ids])


def _example_system(user_id: str, chance: random.Random) -> dict[str, float | str]:
    panels = chance.randint(8, 30)
    return {
        "user_id": user_id,
        "panel_wattage": float(chance.choice([330, 350, 400, 430])),
        "panel_count": panels,
        "battery_capacity_kwh": chance.choice([0.0, 0.0, 5.0, 7.5, 10.0, 15.0]),
        "inverter_capacity_kw": chance.choice([5.0, 8.0, 10.0]),
        "household_size": chance.randint(1, 5),
    }
