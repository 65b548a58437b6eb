"""Profiles worked out from the calendar, the clock and the outdoor temperature: tariffs and BDEW's demands."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from schema.inputs.libraries import older_pandas_ways
from schema.inputs.refusals import Fault, Refusal
from schema.inputs.steps import FloatArray, Steps
from schema.inputs.weather import Weather
from schema.profiles import HeatDemandProfile, StandardLoad, TimeOfUse

if TYPE_CHECKING:
    import pandas as pd


def time_of_use(spec: TimeOfUse, steps: Steps) -> FloatArray:
    """Mean over each step of the value that the local clock's hour calls for, shape (T,)."""
    begins = sorted(spec.time_of_use)
    hour_values = np.array(
        [spec.time_of_use[max((b for b in begins if b <= hour), default=begins[-1])] for hour in range(24)]
    )
    return steps.means(hour_values[np.asarray(_within_hours(steps).index.hour)])


def _within_hours(steps: Steps) -> Steps:
    """Parts in which the local hour never changes, half-hour zones and clock changes included."""
    return steps.parts(math.gcd(steps.minutes, 30, int(steps.index.minute[0])))


def heat_demand(spec: HeatDemandProfile, weather: Weather, steps: Steps) -> FloatArray:
    """Heat demand [kW], shape (T,), by BDEW's sigmoid and hourly factors through demandlib.

    Worked out by the local clock over the whole calendar year and scaled so that the year's heat is
    `annual_kwh`. A typical year's leap day counts for nothing. Other steps than hours are means of the hours
    or hold them.

    Raises:
        Refusal: the steps are not hours and resampling was not asked for, or the weather does not hold the
            whole calendar year, or is colder or hotter than the profile knows.
    """
    if (steps.minutes != 60 or steps.index.minute[0]) and not spec.resample:
        raise Refusal(
            Fault(
                "model",
                f"steps of {steps.minutes} min from minute {steps.index.minute[0]}",
                "step_minutes: 60 from a full hour, or resample: true",
                "heat_demand is hourly; state resample: true to have its hours held or averaged, or use "
                "step_minutes: 60 and start at a full hour",
            )
        )

    def outdoor_c(parts: Steps) -> FloatArray:
        return weather.at(parts, ("temp_air",), leap_day=True)["temp_air"]

    def shape(year: int) -> pd.Series[float]:
        hours = Steps(_parts_of_year(year, 60, steps.index), 60)
        try:
            temperature_c = weather.over(hours, outdoor_c, resample=spec.resample)
        except Refusal as refusal:
            raise _of_whole_year(year, refusal) from None
        return _bdew_heat(spec, _by_clock(temperature_c, hours.index, year), weather.name)

    # What is wrong within the horizon is told first.
    weather.over(steps, lambda parts: weather.at(parts, ("temp_air",))["temp_air"], resample=spec.resample)
    return steps.means(_by_local_clock(_within_hours(steps), 60, spec.annual_kwh, shape))


def _of_whole_year(year: int, refusal: Refusal) -> Refusal:
    return Refusal(
        Fault(
            fault.field,
            fault.found,
            "weather of the whole calendar year",
            f"heat demand is scaled over the whole calendar year {year}: {fault.message}",
        )
        for fault in refusal.faults
    )


def _by_clock(values: FloatArray, hours: pd.DatetimeIndex, year: int) -> pd.Series[float]:
    """A year's hours as if clocks never changed, which is what demandlib takes; without a missing leap day.

    The skipped hour repeats the one before; of the doubled hour the first counts.
    """
    import pandas as pd

    by_wall = pd.Series(values, index=hours.tz_localize(None))
    once = by_wall[~by_wall.index.duplicated()]
    return once.reindex(_clock(year, 60), method="ffill").dropna()


def _bdew_heat(spec: HeatDemandProfile, outdoor_c: pd.Series[float], name: str) -> pd.Series[float]:
    """BDEW's heat profile over a year of hours from demandlib, unscaled."""
    import pandas as pd
    from demandlib.bdew import HeatBuilding

    index = pd.DatetimeIndex(outdoor_c.index)
    try:
        with older_pandas_ways():
            building = HeatBuilding(
                index,
                temperature=outdoor_c,
                shlp_type=spec.kind.upper(),
                building_class=spec.building_class,
                wind_class=0,
                ww_incl=spec.hot_water,
                annual_heat_demand=1.0,
            )
            heat = building.get_bdew_profile().to_numpy(dtype=np.float64)
    except KeyError:
        heat = np.array([np.nan])
    if not np.isfinite(heat).all():
        raise Refusal(
            Fault(
                "weather",
                f"{outdoor_c.min():g} to {outdoor_c.max():g} °C",
                "means over days from -20 to 39 °C",
                f"{name} holds days outside -20 to 39 °C, which BDEW's heat profile does not cover; "
                "give the heat demand as a file",
            )
        )
    return pd.Series(heat, index=index)


