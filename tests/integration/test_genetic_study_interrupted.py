"""A study that is killed, stopped or starved at any moment goes on and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import yaml

from schema.errors import InputError
from schema.store.database import FILE_NAME
from schema.store.errors import StudyAliveError

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PATIENCE = 120

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "price": {"time_of_use": {0: 0.18, 7: 0.34, 21: 0.22}},
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 2.8,  # too little without a battery or PV: some designs are infeasible
            "import_price_eur_per_kwh": {"profile": "price"},
            "export_price_eur_per_kwh": 0.08,
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 6000},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 1500},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
STUDY = {
    "study": "front",
    "type": "genetic_algorithm",
    "system": "house.yaml",
    "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
    "constraints": {"self_sufficiency_rate": {"min": 0.1}},
    "variables": {
        "pv.capacity_kw": {"min": 0, "max": 20},
        "battery.capacity_kwh": {"min": 0, "max": 12, "integer": True},
    },
    "algorithm": {"population_size": 12, "max_generations": 14, "seed": 5},
}
EVALUATIONS = 12 * 14

RUN = """
import sys
from pathlib import Path
from flows.run import run_study

if __name__ == "__main__":
    study, results, workers, runner, resume = sys.argv[1:]
    try:
        outcome = run_study(Path(study), Path(results), workers=int(workers), runner=runner, resume=bool(resume))
        print(outcome.status)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    hasty = STUDY | {"failures": {"storage_patience_seconds": 1}}
    cottage = SYSTEM | {"system": "cottage", "profiles": SYSTEM["profiles"] | {"load": 1.5}}
    other = STUDY | {
        "study": "other",
        "system": "cottage.yaml",
        "algorithm": STUDY["algorithm"] | {"seed": 6},
    }
    written = {"house": SYSTEM, "study": STUDY, "hasty": hasty, "cottage": cottage, "other": other}
    for name, content in written.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder / "study.yaml"


def run(path, results, *, resume=False):
    from flows.run import run_study

    return run_study(path, results, workers=1, runner="threads", resume=resume).status


@pytest.fixture(scope="module")
def finished(prefect, study, tmp_path_factory):
    results = tmp_path_factory.mktemp("uninterrupted")
    assert run(study, results) == "completed"
    return results


@pytest.fixture(scope="module")
def uninterrupted(finished):
    tables = record(finished)
    assert len(tables["study_runs"]) == EVALUATIONS
    assert tables["pareto_fronts"][-1]["front_size"] > 5
    assert {row["simulation_status"] for row in tables["study_runs"]} == {"success", "infeasible"}
    return tables


@pytest.fixture
def start(prefect, study, tmp_path):
    """Starts the study in a process; its results folder is the test's own."""
    started = []

    def begin(*, workers=1, runner="threads", resume=False, path=study):
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, path, tmp_path, str(workers), runner, "yes" if resume else ""],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


VOLATILE = {
    *("created_at", "updated_at", "completed_at", "timestamp", "execution_time_seconds"),
    *("evaluation_time_seconds", "solver_time_seconds", "generation_time_seconds", "pareto_id", "metric_id"),
}


def record(results, study_id="front"):
    """All that a study recorded but times, by table, rows in order."""
    orders = {
        "studies": "study_id",
        "study_runs": "run_id",
        "simulation_runs": "run_id",
        "pareto_fronts": "generation_number",
        "convergence_metrics": "generation_number",
    }
    tables = {
        table: [
            {name: value for name, value in row.items() if name not in VOLATILE}
            for row in select(
                results, f"SELECT * FROM {table} WHERE study_id = '{study_id}' ORDER BY {order}"
            )
        ]
        for table, order in orders.items()
    }
    for row in tables["simulation_runs"]:
        # That a run was begun before and broken off stays on record.
        row["metadata_json"] = {k: v for k, v in json.loads(row["metadata_json"]).items() if k != "attempts"}
    for row in tables["studies"]:
        # So do the flow runs that were at it.
        row["metadata_json"] = {k: v for k, v in json.loads(row["metadata_json"]).items() if k != "flow_runs"}
    return tables


