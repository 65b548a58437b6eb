"""Whatever the steps, resampling keeps energy; whatever the stamps, a value is the right one or refused."""

from __future__ import annotations

import math
import tempfile
from datetime import timedelta
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.inputs.steps import Steps
from schema.inputs.weather import Weather
from schema.inputs.weather_files import read_weather
from schema.system import System

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


@cache
def greensboro() -> Weather:
    path = Path(str(metadata.distribution("pvlib").locate_file("pvlib/data/723170TYA.CSV")))
    return read_weather(path, "tmy3", Steps(pd.date_range("2019", periods=1, freq="h", tz="UTC"), 60), None)


def resolved(frame: pd.DataFrame, horizon: dict, **spec) -> np.ndarray:
    system = System.model_validate(
        {
            "system": "house",
            "horizon": horizon,
            "profiles": {"p": {"file": "house.parquet", "column": "load_kw"} | spec},
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(Path(folder) / "house.parquet", index=False)
        return resolve_profiles(system, Path(folder))["p"]


minutes = st.sampled_from([5, 10, 15, 20, 30, 45, 60, 90, 120, 1440])


@settings(max_examples=40, deadline=None)
@given(
    own=minutes,
    asked=minutes,
    # A lone row does not tell its step.
    times_common=st.integers(2, 4),
    zone=st.sampled_from(ZONES),
    seed=st.integers(0, 1000),
    size=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_resampling_keeps_the_energy_of_power(own, asked, times_common, zone, seed, size):
    span = math.lcm(own, asked) * times_common
    values = np.random.default_rng(seed).exponential(size, span // own)
    begin = pd.Timestamp("2019-03-30T00:00", tz=zone)
    times = pd.date_range(begin, periods=len(values), freq=pd.Timedelta(minutes=own))
    horizon = {"start": "2019-03-30T00:00", "steps": span // asked, "step_minutes": asked, "timezone": zone}
    power = resolved(pd.DataFrame({"time": times, "load_kw": values}), horizon, resample=True)
    assert math.fsum(power) * asked == pytest.approx(math.fsum(values) * own, rel=1e-13)
    # Every step's power by plain overlap, minute by minute.
    of_minutes = np.repeat(values, own)
    assert power == pytest.approx(of_minutes.reshape(-1, asked).mean(axis=1), rel=1e-13)


@settings(max_examples=40, deadline=None)
@given(
    shift=st.integers(0, 11).map(lambda fives: 5 * fives),
    own=st.sampled_from([15, 30, 60]),
    asked=st.sampled_from([15, 30, 60]),
    seed=st.integers(0, 1000),
)
def test_steps_that_begin_within_rows_share_them_out(shift, own, asked, seed):
    values = np.random.default_rng(seed).uniform(0, 10, 48 * 60 // own)
    times = pd.date_range("2019-01-01", periods=len(values), freq=pd.Timedelta(minutes=own), tz="UTC")
    begin = pd.Timestamp("2019-01-01") + timedelta(minutes=shift)
    horizon = {"start": begin.isoformat(), "steps": 24 * 60 // asked, "step_minutes": asked}
    power = resolved(pd.DataFrame({"time": times, "load_kw": values}), horizon, resample=True)
    of_minutes = np.repeat(values, own)[shift : shift + 24 * 60]
    assert power == pytest.approx(of_minutes.reshape(-1, asked).mean(axis=1), rel=1e-12)


@settings(max_examples=10, deadline=None)
@given(
    day=st.integers(0, 363),
    part=st.sampled_from([5, 10, 15, 20, 30]),
    zone=st.sampled_from(["Etc/GMT+5", "America/New_York", "UTC"]),
)
def test_radiation_over_parts_of_an_hour_keeps_its_mean(day, part, zone):
    begin = pd.Timestamp("2019-01-01", tz=zone) + pd.Timedelta(days=day)
    hours = Steps(pd.date_range(begin, periods=24, freq="h"), 60)
    weather = greensboro()
    columns = ("ghi", "dni", "dhi")
    fine, whole = weather.at(hours.parts(part), columns, site=weather.site), weather.at(hours, columns)
    for column in columns:
        assert hours.means(fine[column]) == pytest.approx(whole[column], abs=1e-9)
        assert (fine[column] >= 0).all()


@settings(max_examples=40, deadline=None)
@given(
    change=st.sampled_from(
        [
            ("Europe/Berlin", "2019-10-26"),
            ("Europe/Berlin", "2019-03-30"),
            ("America/New_York", "2019-11-02"),
            ("Australia/Lord_Howe", "2019-04-06"),
        ]
    ),
    # Hours cannot show both passes of a doubled half hour.
    step=st.sampled_from([15, 30]),
    order=st.sampled_from(["oldest first", "newest first", "none"]),
    begins_at=st.sampled_from(["00:00", "12:00"]),
    dropped=st.sets(st.integers(90, 110), max_size=3),
    seed=st.integers(0, 1000),
)
def test_a_value_by_local_stamps_is_the_right_one_or_refused(change, step, order, begins_at, dropped, seed):
    zone, day = change
    first = pd.Timestamp(f"{day}T{begins_at}", tz=zone)
    times = pd.date_range(first, periods=36 * 60 // step, freq=pd.Timedelta(minutes=step))
    frame = pd.DataFrame({"time": times.tz_localize(None), "load_kw": np.arange(float(len(times)))})
    frame = frame.drop(index=[row for row in dropped if row < len(frame)])
    if order == "newest first":
        frame = frame[::-1]
    elif order == "none":
        frame = frame.sample(frac=1, random_state=seed)
    horizon = {"start": f"{day}T{begins_at}", "steps": len(times), "step_minutes": step, "timezone": zone}
    try:
        values = resolved(frame, horizon)
    except InputError:
        # Only for a reason: rows are missing, or order is.
        assert dropped or order == "none"
    else:
        assert values.tolist() == list(range(len(times)))
