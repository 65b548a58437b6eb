"""Time series in S3-compatible storage: a local server, spoken to over real HTTP."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import numpy as np
import pandas as pd
import pytest

from schema.errors import InputError
from schema.store import queries
from schema.store.rebuild import rebuild
from schema.store.records import Evaluation, NewStudy
from schema.store.store import Store
from schema.store.timeseries import place_of, read_details, read_series, remove_series, write_run

s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed; it comes with the extra s3")
pytest.importorskip("moto.server", reason="moto's server is not installed; it comes with the extra dev")
pytestmark = pytest.mark.integration

INDEX = pd.date_range("2019-01-01", periods=8760, freq="h", tz="Europe/Berlin")
NAMES = [f"part_{number}.electricity" for number in range(40)]
PLACE, RUN = "s3://results/energy", ("house", "house-0000001")
SECRET = "not-to-be-told"


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Wire:
    """Stands between a client and the server, and counts what the server says."""

    def __init__(self, server_port):
        self.received = 0
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                for source, target, counted in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass, args=(source, target, counted), daemon=True).start()

    def _pass(self, source, target, counted):
        with source, suppress(OSError):
            while data := source.recv(65536):
                self.received += len(data) if counted else 0
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def wire():
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
            break
        time.sleep(0.1)
    counted = Wire(port)
    yield counted
    counted.close()
    server.kill()
    server.wait()


@pytest.fixture(scope="module")
def storage(wire):
    """A bucket, and the environment in which the storage's library finds its way and its credentials."""
    told = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}",
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        files = s3fs.S3FileSystem(use_listings_cache=False)
        files.mkdir("results")
        yield files
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def flows():
    return pd.DataFrame(np.random.default_rng(1).random((8760, 40)), INDEX, NAMES)


def write(flows, place=PLACE, run=RUN, **changes):
    units = dict.fromkeys(flows.columns, "kW")
    given = {"flows": flows, "components": flows.iloc[:, :1], "units": units, "system_hash": "abc"}
    return write_run(place, *run, **{**given, "config": {"seed": 1}, "kpis": {"total_cost": 1.0}, **changes})


def test_a_run_is_written_to_a_bucket_recorded_by_its_url_and_read_again(storage, flows, tmp_path):
    files = write(flows)
    assert files.flows_path == f"{PLACE}/simulation_runs/house/house-0000001/flows.parquet"
    place = place_of(tmp_path, *RUN, files.results_path)
    week = read_series(place, *RUN, "flows", columns=NAMES[2:3], start=INDEX[1000], end=INDEX[1168])
    expected = flows.loc[INDEX[1000] : INDEX[1167], NAMES[2:3]].astype("float32")
    pd.testing.assert_frame_equal(week, expected, check_names=False, check_freq=False)
    assert read_details(place, *RUN) == ({"seed": 1}, {"total_cost": 1.0})


def test_pandas_and_polars_read_it_by_its_recorded_url(storage, flows):
    files = write(flows)
    assert pd.read_parquet(files.flows_path, columns=NAMES[:1]).shape == (8760, 1)
    polars = pytest.importorskip("polars", reason="polars is not installed; it comes with the extra dev")
    with storage.open(files.components_path) as file:
        assert polars.read_parquet(file).shape == (8760, 2)


def test_one_column_or_one_week_of_an_object_does_not_fetch_the_rest(storage, wire, flows):
    path = write(flows).flows_path
    size = storage.info(path)["size"]

    def share(**asked):
        before = wire.received
        read_series(PLACE, *RUN, "flows", **asked)
        return (wire.received - before) / size

    assert share() > 0.9
    week = {"start": INDEX[1000], "end": INDEX[1168]}
    assert share(columns=[NAMES[5]]) < 0.2
    assert share(**week) < 0.25
    assert share(columns=[NAMES[5]], **week) < 0.1