def select(results, sql):
    with closing(sqlite3.connect(results / FILE_NAME, timeout=PATIENCE)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def settled(results, study_id="front"):
    """How many evaluations of a study are recorded; 0 before there is a table."""
    try:
        return select(results, f"SELECT count(*) AS n FROM study_runs WHERE study_id = '{study_id}'")[0]["n"]
    except sqlite3.OperationalError:
        return 0


def status(results):
    return select(results, "SELECT status FROM studies")[0]["status"]


def wait_until(condition, process=None):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process is not None and process.poll() is not None:
            pytest.fail(f"it ended by itself: {process.communicate()}")
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def family(process):
    """The process and its workers, without the Prefect server, which it may have joined."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def alive(processes):
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def killed_at(process, results, evaluations):
    """Kill the process (-9) once so many evaluations are recorded, and see that its workers leave."""
    wait_until(lambda: settled(results) >= evaluations, process)
    time.sleep(random.random() * 0.1)
    members = family(process)
    process.kill()
    process.communicate()
    wait_until(lambda: not alive(members))


def kept(results):
    """Every evaluation that is recorded is whole, and nothing is recorded twice."""
    tables = record(results)
    done = {row["run_id"] for row in tables["simulation_runs"] if row["simulation_status"] != "running"}
    assert {row["run_id"] for row in tables["study_runs"]} <= done
    assert tables["studies"][0]["run_count"] == len(tables["study_runs"])
    return tables


def test_a_killed_study_goes_on_only_when_told_and_ends_as_if_it_had_never_been_killed(
    start, study, tmp_path, uninterrupted
):
    killed_at(start(), tmp_path, random.randrange(1, EVALUATIONS - 24))
    before = kept(tmp_path)
    assert status(tmp_path) == "running"  # nobody was left to say otherwise
    with pytest.raises(InputError, match="--resume"):
        run(study, tmp_path)
    assert kept(tmp_path) == before
    assert run(study, tmp_path, resume=True) == "completed"
    assert record(tmp_path) == uninterrupted


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("runner", ["threads", "processes"])
def test_a_study_killed_many_times_ends_as_if_it_had_never_been_killed(
    start, study, tmp_path, uninterrupted, runner
):
    for number, moment in enumerate(sorted(random.sample(range(EVALUATIONS), 6))):
        killed_at(start(workers=2, runner=runner, resume=number > 0), tmp_path, moment)
        kept(tmp_path)
    assert run(study, tmp_path, resume=True) == "completed"
    assert record(tmp_path) == uninterrupted


def test_a_living_study_is_left_alone_and_ctrl_c_stops_it_so_that_it_can_go_on(
    start, study, tmp_path, uninterrupted
):
    process = start(workers=2, runner="processes")
    wait_until(lambda: settled(tmp_path) > 0, process)
    os.kill(process.pid, signal.SIGSTOP)  # so that it does not end meanwhile
    for resume in (False, True):
        with pytest.raises(StudyAliveError, match=str(process.pid)):
            run(study, tmp_path, resume=resume)
    assert status(tmp_path) == "running"
    members = family(process)
    os.kill(process.pid, signal.SIGCONT)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, stderr) == (130, "", "")
    wait_until(lambda: not alive(members))
    assert status(tmp_path) == "cancelled"
    assert not select(tmp_path, "SELECT 1 FROM simulation_runs WHERE simulation_status = 'running'")
    assert 0 < settled(tmp_path) < EVALUATIONS
    with pytest.raises(InputError, match="--resume") as refused:
        run(study, tmp_path)
    assert refused.value.findings[0].found == "front, cancelled"
    assert run(study, tmp_path, resume=True) == "completed"
    assert record(tmp_path) == uninterrupted


def test_two_studies_at_once_in_one_folder_each_end_as_if_they_were_alone(
    start, study, tmp_path, uninterrupted, tmp_path_factory
):
    other, alone = study.with_name("other.yaml"), tmp_path_factory.mktemp("alone")
    first, second = start(workers=2, path=other), start(workers=2, runner="processes")
    wait_until(lambda: settled(tmp_path, "other") > 0, first)
    while not settled(tmp_path):
        # Stopped until the second has begun, but for moments, lest it hold the database.
        os.kill(first.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(first.pid, signal.SIGCONT)
        time.sleep(0.02)
    for process in (first, second):
        stdout, stderr = process.communicate(timeout=PATIENCE)
        assert (process.returncode, stdout.strip(), stderr) == (0, "completed", "")
    times = select(tmp_path, "SELECT max(created_at) AS begun, min(completed_at) AS ended FROM studies")[0]
    assert times["begun"] <= times["ended"]
    assert record(tmp_path) == uninterrupted
    assert run(other, alone) == "completed"
    assert record(tmp_path, "other") == record(alone, "other")


@pytest.mark.slow
def test_ctrl_c_while_workers_start_leaves_no_traceback_and_no_process(start, study, tmp_path, uninterrupted):
    process = start(workers=2, runner="processes")
    wait_until(lambda: len(workers_of(process)) == 2, process)
    members = family(process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 130
    wait_until(lambda: not alive(members))
    # Workers start before the study is on record.
    assert not settled(tmp_path)
    assert run(study, tmp_path, resume=True) == "completed"
    assert record(tmp_path) == uninterrupted


def workers_of(process):
    found = []
    for member in family(process)[1:]:
        try:
            found += [member] if "spawn_main" in " ".join(member.cmdline()) else []
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_a_killed_worker_costs_no_evaluation(start, tmp_path, uninterrupted):
    process = start(workers=2, runner="processes")
    wait_until(lambda: settled(tmp_path) > 20, process)
    workers_of(process)[0].kill()
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout.strip(), stderr) == (0, "completed", "")
    assert record(tmp_path) == uninterrupted


FULL = (4096, resource.RLIM_INFINITY)
"""No file of a process may grow any more: the database cannot take another evaluation."""
SPACE = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_time_and_is_told(start, tmp_path, uninterrupted):
    process = start(workers=2)
    wait_until(lambda: settled(tmp_path) > 30, process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, FULL)
    time.sleep(2)
    held = settled(tmp_path)
    assert held < EVALUATIONS
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, SPACE)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout.strip()) == (0, "completed")
    assert "The record of front cannot be written" in stderr
    assert "trying again for 300 s" in stderr
    assert "Traceback" not in stderr
    assert record(tmp_path) == uninterrupted


def test_a_database_that_another_program_holds_costs_nothing_but_time(
    prefect, study, tmp_path, uninterrupted, monkeypatch
):
    """The other program holds a write transaction for much longer than SQLite waits for it."""
    monkeypatch.setattr("schema.store.database.BUSY_TIMEOUT_SECONDS", 0.1)
    waited = []

    def hold():
        wait_until(lambda: settled(tmp_path) > 30)
        with closing(sqlite3.connect(tmp_path / FILE_NAME, timeout=PATIENCE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            before = settled(tmp_path)
            time.sleep(2)
            waited.append(settled(tmp_path) - before)
            other.execute("ROLLBACK")

    holding = threading.Thread(target=hold)
    holding.start()
    assert run(study, tmp_path) == "completed"
    holding.join()
    assert waited == [0]
    assert record(tmp_path) == uninterrupted


@pytest.mark.slow
def test_a_full_disk_stops_the_study_with_a_word_and_it_goes_on_once_there_is_space(
    start, study, tmp_path, uninterrupted
):
    process = start(path=study.with_name("hasty.yaml"))
    wait_until(lambda: settled(tmp_path) > 30, process)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, FULL)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert stdout == ""
    line = stderr.splitlines()[-1]
    assert line.startswith("StoreError: ")
    assert "space" in line
    kept(tmp_path)
    assert settled(tmp_path) < EVALUATIONS
    assert run(study, tmp_path, resume=True) == "completed"
    assert record(tmp_path) == uninterrupted


def test_a_record_that_another_search_made_is_not_continued(study, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        connection.execute("UPDATE studies SET status = 'running'")
        connection.execute(
            "UPDATE study_runs SET parameter_vector = json_set(parameter_vector, '$[0]', 1.25) "
            "WHERE evaluation_number = 7"
        )
    before = record(tmp_path)["study_runs"]
    with pytest.raises(InputError, match="evaluation 7 of its record"):
        run(study, tmp_path, resume=True)
    assert record(tmp_path)["study_runs"] == before
