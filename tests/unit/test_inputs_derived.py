"""Profiles from weather, the calendar and the clock, against their libraries and by hand."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.system import System

GREENSBORO = "package:pvlib/data/723170TYA.CSV"
YEAR = {"start": "2019-01-01T00:00", "steps": 8760, "timezone": "America/New_York"}


def system(spec, **horizon):
    return System.model_validate(
        {
            "system": "house",
            "horizon": YEAR | horizon,
            "profiles": {"p": spec},
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )


def resolved(spec, **horizon):
    return resolve_profiles(system(spec, **horizon), Path())["p"]


def refused(spec, **horizon):
    with pytest.raises(InputError) as caught:
        resolved(spec, **horizon)
    (finding,) = caught.value.findings
    return finding


TARIFF = {"time_of_use": {7: 0.30, 22: 0.20}}


def test_the_last_hour_named_lasts_over_midnight():
    values = resolved(TARIFF, steps=24)
    assert values.tolist() == [0.2] * 7 + [0.3] * 15 + [0.2] * 2


def test_time_of_use_skips_the_missing_hour_of_spring():
    values = resolved(TARIFF, start="2019-03-10T00:00", steps=23)
    assert values.tolist() == [0.2] * 6 + [0.3] * 15 + [0.2] * 2


def test_time_of_use_holds_through_the_doubled_hour_of_autumn():
    values = resolved({"time_of_use": {0: 1, 1: 2, 2: 3}}, start="2019-11-03T00:00", steps=5)
    assert values.tolist() == [1, 2, 2, 3, 3]


def test_time_of_use_is_averaged_over_steps_longer_than_its_hours():
    assert resolved(TARIFF, steps=4, step_minutes=120).tolist() == [0.2, 0.2, 0.2, pytest.approx(0.25)]


def test_time_of_use_holds_in_every_quarter_of_its_hour():
    values = resolved(TARIFF, start="2019-01-01T06:30", steps=4, step_minutes=15)
    assert values.tolist() == [0.2, 0.2, 0.3, 0.3]


def test_cop_follows_the_published_fit():
    import pvlib

    path = metadata.distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")
    outdoor = pvlib.iotools.read_tmy3(str(path), coerce_year=2001)[0]["temp_air"].to_numpy()
    values = resolved(
        {"weather": GREENSBORO, "model": "heat_pump_cop", "supply_temperature_c": 45}, timezone="Etc/GMT+5"
    )
    coldest, mild = int(outdoor.argmin()), int(np.flatnonzero(outdoor == 7.2)[0])
    assert values[mild] == pytest.approx(6.81 - 0.121 * 37.8 + 0.000630 * 37.8**2)
    assert values[coldest] == pytest.approx(6.81 - 0.121 * 61.7 + 0.000630 * 61.7**2)


def test_cop_stays_within_what_the_fit_can_say():
    cold = resolved({"weather": GREENSBORO, "model": "heat_pump_cop", "supply_temperature_c": 75})
    warm = resolved({"weather": GREENSBORO, "model": "heat_pump_cop", "supply_temperature_c": 25})
    assert 1.0 <= cold.min() < 1.02
    assert warm.max() == pytest.approx(6.81 - 0.121 * 15 + 0.000630 * 15**2)


def pvlib_power(tilt_deg: float, azimuth_deg: float, gamma: float) -> pd.Series:
    """The same plant by pvlib alone, an hour's sun at its middle, labelled by the beginning."""
    import pvlib
    from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS

    path = metadata.distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data, meta = pvlib.iotools.read_tmy3(str(path), coerce_year=2019)
        data.index = data.index - pd.Timedelta(minutes=30)
        place = pvlib.location.Location(meta["latitude"], meta["longitude"], altitude=meta["altitude"])
        sun = place.get_solarposition(data.index, temperature=data.temp_air)
        poa = pvlib.irradiance.get_total_irradiance(
            tilt_deg, azimuth_deg, sun.apparent_zenith, sun.azimuth, data.dni, data.ghi, data.dhi,
            dni_extra=pvlib.irradiance.get_extra_radiation(data.index),
            airmass=place.get_airmass(solar_position=sun).airmass_relative, model="perez",
        )  # fmt: skip
        aoi = pvlib.irradiance.aoi(tilt_deg, azimuth_deg, sun.apparent_zenith, sun.azimuth)
        seen = poa.poa_direct * pvlib.iam.physical(aoi) + poa.poa_diffuse
        model = TEMPERATURE_MODEL_PARAMETERS["sapm"]["close_mount_glass_glass"]
        cell = pvlib.temperature.sapm_cell(poa.poa_global, data.temp_air, data.wind_speed, **model)
        dc = pvlib.pvsystem.pvwatts_dc(seen.fillna(0.0), cell, 1.0, gamma) * (1 - 0.14)
        ac = pvlib.inverter.pvwatts(dc, 1.0, 0.96)
    return ac.fillna(0.0).set_axis(data.index - pd.Timedelta(minutes=30))


