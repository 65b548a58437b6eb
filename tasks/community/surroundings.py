"""What all households of a tick share: sun, season and the hour by which people live.

Symbols: n day of the year, δ declination, φ latitude, ω hour angle, α height of the sun, t solar time [h].

(H1)  δ = 23.45° · sin(2π (284 + n) / 365)                                          Cooper 1969
(H2)  E = 9.87 sin 2B - 7.53 cos B - 1.5 sin B [min],  B = 2π (n - 81) / 364          Duffie and Beckman, eq. 1.5.3
(H3)  t = UTC + longitude / 15° + E / 60,  ω = 15° (t - 12)
(H4)  sin α = sin φ sin δ + cos φ cos δ cos ω
(H5)  PV per kW installed = PR · weather factor · max(0, sin α)
(H6)  consumption = (1000 + 900 · people) / 8760 · hourly shape · (1 + 0.15 cos(2π (n - 15) / 365)) [kW]
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from math import cos, pi, radians, sin
from zoneinfo import ZoneInfo

from schema.community.job import Job, Prices, Site
from schema.community.ticks import TICK, as_text

PERFORMANCE_RATIO = 0.85
"""PR: what heat, cables and inverters leave of a panel's power [-]."""
HOURLY_SHAPE = (
    0.55, 0.45, 0.40, 0.40, 0.42, 0.55, 0.85, 1.10, 1.05, 0.95, 0.95, 1.05,
    1.20, 1.10, 0.95, 0.95, 1.05, 1.35, 1.70, 1.75, 1.60, 1.35, 1.30, 0.98,
)  # fmt: skip
"""Consumption by the local hour, with a mean of 1 [-]."""
_DENOMINATOR = 2.0**64


@dataclass(frozen=True)
class Surroundings:
    """One tick as every household finds it.

    Attributes:
        tick: its beginning, UTC.
        stamp: the same as text.
        pv_kw_per_kw: power of a kW of panels.
        load_factor: consumption as a share of its yearly mean.
        import_price: of a kWh from the grid [€/kWh].
    """

    tick: datetime
    stamp: str
    pv_kw_per_kw: float
    load_factor: float
    import_price: float


def surroundings_of(job: Job, tick: datetime, weather_factor: float) -> Surroundings:
    """What a tick is like at the job's site."""
    local = tick.astimezone(ZoneInfo(job.site.timezone))
    return Surroundings(
        tick,
        as_text(tick),
        PERFORMANCE_RATIO * weather_factor * max(0.0, sun_height(tick + TICK / 2, job.site)),
        HOURLY_SHAPE[local.hour] * _season(tick),
        price_at(job.prices, local.hour),
    )


def sun_height(moment: datetime, site: Site) -> float:
    """Sine of the sun's height α, by (H1) to (H4)."""
    utc = moment.astimezone(UTC)
    day = utc.timetuple().tm_yday
    declination = radians(23.45) * sin(2 * pi * (284 + day) / 365)
    angle = 2 * pi * (day - 81) / 364
    equation_minutes = 9.87 * sin(2 * angle) - 7.53 * cos(angle) - 1.5 * sin(angle)
    clock = utc.hour + utc.minute / 60 + utc.second / 3600
    solar_time = clock + site.longitude_deg / 15 + equation_minutes / 60
    hour_angle = radians(15 * (solar_time - 12))
    latitude = radians(site.latitude_deg)
    return sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle)


def _season(tick: datetime) -> float:
    return 1 + 0.15 * cos(2 * pi * (tick.timetuple().tm_yday - 15) / 365)


def mean_load_kw(people: int) -> float:
    """Yearly mean of a household's consumption [kW], part of (H6)."""
    return (1000 + 900 * people) / 8760


def price_at(prices: Prices, hour: int) -> float:
    """The price from the local hour on; the last one of the day lasts over midnight."""
    by_hour = prices.import_eur_per_kwh
    begun = [start for start in by_hour if start <= hour]
    return by_hour[max(begun) if begun else max(by_hour)]


def chance(seed: int, user_id: str, stamp: str) -> tuple[float, float]:
    """Two numbers in [0, 1) that depend on seed, user and tick alone: not on order, or on who else is there."""
    digest = blake2b(f"{seed}|{user_id}|{stamp}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8]) / _DENOMINATOR, int.from_bytes(digest[8:]) / _DENOMINATOR
