"""The deployments of all kinds of study, as their file says: a real server, a real worker, real runs."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from schema.errors import InputError
from schema.store import queries
from schema.store.database import FILE_NAME
from schema.store.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")
PATIENCE = 240

STUDIES = {
    "genetic-study": {
        "study": "front",
        "type": "genetic_algorithm",
        "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
        "variables": {"pv.capacity_kw": {"min": 0, "max": 10}, "battery.capacity_kwh": {"min": 0, "max": 10}},
        "algorithm": {"population_size": 4, "max_generations": 2},
    },
    "monte-carlo-study": {
        "study": "risk",
        "type": "monte_carlo",
        "design": {"from_study": "front", "pick": "cheapest"},
        "uncertain": {"economics.discount_rate": {"distribution": "uniform", "min": 0.02, "max": 0.08}},
        "sampling": {"samples": 4},
    },
    "parametric-study": {"study": "sweep", "type": "parametric", "sweep": {"pv.capacity_kw": [0, 5, 10]}},
    "single-study": {
        "study": "one",
        "type": "single",
        "design": {"from_study": "sweep", "pick": "lowest_co2"},
    },
}
EVALUATIONS = {"front": 8, "risk": 12, "sweep": 3, "one": 1}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A server and a worker of the pool `local`, started as the deployments' file says."""
    home, port = tmp_path_factory.mktemp("prefect"), free_port()
    names = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    names |= {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PATH": f"{PREFECT.parent}{os.pathsep}{os.environ['PATH']}",
    }
    log = (home / "log").open("w")
    started = []

    def start(*arguments):
        started.append(
            subprocess.Popen(
                [PREFECT, *arguments], env=names, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        )

    start("server", "start", "--port", str(port))
    deadline = time.monotonic() + PATIENCE
    while not healthy(names["PREFECT_API_URL"]):
        assert time.monotonic() < deadline, (home / "log").read_text()
        time.sleep(0.5)
    prefect(names, "work-pool", "create", "local", "--type", "process")
    prefect(names, "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
    start("worker", "start", "--pool", "local")
    yield names
    for process in reversed(started):
        process.terminate()
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
    log.close()


def healthy(api_url):
    try:
        return httpx.get(f"{api_url}/health", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def prefect(names, *arguments):
    done = subprocess.run(
        [PREFECT, *map(str, arguments)],
        env=names,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_kind_of_study_runs_from_its_deployment(environment, tmp_path):
    shutil.copy(ROOT / "examples" / "house" / "week.yaml", tmp_path)
    results = tmp_path / "results"
    for flow, stated in STUDIES.items():
        path = tmp_path / f"{stated['study']}.yaml"
        path.write_text(yaml.safe_dump({"system": "week.yaml", **stated}, sort_keys=False))
        told = prefect(
            environment,
            *("deployment", "run", f"{flow}/local", "-p", f"study={path}", "-p", f"results={results}"),
            *("-p", "workers=1", "-p", "runner=threads", "--watch"),
        )
        assert "finished successfully" in told, told
    with Store.open(results, read_only=True) as store:
        found = {row["study_id"]: row for row in queries.list_studies(store.connection)}
    assert {name: (row["status"], row["run_count"]) for name, row in found.items()} == {
        name: ("completed", count) for name, count in EVALUATIONS.items()
    }


def test_a_deployment_evaluates_on_a_dask_cluster_by_its_parameters(environment, tmp_path):
    shutil.copy(ROOT / "examples" / "house" / "week.yaml", tmp_path)
    path, results = tmp_path / "sweep.yaml", tmp_path / "results"
    path.write_text(yaml.safe_dump({"system": "week.yaml", **STUDIES["parametric-study"]}, sort_keys=False))
    address = f"tcp://127.0.0.1:{free_port()}"
    dask, started = PREFECT.with_name("dask"), []
    try:
        for arguments in (
            ("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"),
            ("worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"),
        ):
            started.append(subprocess.Popen([dask, *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL))
        told = prefect(
            environment,
            *(
                "deployment",
                "run",
                "parametric-study/cluster",
                "-p",
                f"study={path}",
                "-p",
                f"results={results}",
            ),
            *("-p", f"dask_address={address}", "--watch"),
        )
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(PATIENCE)
    assert "finished successfully" in told, told
    with Store.open(results, read_only=True) as store:
        (row,) = queries.list_studies(store.connection)
    assert (row["status"], row["run_count"]) == ("completed", 3)


def test_a_flow_run_that_is_cancelled_in_prefect_stops_its_workers(environment, tmp_path):
    shutil.copy(ROOT / "examples" / "house" / "week.yaml", tmp_path)
    path, results = tmp_path / "long.yaml", tmp_path / "results"
    stated = {**STUDIES["genetic-study"], "study": "long"}
    stated["algorithm"] = {"population_size": 40, "max_generations": 1000}
    path.write_text(yaml.safe_dump({"system": "week.yaml", **stated}, sort_keys=False))
    told = prefect(
        environment,
        *("deployment", "run", "genetic-study/local", "-p", f"study={path}", "-p", f"results={results}"),
        *("-p", "workers=2", "-p", "runner=processes"),
    )
    (flow_run,) = re.findall(r"UUID: ([0-9a-f-]{36})", told)
    wait_until(lambda: evaluations(results) > 0)
    with Store.open(results, read_only=True) as store:
        process = psutil.Process(store.holder("long").pid)
    workers = process.children()
    assert len([w for w in workers if "spawn_main" in " ".join(w.cmdline())]) == 2
    prefect(environment, "flow-run", "cancel", flow_run)
    wait_until(lambda: not [p for p in [process, *workers] if alive(p)])
    with Store.open(results, read_only=True) as store:
        study = store.study("long")
        assert store.holder("long") is None
    assert study["status"] == "cancelled"
    assert 0 < study["run_count"] < 40_000


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def evaluations(results):
    if not (results / FILE_NAME).exists():
        return 0
    try:
        with Store.open(results, read_only=True) as store:
            return len(queries.evaluations(store.connection, "long"))
    except InputError:
        return 0
