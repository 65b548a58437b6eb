"""Weather factors for ticks: a number for all times, or a file of them."""

from __future__ import annotations

import bisect
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

from schema.community.csv_files import read_csv, shown
from schema.community.settings import Settings, WeatherFile
from schema.community.ticks import as_text
from schema.errors import Finding, InputError

_MAX_ROWS = 2_000_000


def weather_factors(settings: Settings, folder: Path, ticks: list[datetime]) -> tuple[float, ...]:
    """The factor of each tick.

    Args:
        settings: say what the weather is.
        folder: where a file's path begins.
        ticks: the quarter hours.

    Raises:
        InputError: the file cannot be read, or says nothing of these ticks.
    """
    if not isinstance(settings.weather, WeatherFile):
        return (settings.weather,) * len(ticks)
    times, factors = _read(folder / settings.weather.file)
    oldest = timedelta(minutes=settings.weather.max_age_minutes)
    return tuple(_factor_at(tick, times, factors, oldest, settings.weather.file) for tick in ticks)


def _factor_at(
    tick: datetime, times: list[datetime], factors: list[float], oldest: timedelta, file: str
) -> float:
    """The factor of the last row at or before the tick."""
    position = bisect.bisect_right(times, tick) - 1
    if position < 0 or tick - times[position] > oldest:
        message = f"no row at {as_text(tick)} or within {oldest} before it; add newer rows"
        raise InputError(Finding(file, "time", "no row", f"a row for {as_text(tick)}", message))
    return factors[position]


def _read(path: Path) -> tuple[list[datetime], list[float]]:
    table, findings = read_csv(path, ("time", "weather_factor"), max_rows=_MAX_ROWS)
    rows: list[tuple[datetime, float]] = []
    pairs = zip(table.column("time"), table.column("weather_factor"), strict=True) if table.rows else ()
    for (time, factor), line in zip(pairs, table.lines, strict=True):
        try:
            rows.append((_moment(time), _fraction(factor)))
        except ValueError as error:
            found = shown(f"{time}, {factor}")
            message = f"expected {error}, not {found}"
            findings.append(Finding(path.name, "", found, str(error), message, line))
    if findings:
        raise InputError(findings)
    rows.sort()
    return [time for time, _ in rows], [factor for _, factor in rows]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("an ISO time such as 2026-06-21T12:00Z") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _fraction(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 <= factor <= 1:
        raise ValueError("a weather factor from 0 to 1")
    return factor
