"""A Dask cluster of real processes: it evaluates as threads and processes do, and may lose any of its parts."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from flows.run import run_study
from schema.failure_rules import FailureRules
from schema.store.store import Store
from schema.study import SolverSettings
from schema.system import System
from tasks.dask_workers import DaskWorkers
from tasks.evaluate import Assignment, Design
from tasks.workers import ProcessWorkers, ThreadWorkers, WorkersError

# Tests are no package: loaded by its file.
_spec = importlib.util.spec_from_file_location("dask_cluster", Path(__file__).with_name("dask_cluster.py"))
dask_cluster = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(dask_cluster)
PATIENCE, ROOT, SEARCH = dask_cluster.PATIENCE, dask_cluster.ROOT, dask_cluster.SEARCH
cluster, front, settled = dask_cluster.cluster, dask_cluster.front, dask_cluster.settled
wait_until, write_study = dask_cluster.wait_until, dask_cluster.write_study

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

# Designs that do something to the worker that evaluates them; workers import them by name.
TRAPS = """
import multiprocessing, os, signal
from pathlib import Path

class Trap(dict):
    def items(self):
        # Neither here, nor in the scheduler, which looks at what it passes on.
        if "DASK_WORKER" in os.environ and multiprocessing.parent_process() is not None:
            self.spring()
        return super().items()

class Deadly(Trap):
    def spring(self):
        with open(os.environ["DASK_WORKER"] + "/deaths", "a") as told:
            told.write("died\\\\n")
        os.kill(os.getpid(), signal.SIGKILL)

class Endless(Trap):
    def spring(self):
        Path(os.environ["DASK_WORKER"], f"endless-{os.getpid()}").touch()
        while True:
            pass
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "traps.py").write_text(TRAPS.replace("\\\\n", "\\n"))
    return folder


@pytest.fixture(scope="module")
def two(folder):
    with cluster(folder, 2, DASK_WORKER=str(folder)) as made:
        yield made


@pytest.fixture
def traps(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    import traps  # type: ignore[import-not-found]

    return traps


def assignment(results, *, failures=FailureRules(), **solver):  # noqa: B008 - it is frozen
    system = System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-01-01T00:00", "steps": 24},
            "components": {
                "grid": {"type": "grid", "import_limit_kw": 5, "import_price_eur_per_kwh": 0.3},
                "pv": {"type": "solar_pv", "capacity_kw": 2, "profile": "sun"},
                "load": {"type": "power_demand", "profile": "load"},
            },
        }
    )
    series = {"sun": np.linspace(0, 1, 24), "load": np.ones(24)}
    return Assignment(system, series, "hash", SolverSettings(**solver), "s", results, failures)


def good(number):
    return Design(number, {"pv.capacity_kw": float(number)})


def test_a_cluster_finds_what_threads_and_processes_find_to_the_last_bit(two, tmp_path):
    designs, unmet = [good(number) for number in range(6)], Design(9, {"grid.import_limit_kw": 0.1})
    given = assignment(tmp_path)
    with (
        ThreadWorkers(given) as threads,
        ProcessWorkers(given, 2) as processes,
        DaskWorkers(given, address=two.address) as dask,
    ):
        assert dask.count == 2
        here, there, far = (one.evaluate(designs) for one in (threads, processes, dask))
        assert threads.explain(unmet) == dask.explain(unmet) != ()
    assert [r.kpis for r in here] == [r.kpis for r in there] == [r.kpis for r in far]
    assert [r.design for r in far] == designs


def test_rules_evaluate_a_population_together_on_a_cluster_too(two, tmp_path):
    designs, given = [good(number) for number in range(6)], assignment(tmp_path, method="rule_based")
    with ThreadWorkers(given) as threads, DaskWorkers(given, address=two.address) as dask:
        assert [r.kpis for r in dask.evaluate(designs)] == [r.kpis for r in threads.evaluate(designs)]


