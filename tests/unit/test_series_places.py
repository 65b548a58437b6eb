"""Time series in other places than the results folder: which are taken, and what a half-written run is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from schema.errors import InputError
from schema.store.folders import SERIES_VARIABLE, checked_url, folder_at, series_place
from schema.store.timeseries import (
    place_of,
    read_details,
    read_series,
    read_units,
    remove_series,
    run_folder,
    write_run,
)

INDEX = pd.date_range("2019-01-01", periods=8760, freq="h", tz="Europe/Berlin")
RUN = ("house", "house-0000001")
NAMES = [f"part_{number}.electricity" for number in range(40)]


@pytest.fixture(scope="module")
def flows():
    return pd.DataFrame(np.random.default_rng(1).random((8760, 40)), INDEX, NAMES)


def write(place, flows, **changes):
    units = dict.fromkeys(flows.columns, "kW")
    given = {"flows": flows, "components": flows.iloc[:, :1], "units": units, "system_hash": "abc"}
    return write_run(place, *RUN, **{**given, "config": {}, "kpis": {"total_cost": 1.0}, **changes})


@pytest.fixture
def memory():
    """A place that is no disk, empty before and after."""
    place = "memory://runs"
    yield place
    with suppress(FileNotFoundError):
        fsspec.filesystem("memory").rm("/runs", recursive=True)


def test_series_go_to_the_results_folder_unless_another_place_is_set(tmp_path, monkeypatch):
    monkeypatch.delenv(SERIES_VARIABLE, raising=False)
    assert series_place(tmp_path) == tmp_path
    monkeypatch.setenv(SERIES_VARIABLE, "s3://bucket/energy/")
    assert series_place(tmp_path) == "s3://bucket/energy"
    monkeypatch.setenv(SERIES_VARIABLE, str(tmp_path / "big disk"))
    assert series_place(tmp_path) == (tmp_path / "big disk").as_uri()


@pytest.mark.parametrize(
    "bad",
    [
        "s3://key:secret@bucket/x",
        "s3://bucket/x?endpoint=elsewhere",
        "simplecache::s3://bucket/x",
        "s3://bucket/../x",
        "s3://bucket/%2e%2e/x",
        "s3://bucket/*",
        "s3://",
        "://x",
    ],
)
def test_a_url_is_plain_and_its_secrets_are_not_told(bad):
    with pytest.raises(InputError) as raised:
        checked_url(bad)
    assert "secret" not in str(raised.value)


def test_a_place_that_nothing_installed_can_reach_is_told():
    with pytest.raises(InputError, match="cannot be reached"):
        folder_at("nosuchthing://host/x", "simulation_runs")


def test_a_folder_on_another_disk_is_recorded_by_its_url_and_read_again(tmp_path, flows):
    place = (tmp_path / "big disk").as_uri()
    files = write(place, flows)
    assert files.results_path == f"{place}/simulation_runs/house/house-0000001"
    assert place_of(tmp_path, *RUN, files.results_path) == place
    assert read_series(place, *RUN, "flows").shape == (8760, 40)
    assert run_folder(tmp_path / "big disk", *RUN).is_dir()


@pytest.mark.parametrize(
    "strange",
    [
        "../../etc",
        "/etc",
        "simulation_runs/house/house-0000002",
        "s3://bucket/simulation_runs/other/house-0000001",
        "file:///etc/passwd",
        "s3://key:secret@bucket/simulation_runs/house/house-0000001",
    ],
)
def test_a_recorded_path_that_is_not_the_run_s_own_is_not_followed(strange, tmp_path):
    with pytest.raises(InputError):
        place_of(tmp_path, *RUN, strange)


@pytest.mark.parametrize("bad", ["..", "../../x", "a/b", "", ".x", "a\0b", "*"])
def test_no_id_leads_out_of_a_place(bad, memory, flows):
    for ids in ((bad, "run"), ("house", bad)):
        with pytest.raises(InputError):
            read_series(memory, *ids, "flows")
        with pytest.raises(InputError):
            place_of(Path("results"), *ids, "x")
    with pytest.raises(InputError):
        remove_series(memory, bad)


def test_a_run_without_its_commit_mark_is_no_run(memory, flows):
    files = write(memory, flows)
    storage = fsspec.filesystem("memory")
    assert read_series(memory, *RUN, "flows", columns=NAMES[:1]).shape == (8760, 1)
    storage.rm_file(f"{files.results_path.removeprefix('memory:/')}/kpis.json")  # as if killed before the end
    with pytest.raises(InputError, match="replay house-0000001"):
        read_series(memory, *RUN, "flows")


def test_writing_stops_before_the_mark_where_a_file_cannot_be_written(memory, flows):
    write(memory, flows)
    with pytest.raises(TypeError):
        write(memory, flows, config={"odd": object()})
    assert read_details(memory, *RUN)[1] == {"total_cost": 1.0}


def test_a_study_s_series_are_removed_and_no_others(memory, flows):
    write(memory, flows.iloc[:24])
    remove_series(memory, "other")
    assert read_units(memory, *RUN, "components") == {NAMES[0]: "kW"}
    remove_series(memory, "house")
    remove_series(memory, "house")
    with pytest.raises(InputError):
        read_units(memory, *RUN, "components")


def test_polars_reads_the_files_as_they_are(tmp_path, flows):
    polars = pytest.importorskip("polars", reason="polars is not installed; it comes with the extra dev")
    write(tmp_path, flows)
    frame = polars.read_parquet(run_folder(tmp_path, *RUN) / "flows.parquet", columns=[NAMES[3], "time"])
    assert frame[NAMES[3]].dtype == polars.Float32
    np.testing.assert_array_equal(frame[NAMES[3]].to_numpy(), flows[NAMES[3]].astype("float32"))
    assert frame["time"][0].isoformat() == "2019-01-01T00:00:00+01:00"
    assert frame["time"].dtype.time_zone == "Europe/Berlin"


def test_a_column_stays_exact_where_float32_would_lose_a_watt(tmp_path):
    frame = pd.DataFrame({"a.b": [0.1, 9_000.5], "c.d": [0.1, 1e6 + 0.01], "e.f": [0.1, 1e300]}, INDEX[:2])
    write(tmp_path, frame)
    schema = pq.read_schema(run_folder(tmp_path, *RUN) / "flows.parquet")
    assert [str(schema.field(name).type) for name in frame] == ["float", "double", "double"]
    assert read_series(tmp_path, *RUN, "flows")["c.d"].iloc[1] == 1e6 + 0.01


def bytes_read():
    """What this process has read so far, as the kernel counts it."""
    told = Path("/proc/self/io").read_text(encoding="ascii")
    return int(next(line for line in told.splitlines() if line.startswith("rchar")).split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux tells what a process has read")
def test_one_column_or_one_week_on_a_disk_does_not_read_the_rest(tmp_path, flows):
    write(tmp_path, flows)
    size = (run_folder(tmp_path, *RUN) / "flows.parquet").stat().st_size

    def share(**asked):
        before = bytes_read()
        read_series(tmp_path, *RUN, "flows", **asked)
        return (bytes_read() - before) / size

    share()  # what is imported on the way is read but once
    assert share() > 0.9
    week = {"start": INDEX[1000], "end": INDEX[1168]}
    assert share(columns=[NAMES[5]]) < 0.15
    assert share(**week) < 0.25
    assert share(columns=[NAMES[5]], **week) < 0.1


def test_a_part_of_time_is_told_in_the_series_own_zone_or_any_other(tmp_path, flows):
    write(tmp_path, flows)

    def read(start, end):
        return read_series(tmp_path, *RUN, "flows", columns=NAMES[:1], start=start, end=end).index

    day = read(pd.Timestamp("2019-07-01"), pd.Timestamp("2019-07-02"))
    assert (len(day), day[0].isoformat()) == (24, "2019-07-01T00:00:00+02:00")
    assert day.equals(read(pd.Timestamp("2019-06-30T22:00Z"), pd.Timestamp("2019-07-01T22:00Z")))
    assert len(read(pd.Timestamp("2050-01-01"), None)) == 0
    naive = flows.iloc[:48].tz_localize(None)
    write(tmp_path, naive)
    assert len(read(pd.Timestamp("2019-01-01T12:00Z"), None)) == 36
