"""Weather over the horizon: typical years found by the station's clock, measured weather by absolute time.

A typical year's hours are found by month, day and hour of the station's standard time, whatever the year: it
follows itself. What is read once in an hour (temperature, wind) stands for the hour.

Weather of a longer step than asked for is interpolated:

    v̂     what a row holds for its step; v, at one of the step's equal parts
    c     cosine of the sun's zenith at the middle of a part, 0 at night; c̄, its mean over the step

    (T2)  ghi, dhi, irradiance on a plane:   v = v̂ · c / c̄, or v̂ where c̄ = 0; dni: v = v̂
    (T3)  all else:                          v on the straight line between the middles of rows

T2 keeps each row's mean and, with it, ghi = dhi + dni · c wherever the row itself has it so. T3 does not keep
the means of rows; at the ends of a file its last values hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schema.inputs.refusals import Fault, Refusal
from schema.inputs.steps import FloatArray, Grid, Steps
from schema.inputs.tables import Rows, Table
from schema.inputs.times import other_grid, rows_at

if TYPE_CHECKING:
    import pandas as pd

_PLAUSIBLE = MappingProxyType(
    {
        "ghi": (-20.0, 1600.0, "W/m²"),
        "dni": (-20.0, 1500.0, "W/m²"),
        "dhi": (-20.0, 1000.0, "W/m²"),
        "poa_direct": (-20.0, 1600.0, "W/m²"),
        "poa_sky_diffuse": (-20.0, 1000.0, "W/m²"),
        "poa_ground_diffuse": (-20.0, 1000.0, "W/m²"),
        "temp_air": (-90.0, 60.0, "°C"),
        "wind_speed": (0.0, 100.0, "m/s"),
        "pressure": (30_000.0, 110_000.0, "Pa"),
    }
)
"""What can be true on Earth, sensors' night offsets let through. Kelvin, hectopascal and -9900 cannot."""

_WITH_SUN = ("ghi", "dhi", "poa_direct", "poa_sky_diffuse", "poa_ground_diffuse")


@dataclass(frozen=True)
class Site:
    """Where weather was measured: north and east positive [°], height above the sea [m]."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float = 0.0

    def __post_init__(self) -> None:
        if not (abs(self.latitude_deg) <= 90 and abs(self.longitude_deg) <= 180):
            raise ValueError(
                f"there is no place at {self.latitude_deg:g}° north, {self.longitude_deg:g}° east"
            )


@dataclass(frozen=True)
class Plane:
    """The inclined plane for which a file holds irradiance: tilt from horizontal, azimuth from north [°]."""

    tilt_deg: float
    azimuth_deg: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Weather(ABC):
    """Weather that can be asked for any steps.

    Attributes:
        table: the rows.
        site: where it was measured, if the file tells.
        sun_minute: minutes from a row's beginning to the moment of its irradiance; None for the middle.
        plane: the plane of its irradiance; None for a horizontal one.
    """

    table: Table
    site: Site | None = None
    sun_minute: float | None = None
    plane: Plane | None = None

    @property
    def name(self) -> str:
        """The file as the user named it."""
        return self.table.name

    @property
    @abstractmethod
    def grid(self) -> Grid:
        """The steps of its rows."""

    @abstractmethod
    def rows(self, index: pd.DatetimeIndex, *, leap_day: bool = False) -> Rows:
        """The row of each of its own steps, by their beginnings.

        Args:
            index: the beginnings.
            leap_day: whether -1 may stand for a 29 February that a typical year has not.

        Raises:
            Refusal: a step has no row, or two.
        """

    @abstractmethod
    def rows_if_any(self, index: pd.DatetimeIndex) -> Rows:
        """The row of each of its own steps, -1 where there is none."""

    def own_steps(self, steps: Steps) -> Steps:
        """The steps of its rows in which the given steps lie."""
        if steps.is_on(self.grid):
            return steps
        return Steps(self.grid.before(steps.index).unique(), self.grid.minutes)

    def moments_of_sun(self, steps: Steps) -> pd.DatetimeIndex:
        """When the irradiance of steps is looked at: the middle, or for its own the moment that the file tells."""
        minute = self.sun_minute if steps.is_on(self.grid) else None
        return steps.shifted(steps.minutes / 2 if minute is None else minute)

    def over(self, steps: Steps, work_out: Callable[[Steps], FloatArray], *, resample: bool) -> FloatArray:
        """A profile over steps, worked out on the rows' own steps or on parts common to both (T1).

        Raises:
            Refusal: the steps are not those of the rows, and resampling was not asked for.
        """
        if steps.is_on(self.grid):
            return work_out(steps)
        minutes = steps.common_minutes(self.grid)
        if not resample or minutes is None:
            raise other_grid(self.name, self.grid, steps, "weather")
        return steps.means(work_out(steps.parts(minutes)))  # T1

    def at(
        self, steps: Steps, columns: tuple[str, ...], *, site: Site | None = None, leap_day: bool = False
    ) -> dict[str, FloatArray]:
        """Columns over the rows' own steps, or interpolated over equal parts of them (T2, T3).

        Args:
            steps: the steps.
            columns: their names.
            site: where the sun is looked at; needed for irradiance over parts.
            leap_day: whether NaN may stand for a 29 February that a typical year has not.

        Raises:
            Refusal: a column or a step is missing, or a value cannot be true; all of these at once.
        """
        own = self.own_steps(steps)
        try:
            rows = self.rows(own.index, leap_day=leap_day)
        except Refusal as refusal:
            held = self.rows_if_any(own.index)
            raise Refusal([*refusal.faults, *_faults(self.table, held[held >= 0], columns)]) from None
        if not steps.is_on(self.grid):
            return self._interpolated(steps, own, rows, columns, site)
        values = _columns(self.table, rows[rows >= 0], columns)
        return {column: _spread(values[column], rows >= 0) for column in columns}

    def _interpolated(
        self, parts: Steps, own: Steps, rows: Rows, columns: tuple[str, ...], site: Site | None
    ) -> dict[str, FloatArray]:
        """Columns over parts of the rows' own steps; a row before and one after help where they are held."""
        is_held = rows >= 0
        ends = own.neighbours()
        end_rows = self.rows_if_any(ends)
        inner = int(is_held.sum())
        values = _columns(self.table, np.concatenate([rows[is_held], end_rows[end_rows >= 0]]), columns)
        known = _middles_ns(own.index[is_held].append(ends[end_rows >= 0]), self.grid.minutes)
        order = np.argsort(known)
        moments = _middles_ns(parts.index, parts.minutes)
        position = own.index.get_indexer(self.grid.before(parts.index))
        shape = _sun_shape(own, parts, site) if site is not None else np.ones(len(parts))
        result: dict[str, FloatArray] = {}
        for column in columns:
            held = _spread(values[column][:inner], is_held)[position]
            if column in _WITH_SUN:
                result[column] = held * shape  # T2
            elif column == "dni":
                result[column] = held  # T2
            else:
                line = np.interp(moments, known[order], values[column][order])  # T3
                result[column] = np.where(np.isnan(held), np.nan, line)
        return result


