"""EPW and PVGIS files: read as pvlib reads them, and refused with the place of what is wrong."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
import pytest

from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.inputs.steps import Steps
from schema.inputs.weather import MeasuredWeather, TypicalYear
from schema.inputs.weather_files import read_weather
from schema.system import System

DATA = Path(__file__).parents[1] / "data" / "weather"
COLUMNS = ("ghi", "dni", "dhi", "temp_air", "wind_speed", "pressure")


def whole_year(rows: list[str], month_of, stamped, days=None) -> list[str]:
    """A year's rows from those of four days: each day of a quarter is the quarter's."""
    by_month: dict[int, list[str]] = {}
    for row in rows:
        by_month.setdefault(month_of(row), []).append(row)
    days = pd.date_range("2001-01-01", "2001-12-31") if days is None else days
    return [
        stamped(row, day, hour)
        for day in days
        for hour, row in enumerate(by_month[(day.month - 1) // 3 * 3 + 1])
    ]


def epw_lines(days=None) -> list[str]:
    lines = (DATA / "denver_excerpt.epw").read_text().splitlines()

    def stamped(row, day, hour):
        return ",".join([str(day.year), str(day.month), str(day.day), str(hour + 1), *row.split(",")[4:]])

    return lines[:8] + whole_year(lines[8:], lambda row: int(row.split(",")[1]), stamped, days)


def pvgis_lines() -> list[str]:
    lines = (DATA / "pvgis_tmy_excerpt.csv").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("time(UTC)")) + 1
    last = lines.index("", first)

    def stamped(row, day, hour):
        return f"{2000 + day.month}{day:%m%d}:{hour:02d}00,{row.split(',', 1)[1]}"

    rows = whole_year(lines[first:last], lambda row: int(row[4:6]), stamped)
    return lines[:first] + rows + lines[last:]


def pvgis_json() -> dict:
    """The typical year as PVGIS writes it in JSON."""
    lines = pvgis_lines()
    first = next(number for number, line in enumerate(lines) if line.startswith("time(UTC)"))
    titles = lines[first].split(",")
    rows = [line.split(",") for line in lines[first + 1 : first + 8761]]
    place = {"latitude": 45.0, "longitude": 8.0, "elevation": 250.0, "irradiance_time_offset": 0.1761}
    hours = [
        {
            title: cell if title == "time(UTC)" else float(cell)
            for title, cell in zip(titles, row, strict=True)
        }
        for row in rows
    ]
    months = [{"month": month, "year": 2000 + month} for month in range(1, 13)]
    return {
        "inputs": {"location": place, "meteo_data": {"radiation_db": "PVGIS-SARAH3"}},
        "outputs": {"months_selected": months, "tmy_hourly": hours},
        "meta": {"inputs": {}, "outputs": {}},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The excerpts, and whole years of them."""
    place = tmp_path_factory.mktemp("weather")
    for file in DATA.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    (place / "denver.epw").write_text("\n".join(epw_lines()) + "\n")
    (place / "tmy.csv").write_text("\n".join(pvgis_lines()) + "\n")
    (place / "tmy.json").write_text(json.dumps(pvgis_json()))
    return place


def hours(start: str, periods: int, timezone: str) -> Steps:
    return Steps(pd.date_range(start, periods=periods, freq="h", tz=timezone), 60)


def read(path: Path):
    return read_weather(path, path.name, hours("2019-01-01", 24, "UTC"), None)


def resolved(folder: Path, spec, **horizon):
    system = System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-01-15T00:00", "steps": 24} | horizon,
            "profiles": {"p": spec},
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )
    return resolve_profiles(system, folder, "house.yaml")["p"]


def refused(folder: Path, spec, **horizon):
    with pytest.raises(InputError) as caught:
        resolved(folder, spec, **horizon)
    (finding,) = caught.value.findings
    return finding


COP = {"model": "heat_pump_cop"}


def test_an_epw_file_is_what_pvlib_reads_by_the_station_clock(folder):
    weather = read(folder / "denver.epw")
    data, station = pvlib.iotools.read_epw(folder / "denver.epw", coerce_year=2001)
    assert isinstance(weather, TypicalYear)
    assert (weather.site.latitude_deg, weather.site.longitude_deg, weather.site.altitude_m) == (
        station["latitude"],
        station["longitude"],
        station["altitude"],
    )
    values = weather.at(hours("2019-01-01", 8760, "Etc/GMT+7"), COLUMNS)
    for column in COLUMNS:
        theirs = "atmospheric_pressure" if column == "pressure" else column
        assert np.array_equal(values[column], data[theirs].to_numpy())


