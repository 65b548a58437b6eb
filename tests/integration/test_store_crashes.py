"""Real processes, really killed: what was acknowledged stays, nothing stands twice, locks die."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schema.store import queries
from schema.store.database import FILE_NAME
from schema.store.errors import StudyAliveError
from schema.store.records import NewStudy
from schema.store.store import Store

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]

WRITER = """
import os
import sys
from schema.store.records import Evaluation, Front, Generation, RunStart
from schema.store.store import Store

def evaluation(number):
    return Evaluation("s", number, {"a.b": float(number)}, "success", "x", 1, "milp", fitness=float(number))

def write(first):
    with Store.open(sys.argv[1]) as store, store.claim("s"):
        store.settle_interrupted("s")
        store.connection.execute("PRAGMA wal_autocheckpoint=50")  # so that kills hit checkpoints too
        for number in range(first, first + 100_000, 10):
            chunk = range(number, number + 10)
            store.start_runs([RunStart("s", n, "x", 1, "milp") for n in chunk])
            store.record([evaluation(n) for n in chunk])
            print(number + 10, flush=True)
            store.record_generation(Generation("s", number // 10, front=Front([f"s-{number:07d}"])))

# A writer for each line: forked, as importing anew takes longer than the writing.
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        write(int(line))
    else:
        print(f"pid {child}", flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)
"""

HOLDER = """
import os, sys, time
from schema.store.store import Store
with Store.open(sys.argv[1]) as store, store.claim("s"):
    child = os.fork() if sys.argv[2] == "fork" else -1
    if child == 0:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run():
    started = []

    def start(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def results(tmp_path):
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("s", "parametric"))
    return tmp_path


def begin(process, first):
    """Let a writer begin at an evaluation; its pid, once it has something acknowledged, and how much."""
    process.stdin.write(f"{first}\n")
    process.stdin.flush()
    pid, told = 0, 0
    while not (pid and told):
        line = process.stdout.readline()
        if line.startswith("pid"):
            pid = int(line.split()[1])
        else:
            told = int(line)
    return pid, told


def kill(process, pid):
    """Kill -9; what was acknowledged until then."""
    os.kill(pid, signal.SIGKILL)
    told = list(iter(process.stdout.readline, "dead\n"))
    return [int(line) for line in told if not line.startswith("pid")]


@pytest.mark.parametrize("kills", [24, pytest.param(200, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_kill_9_at_any_moment(run, results, kills):
    rng = random.Random(5)
    process = run(WRITER, results)
    acknowledged = 0
    for _ in range(kills):
        pid, told = begin(process, acknowledged)
        time.sleep(rng.uniform(0, 0.03))
        acknowledged = max([told, *kill(process, pid)])
        with Store.open(results) as store:
            rows = queries.evaluations(store.connection, "s")
            numbers = [row["evaluation_number"] for row in rows]
            assert numbers[:acknowledged] == list(range(acknowledged))
            assert len(numbers) % 10 == 0
            assert store.study("s")["run_count"] == len(numbers)
            assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert store.connection.execute("PRAGMA foreign_key_check").fetchall() == []


def copied(results, folder):
    """The files copied one after the other, as `cp` does it."""
    for name in (FILE_NAME, FILE_NAME + "-wal"):
        (folder / name).write_bytes((results / name).read_bytes())


def assert_sound(folder, acknowledged):
    """The copy opens, nothing acknowledged is missing, nothing stands twice."""
    with Store.open(folder) as store:
        numbers = [row["evaluation_number"] for row in queries.evaluations(store.connection, "s")]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= acknowledged
        assert store.study("s")["run_count"] == len(numbers)
        assert store.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize("copies", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_a_copy_of_the_files_of_one_moment_is_whole(run, results, tmp_path, copies):
    rng = random.Random(7)
    process = run(WRITER, results)
    pid, acknowledged = begin(process, 0)
    for number in range(copies):
        for _ in range(rng.randrange(1, 6)):
            line = process.stdout.readline()
        time.sleep(rng.uniform(0, 0.01))
        acknowledged = max(acknowledged, int(line))
        os.kill(pid, signal.SIGSTOP)  # in mid-write, as a snapshot of the file system finds it
        time.sleep(0.02)
        (copy := tmp_path / str(number)).mkdir()
        copied(results, copy)
        os.kill(pid, signal.SIGCONT)
        assert_sound(copy, acknowledged)
    kill(process, pid)


@pytest.mark.parametrize("copies", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_files_copied_while_a_reader_looks_are_whole_though_the_writer_goes_on(
    run, results, tmp_path, copies
):
    # Without a reader, the log may be begun anew between the two files: no copy made so can be promised.
    process = run(WRITER, results)
    pid, acknowledged = begin(process, 0)
    for number in range(copies):
        acknowledged = max(acknowledged, int(process.stdout.readline()))
        (copy := tmp_path / str(number)).mkdir()
        with Store.open(results, read_only=True) as reader:
            reader.connection.execute("BEGIN")
            reader.connection.execute("SELECT count(*) FROM studies").fetchone()
            copied(results, copy)
            reader.connection.execute("COMMIT")
        assert_sound(copy, acknowledged)
    kill(process, pid)


def test_a_study_alive_in_another_process_is_refused_until_that_is_killed(run, results):
    process = run(HOLDER, results, "alone")
    process.stdout.readline()
    with Store.open(results) as store:
        assert store.holder("s").pid == process.pid
        with pytest.raises(StudyAliveError, match=str(process.pid)), store.claim("s"):
            pass
        process.kill()
        process.wait()
        assert store.holder("s") is None
        with store.claim("s"):
            assert store.holder("s").pid == os.getpid()


def test_a_forked_worker_does_not_keep_its_killed_parents_study_alive(run, results):
    process = run(HOLDER, results, "fork")
    child = int(process.stdout.readline())
    try:
        with Store.open(results) as store:
            assert store.holder("s").pid == process.pid
            process.kill()
            process.wait()
            os.kill(child, 0)  # it lives on
            assert store.holder("s") is None
    finally:
        os.kill(child, signal.SIGKILL)


def test_readers_beside_a_writer_see_whole_chunks(run, results):
    process = run(WRITER, results)
    pid, _ = begin(process, 0)
    deadline = time.monotonic() + 1.0
    with Store.open(results, read_only=True) as reader:
        seen = []
        while time.monotonic() < deadline:
            seen.append(len(queries.evaluations(reader.connection, "s")))
    assert all(number % 10 == 0 for number in seen)
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    kill(process, pid)


def test_several_processes_may_make_the_same_database_at_once(run, tmp_path):
    code = "import sys; from schema.store.store import Store; Store.open(sys.argv[1]).close()"
    processes = [run(code, tmp_path / "new") for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
