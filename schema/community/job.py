"""A job: all that a simulation needs to know besides the households."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, PlainSerializer, model_validator

from schema.base import Model
from schema.community.ticks import as_text, following, tick_of
from schema.profiles import Fraction

MAX_TICKS = 672


def known_zone(timezone: str) -> str:
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not an IANA time zone such as UTC or Europe/Berlin") from None
    return timezone


def _on_the_quarter_hour(moment: datetime) -> datetime:
    if moment.tzinfo is None or tick_of(moment) != moment:
        raise ValueError("a quarter hour with its offset, such as 2026-06-21T12:15:00Z")
    return tick_of(moment)


Tick = Annotated[datetime, AfterValidator(_on_the_quarter_hour), PlainSerializer(as_text, when_used="json")]
Timezone = Annotated[str, AfterValidator(known_zone)]
Efficiency = Annotated[float, Field(gt=0, le=1)]
PriceByHour = dict[Annotated[int, Field(ge=0, le=23)], Annotated[float, Field(ge=0)]]
Dispatch = Literal["rule_based", "milp"]


class Prices(Model):
    """What the optimum is sought for; rules do not look at it."""

    import_eur_per_kwh: PriceByHour = Field(default={0: 0.30}, min_length=1)
    """Price of what is taken from the grid, from the local hour on [€/kWh]."""
    export_eur_per_kwh: Annotated[float, Field(ge=0)] = 0.08
    """Price of what is given to the grid [€/kWh]."""


class Site(Model):
    """Where the community lies."""

    timezone: Timezone = "Europe/Berlin"
    """IANA name of the time zone by whose hours people live."""
    latitude_deg: Annotated[float, Field(ge=-90, le=90)] = 52.5
    """Latitude, north positive [°]."""
    longitude_deg: Annotated[float, Field(ge=-180, le=180)] = 13.4
    """Longitude, east positive [°]."""


class Job(Model):
    """One or more ticks to be simulated."""

    timestamp: Tick
    """Beginning of the first quarter hour, UTC."""
    weather_factors: Annotated[tuple[Fraction, ...], Field(min_length=1, max_length=MAX_TICKS)] = (1.0,)
    """Share of the clear sky's sunshine that arrives, for each tick [-]."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Beginning of all chance."""
    site: Site = Site()
    """Where the community lies."""
    battery_efficiency_fraction: Efficiency = 0.95
    """Share of the energy that arrives, on the way into a battery and again on the way out [-]."""
    dispatch: Dispatch = "rule_based"
    """Who decides about the batteries."""
    look_ahead_ticks: Annotated[int, Field(ge=1, le=MAX_TICKS)] = 96
    """How far `milp` looks ahead, with the last known weather [ticks]."""
    prices: Prices = Prices()
    """What `milp` seeks the least cost for."""

    @model_validator(mode="before")
    @classmethod
    def _one_factor_for_all(cls, data: Any) -> Any:
        """`ticks: N` with a single factor stands for N equal ones."""
        if isinstance(data, dict) and "ticks" in data:
            count, factors = data["ticks"], tuple(data.get("weather_factors", (1.0,)))
            if not isinstance(count, int) or not 1 <= count <= MAX_TICKS or len(factors) != 1:
                raise ValueError(
                    f"ticks must be a whole number from 1 to {MAX_TICKS}, with one weather factor"
                )
            return {k: v for k, v in data.items() if k != "ticks"} | {"weather_factors": factors * count}
        return data

    @property
    def ticks(self) -> list[datetime]:
        """The quarter hours, in order."""
        return following(self.timestamp, len(self.weather_factors))
