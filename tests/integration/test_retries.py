"""Failures in real studies: tried again as tasks of their own, recorded, and evaluated again when told."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from contextlib import closing

import psutil
import pytest
import yaml

from flows.run import run_study
from schema.store import queries
from schema.store.database import FILE_NAME
from schema.store.store import Store

pytestmark = pytest.mark.integration
PATIENCE = 120

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "price": {"time_of_use": {0: 0.18, 7: 0.34, 21: 0.22}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
        "load": 1.0,
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 9,
            "import_price_eur_per_kwh": {"profile": "price"},
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 6000},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 1500},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
SWEEP = {"type": "parametric", "sweep": {"pv.capacity_kw": {"start": 0, "stop": 12, "count": 60}}}
SEARCH = {
    "type": "genetic_algorithm",
    "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
    "variables": {"pv.capacity_kw": {"min": 0, "max": 20}, "battery.capacity_kwh": {"min": 0, "max": 12}},
    "algorithm": {"population_size": 12, "max_generations": 6, "seed": 5},
}


def write(folder, **stated):
    (folder / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"study": "s", "system": "house.yaml", **stated}, sort_keys=False))
    return path


def run(path, **how):
    return run_study(path, path.parent / "results", **{"workers": 1, "runner": "threads", **how})


def evaluations(path):
    with Store.open(path.parent / "results", read_only=True) as store:
        return queries.evaluations(store.connection, "s")


def history(path, number):
    with Store.open(path.parent / "results", read_only=True) as store:
        return queries.run_history(store.connection, f"s-{number:07d}")


def task_runs(name):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

    with get_client(sync_client=True) as client:
        return client.read_task_runs(task_run_filter=TaskRunFilter(name=TaskRunFilterName(like_=name)))


def settled(path):
    file = path.parent / "results" / FILE_NAME
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM study_runs").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def stopped_worker(path):
    """Stops a worker's process once some evaluations are settled: it hangs in whatever it is at."""

    def stop():
        deadline = time.monotonic() + PATIENCE
        while settled(path) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        workers = [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
        # The one that has done most: another may still be starting.
        os.kill(max(workers, key=lambda p: p.cpu_times().user).pid, signal.SIGSTOP)

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


def with_a_hang(path):
    thread = stopped_worker(path)
    outcome = run(path, workers=2, runner="processes")
    thread.join()
    return outcome


HASTY = {"solver": {"time_limit_seconds": 1}, "failures": {"retries": 0, "hang_margin_seconds": 4}}


def test_what_runs_into_the_time_limit_is_tried_again_with_more_time_and_the_end_is_told(prefect, tmp_path):
    path = write(
        tmp_path,
        **{**SWEEP, "sweep": {"pv.capacity_kw": [3.0]}},
        solver={"time_limit_seconds": 1e-9},
        failures={"at_time_limit": "retry", "retries": 2, "pause_seconds": 0.01},
    )
    assert run(path).status == "failed"
    (row,) = evaluations(path)
    assert (row["simulation_status"], row["fitness"]) == ("failed", None)
    assert [one["status"] for one in row["metadata_json"]["earlier_attempts"]] == ["failed"] * 2
    assert [one["attempt"] for one in history(path, 0)] == [1, 2, 3]
    # It ended: there is nothing to go on with, and only on demand is it tried again.
    again = run(path)
    assert (again.status, again.was_finished) == ("failed", True)
    assert run(path, retry_failed=True).status == "failed"
    assert len(history(path, 0)) == 6
    assert len(evaluations(path)) == 1


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_design_that_hung_is_tried_again_as_a_task_of_its_own(prefect, tmp_path):
    path = write(tmp_path, **SWEEP, **{**HASTY, "failures": {**HASTY["failures"], "retries": 1}})
    assert with_a_hang(path).status == "completed"
    rows = evaluations(path)
    assert [row["simulation_status"] for row in rows] == ["success"] * 60
    (number,) = (n for n, row in enumerate(rows) if "earlier_attempts" in row["metadata_json"])
    first, last = history(path, number)
    assert (first["simulation_status"], last["simulation_status"]) == ("failed", "completed")
    assert "hung" in first["message"]
    deadline = time.monotonic() + PATIENCE
    while not (found := task_runs(f"s evaluation {number}, attempt 2")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "hung" in (found[0].state.message or "hung")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_failures_are_evaluated_again_when_told_and_the_analyses_follow(prefect, tmp_path):
    path = write(tmp_path, **SWEEP, **HASTY)
    assert with_a_hang(path).status == "completed"
    (failed,) = (row for row in evaluations(path) if row["simulation_status"] == "failed")
    assert "hung" in failed["metadata_json"]["message"]
    assert run(path).was_finished
    assert run(path, retry_failed=True).status == "completed"
    rows = evaluations(path)
    assert [row["simulation_status"] for row in rows] == ["success"] * 60
    told = history(path, failed["evaluation_number"])
    assert [one["simulation_status"] for one in told] == ["failed", "completed"]
    assert "hung" in told[0]["message"]
    assert run(path, retry_failed=True).was_finished


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_s_failures_update_its_archive_and_not_its_history(prefect, tmp_path):
    path = write(tmp_path, **SEARCH, **HASTY)
    assert with_a_hang(path).status == "completed"
    with Store.open(path.parent / "results", read_only=True) as store:
        before = queries.convergence(store.connection, "s")
    vectors = [row["parameters"] for row in evaluations(path)]
    assert run(path, retry_failed=True).status == "completed"
    rows = evaluations(path)
    assert {row["simulation_status"] for row in rows} == {"success"}
    assert [row["parameters"] for row in rows] == vectors
    with Store.open(path.parent / "results", read_only=True) as store:
        assert queries.convergence(store.connection, "s") == before
    # Its search can be replayed and prolonged: it is told again of the failure that it was told of.
    path = write(tmp_path, **{**SEARCH, "algorithm": {**SEARCH["algorithm"], "max_generations": 8}}, **HASTY)
    assert run(path, resume=True).status == "completed"
    assert [row["parameters"] for row in evaluations(path)][: len(vectors)] == vectors
