"""Wind turbines against windpowerlib, named heat pumps against hplib."""

from __future__ import annotations

import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path

import hplib.hplib as hplib
import numpy as np
import pandas as pd
import pvlib
import pytest
import windpowerlib
from pydantic import ValidationError

from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.system import System

GREENSBORO = "package:pvlib/data/723170TYA.CSV"
YEAR = {"start": "2019-01-01T00:00", "steps": 8760, "timezone": "Etc/GMT+5"}
WIND = {"weather": "site.csv", "model": "wind", "turbine": "E-126/4200", "hub_height_m": 135}
COP = {"weather": "site.csv", "model": "heat_pump_cop", "supply_temperature_c": 45}


def resolved(spec, folder=Path(), **horizon):
    system = System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-01-01T00:00", "steps": 6} | horizon,
            "profiles": {"p": spec},
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )
    return resolve_profiles(system, folder, "house.yaml")["p"]


def refused(spec, folder=Path(), **horizon):
    with pytest.raises(InputError) as caught:
        resolved(spec, folder, **horizon)
    (finding,) = caught.value.findings
    return finding


@pytest.fixture
def site(tmp_path):
    """Six hours of weather."""
    times = pd.date_range("2019-01-01", periods=6, freq="h")
    columns = {
        "wind_speed": [0.0, 2.0, 5.0, 8.0, 11.0, 40.0],
        "temp_air": [-15.0, -7.0, 0.0, 7.0, 15.0, 30.0],
        "pressure": [101_325.0, 99_000.0, 97_000.0, 95_000.0, 90_000.0, 85_000.0],
    }
    pd.DataFrame({"time": times, **columns}).to_csv(tmp_path / "site.csv", index=False)
    return tmp_path


def greensboro() -> pd.DataFrame:
    path = metadata.distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")
    return pvlib.iotools.read_tmy3(str(path), coerce_year=2001)[0]


def by_windpowerlib(turbine: str, hub_m: float, weather: pd.DataFrame, roughness_m: float, **chain):
    """Power per nominal power by windpowerlib alone; wind at 10 m, temperature at 2 m, pressure at the ground."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plant = windpowerlib.WindTurbine(turbine_type=turbine, hub_height=hub_m)
        data = pd.DataFrame(
            {
                ("wind_speed", 10): weather["wind_speed"],
                ("temperature", 2): weather["temp_air"] + 273.15,
                ("pressure", 0): weather["pressure"],
                ("roughness_length", 0): roughness_m,
            }
        )
        power = windpowerlib.ModelChain(plant, **chain).run_model(data).power_output
    return power.to_numpy() / plant.nominal_power


def curve_of_e126() -> dict[float, float]:
    """Power per nominal power by the wind at the hub [m/s]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curve = windpowerlib.WindTurbine(turbine_type="E-126/4200", hub_height=135).power_curve
    return dict(zip(curve["wind_speed"], curve["value"] / 4.2e6, strict=True))


@pytest.mark.parametrize("turbine", ["E-126/4200", "V112/3000", "GE100/2500"])
def test_a_year_of_wind_is_windpowerlib_s(turbine):
    spec = WIND | {"weather": GREENSBORO, "turbine": turbine, "roughness_length_m": 0.2}
    data = greensboro()
    data["pressure"] *= 100
    expected = by_windpowerlib(turbine, 135, data, 0.2)
    values = resolved(spec, **YEAR)
    assert values == pytest.approx(expected, abs=1e-12)
    assert 0.1 < values.mean() < 0.5


def test_wind_corrected_for_the_density_of_air_is_windpowerlib_s():
    spec = WIND | {"weather": GREENSBORO, "density_correction": True}
    data = greensboro()
    data["pressure"] *= 100
    expected = by_windpowerlib("E-126/4200", 135, data, 0.15, density_correction=True)
    values = resolved(spec, **YEAR)
    assert values == pytest.approx(expected, abs=1e-12)
    assert values.sum() != pytest.approx(resolved(WIND | {"weather": GREENSBORO}, **YEAR).sum(), rel=1e-3)


def test_wind_grows_with_height_by_the_logarithm_over_roughness(site):
    """5 m/s at 10 m are 5 · ln(135 / 0.15) / ln(10 / 0.15) = 8.10 m/s at the hub, between 8 and 9 on the curve."""
    at = curve_of_e126()
    hub = 5 * np.log(135 / 0.15) / np.log(10 / 0.15)
    values = resolved(WIND, site)
    assert values[2] == pytest.approx(at[8] + (hub - 8) * (at[9] - at[8]))
    assert values[0] == 0
    assert values[5] == 0


def test_wind_measured_at_the_hub_is_taken_as_it_is(site):
    at = curve_of_e126()
    values = resolved(WIND | {"wind_measured_at_m": 135}, site)
    assert values.tolist() == pytest.approx([0, at[2], at[5], at[8], at[11], 0])


def test_rougher_ground_gives_more_at_the_hub(site):
    smooth, rough = (resolved(WIND | {"roughness_length_m": z}, site)[3] for z in (0.03, 0.4))
    assert rough > smooth


def test_an_unknown_turbine_is_told_with_the_nearest(site):
    finding = refused(WIND | {"turbine": "E126/4200"}, site)
    assert finding.path == "profiles.p.turbine"
    assert "did you mean 'E-126/4200'" in finding.message


def test_a_turbine_without_a_power_curve_is_refused(site):
    finding = refused(WIND | {"turbine": "AD132/5000"}, site)
    assert "has no power curve of 'AD132/5000'" in finding.message


def test_a_hub_below_the_rotor_s_radius_is_refused(site):
    finding = refused(WIND | {"hub_height_m": 50}, site)
    assert finding.path == "profiles.p.hub_height_m"
    assert finding.found == "50 m"