def test_pv_is_what_pvlib_makes_of_the_middle_of_each_hour():
    spec = {"weather": GREENSBORO, "model": "pv", "tilt_deg": 30, "azimuth_deg": 200, "mounting": "roof"}
    values = pd.Series(resolved(spec, timezone="Etc/GMT+5"))
    expected = pvlib_power(30, 200, -0.0037).sort_index()
    assert values.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)


def test_pv_yields_what_is_known_of_greensboro():
    """PVWatts tells 1,350 to 1,450 kWh/kW for an open rack at 35° there."""
    values = resolved({"weather": GREENSBORO, "model": "pv"})
    assert 1330 < values.sum() < 1450
    assert values.min() == 0.0
    assert values.max() < 0.96


def test_pv_has_no_sun_at_night_and_most_of_it_about_noon():
    values = resolved({"weather": GREENSBORO, "model": "pv"}).reshape(365, 24)
    # Winter only: no summer time.
    day = values[:60].mean(axis=0)
    assert day[:6].sum() == day[19:].sum() == 0.0
    assert day.argmax() in {11, 12}


@pytest.mark.parametrize("timezone", ["America/New_York", "Europe/Berlin", "UTC"])
def test_heat_demand_of_a_calendar_year_is_what_was_asked_for(timezone):
    spec = {"weather": GREENSBORO, "model": "heat_demand", "annual_kwh": 12000}
    assert resolved(spec, timezone=timezone).sum() == pytest.approx(12000)


def test_heat_demand_is_demandlib_by_the_local_clock():
    from demandlib.bdew import HeatBuilding

    spec = {
        "weather": GREENSBORO,
        "model": "heat_demand",
        "annual_kwh": 5000,
        "kind": "mfh",
        "hot_water": False,
    }
    values = resolved(spec, timezone="Etc/GMT+5")
    import pvlib

    path = metadata.distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")
    outdoor = pvlib.iotools.read_tmy3(str(path), coerce_year=2019)[0]["temp_air"]
    index = pd.date_range("2019-01-01", periods=8760, freq="h")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = HeatBuilding(
            index, temperature=outdoor, shlp_type="MFH", building_class=5, wind_class=0, ww_incl=False,
            annual_heat_demand=5000,
        ).get_bdew_profile().to_numpy()  # fmt: skip
    assert values == pytest.approx(expected / expected.sum() * 5000)


def test_heat_demand_peaks_at_the_same_local_hour_in_summer_time_and_out_of_it():
    days = resolved({"weather": GREENSBORO, "model": "heat_demand", "annual_kwh": 12000})
    index = pd.date_range("2019-01-01", periods=8760, freq="h", tz="America/New_York")
    by_hour = pd.Series(days, index).groupby([index.month, index.hour]).mean()
    assert by_hour[2].idxmax() == by_hour[4].idxmax() == 6


def test_a_part_of_the_year_is_that_part_of_the_whole_year():
    spec = {"weather": GREENSBORO, "model": "heat_demand", "annual_kwh": 12000}
    week = resolved(spec, start="2019-01-14T00:00", steps=168)
    assert week == pytest.approx(resolved(spec)[13 * 24 : 20 * 24])


def test_a_typical_year_serves_a_week_of_a_leap_year():
    spec = {"weather": GREENSBORO, "model": "heat_demand", "annual_kwh": 12000}
    leap = resolved(spec, start="2020-01-14T00:00", steps=168)
    assert leap == pytest.approx(resolved(spec, start="2019-01-14T00:00", steps=168), rel=1e-3)


