"""Changing clocks, time zones and leap days in files and weather: handled or refused, never guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from schema.errors import InputError
from schema.inputs import resolve_profiles
from schema.loading import load_system
from schema.system import Horizon, System

BERLIN = "Europe/Berlin"
LOAD = {"file": "house.csv", "column": "load_kw"}
AUTUMN = {"start": "2019-10-27T00:00", "steps": 6, "timezone": BERLIN}
SPRING = {"start": "2019-03-31T00:00", "steps": 4, "timezone": BERLIN}


def resolved(folder, spec=LOAD, **horizon):
    system = System.model_validate(
        {
            "system": "house",
            "horizon": horizon,
            "profiles": {"p": spec},
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )
    return resolve_profiles(system, folder, "house.yaml")["p"]


def refused(folder, spec=LOAD, **horizon):
    with pytest.raises(InputError) as caught:
        resolved(folder, spec, **horizon)
    return caught.value.findings


def write(folder: Path, stamps, values=None) -> None:
    rows = [f"{stamp},{value}" for stamp, value in zip(stamps, values or range(len(stamps)), strict=True)]
    (folder / "house.csv").write_text("\n".join(["time,load_kw", *rows]) + "\n")


def wall(first: str, last: str, freq: str = "h") -> list[str]:
    """What a clock in Berlin shows."""
    times = pd.date_range(first, last, freq=freq, tz=BERLIN)
    return [f"{time:%Y-%m-%dT%H:%M}" for time in times]


def test_the_doubled_hour_is_told_by_its_order(tmp_path):
    write(tmp_path, wall("2019-10-27T00:00", "2019-10-27T04:00"))
    assert resolved(tmp_path, **AUTUMN).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_doubled_hour_of_a_file_with_the_newest_first_is_told_by_its_order_too(tmp_path):
    write(tmp_path, wall("2019-10-27T00:00", "2019-10-27T04:00")[::-1])
    assert resolved(tmp_path, **AUTUMN).tolist() == [5, 4, 3, 2, 1, 0]


def test_the_doubled_quarter_hours_run_twice_through_their_hour(tmp_path):
    write(tmp_path, wall("2019-10-27T00:00", "2019-10-27T04:00", "15min"))
    values = resolved(tmp_path, **AUTUMN | {"steps": 20, "step_minutes": 15})
    assert values.tolist() == list(range(20))


def test_the_doubled_hours_of_several_years_are_told_apart(tmp_path):
    write(tmp_path, wall("2018-10-27T00:00", "2019-10-28T00:00"))
    values = resolved(tmp_path, start="2018-10-27T00:00", steps=8760, timezone=BERLIN)
    assert values.tolist() == list(range(8760))


@pytest.mark.parametrize(
    ("stamps", "line"),
    [
        (["00:00", "01:00", "02:00", "03:00", "04:00"], 4),
        (["00:00", "01:00", "02:00", "02:00", "02:00", "03:00"], 4),
        # Half the doubled hour: which is it?
        (["01:30", "02:00", "02:30", "02:30", "03:00"], 3),
        # Not in order of time, so that order tells nothing.
        (["02:00", "03:00", "00:00", "02:00", "01:00"], 2),
        (["01:30", "02:00", "02:00", "02:30", "02:30", "03:00"], 3),
    ],
)
def test_a_doubled_hour_of_which_it_is_not_clear_which_is_which_is_refused(tmp_path, stamps, line):
    write(tmp_path, [f"2019-10-27T{stamp}" for stamp in stamps])
    (finding,) = refused(tmp_path, **AUTUMN)
    assert finding.path == "profiles.p.time_column"
    assert f"house.csv, line {line}: 2019-10-27T02:" in finding.message
    assert "which is ambiguous in Europe/Berlin" in finding.message


def test_stamps_that_are_skipped_and_stamps_that_are_ambiguous_are_told_together(tmp_path):
    """A whole year written without summer time."""
    times = pd.date_range("2019-01-01", "2019-12-31T23:00", freq="h")
    write(tmp_path, [f"{time:%Y-%m-%dT%H:%M}" for time in times])
    skipped, ambiguous = refused(tmp_path, start="2019-01-01T00:00", steps=8760, timezone=BERLIN)
    assert skipped.found == "2019-03-31T02:00, which does not exist in Europe/Berlin"
    assert ambiguous.found == "2019-10-27T02:00, which is ambiguous in Europe/Berlin"
    assert "by which clock they are written, such as Etc/GMT-1 (no summer time" in skipped.message


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT-1", "America/New_York"])
def test_a_file_may_be_written_by_another_clock_than_the_horizon_s(tmp_path, zone):
    index = pd.date_range("2019-03-30", periods=72, freq="h", tz=BERLIN)
    write(tmp_path, [f"{time:%Y-%m-%dT%H:%M}" for time in index.tz_convert(zone)])
    values = resolved(
        tmp_path, LOAD | {"timezone": zone}, start="2019-03-30T00:00", steps=72, timezone=BERLIN
    )
    assert values.tolist() == list(range(72))


def test_the_time_zone_of_a_file_says_nothing_of_stamps_with_offsets(tmp_path):
    index = pd.date_range("2019-03-30", periods=72, freq="h", tz=BERLIN)
    write(tmp_path, [time.isoformat() for time in index])
    values = resolved(
        tmp_path, LOAD | {"timezone": "UTC"}, start="2019-03-30T00:00", steps=72, timezone=BERLIN
    )
    assert values.tolist() == list(range(72))


def test_two_profiles_of_one_file_by_two_clocks_do_not_mix(tmp_path):
    rows = "".join(f"2019-01-01T{hour:02d}:00,{hour}\n" for hour in range(12))
    (tmp_path / "both.csv").write_text(f"time,temp_air\n{rows}")
    column = {"file": "both.csv", "column": "temp_air"}
    cop = {"weather": "both.csv", "model": "heat_pump_cop"}
    system = System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-01-01T02:00", "steps": 4, "timezone": BERLIN},
            "profiles": {
                "here": column,
                "utc": column | {"timezone": "UTC"},
                "cop_here": cop,
                "cop_utc": cop | {"timezone": "UTC"},
            },
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )
    values = resolve_profiles(system, tmp_path)
    assert values["here"].tolist() == [2, 3, 4, 5]
    assert values["utc"].tolist() == [1, 2, 3, 4]
    assert values["cop_here"][:3].tolist() == values["cop_utc"][1:].tolist()
    assert values["cop_here"][0] > values["cop_utc"][0]


def test_an_unknown_time_zone_is_refused_for_files_and_horizons():
    for spec in ({"file": "a.csv", "column": "b"}, {"weather": "a.csv", "model": "heat_pump_cop"}):
        with pytest.raises(ValidationError, match="not an IANA time zone"):
            resolved(Path(), spec | {"timezone": "Middle/Earth"}, start="2019-01-01T00:00", steps=1)
    with pytest.raises(ValidationError, match="not an IANA time zone"):
        Horizon.model_validate({"start": "2019-01-01T00:00", "steps": 1, "timezone": "CEST"})


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("2019-03-31T02:30", "horizon.start does not exist in Europe/Berlin"),
        ("2019-10-27T02:00", "horizon.start is ambiguous in Europe/Berlin"),
        ("2019-10-27T00:00:30", "full minute"),
    ],
)
def test_a_horizon_cannot_start_at_a_time_that_is_not_one(start, told):
    with pytest.raises(ValidationError, match=told):
        Horizon.model_validate({"start": start, "steps": 1, "timezone": BERLIN})


def test_a_29_february_is_a_day_like_others_in_a_file(tmp_path):
    write(tmp_path, wall("2020-02-28T00:00", "2020-03-01T23:00"))
    leap = {"start": "2020-02-28T00:00", "steps": 72, "timezone": BERLIN}
    assert resolved(tmp_path, **leap).tolist() == list(range(72))


def test_a_file_without_the_29_february_of_the_horizon_is_refused(tmp_path):
    stamps = wall("2020-02-28T00:00", "2020-03-01T23:00")
    write(tmp_path, [stamp for stamp in stamps if "02-29" not in stamp])
    (finding,) = refused(tmp_path, start="2020-02-28T00:00", steps=72, timezone=BERLIN)
    assert finding.found == "24 of 72 steps missing, first 2020-02-29T00:00:00+01:00"


def test_a_date_that_is_none_is_refused(tmp_path):
    write(tmp_path, ["2019-02-28T23:00", "2019-02-29T00:00", "2019-02-30T00:00"])
    (finding,) = refused(tmp_path, start="2019-02-28T23:00", steps=2)
    assert finding.found == "'2019-02-29T00:00' (and 1 more)"


def test_doubles_and_gaps_and_rows_between_and_wrong_cells_are_told_together(tmp_path):
    stamps = ["00:00", "01:00", "01:00", "01:30", "03:00", "04:00", "05:00"]
    write(tmp_path, [f"2019-01-01T{stamp}" for stamp in stamps], [0, 1, 2, 3, 4, 5, "n/a"])
    found = refused(tmp_path, start="2019-01-01T00:00", steps=6)
    assert [finding.expected for finding in found] == [
        "each step once",
        "a row for each step from 2019-01-01T00:00:00+00:00 to 2019-01-01T05:00:00+00:00",
        "rows at the beginning of each step",
        "a finite number in every step",
    ]


@pytest.mark.parametrize("horizon", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_weather_files_take_the_same_stamps(tmp_path, horizon):
    index = Horizon.model_validate(horizon).index
    stamps = [f"{time:%Y-%m-%dT%H:%M}" for time in index]
    rows = [f"{stamp},{value}" for value, stamp in enumerate(stamps)]
    (tmp_path / "site.csv").write_text("\n".join(["time,temp_air", *rows]) + "\n")
    spec = {"weather": "site.csv", "model": "heat_pump_cop", "supply_temperature_c": 40}
    lift = 40.0 - np.arange(len(index))
    assert resolved(tmp_path, spec, **horizon) == pytest.approx(6.81 - 0.121 * lift + 0.00063 * lift**2)


def test_weather_files_are_refused_for_the_same_stamps_and_their_columns_told_with_them(tmp_path):
    rows = [f"2019-10-27T{hour:02d}:00,5" for hour in range(6)]
    (tmp_path / "site.csv").write_text("\n".join(["time,temp_air", *rows]) + "\n")
    spec = {"weather": "site.csv", "model": "heat_pump_cop"}
    (finding,) = refused(tmp_path, spec, **AUTUMN)
    assert finding.path == "profiles.p.time_column"
    (tmp_path / "site.csv").write_text("\n".join(["time,temp", *rows[:2], *rows[3:]]) + "\n")
    gap, absent = refused(tmp_path, spec | {"timezone": "UTC"}, **AUTUMN | {"timezone": "UTC"})
    assert gap.found == "1 of 6 steps missing, first 2019-10-27T02:00:00+00:00"
    assert absent.message == "site.csv has no column 'temp_air'; did you mean 'temp'?"


def test_weather_by_another_clock_is_asked_for_by_its_time_zone(tmp_path):
    rows = [f"2019-01-01T{hour:02d}:00,{hour}" for hour in range(6)]
    (tmp_path / "site.csv").write_text("\n".join(["time,temp_air", *rows]) + "\n")
    spec = {"weather": "site.csv", "model": "heat_pump_cop", "timezone": "UTC"}
    values = resolved(tmp_path, spec, start="2019-01-01T01:00", steps=2, timezone=BERLIN)
    lift = 40.0 - np.arange(2.0)
    assert values == pytest.approx(6.81 - 0.121 * lift + 0.00063 * lift**2)


def test_half_hour_changes_of_clocks_keep_hourly_demand_on_its_hours():
    """Lord Howe Island turns its clocks by half an hour; then full hours of absolute time begin at the half."""
    horizon = {"start": "2019-04-06T00:00", "steps": 48, "timezone": "Australia/Lord_Howe"}
    spec = {"model": "standard_load", "kind": "h0", "annual_kwh": 3500}
    hours = resolved(Path(), spec, **horizon)
    quarters = resolved(Path(), spec, **horizon | {"steps": 192, "step_minutes": 15})
    assert hours == pytest.approx(quarters.reshape(48, 4).mean(axis=1))


def test_a_start_that_clocks_pass_twice_is_told_with_its_place(tmp_path):
    (tmp_path / "house.yaml").write_text(
        "system: house\n"
        "horizon: {start: 2019-10-27T02:30, steps: 1, timezone: Europe/Berlin}\n"
        "components: {grid: {type: grid, import_price_eur_per_kwh: 0.3}}\n"
    )
    with pytest.raises(InputError) as caught:
        load_system(tmp_path / "house.yaml")
    (finding,) = caught.value.findings
    assert (finding.line, finding.path, finding.found) == (2, "horizon.start", "2019-10-27T02:30")
    assert finding.expected == "a local time that clocks show once"