def test_the_ground_s_roughness_lies_below_where_wind_is_measured():
    with pytest.raises(ValidationError, match="roughness_length_m must be below"):
        resolved(WIND | {"roughness_length_m": 12})


def test_density_needs_temperature_and_pressure(tmp_path):
    times = pd.date_range("2019-01-01", periods=6, freq="h")
    pd.DataFrame({"time": times, "wind_speed": 5.0}).to_csv(tmp_path / "site.csv", index=False)
    assert resolved(WIND, tmp_path).min() > 0
    with pytest.raises(InputError) as caught:
        resolved(WIND | {"density_correction": True}, tmp_path)
    assert [f.found for f in caught.value.findings] == ["0 columns 'temp_air'", "0 columns 'pressure'"]


def test_pressure_in_hectopascal_is_refused(tmp_path):
    times = pd.date_range("2019-01-01", periods=6, freq="h")
    columns = {"wind_speed": 5.0, "temp_air": 5.0, "pressure": 1013.0}
    pd.DataFrame({"time": times, **columns}).to_csv(tmp_path / "site.csv", index=False)
    finding = refused(WIND | {"density_correction": True}, tmp_path)
    assert finding.expected == "30000 to 110000 Pa"


def by_hplib(parameters, source_c, supply_c, outdoor_c):
    """hplib's own figures, hour by hour; it is asked by the water that comes back, 5 K colder."""
    return [
        float(hplib.simulate(float(source), supply_c - 5, parameters, float(outdoor))["COP"].iloc[0])
        for source, outdoor in zip(source_c, outdoor_c, strict=True)
    ]


OUTDOOR_C = np.array([-15.0, -7.0, 0.0, 7.0, 15.0, 30.0])


@pytest.mark.parametrize(("name", "group"), [("Generic air/water", 1), ("Generic air/water on-off", 4)])
def test_the_mean_heat_pump_on_air_is_hplib_s(site, name, group):
    parameters = hplib.get_parameters("Generic", group_id=group, t_in=-7, t_out=52, p_th=8000)
    expected = by_hplib(parameters, OUTDOOR_C, 45, OUTDOOR_C)
    values = resolved(COP | {"heat_pump": name}, site)
    assert values == pytest.approx(expected)
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize(
    ("name", "group", "rated_c"),
    [
        ("Generic brine/water", 2, 0),
        ("Generic brine/water on-off", 5, 0),
        ("Generic water/water on-off", 6, 10),
    ],
)
def test_the_mean_heat_pump_on_brine_or_water_is_hplib_s(site, name, group, rated_c):
    parameters = hplib.get_parameters("Generic", group_id=group, t_in=rated_c, t_out=52, p_th=8000)
    expected = by_hplib(parameters, np.full(6, 8.0), 45, OUTDOOR_C)
    values = resolved(COP | {"heat_pump": name, "source_temperature_c": 8}, site)
    assert values == pytest.approx(expected)
    assert 3 < values.mean() < 7


@pytest.mark.parametrize("model", ["i-SHWAK V4 06", "TTF 66"])
def test_a_named_heat_pump_is_hplib_s(site, model):
    parameters = hplib.get_parameters(model)
    on_brine = parameters["Group"].iloc[0] == 5
    source_c = np.full(6, 5.0) if on_brine else OUTDOOR_C
    source = {"source_temperature_c": 5} if on_brine else {}
    values = resolved(COP | {"heat_pump": model} | source, site)
    assert values == pytest.approx(by_hplib(parameters, source_c, 45, OUTDOOR_C))


def test_a_year_of_a_heat_pump_is_hplib_s():
    parameters = hplib.get_parameters("i-SHWAK V4 06")
    outdoor_c = greensboro()["temp_air"].to_numpy(dtype=float)
    expected = hplib.HeatPump(parameters).simulate(outdoor_c, 30.0, outdoor_c)["COP"]
    spec = COP | {"weather": GREENSBORO, "supply_temperature_c": 35, "heat_pump": "i-SHWAK V4 06"}
    assert resolved(spec, **YEAR) == pytest.approx(expected)


def test_an_unknown_heat_pump_is_told_with_the_nearest(site):
    finding = refused(COP | {"heat_pump": "generic air water"}, site)
    assert finding.path == "profiles.p.heat_pump"
    assert "did you mean 'Generic air/water'" in finding.message


def test_brine_needs_its_temperature_and_air_has_the_weather_s(site):
    missing = refused(COP | {"heat_pump": "Generic brine/water"}, site)
    assert missing.path == "profiles.p.source_temperature_c"
    assert "state source_temperature_c" in missing.message
    given = refused(COP | {"heat_pump": "Generic air/water", "source_temperature_c": 5}, site)
    assert "leave source_temperature_c out" in given.message
    with pytest.raises(ValidationError, match="source_temperature_c needs a heat_pump"):
        resolved(COP | {"source_temperature_c": 5}, site)


def test_libraries_that_are_not_installed_are_told_with_their_extras(site):
    """In a process of its own, in which they cannot be imported."""
    code = f"""
import sys
sys.modules.update(windpowerlib=None, hplib=None)
from pathlib import Path
from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.system import System
system = System.model_validate({{
    "system": "x", "horizon": {{"start": "2019-01-01T00:00", "steps": 6}},
    "profiles": {{"wind": {WIND!r}, "cop": {COP | {"heat_pump": "Generic air/water"}!r}}},
    "components": {{"grid": {{"type": "grid", "import_price_eur_per_kwh": 0.3}}}}}})
try:
    resolve_profiles(system, Path({str(site)!r}))
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "profiles.wind.model: this needs windpowerlib: install the extra `wind`",
        "profiles.cop.heat_pump: this needs hplib: install the extra `heat-pumps`",
    ]