def test_heat_demand_in_quarter_hours_is_refused():
    spec = {"weather": GREENSBORO, "model": "heat_demand", "annual_kwh": 12000}
    finding = refused(spec, step_minutes=15)
    assert finding.path == "profiles.p.model"
    assert "step_minutes: 60" in finding.message


def test_heat_demand_beyond_its_profile_is_refused(tmp_path):
    times = pd.date_range("2019-01-01", periods=8760, freq="h")
    pd.DataFrame({"time": times, "temp_air": -35.0}).to_csv(tmp_path / "site.csv", index=False)
    spec = {"weather": str(tmp_path / "site.csv"), "model": "heat_demand", "annual_kwh": 12000}
    assert "outside -20 to 39 °C" in refused(spec, timezone="UTC").message


KINDS = ["h0", "h0_dyn", "g0", "g1", "g2", "g3", "g4", "g5", "g6", "l0", "l1", "l2", "h25", "g25", "l25"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_standard_load_of_a_calendar_year_is_what_was_asked_for(kind):
    values = resolved({"model": "standard_load", "kind": kind, "annual_kwh": 3500})
    assert values.sum() == pytest.approx(3500)
    assert values.min() > 0


@pytest.fixture(scope="module")
def elec_slp():
    """demandlib's 1999 profiles, its `simplefilter("error")` disarmed: pandas 3.1 has something to say."""
    from demandlib.bdew import ElecSlp

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(warnings, "simplefilter", lambda *_args: None)
        return ElecSlp(2019).get_profiles()


@pytest.mark.parametrize("kind", KINDS[:12])
def test_the_profiles_of_1999_are_demandlib_s(elec_slp, kind):
    values = resolved(
        {"model": "standard_load", "kind": kind, "annual_kwh": 3500},
        timezone="UTC",
        steps=35040,
        step_minutes=15,
    )
    expected = elec_slp[kind].to_numpy()
    assert values == pytest.approx(expected / expected.sum() * 3500 * 4)


@pytest.mark.parametrize("kind", ["h25", "g25", "l25"])
def test_the_profiles_of_2025_are_demandlib_s(kind):
    from demandlib import bdew

    values = resolved(
        {"model": "standard_load", "kind": kind, "annual_kwh": 3500},
        timezone="UTC",
        steps=35040,
        step_minutes=15,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        index = pd.date_range("2019-01-01", periods=35040, freq="15min")
        expected = getattr(bdew, kind.upper())(index).to_numpy()
    assert values == pytest.approx(expected / expected.sum() * 3500 * 4)


@pytest.mark.parametrize("minutes", [30, 60])
def test_longer_steps_are_means_of_quarter_hours(minutes):
    spec = {"model": "standard_load", "kind": "h25", "annual_kwh": 3500}
    quarters = resolved(spec, steps=35040, step_minutes=15)
    longer = resolved(spec, steps=8760 * 60 // minutes, step_minutes=minutes)
    assert longer == pytest.approx(quarters.reshape(len(longer), -1).mean(axis=1))


def test_a_standard_load_follows_the_local_clock_over_the_change_of_clocks():
    spec = {"model": "standard_load", "kind": "h0", "annual_kwh": 3500}
    short_sunday = resolved(spec, start="2019-03-10T00:00", steps=23)
    sunday_before = resolved(spec, start="2019-03-03T00:00", steps=24)
    assert short_sunday == pytest.approx(np.delete(sunday_before, 2))


def test_each_year_of_a_horizon_over_two_holds_its_own_energy():
    spec = {"model": "standard_load", "kind": "h25", "annual_kwh": 3500}
    values = resolved(spec, start="2019-01-01T00:00", steps=8760 + 8784)
    assert values[:8760].sum() == pytest.approx(3500)
    assert values[8760:].sum() == pytest.approx(3500)


def test_a_standard_load_in_ten_minutes_is_refused():
    finding = refused({"model": "standard_load", "kind": "h0", "annual_kwh": 3500}, step_minutes=10)
    assert finding.path == "profiles.p.model"
    assert "quarter" in finding.message


def test_importing_the_readers_loads_no_heavy_library():
    code = "import sys, schema.inputs; print(sorted({'pandas', 'pvlib', 'demandlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
