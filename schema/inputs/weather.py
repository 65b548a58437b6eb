"""Weather: typical years (TMY3) and tables of measured hours, looked up by absolute time.

A TMY3 row is stamped with the *end* of its hour in the station's standard time, the year round, and its
months come from different years (Wilcox and Marion 2008, NREL/TP-581-43156, doi:10.2172/928611). Here each
hour is labelled by its beginning, and found by month, day and hour of the station's clock, whatever the year:
the typical year follows itself. Temperature and wind, read at the end of the hour, stand for the hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from schema.inputs.refusals import Fault, Refusal
from schema.inputs.tables import FloatArray, Rows, Table, read_table, rows_of_steps

if TYPE_CHECKING:
    import pandas as pd

_PLAUSIBLE = MappingProxyType(
    {
        "ghi": (-20.0, 1600.0, "W/m²"),
        "dni": (-20.0, 1500.0, "W/m²"),
        "dhi": (-20.0, 1000.0, "W/m²"),
        "temp_air": (-90.0, 60.0, "°C"),
        "wind_speed": (0.0, 100.0, "m/s"),
    }
)
"""What can be true on Earth, sensors' night offsets let through. Kelvin and -9900 cannot."""

_TMY3_SECOND_LINE = "Date (MM/DD/YYYY)"


@dataclass(frozen=True)
class Site:
    """Where weather was measured: north and east positive [°], height above the sea [m]."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float = 0.0


class Weather(Protocol):
    """Weather that can be asked for any hours."""

    @property
    def name(self) -> str:
        """The file as the user named it."""

    @property
    def site(self) -> Site | None:
        """Where it was measured, if the file tells."""

    def at(self, index: pd.DatetimeIndex, columns: tuple[str, ...]) -> dict[str, FloatArray]:
        """Columns over steps, by their beginnings.

        Raises:
            Refusal: a column or a step is missing, or a value cannot be true.
        """

    def in_year(self, index: pd.DatetimeIndex, column: str) -> FloatArray:
        """A column over all hours of a calendar year; NaN for a leap day that a typical year has not.

        Raises:
            Refusal: the year is not complete.
        """


@dataclass(frozen=True, eq=False)
class TypicalYear:
    """The 8,760 hours of a year without a leap day, in the station's standard time."""

    name: str
    site: Site
    utc_offset: timedelta
    hours: Table

    def at(self, index: pd.DatetimeIndex, columns: tuple[str, ...]) -> dict[str, FloatArray]:
        rows = self._rows(index)
        if (rows < 0).any():
            raise Refusal(self._leap_day())
        return _columns(self.hours, rows, columns)

    def in_year(self, index: pd.DatetimeIndex, column: str) -> FloatArray:
        rows = self._rows(index)
        values = np.full(len(index), np.nan)
        values[rows >= 0] = _columns(self.hours, rows[rows >= 0], (column,))[column]
        return values

    def _rows(self, index: pd.DatetimeIndex) -> Rows:
        """Hour of the typical year for each hour; -1 on 29 February."""
        local = index.tz_convert(timezone(self.utc_offset))
        _refuse_other_than_hours(self.name, local)
        in_leap_year = np.asarray(local.is_leap_year)
        day = np.asarray(local.day_of_year)
        day_of_year = day - (in_leap_year & (day > 60))
        rows = (day_of_year - 1) * 24 + np.asarray(local.hour)
        return np.where(in_leap_year & (day == 60), -1, rows).astype(np.intp)

    def _leap_day(self) -> Fault:
        return Fault(
            "weather",
            "a horizon with a 29 February",
            "a horizon without one",
            f"{self.name} is a typical year without a 29 February, which the horizon has; "
            "start the horizon in another year, or end it before",
        )


def _refuse_other_than_hours(name: str, local: pd.DatetimeIndex) -> None:
    hourly = len(local) < 2 or bool((np.diff(local.as_unit("ns").asi8) == 3_600_000_000_000).all())
    on_the_hour = not (np.asarray(local.minute).any() or np.asarray(local.second).any())
    if not (hourly and on_the_hour):
        raise Refusal(
            Fault(
                "weather",
                "steps that are not the station's hours",
                "step_minutes: 60, from a full hour",
                f"{name} holds hours, and the horizon's steps are none of them; "
                "use step_minutes: 60 and start at a full hour of the station's clock",
            )
        )


