"""A run's files: whole, small, readable as they are, and only as far as asked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from schema.errors import InputError
from schema.store.timeseries import read_details, read_series, read_units, run_folder, write_run

INDEX = pd.date_range("2019-01-01", periods=8760, freq="h", tz="Europe/Berlin")
UNITS = {"pv.electricity": "kW", "grid.import": "kW", "battery.level": "kWh"}


@pytest.fixture
def frames():
    rng = np.random.default_rng(1)
    flows = pd.DataFrame(rng.random((8760, 2)), INDEX, ["pv.electricity", "grid.import"])
    return flows, pd.DataFrame({"battery.level": rng.random(8760)}, INDEX)


@pytest.fixture
def write(tmp_path, frames):
    def written(run_id="house-0000001", **changes):
        given = {"flows": frames[0], "components": frames[1], "units": UNITS, "system_hash": "abc"}
        given |= {"config": {"system": {"pv": 1.0}}, "kpis": {"total_cost": float("nan"), "npv": 2.0}}
        return write_run(tmp_path, "house", run_id, **{**given, **changes})

    return written


def test_pandas_reads_the_files_as_they_are(write, frames, tmp_path):
    files = write()
    assert files.flows_path == "simulation_runs/house/house-0000001/flows.parquet"
    flows = pd.read_parquet(tmp_path / files.flows_path)
    pd.testing.assert_frame_equal(flows, frames[0].astype("float32"), check_names=False, check_freq=False)
    assert flows.index.name == "time"


def test_units_and_the_system_stand_in_the_metadata(write, tmp_path):
    files = write()
    schema = pq.read_schema(tmp_path / files.flows_path)
    assert schema.metadata[b"system_hash"] == b"abc"
    assert read_units(tmp_path, "house", "house-0000001", "components") == {"battery.level": "kWh"}
    chunk = pq.read_metadata(tmp_path / files.flows_path).row_group(0).column(0)
    assert (chunk.compression, chunk.physical_type) == ("ZSTD", "FLOAT")


def test_one_column_and_one_week_are_read_alone(write, frames, tmp_path):
    write()
    start, end = INDEX[1000], INDEX[1168]
    week = read_series(
        tmp_path, "house", "house-0000001", "flows", columns=["grid.import"], start=start, end=end
    )
    expected = frames[0].loc[start : INDEX[1167], ["grid.import"]].astype("float32")
    pd.testing.assert_frame_equal(week, expected, check_names=False, check_freq=False)


def test_a_week_lies_in_two_row_groups_at_most(write, tmp_path):
    parts = pq.ParquetFile(tmp_path / write().flows_path).metadata
    assert parts.num_row_groups == 14
    assert max(parts.row_group(i).num_rows for i in range(14)) == 672


def test_configuration_and_kpis_come_back_without_nan(write, tmp_path):
    write()
    config, kpis = read_details(tmp_path, "house", "house-0000001")
    assert (config, kpis) == ({"system": {"pv": 1.0}}, {"total_cost": None, "npv": 2.0})


def test_writing_again_replaces_and_leaves_nothing_beside(write, tmp_path):
    write()
    write(kpis={"npv": 3.0})
    assert read_details(tmp_path, "house", "house-0000001")[1] == {"npv": 3.0}
    assert [path.name for path in (tmp_path / "simulation_runs" / "house").iterdir()] == ["house-0000001"]


def test_a_run_that_cannot_be_written_leaves_what_was_there(write, tmp_path):
    write()
    with pytest.raises(TypeError):
        write(config={"odd": object()})
    with pytest.raises(ValueError, match=r"grid\.import"):
        write(units={"pv.electricity": "kW", "battery.level": "kWh"})
    with pytest.raises(TypeError, match="DatetimeIndex"):
        write(flows=pd.DataFrame({"pv.electricity": [1.0]}))
    assert read_details(tmp_path, "house", "house-0000001")[1]["npv"] == 2.0
    assert len(list((tmp_path / "simulation_runs" / "house").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_told(write, tmp_path):
    (tmp_path / "simulation_runs").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        write()


@pytest.mark.parametrize("bad", ["..", "../../x", "a/b", "", ".x", "a\0b"])
def test_no_id_leads_out_of_the_results(bad, tmp_path):
    with pytest.raises(InputError):
        run_folder(tmp_path, bad, "run")
    with pytest.raises(InputError):
        run_folder(tmp_path, "house", bad)


def test_what_cannot_be_read_is_told_with_the_way_out(write, tmp_path):
    with pytest.raises(InputError, match="replay house-0000001"):
        read_series(tmp_path, "house", "house-0000001", "flows")
    files = write()
    with pytest.raises(InputError, match=r"no column 'pv'.*grid\.import"):
        read_series(tmp_path, "house", "house-0000001", "flows", columns=["pv"])
    (tmp_path / files.flows_path).write_bytes(b"half a file")
    with pytest.raises(InputError, match="is damaged"):
        read_series(tmp_path, "house", "house-0000001", "flows")
