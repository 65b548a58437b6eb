"""Columns of files: what they come to over the horizon, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from schema.errors import Finding, InputError
from schema.inputs import resolve_profiles
from schema.system import System

FOUR_HOURS = {"start": "2019-03-04T00:00", "steps": 4}


def system(profiles, **horizon):
    return System.model_validate(
        {
            "system": "house",
            "horizon": FOUR_HOURS | horizon,
            "profiles": profiles,
            "components": {"grid": {"type": "grid", "import_price_eur_per_kwh": 0.3}},
        }
    )


def resolved(folder: Path, spec, **horizon):
    return resolve_profiles(system({"load": spec}, **horizon), folder, "house.yaml")["load"]


def refused(folder: Path, spec, **horizon) -> Finding:
    with pytest.raises(InputError) as caught:
        resolved(folder, spec, **horizon)
    (finding,) = caught.value.findings
    assert finding.file == "house.yaml"
    return finding


def write(folder: Path, text: str, name: str = "house.csv") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def hourly(first: str, values, header: str = "time,load_kw") -> str:
    times = pd.date_range(first, periods=len(values), freq="h")
    return (
        "\n".join([header, *(f"{t:%Y-%m-%dT%H:%M},{v}" for t, v in zip(times, values, strict=True))]) + "\n"
    )


LOAD = {"file": "house.csv", "column": "load_kw"}


def test_a_number_holds_in_every_step(tmp_path):
    assert resolved(tmp_path, 0.3).tolist() == [0.3] * 4


def test_a_column_of_a_csv_file_is_read_by_time_whatever_the_order_of_rows(tmp_path):
    write(
        tmp_path,
        "time,other,load_kw\n2019-03-04T03:00,9,4\n2019-03-04T00:00,9,1\n2019-03-04T02:00,9,3\n2019-03-04T01:00,9,2\n",
    )
    values = resolved(tmp_path, LOAD)
    assert values.tolist() == [1, 2, 3, 4]
    assert values.dtype == np.float64


def test_a_file_may_cover_more_than_the_horizon_with_blanks_outside_of_it(tmp_path):
    write(tmp_path, hourly("2019-03-03T22:00", ["", 8, 1, 2, 3, 4, "n/a"]))
    assert resolved(tmp_path, LOAD).tolist() == [1, 2, 3, 4]


def test_time_stamps_with_offsets_are_absolute(tmp_path):
    rows = "\n".join(f"2019-03-03T{hour}:00+00:00,{hour}" for hour in (23, 22, 21))
    write(tmp_path, f"time,load_kw\n{rows}\n2019-03-04T00:00Z,0\n2019-03-04T01:00Z,1\n2019-03-04T02:00Z,2\n")
    assert resolved(tmp_path, LOAD, timezone="Europe/Berlin").tolist() == [23, 0, 1, 2]


def test_a_file_without_time_stamps_has_one_row_for_each_step(tmp_path):
    write(tmp_path, "load_kw\n1\n2\n3\n4\n\n")
    assert resolved(tmp_path, LOAD).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("timezone", [None, "UTC", "Europe/Berlin"])
def test_a_column_of_a_parquet_file_is_read_by_time(tmp_path, timezone):
    times = pd.date_range("2019-03-04", periods=4, freq="h", tz="Europe/Berlin").tz_convert(
        timezone or "Europe/Berlin"
    )
    times = times if timezone else times.tz_localize(None)
    pd.DataFrame({"time": times, "load_kw": [1, 2, 3, 4]}).to_parquet(tmp_path / "house.parquet", index=False)
    spec = {"file": "house.parquet", "column": "load_kw"}
    assert resolved(tmp_path, spec, timezone="Europe/Berlin").tolist() == [1, 2, 3, 4]


def test_the_missing_hour_of_spring_is_no_gap(tmp_path):
    write(tmp_path, "time,load_kw\n" + "".join(f"2019-03-31T0{h}:00,{h}\n" for h in (0, 1, 3, 4)))
    values = resolved(tmp_path, LOAD, start="2019-03-31T00:00", timezone="Europe/Berlin")
    assert values.tolist() == [0, 1, 3, 4]


def test_the_doubled_hour_of_autumn_is_told_by_its_order(tmp_path):
    write(
        tmp_path, "time,load_kw\n" + "".join(f"2019-10-27T0{h}:00,{v}\n" for v, h in enumerate((1, 2, 2, 3)))
    )
    values = resolved(tmp_path, LOAD, start="2019-10-27T01:00", timezone="Europe/Berlin")
    assert values.tolist() == [0, 1, 2, 3]


def test_a_doubled_hour_that_stands_only_once_is_refused(tmp_path):
    write(tmp_path, hourly("2019-10-27T00:00", range(6)))
    finding = refused(tmp_path, LOAD, start="2019-10-27T00:00", timezone="Europe/Berlin")
    assert finding.path == "profiles.load.time_column"
    assert "line 4" in finding.message
    assert "is ambiguous in Europe/Berlin" in finding.message


def test_a_local_time_that_does_not_exist_is_refused_even_outside_the_horizon(tmp_path):
    write(tmp_path, hourly("2019-03-30T00:00", range(48)))
    finding = refused(tmp_path, LOAD, start="2019-03-30T00:00", timezone="Europe/Berlin")
    assert finding.found == "2019-03-31T02:00, which does not exist in Europe/Berlin"
    assert "UTC offset" in finding.message


def test_a_missing_file_is_told_by_its_name(tmp_path):
    finding = refused(tmp_path, LOAD)
    assert finding.path == "profiles.load.file"
    assert finding.found == "house.csv"


def test_a_name_that_no_file_can_have_is_a_missing_file(tmp_path):
    assert "there is no file" in refused(tmp_path, LOAD | {"file": "x" * 5000 + ".csv"}).message


def test_a_missing_column_is_told_with_the_one_that_may_be_meant(tmp_path):
    write(tmp_path, hourly("2019-03-04", range(4), "time,Load_kW"))
    finding = refused(tmp_path, LOAD)
    assert finding.path == "profiles.load.column"
    assert "did you mean 'Load_kW'?" in finding.message


def test_a_column_that_stands_twice_is_refused(tmp_path):
    write(tmp_path, "load_kw,load_kw\n1,1\n2,2\n3,3\n4,4\n")
    assert "2 columns called 'load_kw'" in refused(tmp_path, LOAD).message


def test_a_time_column_that_was_named_must_be_there(tmp_path):
    write(tmp_path, hourly("2019-03-04", range(4)))
    finding = refused(tmp_path, LOAD | {"time_column": "times"})
    assert finding.path == "profiles.load.time_column"
    assert "did you mean 'time'?" in finding.message


@pytest.mark.parametrize("cell", ["", "nan", "inf", "1,5 kW", "True"])
def test_a_cell_that_is_no_number_is_told_with_its_line(tmp_path, cell):
    write(tmp_path, hourly("2019-03-04", [1, 2, f'"{cell}"', 4]))
    finding = refused(tmp_path, LOAD)
    assert finding.path == "profiles.load.column"
    assert "house.csv, line 4, column 'load_kw'" in finding.message


def test_nan_in_a_parquet_file_is_told_with_its_row(tmp_path):
    pd.DataFrame({"load_kw": [1, 2, np.nan, 4]}).to_parquet(tmp_path / "house.parquet", index=False)
    finding = refused(tmp_path, {"file": "house.parquet", "column": "load_kw"})
    assert "house.parquet, row 3" in finding.message
    assert finding.found == "an empty cell"


def test_a_gap_is_told_with_its_first_step(tmp_path):
    write(tmp_path, hourly("2019-03-04", range(9)).replace("2019-03-04T05:00,5\n", ""))
    finding = refused(tmp_path, LOAD, steps=9)
    assert finding.path == "profiles.load.file"
    assert finding.found == "1 of 9 steps missing, first 2019-03-04T05:00:00+00:00"


def test_a_file_that_ends_too_early_is_told_with_what_it_covers(tmp_path):
    write(tmp_path, hourly("2019-03-04", range(3)))
    finding = refused(tmp_path, LOAD)
    assert "no row for 1 of 4 steps" in finding.message
    assert "covers 2019-03-04T00:00:00+00:00 to 2019-03-04T02:00:00+00:00" in finding.message


def test_a_time_stamp_that_stands_twice_is_refused(tmp_path):
    write(tmp_path, hourly("2019-03-04", range(4)) + "2019-03-04T01:00,7\n")
    finding = refused(tmp_path, LOAD)
    assert "line 6: 2019-03-04T01:00:00+00:00 stands there again" in finding.message


@pytest.mark.parametrize("minutes", [15, 120])
def test_a_file_of_another_step_is_refused(tmp_path, minutes):
    times = pd.date_range("2019-03-04", periods=20, freq=f"{minutes}min")
    pd.DataFrame({"time": times, "load_kw": 1.0}).to_csv(tmp_path / "house.csv", index=False)
    finding = refused(tmp_path, LOAD)
    assert finding.found == f"a row every {minutes} min"
    assert finding.expected == "a step every 60 min from 00:00, or resample: true"


def test_a_stray_row_between_the_steps_is_refused(tmp_path):
    write(tmp_path, hourly("2019-03-04", range(4)) + "2019-03-04T01:30,7\n")
    assert "is not the beginning of a step" in refused(tmp_path, LOAD).message


@pytest.mark.parametrize("rows", [3, 5])
def test_a_file_without_time_stamps_of_another_length_is_refused(tmp_path, rows):
    write(tmp_path, "load_kw\n" + "1\n" * rows)
    finding = refused(tmp_path, LOAD)
    assert finding.found == f"{rows} rows and no column 'time'"
    assert finding.expected == "4 rows, one for each step"


@pytest.mark.parametrize("stamp", ["04.03.2019 00:00", "3/4/2019", "0", "2019-03-04 25:00", "0019-03-04"])
def test_a_time_that_would_have_to_be_guessed_is_refused(tmp_path, stamp):
    write(tmp_path, f"time,load_kw\n{stamp},1\n")
    finding = refused(tmp_path, LOAD, steps=1)
    assert finding.path == "profiles.load.time_column"
    assert finding.found == f"'{stamp}'"


def test_offsets_in_some_rows_only_are_refused(tmp_path):
    write(tmp_path, "time,load_kw\n2019-03-04T00:00Z,1\n2019-03-04T01:00,2\n")
    assert "line 3: this time stamp has no UTC offset" in refused(tmp_path, LOAD, steps=2).message


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("house.csv", "time;load_kw\n2019-03-04T00:00;1,5\n", "separated by ';'"),
        ("house.csv", "load_kw\n1\n2,3\n4\n5\n", "cannot be read as CSV"),
        ("house.csv", "", "cannot be read as CSV"),
        ("house.parquet", "load_kw\n1\n", "cannot be read as Parquet"),
        ("house.xlsx", "", "neither a .csv nor a .parquet"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, name, content, told):
    write(tmp_path, content, name)
    finding = refused(tmp_path, LOAD | {"file": name})
    assert finding.path == "profiles.load.file"
    assert told in finding.message


def test_all_findings_of_all_profiles_come_at_once(tmp_path):
    write(tmp_path, hourly("2019-03-04", range(3)))
    profiles = {
        "load": LOAD | {"column": "lod_kw"},
        "price": {"file": "price.csv", "column": "price"},
        "pv": {"weather": "site.csv", "model": "pv"},
        "fine": 1.0,
    }
    with pytest.raises(InputError) as caught:
        resolve_profiles(system(profiles), tmp_path)
    assert [finding.path for finding in caught.value.findings] == [
        "profiles.load.column",
        "profiles.load.file",
        "profiles.price.file",
        "profiles.pv.weather",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "package:pvlib/../../secret.csv",
        "package:/etc/hostname.csv",
        "package:pvlib/./data/x.csv",
        "package:pvlib\\data\\x.csv",
        "package:pvlib",
        "package:pvlib/data/no_such_file.csv",
        "package:no_such_package/x.csv",
    ],
)
def test_a_packaged_file_cannot_lead_out_of_its_package(tmp_path, name):
    finding = refused(tmp_path, LOAD | {"file": name})
    assert finding.path == "profiles.load.file"
    assert finding.found == name