def _middles_ns(begins: pd.Index[Any], minutes: int) -> NDArray[np.int64]:
    import pandas as pd

    middles: NDArray[np.int64] = pd.DatetimeIndex(begins).as_unit("ns").asi8 + minutes * 30_000_000_000
    return middles


def _spread(values: FloatArray, is_held: NDArray[np.bool_]) -> FloatArray:
    """Values where they are held, NaN elsewhere."""
    spread = np.full(len(is_held), np.nan)
    spread[is_held] = values
    return spread


def _sun_shape(own: Steps, parts: Steps, site: Site) -> FloatArray:
    """The sun's c / c̄ for parts of rows' own steps (T2)."""
    from pvlib.solarposition import get_solarposition

    every = own.parts(parts.minutes)
    sun = get_solarposition(
        every.shifted(parts.minutes / 2), site.latitude_deg, site.longitude_deg, site.altitude_m
    )
    cosine = np.maximum(np.cos(np.radians(sun["zenith"].to_numpy())), 0.0).reshape(len(own), -1)
    mean = cosine.mean(axis=1, keepdims=True)
    shape = np.divide(cosine, mean, out=np.ones_like(cosine), where=mean > 0)
    of_parts: FloatArray = shape.reshape(-1)[every.index.get_indexer(parts.index)]
    return of_parts


