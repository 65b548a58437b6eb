"""Weather files, known by what stands in them, read by pvlib.

| file | rows | clock | irradiance |
|---|---|---|---|
| TMY3 | stamped with the end of the hour; months of several years | station's standard time | the hour's mean |
| EPW | as TMY3; years do not count | station's standard time | the hour's mean, or as the comments tell |
| PVGIS, typical year | stamped with the beginning; months of several years | UTC | at an offset into the hour |
| PVGIS, hourly | stamped with a moment in the hour | UTC | at that moment |
| CSV, Parquet | stamped with the beginning | with UTC offsets, else local | the step's mean |

TMY3: Wilcox and Marion 2008, NREL/TP-581-43156, doi:10.2172/928611. EPW: EnergyPlus, Auxiliary Programs. PVGIS:
what a satellite saw at a moment stands for its hour, as in PVGIS' own sums; pvlib's sun stands where it did then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from datetime import timezone as tz
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from schema.inputs.columns import rows_in_order
from schema.inputs.refusals import Fault, Refusal
from schema.inputs.steps import Grid, Steps
from schema.inputs.tables import Table, read_table
from schema.inputs.times import grid_of, stamps
from schema.inputs.weather import MeasuredWeather, Plane, Site, TypicalYear, Weather, refuse_light_at_night

if TYPE_CHECKING:
    import pandas as pd

_TMY3_SECOND_LINE = "Date (MM/DD/YYYY)"
_TITLES_TMY3 = MappingProxyType(
    {
        "ghi": "GHI (W/m^2)",
        "dni": "DNI (W/m^2)",
        "dhi": "DHI (W/m^2)",
        "temp_air": "Dry-bulb (C)",
        "wind_speed": "Wspd (m/s)",
        "pressure": "Pressure (mbar)",
    }
)
_TITLES_EPW = MappingProxyType(
    {
        "temp_air": "dry bulb temperature (field 7)",
        "pressure": "atmospheric pressure (field 10)",
        "ghi": "global horizontal radiation (field 14)",
        "dni": "direct normal radiation (field 15)",
        "dhi": "diffuse horizontal radiation (field 16)",
        "wind_speed": "wind speed (field 22)",
    }
)
_EPW_HEADER_LINES = 8
_SOME_LEAP_YEAR = 2000


def read_weather(path: Path, name: str, steps: Steps, timezone: str | None) -> Weather:
    """Read a weather file of whatever kind it is.

    Args:
        path: where it lies.
        name: as the user named it.
        steps: the horizon's, to which the rows of a table without time stamps belong.
        timezone: of a table's stamps without a UTC offset; the horizon's if None.

    Raises:
        Refusal: it is none of the kinds that are read, or is broken.
    """
    head = _first_lines(path)
    weather = _of_station(path, name, head)
    if weather is None:
        return _read_table(path, name, steps, timezone)
    if timezone is not None:
        raise Refusal(
            Fault(
                "timezone",
                timezone,
                "nothing",
                f"{name} says itself by which clock it is written; leave timezone out",
            )
        )
    return weather


def _first_lines(path: Path) -> list[str]:
    if path.suffix.lower() in {".parquet", ".pq"}:
        return []
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            return [next(lines, "") for _ in range(40)]
    except OSError:
        return []


def _of_station(path: Path, name: str, head: list[str]) -> Weather | None:
    """The weather of a file that says where it was measured; None for a plain table."""
    first = head[0] if head else ""
    if len(head) > 1 and head[1].startswith(_TMY3_SECOND_LINE):
        return _read_tmy3(path, name)
    if first.startswith("LOCATION,") or path.suffix.lower() == ".epw":
        return _read_epw(path, name, head)
    if path.suffix.lower() == ".json":
        return _read_pvgis_json(path, name)
    if first.startswith("Latitude (decimal degrees)"):
        return _read_pvgis_csv(path, name, head)
    return None


@contextmanager
def _told_as(kind: str, name: str) -> Iterator[None]:
    """What goes wrong inside as a Refusal.

    Raises:
        Refusal: the file is not of this kind.
    """
    import pandas as pd

    try:
        yield
    except KeyError as error:
        raise _unreadable(kind, name, f"{error} is missing") from None
    except (ValueError, AttributeError, TypeError, IndexError, OSError, pd.errors.ParserError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _unreadable(kind, name, reason) from None


def _unreadable(kind: str, name: str, reason: str) -> Refusal:
    article = "an" if kind[0] in "AEIO" else "a"
    return Refusal(
        Fault("weather", reason, f"{article} {kind} file", f"{name} cannot be read as {kind}: {reason}")
    )


def _read_table(path: Path, name: str, steps: Steps, timezone: str | None) -> MeasuredWeather:
    table = read_table(path, name, "weather")
    if "time" not in table.columns:
        rows_in_order(table, steps, "weather")
        own = Grid(steps.begin_ns, steps.minutes)
        return MeasuredWeather(table=table, times=steps.index, own_grid=own)
    times = stamps(table, "time", timezone or str(steps.index.tz)).tz_convert(steps.index.tz)
    return MeasuredWeather(table=table, times=times, own_grid=grid_of(table, times, steps, "weather"))


def _utc_offset(hours: float) -> timedelta:
    if not -14 <= hours <= 14:
        raise ValueError(f"its time zone is {hours:g} hours from UTC")
    return timedelta(hours=hours)


def _read_tmy3(path: Path, name: str) -> TypicalYear:
    import pandas as pd
    from pvlib.iotools import read_tmy3

    with _told_as("TMY3", name):
        data, station = read_tmy3(path, coerce_year=2001, map_variables=True)
        site = Site(float(station["latitude"]), float(station["longitude"]), float(station["altitude"]))
        utc_offset = _utc_offset(float(station["TZ"]))
        data["pressure"] *= 100.0  # mbar to Pa
        begins = pd.DatetimeIndex(data.index).tz_localize(None) - pd.Timedelta(hours=1)
    # The station's line and the titles come first.
    table = Table(name, data, first_line=3, titles=_TITLES_TMY3)
    has_leap_day = _checked_year(table, begins)
    return TypicalYear(table=table, site=site, utc_offset=utc_offset, has_leap_day=has_leap_day)


def _checked_year(table: Table, begins: pd.DatetimeIndex) -> bool:
    """Whether a year of hours in order holds a 29 February.

    Raises:
        Refusal: they are not the hours of a year in order; tells the first row that is another.
    """
    import pandas as pd

    leap = pd.date_range(f"{_SOME_LEAP_YEAR}-01-01", periods=8784, freq="h")
    plain = leap[(leap.month != 2) | (leap.day != 29)]
    has_leap_day = len(begins) == len(leap)
    expected, found = _hours(leap if has_leap_day else plain), _hours(begins)
    if expected == found:
        return has_leap_day
    shared = min(len(expected), len(found))
    row = next((row for row in range(shared) if expected[row] != found[row]), shared)
    wanted, stands = (hours[row] if row < len(hours) else "the file's end" for hours in (expected, found))
    raise Refusal(
        Fault(
            "weather",
            f"{len(found)} rows, not the hours of a year in order",
            "8760 hours (8784 with a 29 February), from 1 January 00:00 to 31 December 24:00",
            f"{table.place(row)}: here is {stands}, not {wanted}; a typical year holds all its hours in order: "
            "take the file anew",
        )
    )


def _hours(begins: pd.DatetimeIndex) -> list[str]:
    return list(begins.strftime("the hour from %d %B %H:%M"))


def _read_epw(path: Path, name: str, head: list[str]) -> TypicalYear:
    import pandas as pd
    from pvlib.iotools import read_epw

    with _told_as("EPW", name):
        if not head[0].startswith("LOCATION,"):
            raise ValueError("its first line does not begin with LOCATION")
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            data, station = read_epw(lines, coerce_year=_SOME_LEAP_YEAR)
        site = Site(station["latitude"], station["longitude"], station["altitude"])
        utc_offset = _utc_offset(station["TZ"])
    told = re.search(r"Irradiance Time Offset \(h\): *(-?[\d.]+)", "".join(head[:_EPW_HEADER_LINES]))
    table = Table(
        name,
        data.rename(columns={"atmospheric_pressure": "pressure"}),
        first_line=_EPW_HEADER_LINES + 1,
        titles=_TITLES_EPW,
    )
    has_leap_day = _checked_year(table, data.index.tz_localize(None))
    # PVGIS counts it from the end of the hour here.
    sun_minute = 60.0 + 60.0 * float(told[1]) if told else None
    weather = TypicalYear(
        table=table, site=site, utc_offset=utc_offset, has_leap_day=has_leap_day, sun_minute=sun_minute
    )
    if told:
        # PVGIS writes hours of UTC under the place's time zone: most such files are an hour or more off.
        year = pd.date_range("2001-01-01", periods=8760, freq="h", tz=tz(utc_offset))
        refuse_light_at_night(weather, Steps(year, 60), site, "ghi")
    return weather


def _read_pvgis_csv(path: Path, name: str, head: list[str]) -> Weather:
    from pvlib.iotools import read_pvgis_hourly, read_pvgis_tmy

    titles = [(number, line) for number, line in enumerate(head, start=1) if line.startswith("time")]
    number, line = titles[0] if titles else (0, "")
    is_typical = line.startswith("time(UTC)")
    with _told_as("PVGIS", name):
        if not titles:
            raise ValueError("there is no line of titles that begins with 'time'")
        _refuse_broken_lines(path, name, number, len(line.split(",")), hours=8760 if is_typical else None)
        reader = read_pvgis_tmy if is_typical else read_pvgis_hourly
        data, station = reader(path, pvgis_format="csv", map_variables=True)
        return _pvgis(name, data, station, number + 1)


def _refuse_broken_lines(path: Path, name: str, title_line: int, fields: int, hours: int | None) -> None:
    """Refuse a PVGIS table with lines that are not `time, number, …`, or too few: pvlib would not say where."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()[title_line:]
    rows = list(takewhile(str.strip, lines))
    wrong = [(n, row) for n, row in enumerate(rows, title_line + 1) if not _is_pvgis_row(row, fields)]
    if not wrong and hours is not None and len(rows) != hours:
        raise Refusal(
            Fault(
                "weather",
                f"{len(rows)} rows",
                f"the {hours} hours of a year",
                f"{name}, line {title_line + len(rows) + 1}: the table ends after {len(rows)} rows, and a typical "
                f"year has {hours}; take the file anew",
            )
        )
    if wrong:
        number, line = wrong[0]
        more = f" (and {len(wrong) - 1} more lines)" if len(wrong) > 1 else ""
        raise Refusal(
            Fault(
                "weather",
                f"'{line[:60]}'{more}",
                f"a time and {fields - 1} numbers",
                f"{name}, line {number}: '{line[:60]}' is not a time such as 20160101:0010 and {fields - 1} "
                f"numbers{more}; take the file anew",
            )
        )


