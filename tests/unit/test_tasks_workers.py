"""Workers are processes that may be killed: only what kills its worker fails, and none stays behind."""

from __future__ import annotations

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

from schema.failure_rules import FailureRules
from schema.study import SolverSettings
from schema.system import System
from tasks.evaluate import Assignment, Design
from tasks.workers import ProcessWorkers, ThreadWorkers, WorkersError, main_kept_from_children, workers_for

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PATIENCE = 60

# Designs that do something to the process that evaluates them; workers import them by name.
TRAPS = """
import multiprocessing, os, signal, time
from pathlib import Path

class Trap(dict):
    def items(self):
        if multiprocessing.parent_process() is not None:
            self.spring()
        return super().items()

class Deadly(Trap):
    def spring(self):
        os.kill(os.getpid(), signal.SIGKILL)

class DeadlyOnce(Trap):
    def spring(self):
        try:
            Path(os.environ["MARKER"]).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

class Hanging(Trap):
    def spring(self):
        with open(os.environ["HANGS"], "a") as told:
            told.write(f"{os.getpid()}\\n")
        while True:
            pass

class Slow(Trap):
    def spring(self):
        if "SPRUNG" in os.environ:
            Path(os.environ["SPRUNG"], str(os.getpid())).touch()
        time.sleep(60)
"""

PARENT = """
import sys, threading, time
from pathlib import Path
if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    from test_tasks_workers import AT_WORK, assignment
    from tasks.evaluate import Design
    from tasks.workers import ProcessWorkers
    import traps
    workers = ProcessWorkers(assignment(Path(sys.argv[1])), 2)
    for number in range(2):
        threading.Thread(target=workers.evaluate, args=([Design(number, traps.Slow(AT_WORK))],)).start()
    print("ready", flush=True)
    time.sleep(600)
"""


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