def test_the_same_study_has_the_same_front_under_threads_processes_and_dask(two, prefect, tmp_path):
    found = {}
    for runner in ("threads", "processes", "dask"):
        path = write_study(tmp_path / runner, **SEARCH, timeseries="front")
        address = two.address if runner == "dask" else None
        workers = None if runner == "dask" else 2
        outcome = run_study(
            path, path.parent / "results", workers=workers, runner=runner, dask_address=address
        )
        assert outcome.status == "completed"
        found[runner] = front(path)
        kept = sorted(p.name for p in (path.parent / "results" / "simulation_runs" / "s").iterdir())
        assert kept == sorted(row[0] for row in found[runner] if row[4])
    assert found["threads"] == found["processes"] == found["dask"]
    assert any(row[4] for row in found["dask"])


def test_a_worker_killed_in_mid_study_costs_no_evaluation(two, prefect, tmp_path):
    longer = {**SEARCH, "algorithm": {**SEARCH["algorithm"], "population_size": 40}}
    killed = []

    def kill():
        wait_until(lambda: settled(path) > 20)
        victim = max(two.workers(), key=lambda p: p.cpu_times().user)
        killed.append(victim.pid)
        victim.kill()

    path = write_study(tmp_path / "killed", **longer)
    thread = threading.Thread(target=kill)
    thread.start()
    run_study(path, path.parent / "results", runner="dask", dask_address=two.address)
    thread.join()
    calm = write_study(tmp_path / "calm", **longer)
    run_study(calm, calm.parent / "results", workers=1, runner="threads")
    assert killed
    assert front(path) == front(calm)
    assert {row[3] for row in front(path)} == {"success"}
    two.wait(2)  # its nanny has started another


# A design without values is the reference: its trap springs when its answer is packed to be handed over.
AT_WORK, HANDING_OVER = {"pv.capacity_kw": 1.0}, {}


@pytest.mark.parametrize("values", [AT_WORK, HANDING_OVER], ids=["at work", "handing over"])
def test_a_design_that_kills_its_workers_fails_alone_within_seconds(two, traps, folder, tmp_path, values):
    (folder / "deaths").unlink(missing_ok=True)
    with DaskWorkers(assignment(tmp_path), address=two.address) as workers:
        began = time.monotonic()
        results = workers.evaluate([good(0), Design(1, traps.Deadly(values)), good(2)])
        assert time.monotonic() - began < 60
        assert [r.status for r in results] == ["success", "failed", "success"]
        assert "died" in results[1].message
        # With the others, then alone, twice; whatever the scheduler's own limit is.
        assert 3 <= len((folder / "deaths").read_text().split()) <= 4
    two.wait(2)


@pytest.mark.slow
@pytest.mark.parametrize("values", [AT_WORK, HANDING_OVER], ids=["at work", "handing over"])
def test_a_design_that_hangs_fails_alone_and_its_worker_is_ended(two, traps, folder, tmp_path, values):
    hurried = assignment(tmp_path, failures=FailureRules(hang_margin_seconds=2), time_limit_seconds=0.5)
    with DaskWorkers(hurried, address=two.address) as workers:
        results = workers.evaluate([good(0), Design(1, traps.Endless(values))])
    assert [r.status for r in results] == ["success", "failed"]
    assert "hung" in results[1].message
    wait_until(lambda: not stuck(folder))
    two.wait(2)