@dataclass(frozen=True, eq=False)
class MeasuredWeather:
    """Rows of a CSV or Parquet file, stamped with the beginning of each step."""

    table: Table
    horizon: pd.DatetimeIndex
    site: Site | None = None

    @property
    def name(self) -> str:
        return self.table.name

    def at(self, index: pd.DatetimeIndex, columns: tuple[str, ...]) -> dict[str, FloatArray]:
        return _columns(self.table, self._rows(index), columns)

    def in_year(self, index: pd.DatetimeIndex, column: str) -> FloatArray:
        try:
            rows = self._rows(index)
        except Refusal as refusal:
            raise Refusal(
                Fault(
                    "weather",
                    refusal.faults[0].found,
                    "weather of the whole calendar year",
                    f"heat demand is scaled over the calendar year {index[len(index) // 2].year}, of which "
                    f"{self.name} does not hold every hour; give the whole year's weather, hour by hour",
                )
            ) from None
        return _columns(self.table, rows, (column,))[column]

    def _rows(self, index: pd.DatetimeIndex) -> Rows:
        if "time" not in self.table.columns:
            rows = rows_of_steps(self.table, self.horizon, "time", asked_for=False, field="weather")
            found = self.horizon.get_indexer(index)
            if (found < 0).any():
                missing = int((found < 0).sum())
                raise Refusal(
                    Fault("weather", f"{missing} hours missing", "a row for each hour", "add a column 'time'")
                )
            return rows[found]
        return rows_of_steps(self.table, index, "time", asked_for=True, field="weather")


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
        raise Refusal(
            Fault(
                "weather",
                f"{values[at]:g} {unit}",
                f"{low:g} to {high:g} {unit}",
                f"{table.place(int(rows[at]))}: {column} is {values[at]:g}, which cannot be in {unit}; "
                "give the column in this unit and leave no marks for missing values",
            )
        )


def read_weather(path: Path, name: str, horizon: pd.DatetimeIndex) -> Weather:
    """Read a weather file; a TMY3 file is known by its second line.

    Raises:
        Refusal: it is none of the kinds that are read.
    """
    if _is_tmy3(path):
        return _read_tmy3(path, name)
    return MeasuredWeather(read_table(path, name, "weather"), horizon)


def _is_tmy3(path: Path) -> bool:
    if path.suffix.lower() != ".csv":
        return False
    try:
        with path.open(encoding="latin-1") as lines:
            next(lines, "")
            return next(lines, "").startswith(_TMY3_SECOND_LINE)
    except OSError:
        return False


def _read_tmy3(path: Path, name: str) -> TypicalYear:
    import pandas as pd
    from pvlib.iotools import read_tmy3

    some_year = 2001
    try:
        data, station = read_tmy3(path, coerce_year=some_year, map_variables=True)
        site = Site(float(station["latitude"]), float(station["longitude"]), float(station["altitude"]))
        utc_offset = timedelta(hours=float(station["TZ"]))
    except (KeyError, ValueError, AttributeError, TypeError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Refusal(
            Fault("weather", reason, "a TMY3 file", f"{name} cannot be read as TMY3: {reason}")
        ) from None
    ends = pd.DatetimeIndex(data.index).tz_localize(None)
    expected = pd.date_range(f"{some_year}-01-01T01:00", periods=8760, freq="h")
    if not ends.equals(expected.as_unit(ends.unit)):
        raise Refusal(
            Fault(
                "weather",
                f"{len(ends)} rows, not the hours of a year in order",
                "8760 hours, from 1 January 01:00 to 31 December 24:00",
                f"{name} does not hold the 8760 hours of a year in order; take the station's file anew",
            )
        )
    # The station's line and the titles come first.
    return TypicalYear(name, site, utc_offset, Table(name, data, first_line=3))
