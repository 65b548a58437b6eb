"""Files and weather of other steps than the horizon's: refused, or resampled where that is asked for."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pvlib.solarposition import get_solarposition

from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.inputs.steps import Grid, Steps
from schema.inputs.weather_files import read_weather
from schema.system import System

GREENSBORO = "package:pvlib/data/723170TYA.CSV"
TMY3 = Path(str(metadata.distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")))
FILE = {"file": "house.csv", "column": "load_kw", "resample": True}


def system(spec, **horizon):
    return System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-03-04T00:00", "steps": 4} | horizon,
            "profiles": {"p": spec},
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )


def resolved(folder, spec, **horizon):
    return resolve_profiles(system(spec, **horizon), folder, "house.yaml")["p"]


def refused(folder, spec, **horizon):
    with pytest.raises(InputError) as caught:
        resolved(folder, spec, **horizon)
    (finding,) = caught.value.findings
    return finding


def write(folder: Path, first: str, minutes: int, values, name="house.csv", **columns) -> None:
    times = pd.date_range(first, periods=len(values), freq=pd.Timedelta(minutes=minutes))
    pd.DataFrame({"time": times, "load_kw": values, **columns}).to_csv(folder / name, index=False)


def test_quarter_hours_are_averaged_over_hours(tmp_path):
    write(tmp_path, "2019-03-04", 15, np.arange(16.0))
    assert resolved(tmp_path, FILE).tolist() == [1.5, 5.5, 9.5, 13.5]


def test_hours_are_held_over_quarter_hours(tmp_path):
    write(tmp_path, "2019-03-04", 60, [1.0, 2.0])
    assert resolved(tmp_path, FILE, steps=8, step_minutes=15).tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_steps_that_straddle_rows_weigh_them_by_time(tmp_path):
    """40 min of hours 3, 6, 9: 3; (20 · 3 + 20 · 6) / 40; 6; …"""
    write(tmp_path, "2019-03-04", 60, [3.0, 6.0, 9.0])
    values = resolved(tmp_path, FILE, steps=4, step_minutes=40)
    assert values.tolist() == [3.0, 4.5, 6.0, 9.0]


def test_hours_that_begin_at_the_half_are_shared_out(tmp_path):
    write(tmp_path, "2019-03-03T23:30", 60, [2.0, 4.0, 8.0])
    assert resolved(tmp_path, FILE, steps=2).tolist() == [3.0, 6.0]


def test_days_are_held_over_their_hours(tmp_path):
    write(tmp_path, "2019-03-04", 1440, [1.0, 2.0])
    assert resolved(tmp_path, FILE, steps=48).tolist() == [1.0] * 24 + [2.0] * 24


def test_a_file_of_the_horizon_s_step_is_the_same_with_and_without(tmp_path):
    write(tmp_path, "2019-03-04", 60, [0.1, 0.2, 0.3, 0.4])
    assert resolved(tmp_path, FILE).tolist() == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("first", "minutes", "told"),
    [
        ("2019-03-04", 15, "a row every 15 min"),
        ("2019-03-04", 120, "a row every 120 min"),
        ("2019-03-04T00:30", 60, "a row every 60 min from 00:30 UTC"),
    ],
)
def test_another_step_is_refused_unless_resampling_is_asked_for(tmp_path, first, minutes, told):
    write(tmp_path, first, minutes, np.ones(20))
    finding = refused(tmp_path, FILE | {"resample": False})
    assert finding.path == "profiles.p.file"
    assert finding.found == told
    assert "state resample: true" in finding.message


def test_a_missing_row_is_a_gap_when_resampling_too(tmp_path):
    write(tmp_path, "2019-03-04", 15, np.arange(16.0))
    lines = (tmp_path / "house.csv").read_text().splitlines()
    (tmp_path / "house.csv").write_text("\n".join(lines[:6] + lines[7:]) + "\n")
    finding = refused(tmp_path, FILE)
    assert finding.found == "1 of 16 steps missing, first 2019-03-04T01:15:00+00:00"


def test_a_file_that_ends_within_a_step_is_refused(tmp_path):
    write(tmp_path, "2019-03-04", 15, np.arange(15.0))
    assert "first 2019-03-04T03:45:00+00:00" in refused(tmp_path, FILE).found


def test_rows_of_odd_seconds_cannot_be_resampled(tmp_path):
    times = pd.date_range("2019-03-04", periods=20, freq="90s")
    pd.DataFrame({"time": times, "load_kw": 1.0}).to_csv(tmp_path / "house.csv", index=False)
    assert refused(tmp_path, FILE).found == "a row every 90 s"
    times = pd.date_range("2019-03-04T00:00:10", periods=20, freq="15min")
    pd.DataFrame({"time": times, "load_kw": 1.0}).to_csv(tmp_path / "house.csv", index=False)
    assert "bring the file to whole minutes" in refused(tmp_path, FILE).message


def test_a_file_without_time_stamps_cannot_be_resampled(tmp_path):
    (tmp_path / "house.csv").write_text("load_kw\n" + "1\n" * 16)
    assert "add time stamps" in refused(tmp_path, FILE).message


def site(folder: Path, first: str, minutes: int, values, **columns) -> None:
    given = {"temp_air": values, "ghi": 0.0, "dni": 0.0, "dhi": 0.0, "wind_speed": 2.0} | columns
    write(folder, first, minutes, values, "site.csv", **given)


COP = {"weather": "site.csv", "model": "heat_pump_cop", "supply_temperature_c": 50, "resample": True}


def cop_at(outdoor_c):
    lift = 50.0 - np.asarray(outdoor_c)
    return 6.81 - 0.121 * lift + 0.00063 * lift**2


def test_finer_weather_is_worked_out_at_its_own_step_and_averaged(tmp_path):
    outdoor_c = np.array([0.0, 4.0, 8.0, 12.0, 1.0, 1.0, 1.0, 1.0])
    site(tmp_path, "2019-03-04", 15, outdoor_c)
    expected = cop_at(outdoor_c).reshape(2, 4).mean(axis=1)
    assert resolved(tmp_path, COP, steps=2) == pytest.approx(expected)
    assert expected[0] != pytest.approx(cop_at(6.0), abs=1e-3)


def test_coarser_temperature_lies_on_the_line_between_the_middles_of_hours(tmp_path):
    """From 00:30 (0 °C) to 01:30 (8 °C): 2 °C a quarter hour, whose middles lie an eighth past; the ends hold."""
    site(tmp_path, "2019-03-04", 60, [0.0, 8.0])
    values = resolved(tmp_path, COP, steps=8, step_minutes=15)
    assert values == pytest.approx(cop_at([0, 0, 1, 3, 5, 7, 8, 8]))


def test_rows_beyond_the_horizon_help_at_its_ends(tmp_path):
    site(tmp_path, "2019-03-03T23:00", 60, [0.0, 8.0, 16.0])
    values = resolved(tmp_path, COP, steps=4, step_minutes=15)
    assert values == pytest.approx(cop_at([5, 7, 9, 11]))


def test_weather_of_another_step_is_refused_unless_resampling_is_asked_for(tmp_path):
    site(tmp_path, "2019-03-04", 60, np.arange(4.0))
    finding = refused(tmp_path, COP | {"resample": False}, step_minutes=15)
    assert finding.path == "profiles.p.weather"
    assert finding.found == "a row every 60 min"


def test_weather_without_time_stamps_has_the_horizon_s_steps(tmp_path):
    (tmp_path / "site.csv").write_text("temp_air\n1\n2\n3\n")
    assert "3 rows for 4 steps" in refused(tmp_path, COP).message


YEAR = {"start": "2019-01-01T00:00", "timezone": "America/New_York"}
COLUMNS = ("ghi", "dni", "dhi")


def test_radiation_follows_the_sun_within_each_hour_and_keeps_its_mean():
    zone = "Etc/GMT+5"
    quarters = Steps(pd.date_range("2019-05-01", periods=4 * 48, freq="15min", tz=zone), 15)
    hours = Steps(pd.date_range("2019-05-01", periods=48, freq="h", tz=zone), 60)
    weather = read_weather(TMY3, "tmy3", hours, None)
    fine = weather.at(quarters, COLUMNS, site=weather.site)
    whole = weather.at(hours, COLUMNS)
    for column in COLUMNS:
        assert hours.means(fine[column]) == pytest.approx(whole[column])
    sun = get_solarposition(quarters.shifted(7.5), 36.1, -79.95, 273)
    cosine = np.cos(np.radians(sun["zenith"].to_numpy())).reshape(48, 4)
    ghi = fine["ghi"].reshape(48, 4)
    for hour in (9, 13, 17):
        assert ghi[hour] / ghi[hour].mean() == pytest.approx(cosine[hour] / cosine[hour].mean())
    assert (fine["ghi"][cosine.ravel() < -0.1] == 0).all()


def test_pv_in_quarter_hours_yields_what_it_yields_in_hours():
    spec = {"weather": GREENSBORO, "model": "pv", "resample": True}
    hours = resolved(Path(), spec, steps=8760, **YEAR)
    quarters = resolved(Path(), spec, steps=35040, step_minutes=15, **YEAR)
    assert quarters.sum() / 4 == pytest.approx(hours.sum(), rel=0.01)
    assert quarters.max() <= 0.96
    # A winter's morning: no quarter before the sun is up, and more in each than in the one before.
    morning = quarters[4 * 7 : 4 * 11]
    assert morning[0] == 0
    assert (np.diff(quarters.reshape(365, 96)[:30].mean(axis=0)[4 * 8 : 4 * 11]) > 0).all()


def test_a_typical_year_serves_half_hours_from_the_half():
    spec = {"weather": GREENSBORO, "model": "heat_pump_cop", "resample": True}
    quarters = resolved(Path(), spec, steps=192, step_minutes=15, **YEAR)
    shifted = {"start": "2019-01-01T00:30", "timezone": "America/New_York"}
    halves = resolved(Path(), spec, steps=90, step_minutes=30, **shifted)
    assert halves == pytest.approx(quarters[2:182].reshape(90, 2).mean(axis=1), rel=1e-3)


HEAT = {"weather": GREENSBORO, "model": "heat_demand", "annual_kwh": 12000, "resample": True}


def test_heat_demand_holds_its_hours_in_quarter_hours():
    hours = resolved(Path(), HEAT, steps=168, **YEAR)
    quarters = resolved(Path(), HEAT, steps=672, step_minutes=15, **YEAR)
    assert quarters == pytest.approx(np.repeat(hours, 4), rel=1e-12)


def test_heat_demand_over_longer_steps_is_the_mean_of_its_hours():
    hours = resolved(Path(), HEAT, steps=168, **YEAR)
    longer = resolved(Path(), HEAT, steps=84, step_minutes=120, **YEAR)
    assert longer == pytest.approx(hours.reshape(84, 2).mean(axis=1), rel=1e-12)


def test_heat_demand_of_a_year_in_quarter_hours_is_what_was_asked_for():
    quarters = resolved(Path(), HEAT, steps=35040, step_minutes=15, **YEAR)
    assert quarters.sum() / 4 == pytest.approx(12000)


def test_heat_demand_in_quarter_hours_is_refused_unless_resampling_is_asked_for():
    finding = refused(Path(), HEAT | {"resample": False}, step_minutes=15)
    assert finding.path == "profiles.p.model"
    assert "state resample: true" in finding.message


def test_a_leap_day_is_refused_in_quarter_hours_too():
    spec = {"weather": GREENSBORO, "model": "heat_pump_cop", "resample": True}
    finding = refused(Path(), spec, start="2020-02-28T20:00", steps=96, step_minutes=15)
    assert finding.found == "a horizon with a 29 February"
    assert len(resolved(Path(), spec, start="2020-02-28T20:00", steps=16, step_minutes=15)) == 16


def test_the_day_before_a_missing_leap_day_holds_its_last_hour():
    spec = {"weather": GREENSBORO, "model": "heat_pump_cop", "resample": True}
    end = {"start": "2020-02-28T22:00", "timezone": "Etc/GMT+5"}
    values = resolved(Path(), spec, steps=8, step_minutes=15, **end)
    hours = resolved(Path(), spec, steps=2, **end)
    assert values[6:] == pytest.approx([hours[1], hours[1]])


def test_common_parts_are_the_longest_that_fit_both():
    index = pd.date_range("2019-03-04T00:30", periods=2, freq="h", tz="UTC")
    assert Steps(index, 60).common_minutes(Grid(0, 60)) == 30
    assert Steps(index, 45).common_minutes(Grid(0, 10)) == 5
    assert Steps(index, 60).common_minutes(Grid(1_000_000_000, 60)) is None