def test_an_hour_of_an_epw_file_is_labelled_by_its_beginning(folder):
    """The row of 15 January, hour 13, says 9.4 °C from 12:00 to 13:00 of the station's standard time."""
    row = next(line for line in epw_lines() if line.startswith("2001,1,15,13,"))
    values = read(folder / "denver.epw").at(hours("2019-01-15T12:00", 1, "America/Denver"), ("temp_air",))
    assert values["temp_air"].tolist() == [float(row.split(",")[6])]


def test_an_epw_file_with_a_leap_day_serves_one(tmp_path):
    lines = epw_lines(pd.date_range("2000-01-01", "2000-12-31"))
    (tmp_path / "leap.epw").write_text("\n".join(lines) + "\n")
    weather = read(tmp_path / "leap.epw")
    leap, plain = (hours(f"{year}-01-01", count, "Etc/GMT+7") for year, count in ((2020, 8784), (2019, 8760)))
    whole = weather.at(leap, ("ghi",))["ghi"]
    assert np.array_equal(np.delete(whole, range(59 * 24, 60 * 24)), weather.at(plain, ("ghi",))["ghi"])


def test_an_epw_file_without_a_leap_day_is_refused_for_one(folder):
    finding = refused(folder, COP | {"weather": "denver.epw"}, start="2020-02-29T12:00")
    assert finding.found == "a horizon with a 29 February"


@pytest.mark.parametrize("name", ["tmy.csv", "tmy.json"])
def test_a_pvgis_typical_year_is_what_pvlib_reads_in_utc(folder, name):
    weather = read(folder / name)
    data, _ = pvlib.iotools.read_pvgis_tmy(folder / name)
    values = weather.at(hours("2019-01-01", 8760, "UTC"), COLUMNS)
    for column in COLUMNS:
        assert np.array_equal(values[column], data[column].to_numpy())
    assert weather.site.altitude_m == 250
    assert weather.sun_minute == pytest.approx(60 * 0.1761)


