"""Whatever the zone and the day: values come back in their steps, and energy is kept."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.inputs import resolve_profiles
from schema.system import System

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


def system(profile, start, steps, minutes, zone):
    return System.model_validate(
        {
            "system": "house",
            "horizon": {"start": start, "steps": steps, "step_minutes": minutes, "timezone": zone},
            "profiles": {"p": profile},
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )


days = st.dates(date(2018, 1, 1), date(2021, 12, 30)).map(lambda day: f"{day}T00:00")


@settings(max_examples=40, deadline=None)
@given(
    start=days,
    minutes=st.sampled_from([15, 30, 60]),
    zone=st.sampled_from(ZONES),
    kind=st.sampled_from(["csv", "parquet"]),
    has_offset=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_values_written_with_their_times_come_back_in_their_steps(
    start, minutes, zone, kind, has_offset, seed
):
    # Whole days: a doubled hour is in the file twice or not at all.
    steps = 48 * 60 // minutes
    spec = {"file": f"house.{kind}", "column": "load_kw"}
    house = system(spec, start, steps, minutes, zone)
    values = np.random.default_rng(seed).normal(size=steps)
    # Hours cannot show both passes of a doubled half hour.
    has_offset = has_offset or (zone == "Australia/Lord_Howe" and minutes == 60)
    times = house.horizon.index if has_offset else house.horizon.index.tz_localize(None)
    with tempfile.TemporaryDirectory() as folder:
        frame = pd.DataFrame({"time": times, "load_kw": values})
        if kind == "csv":
            frame["time"] = [stamp.isoformat() for stamp in times]
            frame.to_csv(Path(folder) / "house.csv", index=False)
        else:
            frame.to_parquet(Path(folder) / "house.parquet", index=False)
        assert resolve_profiles(house, Path(folder))["p"].tolist() == values.tolist()


@settings(max_examples=40, deadline=None)
@given(
    start=days,
    zone=st.sampled_from(ZONES),
    pattern=st.dictionaries(st.integers(0, 23), st.floats(0, 1), min_size=1, max_size=6),
)
def test_a_longer_step_is_the_mean_of_its_parts(start, zone, pattern):
    spec = {"time_of_use": pattern}
    quarters = resolve_profiles(system(spec, start, 192, 15, zone), Path())["p"]
    hours = resolve_profiles(system(spec, start, 48, 60, zone), Path())["p"]
    assert hours == pytest.approx(quarters.reshape(48, 4).mean(axis=1))