def _is_pvgis_row(row: str, fields: int) -> bool:
    time, *cells = row.split(",")
    try:
        list(map(float, cells))
    except ValueError:
        return False
    return len(cells) == fields - 1 and re.fullmatch(r"\d{8}:\d{4}", time) is not None


def _read_pvgis_json(path: Path, name: str) -> Weather:
    from pvlib.iotools import read_pvgis_hourly, read_pvgis_tmy

    with _told_as("PVGIS", name):
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        outputs = content.get("outputs", {}) if isinstance(content, Mapping) else {}
        readers = {"tmy_hourly": read_pvgis_tmy, "hourly": read_pvgis_hourly}
        reader = next((reader for key, reader in readers.items() if key in outputs), None)
        if reader is None:
            raise ValueError("it has neither outputs.tmy_hourly nor outputs.hourly")
        data, station = reader(path, pvgis_format="json", map_variables=True)
        return _pvgis(name, data, station, 1)


def _pvgis(name: str, data: pd.DataFrame, station: Mapping[str, Any], first_line: int) -> Weather:
    """The weather in what pvlib read from a PVGIS file."""
    import pandas as pd
    from pvlib.iotools.pvgis import VARIABLE_MAP

    told = station["inputs"]
    place = told.get("location", told)
    site = Site(float(place["latitude"]), float(place["longitude"]), float(place["elevation"]))
    titles = {ours: theirs for theirs, ours in VARIABLE_MAP.items()}
    table = Table(name, data, first_line, titles)
    times = pd.DatetimeIndex(data.index)
    if "months_selected" in station:
        offset = place.get("irradiance_time_offset", place.get("irradiance time offset"))
        has_leap_day = _checked_year(table, times.tz_localize(None))
        sun_minute = None if offset is None else 60.0 * float(offset)
        return TypicalYear(
            table=table, site=site, utc_offset=timedelta(0), has_leap_day=has_leap_day, sun_minute=sun_minute
        )
    plane = _plane(told)
    if plane is not None and plane.tilt_deg == 0:
        table, plane = Table(name, _on_the_ground(data), first_line, titles), None
    hours = times.floor("h")
    minutes = np.unique(np.asarray(times.minute))
    if minutes.size > 1:
        raise ValueError(f"its stamps are at different minutes of the hour ({minutes[0]}, {minutes[1]})")
    own = Grid(0, 60)
    return MeasuredWeather(
        table=table, site=site, times=hours, own_grid=own, sun_minute=float(minutes[0]), plane=plane
    )


