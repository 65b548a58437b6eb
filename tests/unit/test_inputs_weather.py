"""Weather: typical years found by the station's clock, measured hours by absolute time."""

from __future__ import annotations

import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.inputs.steps import Steps
from schema.inputs.weather import TypicalYear
from schema.inputs.weather_files import read_weather
from schema.system import System

GREENSBORO = "package:pvlib/data/723170TYA.CSV"


@pytest.fixture(scope="module")
def tmy3_file() -> Path:
    return Path(str(metadata.distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")))


@pytest.fixture(scope="module")
def typical(tmy3_file) -> TypicalYear:
    found = read_weather(tmy3_file, "723170TYA.CSV", hours("2019", 1, "UTC"), None)
    assert isinstance(found, TypicalYear)
    return found


@pytest.fixture(scope="module")
def raw_lines(tmy3_file) -> list[list[str]]:
    lines = tmy3_file.read_text().splitlines()
    return [line.split(",") for line in lines[1:]]


def system(profiles, **horizon):
    start = {"start": "2019-01-01T00:00", "steps": 24}
    return System.model_validate(
        {
            "system": "house",
            "horizon": start | horizon,
            "profiles": profiles,
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )


def findings(profiles, folder=Path(), **horizon):
    with pytest.raises(InputError) as caught:
        resolve_profiles(system(profiles, **horizon), folder, "house.yaml")
    return caught.value.findings


def hours(start: str, periods: int, timezone: str, minutes: int = 60) -> Steps:
    freq = pd.Timedelta(minutes=minutes)
    return Steps(pd.date_range(start, periods=periods, freq=freq, tz=timezone), minutes)


def dry_bulb(raw_lines, month_day: str, hour_ending: str) -> float:
    position = raw_lines[0].index("Dry-bulb (C)")
    (row,) = [row for row in raw_lines[1:] if row[0].startswith(month_day) and row[1] == hour_ending]
    return float(row[position])


def test_the_station_says_where_it_is(typical):
    assert (typical.site.latitude_deg, typical.site.longitude_deg, typical.site.altitude_m) == (
        36.1,
        -79.95,
        273,
    )


def test_an_hour_is_labelled_by_its_beginning_in_winter(typical, raw_lines):
    values = typical.at(hours("2019-01-15T13:00", 1, "America/New_York"), ("temp_air",))["temp_air"]
    assert values[0] == dry_bulb(raw_lines, "01/15", "14:00")


def test_an_hour_of_summer_time_stands_an_hour_earlier_on_the_station_clock(typical, raw_lines):
    values = typical.at(hours("2019-07-15T13:00", 1, "America/New_York"), ("temp_air",))["temp_air"]
    assert values[0] == dry_bulb(raw_lines, "07/15", "13:00")


def test_the_year_follows_itself_where_a_horizon_in_utc_begins_in_the_station_december(typical, raw_lines):
    values = typical.at(hours("2019-01-01T00:00", 6, "UTC"), ("temp_air",))["temp_air"]
    assert values[0] == dry_bulb(raw_lines, "12/31", "20:00")
    assert values[4] == dry_bulb(raw_lines, "12/31", "24:00")
    assert values[5] == dry_bulb(raw_lines, "01/01", "01:00")


def test_any_year_without_its_leap_day_finds_the_same_hours(typical):
    years = [
        typical.at(hours(f"{year}-03-01", 48, "Etc/GMT+5"), ("ghi",))["ghi"] for year in (1999, 2019, 2020)
    ]
    assert np.array_equal(years[0], years[1])
    assert np.array_equal(years[0], years[2])


def test_a_whole_year_holds_every_row_once(typical):
    values = typical.at(hours("2021-01-01", 8760, "Etc/GMT+5"), ("temp_air",))["temp_air"]
    assert np.array_equal(values, typical.table.data["temp_air"].to_numpy())


def test_a_leap_day_is_refused_with_what_to_do():
    (finding,) = findings(
        {"cop": {"weather": GREENSBORO, "model": "heat_pump_cop"}},
        start="2020-02-29T00:00",
        timezone="America/New_York",
    )
    assert finding.path == "profiles.cop.weather"
    assert finding.found == "a horizon with a 29 February"
    assert "start the horizon in another year" in finding.message


@pytest.mark.parametrize("horizon", [{"step_minutes": 15}, {"start": "2019-01-01T00:30"}])
def test_steps_that_are_not_the_station_hours_are_refused(horizon):
    (finding,) = findings({"cop": {"weather": GREENSBORO, "model": "heat_pump_cop"}}, **horizon)
    assert finding.expected.endswith("or resample: true")


def test_a_broken_typical_year_is_refused(tmp_path, tmy3_file):
    lines = tmy3_file.read_text().splitlines(keepends=True)
    (tmp_path / "short.csv").write_text("".join(lines[:5000]))
    (tmp_path / "headless.csv").write_text("".join(["723170\n", *lines[1:]]))
    short, headless = findings(
        {
            "a": {"weather": "short.csv", "model": "heat_pump_cop"},
            "b": {"weather": "headless.csv", "model": "heat_pump_cop"},
        },
        tmp_path,
    )
    assert short.found == "4998 rows, not the hours of a year in order"
    assert "cannot be read as TMY3" in headless.message


def test_each_weather_file_is_read_once(monkeypatch):
    read = []

    def counting(path, name, steps, timezone):
        read.append(name)
        return read_weather(path, name, steps, timezone)

    monkeypatch.setattr("schema.inputs.read_weather", counting)
    cop = {"weather": GREENSBORO, "model": "heat_pump_cop"}
    resolve_profiles(system({"a": cop, "b": cop, "c": {"weather": GREENSBORO, "model": "pv"}}), Path())
    assert read == [GREENSBORO]


def write_site(folder: Path, times: pd.DatetimeIndex, **columns) -> None:
    data = {"temp_air": 5.0, "ghi": 0.0, "dni": 0.0, "dhi": 0.0, "wind_speed": 2.0} | columns
    frame = pd.DataFrame({"time": times, **data})
    frame.dropna(axis="columns", how="all").to_csv(folder / "site.csv", index=False)


DAY = pd.date_range("2019-01-01", periods=24, freq="h")
PV = {"weather": "site.csv", "model": "pv", "latitude_deg": 52, "longitude_deg": 13}


def test_measured_weather_is_read_from_a_csv_file(tmp_path):
    write_site(tmp_path, DAY, temp_air=np.arange(24.0))
    cop = {"weather": "site.csv", "model": "heat_pump_cop", "supply_temperature_c": 50}
    values = resolve_profiles(system({"cop": cop}), tmp_path)["cop"]
    lift = 50 - np.arange(24.0)
    assert values == pytest.approx(6.81 - 0.121 * lift + 0.00063 * lift**2)


def test_every_missing_weather_column_is_told(tmp_path):
    write_site(tmp_path, DAY, dni=np.nan, dhi=np.nan)
    found = findings({"pv": PV}, tmp_path)
    assert [f.found for f in found] == ["0 columns 'dni'", "0 columns 'dhi'"]
    assert {f.path for f in found} == {"profiles.pv.weather"}


def test_measured_weather_needs_its_place(tmp_path):
    write_site(tmp_path, DAY)
    found = findings({"pv": {"weather": "site.csv", "model": "pv"}}, tmp_path)
    assert [f.path for f in found] == ["profiles.pv.latitude_deg", "profiles.pv.longitude_deg"]


def test_half_a_place_is_refused():
    (finding,) = findings({"pv": {"weather": GREENSBORO, "model": "pv", "latitude_deg": 52}})
    assert finding.path == "profiles.pv.longitude_deg"
    assert "both coordinates" in finding.message


@pytest.mark.parametrize(("column", "value"), [("temp_air", 278.0), ("ghi", -9900.0), ("wind_speed", -1.0)])
def test_values_that_cannot_be_in_their_unit_are_refused(tmp_path, column, value):
    write_site(tmp_path, DAY, **{column: np.where(np.arange(24) == 7, value, 0.0)})
    (finding,) = findings({"pv": PV}, tmp_path)
    assert f"line 9: {column} is {value:g}" in finding.message


def test_a_gap_in_measured_weather_is_refused(tmp_path):
    write_site(tmp_path, DAY.delete(5))
    (finding,) = findings({"pv": PV}, tmp_path)
    assert finding.path == "profiles.pv.weather"
    assert finding.found == "1 of 24 steps missing, first 2019-01-01T05:00:00+00:00"


def test_heat_demand_needs_the_whole_year_of_measured_weather(tmp_path):
    write_site(tmp_path, DAY)
    heat = {"weather": "site.csv", "model": "heat_demand", "annual_kwh": 1000}
    (finding,) = findings({"heat": heat}, tmp_path)
    assert finding.path == "profiles.heat.weather"
    assert "calendar year 2019" in finding.message


def test_weather_of_another_kind_is_refused(tmp_path):
    (tmp_path / "site.xlsx").write_text("LOCATION;Berlin\n")
    (finding,) = findings({"pv": PV | {"weather": "site.xlsx"}}, tmp_path)
    assert finding.expected == ".csv or .parquet"


def test_reading_weather_warns_of_nothing(tmy3_file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_weather(tmy3_file, "x", hours("2019", 1, "UTC"), None)