def standard_load(spec: StandardLoad, steps: Steps) -> FloatArray:
    """Electric load [kW], shape (T,), by BDEW's quarter-hourly profile through demandlib, averaged over steps.

    Follows the local clock; scaled so that each calendar year's energy is `annual_kwh`. No public holidays.

    Raises:
        Refusal: the steps are not whole numbers of quarter hours.
    """
    if steps.minutes % 15 or steps.index.minute[0] % 15:
        raise Refusal(
            Fault(
                "model",
                f"steps of {steps.minutes} min from minute {steps.index.minute[0]}",
                "quarter hours or whole numbers of them",
                "standard_load is quarter-hourly; use step_minutes 15, 30 or 60 from a full quarter hour",
            )
        )
    quarters = steps.parts(15)
    return steps.means(
        _by_local_clock(quarters, 15, spec.annual_kwh, lambda year: _bdew_load(spec.kind, year))
    )


def _bdew_load(kind: str, year: int) -> pd.Series[float]:
    """BDEW's load profile over a year of quarter hours from demandlib, unscaled."""
    import pandas as pd
    from demandlib import bdew

    clock = _clock(year, 15)
    if kind.endswith("25"):
        with older_pandas_ways():
            values = getattr(bdew, kind.upper())(clock).to_numpy(dtype=np.float64)
        return pd.Series(values, index=clock)
    from demandlib.bdew.elec_slp import dynamisation_function

    load = pd.Series(_bdew_1999(kind.removesuffix("_dyn"), clock), index=clock)
    return load * dynamisation_function(clock) if kind == "h0_dyn" else load


def _bdew_1999(kind: str, clock: pd.DatetimeIndex) -> FloatArray:
    """The 1999 profiles by season, weekday and quarter hour, from demandlib's table.

    As `demandlib.bdew.ElecSlp` does, which itself fails with pandas 3.1: it turns every warning into an error
    and then runs into one.
    """
    of_season = _bdew_1999_table(kind)
    day = np.asarray(clock.month * 100 + clock.day)
    is_summer = (day >= 515) & (day <= 914)
    is_winter = (day <= 320) | (day >= 1101)
    season = np.where(is_summer, 0, np.where(is_winter, 2, 1))
    quarter = np.asarray(clock.hour * 4 + clock.minute // 15)
    load: FloatArray = of_season[season, np.asarray(clock.day_of_week), quarter]
    return load


@cache
def _bdew_1999_table(kind: str) -> FloatArray:
    """Load by season (summer, transition, winter), weekday from Monday and quarter hour, shape (3, 7, 96)."""
    import pandas as pd
    from demandlib import bdew

    table = pd.read_csv(Path(bdew.__file__).parent / "bdew_data" / "selp_series.csv")
    loads = np.empty((3, 7, 96))
    for position, season in enumerate(("summer", "transition", "winter")):
        for weekday in range(7):
            chosen = (table["period"] == season) & (table["weekday"] == weekday + 1)
            loads[position, weekday] = table.loc[chosen, kind].to_numpy(dtype=np.float64)
    return loads


def _clock(year: int, minutes: int) -> pd.DatetimeIndex:
    """A year of wall-clock time as if clocks never changed."""
    import pandas as pd

    freq = pd.Timedelta(minutes=minutes)
    return pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=freq, inclusive="left")


def _parts_of_year(year: int, minutes: int, index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """A calendar year of equal parts in absolute time, from midnight to midnight in the index's time zone."""
    import pandas as pd

    freq = pd.Timedelta(minutes=minutes)
    return pd.date_range(f"{year}-01-01", f"{year + 1}-01-01", freq=freq, tz=index.tz, inclusive="left")


def _by_local_clock(
    parts: Steps, pattern_minutes: int, annual_kwh: float, shape: Callable[[int], pd.Series[float]]
) -> FloatArray:
    """Power [kW] by wall-clock time, each real calendar year holding `annual_kwh`.

    Where clocks change, the skipped hour's demand is not in the year's sum and the doubled hour's is twice.
    """
    import pandas as pd

    def on_the_wall(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
        return index.tz_localize(None).floor(pd.Timedelta(minutes=pattern_minutes))

    wall = on_the_wall(parts.index)
    power = np.empty(len(parts))
    for year in np.unique(np.asarray(wall.year)):
        pattern = shape(int(year))
        whole_year = on_the_wall(_parts_of_year(int(year), parts.minutes, parts.index))
        year_kwh = float(pattern.reindex(whole_year).sum()) * parts.minutes / 60.0
        here = np.asarray(wall.year == year)
        power[here] = pattern.reindex(wall[here]).to_numpy() * (annual_kwh / year_kwh)
    return power
