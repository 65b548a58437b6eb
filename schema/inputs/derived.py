"""Profiles worked out from weather, the calendar and the clock."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from schema.inputs.refusals import Fault, Refusal
from schema.inputs.tables import FloatArray
from schema.inputs.weather import Site, Weather
from schema.profiles import HeatDemandProfile, HeatPumpCop, PvProfile, StandardLoad, TimeOfUse

if TYPE_CHECKING:
    import pandas as pd

_PV_COLUMNS = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
_MOUNTS = {"open_rack": "open_rack_glass_glass", "roof": "close_mount_glass_glass"}


@contextmanager
def _older_pandas_ways() -> Iterator[None]:
    """Silences what pandas 3.1 says to pvlib 0.16 and demandlib 0.2.2 about pandas 4."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"DatetimeIndex\.\w+ is deprecated")
        warnings.filterwarnings("ignore", message="The inplace keyword")
        yield


def time_of_use(spec: TimeOfUse, index: pd.DatetimeIndex, step_minutes: int) -> FloatArray:
    """Mean over each step of the value that the local clock's hour calls for."""
    begins = sorted(spec.time_of_use)
    hour_values = np.array(
        [spec.time_of_use[max((b for b in begins if b <= hour), default=begins[-1])] for hour in range(24)]
    )
    # Parts short enough that the hour never changes within one, half-hour zones and clock changes included.
    part_minutes = math.gcd(step_minutes, 30, int(index.minute[0]))
    parts = _split(index, step_minutes // part_minutes, part_minutes)
    values: FloatArray = hour_values[np.asarray(parts.hour)].reshape(len(index), -1).mean(axis=1)
    return values


def _split(index: pd.DatetimeIndex, parts: int, part_minutes: int) -> pd.DatetimeIndex:
    """Beginnings of equal parts of each step."""
    import pandas as pd

    return pd.date_range(index[0], periods=len(index) * parts, freq=pd.Timedelta(minutes=part_minutes))


def pv(spec: PvProfile, weather: Weather, index: pd.DatetimeIndex, step_minutes: int) -> FloatArray:
    """AC power per kW of installed DC capacity (kWp) [kW/kW].

    pvlib's ModelChain with PVWatts' models (NREL/TP-6A20-62641): Perez transposition, physical incidence
    losses, SAPM cell temperature, system losses off the DC power, an inverter whose DC limit is the installed
    capacity. The sun stands where it is at the middle of each step. Never below 0.
    """
    import pandas as pd
    from pvlib.location import Location
    from pvlib.modelchain import ModelChain
    from pvlib.pvsystem import Array, FixedMount, PVSystem
    from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

    site = _site(spec, weather)
    middle = index + pd.Timedelta(minutes=step_minutes) / 2
    data = pd.DataFrame(weather.at(index, _PV_COLUMNS), index=middle)
    array = Array(
        FixedMount(spec.tilt_deg, spec.azimuth_deg),
        module_parameters={"pdc0": 1.0, "gamma_pdc": spec.temperature_coefficient_per_k},
        temperature_model_parameters=TEMPERATURE_MODEL_PARAMETERS["sapm"][_MOUNTS[spec.mounting]],
    )
    no_others = dict.fromkeys(
        (
            "shading",
            "snow",
            "mismatch",
            "wiring",
            "connections",
            "lid",
            "nameplate_rating",
            "age",
            "availability",
        ),
        0.0,
    )
    plant = PVSystem(
        [array],
        inverter_parameters={"pdc0": 1.0, "eta_inv_nom": spec.inverter_efficiency_fraction},
        losses_parameters={"soiling": 100.0 * spec.system_losses_fraction, **no_others},
    )
    chain = ModelChain.with_pvwatts(
        plant, Location(site.latitude_deg, site.longitude_deg, altitude=site.altitude_m)
    )
    with _older_pandas_ways():
        power: FloatArray = chain.run_model(data).results.ac.to_numpy(dtype=np.float64)
    return np.maximum(power, 0.0)


def _site(spec: PvProfile, weather: Weather) -> Site:
    """The place told in the profile, else the weather file's own."""
    told = {"latitude_deg": spec.latitude_deg, "longitude_deg": spec.longitude_deg}
    missing = [name for name, value in told.items() if value is None]
    if spec.latitude_deg is not None and spec.longitude_deg is not None:
        return Site(spec.latitude_deg, spec.longitude_deg)
    if len(missing) == 2 and weather.site is not None:
        return weather.site
    raise Refusal(
        Fault(
            name,
            "nothing",
            "degrees, north and east positive",
            f"{name} is missing: {weather.name} does not say where it was measured"
            if weather.site is None
            else f"{name} is missing: give both coordinates, or none to take the weather station's",
        )
        for name in missing
    )


def heat_pump_cop(spec: HeatPumpCop, weather: Weather, index: pd.DatetimeIndex) -> FloatArray:
    """Coefficient of performance of an air-source heat pump [-].

    COP = 6.81 − 0.121 ΔT + 0.000630 ΔT², ΔT from outdoor air to supply, fitted over 15 to 60 K: Staffell,
    Brett, Brandon and Hawkes 2012, Energy & Environmental Science 5, 9291, doi:10.1039/c2ee22653g. Below 15 K
    the COP at 15 K holds; above 60 K the fit goes on to its least value, 1.0 at 96 K, and stays there.
    """
    outdoor_c = weather.at(index, ("temp_air",))["temp_air"]
    lift_k = np.clip(spec.supply_temperature_c - outdoor_c, 15.0, 0.121 / (2 * 0.000630))
    return 6.81 - 0.121 * lift_k + 0.000630 * lift_k**2


def heat_demand(
    spec: HeatDemandProfile, weather: Weather, index: pd.DatetimeIndex, step_minutes: int
) -> FloatArray:
    """Heat demand [kW] by BDEW's sigmoid and hourly factors through demandlib.

    Worked out by the local clock over the whole calendar year and scaled so that the year's heat is
    `annual_kwh`. A typical year's leap day counts for nothing.
    """
    if step_minutes != 60 or index.minute[0]:
        raise Refusal(
            Fault(
                "model",
                f"steps of {step_minutes} min from minute {index.minute[0]}",
                "step_minutes: 60, from a full hour",
                "heat_demand is hourly; use step_minutes: 60 and start at a full hour",
            )
        )
    weather.at(index, ("temp_air",))

    def shape(year: int) -> pd.Series[float]:
        return _bdew_heat(spec, _outdoor_by_clock(weather, _parts_of_year(year, 60, index)), weather.name)

    return _by_local_clock(index, 60, spec.annual_kwh, shape)


def _outdoor_by_clock(weather: Weather, hours: pd.DatetimeIndex) -> pd.Series[float]:
    """A year's outdoor temperature [°C] as if clocks never changed, which is what demandlib takes.

    The skipped hour repeats the one before; of the doubled hour the first counts.
    """
    import pandas as pd

    outdoor_c = pd.Series(weather.in_year(hours, "temp_air"), index=hours.tz_localize(None))
    once = outdoor_c[~outdoor_c.index.duplicated()]
    return once.reindex(_clock(hours[len(hours) // 2].year, 60), method="ffill").dropna()


def _bdew_heat(spec: HeatDemandProfile, outdoor_c: pd.Series[float], name: str) -> pd.Series[float]:
    """BDEW's heat profile over a year of hours from demandlib, unscaled."""
    import pandas as pd
    from demandlib.bdew import HeatBuilding

    index = pd.DatetimeIndex(outdoor_c.index)
    try:
        with _older_pandas_ways():
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


def standard_load(spec: StandardLoad, index: pd.DatetimeIndex, step_minutes: int) -> FloatArray:
    """Electric load [kW] by BDEW's quarter-hourly profile through demandlib, averaged over each step.

    Follows the local clock; scaled so that each calendar year's energy is `annual_kwh`. No public holidays.
    """
    if step_minutes % 15 or index.minute[0] % 15:
        raise Refusal(
            Fault(
                "model",
                f"steps of {step_minutes} min from minute {index.minute[0]}",
                "quarter hours or whole numbers of them",
                "standard_load is quarter-hourly; use step_minutes 15, 30 or 60 from a full quarter hour",
            )
        )
    quarters = _split(index, step_minutes // 15, 15)
    power = _by_local_clock(quarters, 15, spec.annual_kwh, lambda year: _bdew_load(spec.kind, year))
    mean_kw: FloatArray = power.reshape(len(index), -1).mean(axis=1)
    return mean_kw


def _bdew_load(kind: str, year: int) -> pd.Series[float]:
    """BDEW's load profile over a year of quarter hours from demandlib, unscaled."""
    import pandas as pd
    from demandlib import bdew

    clock = _clock(year, 15)
    if kind.endswith("25"):
        with _older_pandas_ways():
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
    index: pd.DatetimeIndex, minutes: int, annual_kwh: float, shape: Callable[[int], pd.Series[float]]
) -> FloatArray:
    """Power [kW] by wall-clock time, each real calendar year holding `annual_kwh`.

    Where clocks change, the skipped hour's demand is not in the year's sum and the doubled hour's is twice.
    """
    wall = index.tz_localize(None)
    power = np.empty(len(index))
    for year in np.unique(np.asarray(wall.year)):
        pattern = shape(int(year))
        whole_year = _parts_of_year(int(year), minutes, index).tz_localize(None)
        year_kwh = float(pattern.reindex(whole_year).sum()) * minutes / 60.0
        here = np.asarray(wall.year == year)
        power[here] = pattern.reindex(wall[here]).to_numpy() * (annual_kwh / year_kwh)
    return power