def test_a_writer_that_died_before_the_end_leaves_no_run(storage, flows):
    files = write(flows.iloc[:24])
    storage.rm_file(f"{files.results_path}/kpis.json")
    with pytest.raises(InputError, match="replay house-0000001"):
        read_series(PLACE, *RUN, "flows")
    write(flows.iloc[:48])
    assert len(read_series(PLACE, *RUN, "flows")) == 48


def test_a_study_s_objects_are_removed_and_no_others(storage, flows):
    write(flows.iloc[:24])
    write(flows.iloc[:24], run=("house_2", "house_2-0000001"))
    remove_series(PLACE, "house")
    left = {path.split("/")[-2] for path in storage.find("results/energy")}
    assert left == {"house_2-0000001"}


def test_deleting_a_study_deletes_its_objects_too(storage, flows, tmp_path):
    with Store.open(tmp_path) as store:
        for study_id in ("house", "house_2"):
            store.create_study(NewStudy(study_id, "single"))
            files = write(flows.iloc[:24], run=(study_id, f"{study_id}-0000000"))
            given = (study_id, 0, {}, "success", "house", 24, "milp")
            store.record([Evaluation(*given, fitness=1.0, files=files)])
        store.delete_study("house")
    assert {path.split("/")[-3] for path in storage.find("results/energy")} == {"house_2"}
    remove_series(PLACE, "house_2")


def test_the_index_is_made_anew_from_runs_in_a_bucket_and_in_the_folder(
    storage, flows, tmp_path, monkeypatch
):
    monkeypatch.setenv("ECOSYSTEMISER_SERIES", PLACE)
    for number, place in enumerate([tmp_path, PLACE, PLACE]):
        config = {
            "evaluation_number": number,
            "parameters": {"pv.capacity_kw": number},
            "system_id": "house",
            "timesteps": 24,
            "solver": {"method": "milp"},
        }
        given = {"place": place, "run": ("house", f"house-000000{number}"), "config": config}
        write(flows.iloc[:24], **given, kpis={"total_cost": 1.0 + number})
    storage.rm_file(f"{PLACE}/simulation_runs/house/house-0000002/kpis.json")
    done = rebuild(tmp_path)
    unfinished = f"{PLACE}/simulation_runs/house/house-0000002"
    assert (done.studies, done.runs, done.unreadable) == (1, 2, (unfinished,))
    with Store.open(tmp_path, read_only=True) as made:
        paths = {
            row["run_id"]: (row["total_cost"], row["results_path"])
            for row in queries.fetch(made.connection, "SELECT * FROM simulation_runs", [])
        }
    assert paths == {
        "house-0000000": (1.0, "simulation_runs/house/house-0000000"),
        "house-0000001": (2.0, f"{PLACE}/simulation_runs/house/house-0000001"),
    }
    remove_series(PLACE, "house")


def test_the_index_is_not_made_anew_where_the_runs_cannot_be_listed(storage, tmp_path, monkeypatch):
    monkeypatch.setenv("ECOSYSTEMISER_SERIES", PLACE)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no-url")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(InputError, match="cannot be listed") as raised:
            rebuild(tmp_path)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert SECRET not in str(raised.value)
    assert not list(tmp_path.glob("*.sqlite"))


def test_a_bucket_that_is_not_there_is_told_and_not_made(storage, flows):
    with pytest.raises(InputError, match="cannot be written"):
        write(flows.iloc[:24], place="s3://nowhere/energy")
    with pytest.raises(InputError, match=r"has no flows|cannot be read"):
        read_series("s3://nowhere/energy", *RUN, "flows")
    assert storage.ls("") == ["results"]


@pytest.mark.parametrize(
    "changes", [{"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, {"AWS_ENDPOINT_URL": "no-url"}]
)
def test_what_the_environment_lacks_is_told_and_its_secrets_are_not(storage, changes, tmp_path, monkeypatch):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in changes.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(InputError, match="cannot be read") as raised:
            read_series(PLACE, *RUN, "flows")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
    assert SECRET not in str(raised.value)