def test_pv_from_pvgis_has_the_sun_where_it_was_when_the_satellite_looked(folder):
    spec = {"weather": "tmy.csv", "model": "pv", "tilt_deg": 30, "system_losses_fraction": 0}
    values = resolved(folder, spec, start="2019-07-15T00:00")
    data, _ = pvlib.iotools.read_pvgis_tmy(folder / "tmy.csv")
    day = data.iloc[195 * 24 : 196 * 24].set_index(
        pd.date_range("2019-07-15", periods=24, freq="h", tz="UTC") + pd.Timedelta(minutes=60 * 0.1761)
    )
    model = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_glass"]
    array = pvlib.pvsystem.Array(
        pvlib.pvsystem.FixedMount(30, 180),
        module_parameters={"pdc0": 1.0, "gamma_pdc": -0.0037},
        temperature_model_parameters=model,
    )
    plant = pvlib.pvsystem.PVSystem([array], inverter_parameters={"pdc0": 1.0})
    chain = pvlib.modelchain.ModelChain.with_pvwatts(
        plant, pvlib.location.Location(45, 8, altitude=250), losses_model="no_loss"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = chain.run_model(day[["ghi", "dni", "dhi", "temp_air", "wind_speed"]]).results.ac.to_numpy()
    assert values.max() > 0.6
    assert values == pytest.approx(np.maximum(expected, 0.0), abs=1e-12)


def test_an_hourly_pvgis_file_is_found_by_its_hours(folder):
    weather = read(folder / "pvgis_hourly_slope_30.csv")
    assert isinstance(weather, MeasuredWeather)
    values = weather.at(hours("2016-01-01T08:00", 2, "UTC"), ("temp_air", "wind_speed"))
    assert values["temp_air"].tolist() == [3.87, 4.67]
    assert values["wind_speed"].tolist() == [1.22, 0.95]
    assert weather.sun_minute == 10


def test_an_hourly_pvgis_file_in_json_is_read_too(folder):
    values = read(folder / "pvgis_hourly_two_axis.json").at(
        hours("2013-01-01T03:00", 2, "UTC"), ("temp_air",)
    )
    assert values["temp_air"].tolist() == [-0.48, -0.09]


SLOPE_30 = {"weather": "pvgis_hourly_slope_30.csv", "model": "pv", "tilt_deg": 30, "azimuth_deg": 180}
NEW_YEAR = {"start": "2016-01-01T00:00", "steps": 13}


def test_irradiance_on_a_plane_serves_modules_on_that_plane(folder):
    values = resolved(folder, SLOPE_30 | {"system_losses_fraction": 0}, **NEW_YEAR)
    data, _ = pvlib.iotools.read_pvgis_hourly(folder / "pvgis_hourly_slope_30.csv")
    row = data.iloc[8]
    place = pvlib.location.Location(45, 8, altitude=250)
    sun = place.get_solarposition(data.index[8:9], temperature=row.temp_air)
    aoi = pvlib.irradiance.aoi(30, 180, sun.apparent_zenith, sun.azimuth).iloc[0]
    diffuse = row.poa_sky_diffuse + row.poa_ground_diffuse
    model = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_glass"]
    cell = pvlib.temperature.sapm_cell(row.poa_direct + diffuse, row.temp_air, row.wind_speed, **model)
    dc = pvlib.pvsystem.pvwatts_dc(row.poa_direct * pvlib.iam.physical(aoi) + diffuse, cell, 1.0, -0.0037)
    assert values[8] == pytest.approx(pvlib.inverter.pvwatts(dc, 1.0))
    assert values[:8].tolist() == [0.0] * 8


def test_irradiance_on_another_plane_than_the_modules_is_refused(folder):
    finding = refused(folder, SLOPE_30 | {"azimuth_deg": 90}, **NEW_YEAR)
    assert finding.path == "profiles.p.weather"
    assert "30° tilt and 180° azimuth" in finding.message
    assert "slope 0" in finding.message


def test_irradiance_on_the_ground_has_its_beam_from_the_height_of_the_sun(folder):
    text = (folder / "pvgis_hourly_slope_30.csv").read_text().replace("Slope: 30 deg", "Slope: 0 deg")
    (folder / "ground.csv").write_text(text)
    values = read(folder / "ground.csv").at(hours("2016-01-01T08:00", 1, "UTC"), ("ghi", "dni", "dhi"))
    assert values["ghi"][0] == pytest.approx(26.71 + 8.28 + 0.21)
    assert values["dhi"][0] == pytest.approx(8.28 + 0.21)
    assert values["dni"][0] == pytest.approx(26.71 / np.sin(np.radians(8.06)))


def test_the_sum_of_irradiance_alone_is_refused_for_pv(folder):
    finding = refused(
        folder, {"weather": "pvgis_hourly_two_axis.json", "model": "pv"}, start="2013-01-01T00:00", steps=8
    )
    assert "download it with radiation components" in finding.message


def test_a_plane_that_follows_the_sun_is_refused_for_pv(folder):
    text = (folder / "pvgis_hourly_slope_30.csv").read_text().replace("Slope: 30 deg. ", "Slope: -")
    (folder / "tracking.csv").write_text(text)
    finding = refused(folder, {"weather": "tracking.csv", "model": "pv"}, **NEW_YEAR)
    assert "follows the sun" in finding.message


def test_a_clock_that_does_not_fit_the_sun_is_refused(folder):
    lines = epw_lines()
    lines[0] = lines[0].replace(",-7.0,", ",7.0,")
    (folder / "wrong_zone.epw").write_text("\n".join(lines) + "\n")
    finding = refused(folder, {"weather": "wrong_zone.epw", "model": "pv"}, start="2019-07-15T00:00")
    assert finding.expected == "no light at night"
    assert "below the horizon at 39.83° north, -104.65° east" in finding.message
    assert resolved(folder, {"weather": "denver.epw", "model": "pv"}, start="2019-07-15T00:00").max() > 0.3


def test_an_epw_file_by_pvgis_whose_hours_are_not_of_its_time_zone_is_refused_for_all(folder):
    """PVGIS writes hours of UTC under the place's time zone; its comments tell that a file is its own."""
    lines = epw_lines()
    lines[0] = lines[0].replace(",-7.0,", ",-6.0,")
    lines[6] = "COMMENTS 2,Irradiance Time Offset (h):-0.5"
    (folder / "by_pvgis.epw").write_text("\n".join(lines) + "\n")
    assert refused(folder, COP | {"weather": "by_pvgis.epw"}).expected == "no light at night"


def test_an_epw_file_by_pvgis_tells_the_moment_of_its_radiation_from_the_hour_s_end(folder):
    lines = epw_lines()
    lines[6] = "COMMENTS 2,Irradiance Time Offset (h):-0.8239"
    for number, line in enumerate(lines[8:], start=8):
        cells = line.split(",")
        # Light at noon alone, as the four days are no year whose every morning fits the sun.
        lines[number] = ",".join([*cells[:13], *(cells[13:16] if cells[3] == "13" else "000"), *cells[16:]])
    (folder / "noon.epw").write_text("\n".join(lines) + "\n")
    assert read(folder / "noon.epw").sun_minute == pytest.approx(60 * (1 - 0.8239))


def test_a_station_s_file_takes_no_time_zone(folder):
    finding = refused(folder, COP | {"weather": "denver.epw", "timezone": "America/Denver"})
    assert finding.path == "profiles.p.timezone"


def broken(folder: Path, name: str, lines: list[str]) -> str:
    (folder / name).write_text("\n".join(lines) + "\n")
    return refused(folder, COP | {"weather": name}).message


def test_a_missing_hour_of_an_epw_file_is_told_with_its_line(folder):
    lines = epw_lines()
    message = broken(folder, "gap.epw", lines[:100] + lines[101:])
    assert (
        "gap.epw, line 101: here is the hour from 04 January 21:00, not the hour from 04 January 20:00"
        in message
    )


def test_an_epw_file_that_ends_too_early_is_told_with_its_line(folder):
    message = broken(folder, "short.epw", epw_lines()[:5000])
    assert "short.epw, line 5001: here is the file's end, not the hour from" in message


@pytest.mark.parametrize(
    ("cell", "told"), [("99.9", "is 99.9, which cannot be in °C"), ("x", "'x' is not a number")]
)
def test_a_wrong_temperature_of_an_epw_file_is_told_with_its_line_and_field(folder, cell, told):
    """99.9 is EPW's mark of a missing value."""
    lines = epw_lines()
    row = next(number for number, line in enumerate(lines) if line.startswith("2001,1,15,5,"))
    cells = lines[row].split(",")
    lines[row] = ",".join([*cells[:6], cell, *cells[7:]])
    message = broken(folder, "cell.epw", lines)
    assert f"cell.epw, line {row + 1}" in message
    assert "dry bulb temperature (field 7)" in message
    assert told in message


def test_an_epw_file_of_half_hours_is_refused(folder):
    lines = epw_lines()
    halves = lines[:8] + [line for line in lines[8:] for _ in range(2)]
    assert "line 10: here is the hour from 01 January 00:00" in broken(folder, "halves.epw", halves)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("20010101:0500,1.79,98.64", "is not a time such as 20160101:0010 and 9 numbers"),
        ("20010101:0500,1.79,98.64,0.0,x,0.0,322.89,0.9,252.0,99630.0", "and 9 numbers"),
        ("01.01.2001 05:00,1.79,98.64,0.0,0.0,0.0,322.89,0.9,252.0,99630.0", "and 9 numbers"),
    ],
)
def test_a_broken_line_of_a_pvgis_file_is_told(folder, row, told):
    lines = pvgis_lines()
    number = next(n for n, line in enumerate(lines) if line.startswith("20010101:0500"))
    lines[number] = row
    message = broken(folder, "line.csv", lines)
    assert f"line.csv, line {number + 1}: '{row[:60]}'" in message
    assert told in message


