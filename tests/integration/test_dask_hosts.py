"""A cluster of several hosts: network namespaces with disks of their own; and one behind TLS."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from flows.run import run_study
from schema.errors import InputError
from schema.store.timeseries import read_series
from tasks.dask_workers import TRUSTED_VARIABLE, cluster_size

# Tests are no package: loaded by its file.
_spec = importlib.util.spec_from_file_location("dask_cluster", Path(__file__).with_name("dask_cluster.py"))
dask_cluster = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dask_cluster)
SEARCH, cluster, front = dask_cluster.SEARCH, dask_cluster.cluster, dask_cluster.front
settled, wait_until, write_study = dask_cluster.settled, dask_cluster.wait_until, dask_cluster.write_study

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
NETWORK = "10.231.47"


def command(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def hosts():
    """Two network namespaces, joined with this one by a bridge: hosts, each with a loopback of its own."""
    names, bridge = [f"eco{os.getpid() % 10_000}{letter}" for letter in "ab"], f"eco{os.getpid() % 10_000}"
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("network namespaces need root and the program ip")
    try:
        command("ip", "link", "add", bridge, "type", "bridge")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine's kernel makes no bridges: {error.stderr.strip()}")
    try:
        command("ip", "address", "add", f"{NETWORK}.1/24", "dev", bridge)
        command("ip", "link", "set", bridge, "up")
        for number, name in enumerate(names, start=2):
            command("ip", "netns", "add", name)
            command("ip", "link", "add", f"{name}0", "type", "veth", "peer", "name", "eth0", "netns", name)
            command("ip", "link", "set", f"{name}0", "master", bridge, "up")
            command("ip", "-n", name, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            command("ip", "-n", name, "link", "set", "eth0", "up")
            command("ip", "-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", bridge], check=False, capture_output=True)


@pytest.mark.slow
def test_hosts_that_share_no_disk_with_the_flow_evaluate_and_one_that_drops_out_costs_nothing(
    hosts, tmp_path, monkeypatch
):
    """The results folder is hidden from the workers; in mid-study one host's cable is pulled."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    longer = {**SEARCH, "algorithm": {**SEARCH["algorithm"], "population_size": 40}}
    path = write_study(tmp_path / "far", **longer, timeseries="all")
    hidden = f'mount -t tmpfs none {path.parent} && exec "$@"'
    timely = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}
    with cluster(tmp_path, 0, host=f"{NETWORK}.1", **timely) as made:
        for name in hosts:
            made.add_worker(before=["ip", "netns", "exec", name, "unshare", "-m", "sh", "-c", hidden, "sh"])
        made.wait(2)
        monkeypatch.delenv(TRUSTED_VARIABLE, raising=False)
        with pytest.raises(InputError, match="not encrypted"):
            cluster_size(made.address)
        monkeypatch.setenv(TRUSTED_VARIABLE, f"{NETWORK}.0/24")
        assert cluster_size(made.address) == 2

        def pull():
            wait_until(lambda: settled(path) > 20)
            command("ip", "link", "set", f"{hosts[0]}0", "down")

        thread = threading.Thread(target=pull)
        thread.start()
        run_study(path, path.parent / "results", runner="dask", dask_address=made.address)
        thread.join()
        assert cluster_size(made.address) == 1
    near = write_study(tmp_path / "near", **longer, timeseries="none")
    run_study(near, near.parent / "results", workers=1, runner="threads")
    assert front(path) == front(near)
    assert {row[3] for row in front(path)} == {"success"}
    flows = read_series(path.parent / "results", "s", "s-0000159", "flows")
    assert len(flows) == 24


@pytest.fixture
def certificates(tmp_path):
    """A key and a certificate that signs itself, as Dask's settings name them."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made with the program openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=dask"),
        *("-keyout", str(key), "-out", str(certificate)),
    )
    names = {"CA_FILE": certificate}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        names |= {f"{role}__KEY": key, f"{role}__CERT": certificate}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(value) for name, value in names.items()}


def test_a_cluster_with_certificates_is_reached_with_dask_s_own_settings_and_only_with_them(
    certificates, tmp_path
):
    import dask
    import distributed  # noqa: F401 - its settings must be there before they are changed

    from tasks.workers import WorkersError

    with cluster(
        tmp_path, 0, scheme="tls", DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION="true", **certificates
    ) as made:
        made.add_worker()
        names = {
            name.removeprefix("DASK_").replace("__", ".").replace("CA_FILE", "ca-file").lower(): value
            for name, value in certificates.items()
        }
        with dask.config.set(names):
            made.wait(1)
            assert cluster_size(made.address) == 1
        with pytest.raises(WorkersError, match="certificates"):
            cluster_size(made.address)