def stuck(folder):
    """Workers that are still in an endless loop."""
    pids = [int(file.name.partition("-")[2]) for file in folder.glob("endless-*")]
    return [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_study_that_is_broken_off_leaves_no_work_on_the_cluster(two, traps, folder, tmp_path):
    caught = []

    def evaluate():
        try:
            workers.evaluate([Design(1, traps.Endless(AT_WORK))])
        except WorkersError as error:
            caught.append(str(error))

    workers = DaskWorkers(assignment(tmp_path), address=two.address)
    workers.__enter__()
    thread = threading.Thread(target=evaluate)
    thread.start()
    wait_until(lambda: stuck(folder))
    workers.__exit__(KeyboardInterrupt)
    thread.join(PATIENCE)
    assert caught == ["the study was broken off"]
    wait_until(lambda: not stuck(folder))
    two.wait(2)


def test_a_worker_that_would_find_something_else_is_refused_with_what_differs(folder, tmp_path):
    older = folder / "older.py"
    older.write_text(
        "from tasks import on_worker\n"
        "facts = on_worker.facts()\n"
        "on_worker.facts = lambda: {**facts, 'highspy': '1.14.0'}\n"
    )
    with cluster(folder, 0) as made:
        made.add_worker("--preload", str(older))
        made.wait(1)
        with pytest.raises(WorkersError, match=r"no worker can be used: .*highspy 1\.14\.0 and this process"):
            DaskWorkers(assignment(tmp_path), address=made.address).__enter__()
        made.add_worker()
        made.wait(2)
        with DaskWorkers(assignment(tmp_path), address=made.address) as workers:
            assert workers.count == 1
            assert [r.status for r in workers.evaluate([good(1)])] == ["success"]


def test_a_scheduler_that_goes_away_ends_the_study_in_plain_words_and_it_goes_on_with_another(
    folder, prefect, tmp_path
):
    path = write_study(
        tmp_path / "gone", **{**SEARCH, "algorithm": {**SEARCH["algorithm"], "population_size": 60}}
    )
    with cluster(folder, 1) as made:

        def kill():
            wait_until(lambda: settled(path) > 20)
            made.scheduler.kill()

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(WorkersError, match=r"went away.*--resume"):
            run_study(path, path.parent / "results", runner="dask", dask_address=made.address)
        thread.join()
    with Store.open(path.parent / "results", read_only=True) as store:
        study = store.study("s")
    assert (study["status"], 20 < study["run_count"] < 240) == ("failed", True)
    outcome = run_study(path, path.parent / "results", workers=1, runner="threads", resume=True)
    assert outcome.status == "completed"
    assert len(front(path)) == 240


def test_without_an_address_processes_of_this_machine_are_the_cluster_and_leave_with_it(tmp_path):
    before, others = set(threading.enumerate()), set(spawned())
    with DaskWorkers(assignment(tmp_path), 2) as workers, ThreadPoolExecutor(2) as threads:
        chunks = [[good(0), good(1)], [good(2)]]
        results = [r for part in threads.map(workers.evaluate, chunks) for r in part]
        assert [r.status for r in results] == ["success"] * 3
        assert len(set(spawned()) - others) == 2
    wait_until(lambda: not set(spawned()) - others)
    assert {t for t in set(threading.enumerate()) - before if "IO loop" in t.name} == set()


SCRIPT = """
import sys
from pathlib import Path
print("the script runs", flush=True)
sys.path.insert(0, sys.argv[2])
from test_dask_workers import assignment, good, spawned
from tasks.dask_workers import DaskWorkers
with DaskWorkers(assignment(Path(sys.argv[1])), 1) as workers:
    print(workers.evaluate([good(0)])[0].status)
    for worker in spawned():
        worker.kill()
    print(workers.evaluate([good(1)])[0].status)
"""


def test_a_script_is_not_run_again_by_a_cluster_of_this_machine_nor_by_a_worker_started_anew(
    tmp_path,
):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path), str(Path(__file__).parent)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert ran.stdout.splitlines() == ["the script runs", "success", "success"]


def spawned():
    """Python processes that multiprocessing started below this one."""
    found = psutil.Process().children(recursive=True)
    return [p for p in found if "spawn_main" in " ".join(dask_cluster.command_of(p))]


@pytest.mark.slow
def test_ctrl_c_ends_a_study_on_a_cluster_and_says_how_to_go_on(two, tmp_path):
    path = write_study(
        tmp_path / "long", **{**SEARCH, "algorithm": {"population_size": 60, "max_generations": 1000}}
    )
    options = ["--results", path.parent / "results", "--runner", "dask", "--dask-address", two.address]
    process = subprocess.Popen(
        [sys.executable, "-m", "ecosystemiser", "run", path, *options],
        cwd=ROOT,
        env=os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: settled(path) > 20)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "--resume" in told
    assert "Traceback" not in told
    time.sleep(1)
    two.wait(2)
    with DaskWorkers(assignment(tmp_path), address=two.address) as workers:
        assert [r.status for r in workers.evaluate([good(1)])] == ["success"]