def test_a_pvgis_year_that_ends_too_early_is_told_with_its_line(folder):
    lines = pvgis_lines()
    message = broken(folder, "short.csv", lines[:1000] + lines[lines.index("") :])
    assert "short.csv, line 1001: the table ends after" in message
    assert "a typical year has 8760" in message


def test_a_pvgis_year_with_hours_in_another_order_is_told_with_its_line(folder):
    lines = pvgis_lines()
    lines[20], lines[21] = lines[21], lines[20]
    assert "order.csv, line 21: here is the hour from" in broken(folder, "order.csv", lines)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", "{}", "neither outputs.tmy_hourly nor outputs.hourly"),
        ("b.json", "[1, 2]", "neither outputs.tmy_hourly nor outputs.hourly"),
        ("c.json", '{"outputs": {"hourly": []}}', "cannot be read as PVGIS: 'meta' is missing"),
        ("d.json", '{"outputs":', "cannot be read as PVGIS: Expecting value: line 1"),
        ("e.epw", "temp_air\n5\n", "cannot be read as EPW: its first line does not begin with LOCATION"),
        ("f.epw", "LOCATION,Berlin\n", "cannot be read as EPW"),
        ("j.epw", "LOCATION,X,-,X,X,1,95.0,13.0,1.0,40\n", "there is no place at 95° north"),
        ("k.epw", "LOCATION,X,-,X,X,1,52.0,13.0,20,40\n", "its time zone is 20 hours from UTC"),
        ("g.csv", "Latitude (decimal degrees): 45.000\nx\n", "no line of titles that begins with 'time'"),
        ("h.csv", "", "cannot be read as CSV"),
        ("i.csv", "723170,X\nDate (MM/DD/YYYY),Time (HH:MM)\n", "cannot be read as TMY3"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_told(folder, name, content, told):
    whole = [content.strip(), *epw_lines()[1:]] if "LOCATION,X" in content else [content]
    (folder / name).write_text("\n".join(whole))
    assert told in refused(folder, COP | {"weather": name}).message


def test_reading_a_weather_file_warns_of_nothing(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("denver.epw", "tmy.csv", "tmy.json", "pvgis_hourly_slope_30.csv"):
            read(folder / name)
