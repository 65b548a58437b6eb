"""Quarter hours in UTC, which know no clock change, and the names that are made of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

TICK = timedelta(minutes=15)
TICK_HOURS = 0.25
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:(?:00|15|30|45):00Z", re.ASCII)


def tick_of(moment: datetime) -> datetime:
    """The quarter hour that a moment lies in; a moment without an offset is UTC."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.replace(minute=utc.minute - utc.minute % 15, second=0, microsecond=0)


def following(tick: datetime, count: int) -> list[datetime]:
    """A tick and those after it, `count` in all."""
    return [tick + position * TICK for position in range(count)]


def as_text(moment: datetime) -> str:
    """A moment in UTC to the second, such as 2026-06-21T12:00:00Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def parse_tick(text: str) -> datetime:
    """The tick that a text states.

    Raises:
        ValueError: it is no quarter hour in UTC, written as `as_text` writes it.
    """
    if not _STAMP.fullmatch(text):
        raise ValueError("a quarter hour in UTC such as 2026-06-21T12:15:00Z")
    return datetime.fromisoformat(text)


def run_id_of(tick: datetime) -> str:
    """The one simulation run of a tick."""
    return f"community-{tick:%Y%m%dT%H%M}Z"


def input_name(tick: datetime) -> str:
    return f"users_input_{tick:%Y%m%d_%H%M%S}.csv"


def results_name(tick: datetime) -> str:
    return f"results_{tick:%Y%m%d_%H%M}.csv"


def job_name(tick: datetime) -> str:
    return f"job_{tick:%Y%m%d_%H%M}.json"


def checksum_name(file_name: str) -> str:
    return f"{file_name}.sha256"
