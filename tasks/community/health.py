"""Whether the community is healthy, and if not, why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schema.community.backend import Backend
from schema.community.facts import Facts, look
from schema.community.records import FAILED, RUNNING, record_health
from schema.community.settings import HealthLimits, Settings
from schema.community.ticks import as_text, tick_of
from tasks.community.service import Service, day_of
from tasks.events import COMMUNITY, emit


@dataclass(frozen=True)
class Health:
    """The community at a moment.

    Attributes:
        healthy: whether there is no reason against it.
        reasons: why not, in plain words.
        at: the moment.
        active_users: users with panels.
        users_without_data: of them, whom the newest tick does not hold.
        newest_data: the newest tick with data.
        last_simulation: when and how the last cycle ran.
        day: totals of the local day.
        database_seconds: how long the database took to tell this.
    """

    healthy: bool
    reasons: tuple[str, ...]
    at: str
    active_users: int
    users_without_data: int
    newest_data: str | None
    last_simulation: dict[str, Any] | None
    day: dict[str, Any]
    database_seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_health(service: Service, now: datetime) -> Health:
    """Look at the community; when it turns unhealthy, or healthy again, the webhook and Prefect are told."""
    health = health_of(service.backend, service.settings, now)
    _alert(service, health, now)
    return health


def health_of(backend: Backend, settings: Settings, now: datetime) -> Health:
    """Look at the community; nothing is written and nobody told."""
    limits = settings.health
    day = day_of(now, ZoneInfo(settings.site.timezone))
    since = now - timedelta(minutes=limits.failed_validation_minutes)
    facts = look(backend, day=day, refused_since=since)
    reasons = tuple(reasons_of(facts, limits, now))
    return Health(
        healthy=not reasons,
        reasons=reasons,
        at=as_text(now),
        active_users=facts.active_users,
        users_without_data=facts.users_without_data,
        newest_data=None if facts.newest_data is None else as_text(facts.newest_data),
        last_simulation=_last(facts),
        day={"date": f"{day[0]:%Y-%m-%d}", "ticks": facts.ticks_today, **facts.totals_kwh},
        database_seconds=round(facts.database_seconds, 3),
    )


def reasons_of(facts: Facts, limits: HealthLimits, now: datetime) -> list[str]:
    """Everything that is wrong."""
    reasons = []
    if not facts.active_users:
        reasons.append("there is no user with panels")
    if facts.newest_data is None:
        reasons.append("there is no data yet")
    elif now - facts.newest_data > timedelta(minutes=limits.max_data_age_minutes):
        minutes = (now - facts.newest_data).total_seconds() / 60
        reasons.append(f"no data for {minutes:.0f} minutes (at most {limits.max_data_age_minutes:g})")
    if facts.newest_data is not None and facts.users_without_data > limits.max_users_without_data:
        reasons.append(f"{facts.users_without_data:,} users without data at {as_text(facts.newest_data)}")
    reasons += _cycle_reasons(facts, limits, now)
    if facts.refusals:
        minutes = limits.failed_validation_minutes
        reasons.append(f"{facts.refusals} failed validations within {minutes:g} minutes")
    if facts.database_seconds > limits.max_database_seconds:
        reasons.append(
            f"the database is slow: {facts.database_seconds:.1f} s (at most {limits.max_database_seconds:g})"
        )
    return reasons


def _cycle_reasons(facts: Facts, limits: HealthLimits, now: datetime) -> list[str]:
    cycle = facts.last_cycle
    if cycle is None:
        return []
    if cycle["status"] == FAILED:
        return [f"the last cycle failed: {cycle['message']}"]
    seconds = cycle["cycle_seconds"] or 0.0
    if cycle["status"] == RUNNING:
        seconds = (now - cycle["started_at"]).total_seconds()
    if seconds > limits.max_cycle_seconds:
        return [f"the last cycle took {seconds:.0f} s (at most {limits.max_cycle_seconds:g})"]
    return []


def _last(facts: Facts) -> dict[str, Any] | None:
    cycle = facts.last_cycle
    if cycle is None:
        return None
    return {
        "timestamp": as_text(cycle["timestamp"]),
        "status": cycle["status"],
        "started_at": as_text(cycle["started_at"]),
        "seconds": cycle["cycle_seconds"],
        "records": cycle["records"],
        "users_left_out": cycle["users_left_out"],
        "transport": cycle["transport"],
    }


def _alert(service: Service, health: Health, now: datetime) -> None:
    if not record_health(service.backend, now, healthy=health.healthy, reasons="; ".join(health.reasons)):
        return
    if health.healthy:
        service.journal.info("health", "healthy again")
    else:
        service.journal.warning("health", f"unhealthy: {'; '.join(health.reasons)}")
    status = "healthy" if health.healthy else "unhealthy"
    service.tell(tick_of(now), "health", status, reasons=list(health.reasons))
    place = {
        "prefect.resource.id": COMMUNITY,
        "ecosystemiser.results": str(service.places.root.parent.absolute()),
    }
    emit(f"{COMMUNITY}.{status}", place, {"at": health.at, "reasons": list(health.reasons)})