def _plane(told: Mapping[str, Any]) -> Plane | None:
    """The fixed plane of an hourly PVGIS file; PVGIS counts azimuth from south. None where it follows the sun."""
    if "mounting_system" in told:
        fixed = told["mounting_system"].get("fixed")
        if fixed is None:
            return None
        slope, azimuth = str(fixed["slope"]["value"]), str(fixed["azimuth"]["value"])
    else:
        slope, azimuth = str(told.get("Slope", "")), str(told.get("Azimuth", ""))
    tilt, from_south = (re.match(r"-?[\d.]+", text) for text in (slope, azimuth))
    if tilt is None:
        return None
    return Plane(float(tilt[0]), (float(from_south[0] if from_south else 0.0) + 180.0) % 360.0)


def _on_the_ground(data: pd.DataFrame) -> pd.DataFrame:
    """A horizontal plane's irradiance by its usual names; dni from the sun's height, 0 below 2°."""
    from pvlib.irradiance import dni

    if "poa_direct" not in data:
        return data
    dhi = data["poa_sky_diffuse"] + data["poa_ground_diffuse"]
    ghi = data["poa_direct"] + dhi
    beam = dni(ghi, dhi, 90.0 - data["solar_elevation"]).fillna(0.0)
    return data.assign(ghi=ghi, dhi=dhi, dni=beam)