@dataclass(frozen=True, eq=False, kw_only=True)
class TypicalYear(Weather):
    """The hours of a year, in order, in the station's standard time.

    Attributes:
        utc_offset: the station's standard time.
        has_leap_day: whether its 8,784 hours hold a 29 February; else they are 8,760.
    """

    utc_offset: timedelta
    has_leap_day: bool = False

    @property
    def grid(self) -> Grid:
        return Grid(-round(self.utc_offset.total_seconds()) * 10**9, 60)

    def rows(self, index: pd.DatetimeIndex, *, leap_day: bool = False) -> Rows:
        rows = self.rows_if_any(index)
        if leap_day or (rows >= 0).all():
            return rows
        raise Refusal(
            Fault(
                "weather",
                "a horizon with a 29 February",
                "a horizon without one",
                f"{self.name} is a typical year without a 29 February, which the horizon has; "
                "start the horizon in another year, or end it before",
            )
        )

    def rows_if_any(self, index: pd.DatetimeIndex) -> Rows:
        """Hour of the typical year for each hour; -1 on a 29 February that it has not."""
        local = index.tz_convert(timezone(self.utc_offset))
        day = np.asarray(local.day_of_year)
        # Days as a leap year counts them: 60 is 29 February.
        day = day + (~np.asarray(local.is_leap_year) & (day >= 60))
        rows: Rows = ((day - 1) * 24 + np.asarray(local.hour)).astype(np.intp)
        return rows if self.has_leap_day else np.where(day == 60, -1, rows - 24 * (day > 60))


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredWeather(Weather):
    """Rows with the time at which the step of each begins.

    Attributes:
        times: the beginnings.
        own_grid: the steps of the rows.
    """

    times: pd.DatetimeIndex
    own_grid: Grid

    @property
    def grid(self) -> Grid:
        return self.own_grid

    def rows(self, index: pd.DatetimeIndex, *, leap_day: bool = False) -> Rows:  # noqa: ARG002 - it has its days
        return rows_at(self.table, self.times, index, "weather")

    def rows_if_any(self, index: pd.DatetimeIndex) -> Rows:
        first = ~self.times.duplicated()
        found = self.times[first].get_indexer(index)
        return np.where(found < 0, -1, np.flatnonzero(first)[found]).astype(np.intp)


def refuse_light_at_night(weather: Weather, own: Steps, site: Site, column: str) -> None:
    """Refuse irradiance with the sun well below the horizon: the file's clock or place is another than stated.

    Args:
        weather: the weather.
        own: steps of its rows.
        site: where it is said to be.
        column: which irradiance to look at.

    Raises:
        Refusal: there is such a row.
    """
    from pvlib.solarposition import get_solarposition

    irradiance = weather.at(own, (column,))[column]
    sun = get_solarposition(
        weather.moments_of_sun(own), site.latitude_deg, site.longitude_deg, site.altitude_m
    )
    elevation_deg = sun["elevation"].to_numpy()
    # Within a step the sun rises by 15° an hour at most; sensors drift by some W/m².
    lowest_deg = -1.0 if weather.sun_minute is not None else -7.5 * own.minutes / 60.0
    wrong = (irradiance > 10.0) & (elevation_deg < lowest_deg)
    if not wrong.any():
        return
    first = int(np.argmax(wrong))
    row = int(weather.rows(own.index)[first])
    stands = f"{irradiance[first]:g} W/m² at {own.index[first].isoformat()}"
    raise Refusal(
        Fault(
            "weather",
            f"{stands}, the sun {-elevation_deg[first]:.0f}° below the horizon ({int(wrong.sum())} such rows)",
            "no light at night",
            f"{weather.table.place(row)}: {weather.table.title(column)} is {stands}, when the sun is "
            f"{-elevation_deg[first]:.0f}° below the horizon at {site.latitude_deg:g}° north, "
            f"{site.longitude_deg:g}° east ({int(wrong.sum())} such rows); the time stamps' zone or the place "
            "is wrong",
        )
    )


def _faults(table: Table, rows: Rows, columns: tuple[str, ...]) -> tuple[Fault, ...]:
    try:
        _columns(table, rows, columns)
    except Refusal as refusal:
        return refusal.faults
    return ()


def _columns(table: Table, rows: Rows, columns: tuple[str, ...]) -> dict[str, FloatArray]:
    """Columns in the given rows, every fault of every column at once."""
    values: dict[str, FloatArray] = {}
    faults: list[Fault] = []
    for column in columns:
        try:
            values[column] = table.numbers(column, rows, "weather")
            _refuse_implausible(table, column, rows, values[column])
        except Refusal as refusal:
            faults.extend(refusal.faults)
    if faults:
        raise Refusal(faults)
    return values


def _refuse_implausible(table: Table, column: str, rows: Rows, values: FloatArray) -> None:
    low, high, unit = _PLAUSIBLE[column]
    wrong = (values < low) | (values > high)
    if wrong.any():
        at = int(np.argmax(wrong))
        more = f" (and {int(wrong.sum()) - 1} more)" if wrong.sum() > 1 else ""
        raise Refusal(
            Fault(
                "weather",
                f"{values[at]:g} {unit}{more}",
                f"{low:g} to {high:g} {unit}",
                f"{table.place(int(rows[at]))}: {table.title(column)} is {values[at]:g}{more}, which cannot be "
                f"in {unit}; give the column in this unit and leave no marks for missing values",
            )
        )