@pytest.fixture
def traps(tmp_path, monkeypatch):
    (tmp_path / "traps.py").write_text(TRAPS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MARKER", str(tmp_path / "sprung"))
    sys.modules.pop("traps", None)
    import traps  # type: ignore[import-not-found]

    yield traps
    sys.modules.pop("traps", None)


# Without values it would be the reference: the trap would spring when its answer is packed.
AT_WORK = {"pv.capacity_kw": 1.0}


def good(number):
    return Design(number, {"pv.capacity_kw": float(number)})


def children():
    """Worker processes of this one; multiprocessing's own tracker stays."""
    found = psutil.Process().children(recursive=True)
    return [p for p in found if p.is_running() and "spawn_main" in " ".join(cmdline(p))]


def cmdline(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


SCRIPT = """
import sys
from pathlib import Path
print("the script runs", flush=True)
sys.path.insert(0, sys.argv[2])
from test_tasks_workers import assignment, good
from tasks.workers import ProcessWorkers
with ProcessWorkers(assignment(Path(sys.argv[1])), 2) as workers:
    print(*(result.status for result in workers.evaluate([good(0), good(1)])))
"""


def test_a_script_that_runs_a_study_is_not_run_again_by_its_workers(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path), str(Path(__file__).parent)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert ran.stdout.splitlines() == ["the script runs", "success success"]


def test_what_the_program_says_of_itself_is_as_before_once_the_last_of_several_has_started_its_workers():
    main = sys.modules["__main__"]
    before, (first, second) = main.__spec__, (main_kept_from_children(), main_kept_from_children())
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert main.__spec__.name == "__main__"
    second.__exit__(None, None, None)
    assert main.__spec__ is before


def test_processes_begin_before_they_are_asked_and_no_more_than_there_is_to_do(tmp_path):
    with ProcessWorkers(assignment(tmp_path), 3, planned=2) as workers:
        assert len(children()) == 2
        assert [result.status for result in workers.evaluate([good(0), good(1)])] == ["success", "success"]
        assert len(children()) == 2
    assert not children()


FEW_FILES = """
import os, resource, sys
from pathlib import Path
if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    import psutil
    from test_tasks_workers import assignment, children, wait_until
    from multiprocessing import resource_tracker
    from tasks.workers import ProcessWorkers, WorkersError
    begun = []
    class Counted(ProcessWorkers):
        def _begin(self):
            begun.append(super()._begin())
            return begun[-1]
    resource_tracker.ensure_running()
    # Room for some workers' pipes and not for all.
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 12, 4096))
    try:
        Counted(assignment(Path(sys.argv[1])), 9).__enter__()
    except WorkersError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    assert 0 < len(begun) < 9
    wait_until(lambda: not children())
"""


def test_where_a_process_cannot_be_started_that_is_told_and_none_is_left(tmp_path):
    command = [sys.executable, "-c", FEW_FILES, str(tmp_path), str(Path(__file__).parent)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert ran.stdout.startswith("a worker process cannot be started: ")
    assert "Too many open files" in ran.stdout


def test_one_worker_needs_no_process(tmp_path):
    assert isinstance(workers_for("processes", assignment(tmp_path), 1), ThreadWorkers)
    assert isinstance(workers_for("threads", assignment(tmp_path), 4), ThreadWorkers)
    with workers_for("processes", assignment(tmp_path), 2) as workers:
        assert isinstance(workers, ProcessWorkers)


def test_processes_and_threads_find_the_same_to_the_last_bit(tmp_path):
    designs = [good(number) for number in range(6)]
    unmet = Design(9, {"grid.import_limit_kw": 0.1})
    with ThreadWorkers(assignment(tmp_path)) as threads, ProcessWorkers(assignment(tmp_path), 2) as processes:
        here, there = threads.evaluate(designs), processes.evaluate(designs)
        assert threads.explain(unmet) == processes.explain(unmet) != ()
    assert [r.kpis for r in here] == [r.kpis for r in there]
    assert [r.design for r in there] == designs
    assert children() == []


def test_a_design_that_kills_its_worker_fails_alone_and_the_other_chunks_go_on(tmp_path, traps):
    """Both workers' chunks hold a killer: neither may drag an innocent one of the other with it."""
    chunks = [
        [good(0), good(1), Design(2, traps.Deadly(AT_WORK))],
        [good(3), Design(4, traps.Deadly(AT_WORK))],
    ]
    with ProcessWorkers(assignment(tmp_path), 2) as workers, ThreadPoolExecutor(2) as threads:
        results = [r for part in threads.map(workers.evaluate, chunks) for r in part]
        assert [r.design.number for r in results] == list(range(5))
        assert [r.design.number for r in results if r.status != "success"] == [2, 4]
        assert "died" in results[2].message
        # the pool is whole again
        assert workers.evaluate([good(9)])[0].status == "success"
    assert children() == []


def test_a_worker_that_is_killed_once_costs_no_design(tmp_path, traps):
    chunk = [good(0), Design(1, traps.DeadlyOnce(AT_WORK)), good(2)]
    with ProcessWorkers(assignment(tmp_path), 2) as workers:
        results = workers.evaluate(chunk)
    assert (tmp_path / "sprung").exists()
    assert [r.status for r in results] == ["success"] * 3


HURRIED = {"failures": FailureRules(hang_margin_seconds=1.5), "time_limit_seconds": 0.5}


def test_a_design_that_hangs_fails_alone_and_its_worker_is_replaced(tmp_path, traps, monkeypatch):
    """An endless loop in a real process: it is ended after the time limit and the margin, and evaluated once."""
    hangs = tmp_path / "hangs"
    monkeypatch.setenv("HANGS", str(hangs))
    chunk = [good(0), Design(1, traps.Hanging(AT_WORK)), good(2), good(3)]
    with ProcessWorkers(assignment(tmp_path, **HURRIED), 2) as workers:
        results = workers.evaluate(chunk)
        assert [r.design.number for r in results] == [0, 1, 2, 3]
        assert [r.status for r in results] == ["success", "failed", "success", "success"]
        assert "hung" in results[1].message
        assert "after 2 s" in results[1].message
        (pid,) = map(int, hangs.read_text().split())
        assert not psutil.pid_exists(pid)
    assert children() == []


def test_of_designs_that_are_evaluated_together_only_the_one_that_hangs_fails(tmp_path, traps, monkeypatch):
    monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
    together = assignment(tmp_path, **HURRIED, method="rule_based")
    with ProcessWorkers(together, 2) as workers:
        results = workers.evaluate([good(0), Design(1, traps.Hanging(AT_WORK)), good(2)])
    assert [r.status for r in results] == ["success", "failed", "success"]
    assert len((tmp_path / "hangs").read_text().split()) == 2  # with the others, then alone


def test_a_design_s_own_time_limit_is_waited_for(tmp_path):
    given = assignment(tmp_path, failures=FailureRules(hang_margin_seconds=5), time_limit_seconds=2)
    workers = ProcessWorkers(given, 2)
    assert workers._patience([good(0)]) == 7
    assert workers._patience([Design(0, {"solver.time_limit_seconds": 30.0})]) == 35


def test_a_worker_that_waits_for_space_for_time_series_does_not_count_as_hung(tmp_path):
    rules = FailureRules(hang_margin_seconds=5, storage_patience_seconds=100)
    workers = ProcessWorkers(assignment(tmp_path, failures=rules, time_limit_seconds=2), 2)
    assert workers._patience([good(0), good(1)], keep_series=True) == 209


def test_threads_evaluate_as_many_at_once_as_told_however_many_ask(tmp_path):
    with ThreadWorkers(assignment(tmp_path), 2) as workers, ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda n: workers.evaluate([good(n)])[0], range(16)))
        assert [r.status for r in results] == ["success"] * 16
        assert workers._idle.qsize() == 2


@pytest.mark.slow
def test_a_worker_killed_from_outside_costs_no_design(tmp_path):
    designs = [good(number) for number in range(400)]
    with ProcessWorkers(assignment(tmp_path), 2) as workers, ThreadPoolExecutor(1) as thread:
        workers.evaluate([good(0)])
        running = thread.submit(workers.evaluate, designs)
        time.sleep(0.2)
        for child in children():
            child.kill()
        assert [r.status for r in running.result(PATIENCE)] == ["success"] * 400


def test_a_study_that_is_broken_off_does_not_wait_for_what_its_workers_do(tmp_path, traps):
    caught = []

    def evaluate(workers, number):
        try:
            workers.evaluate([Design(number, traps.Slow(AT_WORK))])
        except WorkersError as error:
            caught.append(str(error))

    began = time.monotonic()
    workers = ProcessWorkers(assignment(tmp_path), 2)
    threads = [threading.Thread(target=evaluate, args=(workers, n)) for n in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(children()) == 2)
    workers.__exit__(KeyboardInterrupt)
    for thread in threads:
        thread.join(PATIENCE)
    assert time.monotonic() - began < 30
    assert caught == ["the study was broken off"] * 2
    wait_until(lambda: not children())


def test_workers_leave_when_their_parent_is_killed(tmp_path, traps):
    script, sprung = tmp_path / "parent.py", tmp_path / "sprung"
    script.write_text(PARENT)
    sprung.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), str(Path(__file__).parent)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "SPRUNG": str(sprung)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        parent = psutil.Process(process.pid)
        # Each child but multiprocessing's tracker is a worker that has begun its design.
        wait_until(lambda: len(list(sprung.iterdir())) >= max(1, len(parent.children()) - 1))
        family = parent.children(recursive=True)
        process.send_signal(signal.SIGKILL)
        screen = process.communicate()
    wait_until(lambda: not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
    assert "Traceback" not in screen[1]
