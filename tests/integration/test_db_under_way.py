"""Care while processes write, and after they were killed; the index anew from what real studies leave."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schema.loading import load_study
from schema.store import care, queries
from schema.store.database import FILE_NAME
from schema.store.importing import import_results
from schema.store.rebuild import rebuild
from schema.store.records import Front, NewStudy
from schema.store.store import Store
from tasks.bookkeeping import StudyRecord, begin, files_by_run
from tasks.evaluate import Assignment, Design, Evaluator

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]

# Records chunks of 10 with their dispatches until it is killed.
WRITER = """
import sys
from schema.store.records import Evaluation, RunStart
from schema.store.store import Store

with Store.open(sys.argv[1]) as store, store.claim("s"):
    store.update_study("s", status="running")
    for first in range(0, 1_000_000, 10):
        chunk = range(first, first + 10)
        store.start_runs([RunStart("s", n, "x", 1, "milp") for n in chunk])
        store.record([
            Evaluation("s", n, {"a.b": float(n)}, "success", "x", 1, "milp", fitness=float(n)) for n in chunk
        ])
        print(first + 10, flush=True)
"""
IMPORTER = """
import sys
from pathlib import Path
from schema.store.importing import import_results
from schema.store.store import Store
import pandas, pyarrow.parquet

print("ready", flush=True)
sys.stdin.readline()
with Store.open(sys.argv[1]) as store:
    import_results(store, sorted(Path(sys.argv[2]).glob("*.json")))
"""


@pytest.fixture
def start():
    started = []

    def run(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_backup_under_a_writing_study_is_of_one_moment(start, tmp_path):
    results = tmp_path / "results"
    with Store.open(results) as store:
        store.create_study(NewStudy("s", "parametric"))
    writer = start(WRITER, results)
    acknowledged = int(writer.stdout.readline())
    sizes = []
    for number in range(5):
        acknowledged = max(acknowledged, int(writer.stdout.readline()))
        file = tmp_path / f"{number}" / FILE_NAME
        file.parent.mkdir()
        with Store.open(results, read_only=True) as reader:
            care.back_up(reader, file)
        with Store.open(file.parent) as copy:
            rows = queries.evaluations(copy.connection, "s")
            assert [row["evaluation_number"] for row in rows] == list(range(len(rows)))
            assert len(rows) >= acknowledged
            assert len(rows) % 10 == 0
            assert [trouble.kind for trouble in care.check(copy)] in ([], ["left running"])
            sizes.append(len(rows))
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_a_study_in_progress_is_let_be_and_a_killed_one_is_mended(start, tmp_path):
    with Store.open(tmp_path) as store:
        store.create_study(NewStudy("s", "parametric"))
        writer = start(WRITER, tmp_path)
        writer.stdout.readline()
        assert care.check(store, mend=True) == []
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        (trouble,) = care.check(store, mend=True)
        assert (trouble.kind, trouble.subject, trouble.mended) == ("left running", "s", True)
        assert store.study("s")["status"] == "failed"
        assert care.check(store) == []


def test_an_import_killed_at_any_moment_is_ended_by_the_next(start, tmp_path):
    older = tmp_path / "older"
    older.mkdir()
    for number in range(12):
        content = {
            "system_id": f"house {number}",
            "timesteps": 24,
            "timestamp": None,
            "metadata": {},
            "components": {
                "Grid": {"type": "transmission", "medium": "electricity"},
                "House": {"type": "consumption", "medium": "electricity"},
            },
            "flows": {"f": {"source": "Grid", "target": "House", "type": "electricity", "value": [1.0] * 24}},
        }
        (older / f"{number:02d}.json").write_text(json.dumps(content))
    results = tmp_path / "results"
    process = start(IMPORTER, results, older)
    process.stdout.readline()
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(0.08)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with Store.open(results) as store:
        told = import_results(store, sorted(older.glob("*.json")))
        assert [run.run_id for run in told] == [f"imported-{number:07d}" for number in range(12)]
        rows = queries.fetch(store.connection, "SELECT * FROM simulation_runs ORDER BY run_id", [])
        assert [row["system_id"] for row in rows] == [f"house {number}" for number in range(12)]
        assert care.check(store) == []


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A study of a real house whose runs keep their files, settled as a flow settles it."""
    results = tmp_path_factory.mktemp("solved")
    loaded = load_study(ROOT / "examples" / "house" / "study_week.yaml")
    study = loaded.study.study
    with Store.open(results) as store, store.claim(study):
        begin(store, loaded, resume=False)
        record = StudyRecord(store, loaded)
        values = {
            name: getattr(v, "max", None) or v.choices[-1] for name, v in loaded.study.variables.items()
        }
        designs = [Design(0, values), Design(1, {name: value / 2 for name, value in values.items()})]
        evaluator = Evaluator(
            Assignment(
                loaded.system.system,
                loaded.system.series,
                loaded.system.content_hash,
                loaded.study.solver,
                study,
                results,
            )
        )
        record.start(designs)
        record.settle(1, evaluator.evaluate(designs[:1], keep_series=True))  # as with `timeseries: all`
        record.settle(1, evaluator.evaluate(designs[1:]))
        store.record_final_front(study, Front([f"{study}-0000001"]))
        again = evaluator.evaluate(designs[1:], keep_series=True)  # as with `timeseries: front`
        store.attach_files(files_by_run(study, again))
        store.finish_study(study, "completed")
    return results, loaded


def test_the_index_made_anew_of_a_real_study_says_what_it_said(solved, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(solved[0], results)
    study = solved[1].study.study

    def told():
        with Store.open(results, read_only=True) as reader:
            evaluations = queries.evaluations(reader.connection, study)
            runs = queries.fetch(reader.connection, "SELECT * FROM simulation_runs ORDER BY run_id", [])
            front = [row["run_id"] for row in queries.pareto_front(reader.connection, study)]
            return evaluations, runs, front, reader.study(study)

    before = told()
    assert [run["simulation_status"] for run in before[1]] == ["completed", "completed"]
    done = rebuild(results)
    assert (done.studies, done.runs, done.unreadable) == (1, 2, ())
    after = told()
    moments = {"created_at", "updated_at", "timestamp"}
    # Written before it was settled, the first folder knows nothing of generation and times.
    unknown = {"generation_number", "evaluation_time_seconds", "solver_time_seconds", "metadata_json"}
    for number, dropped in ((0, moments | unknown), (1, moments)):
        for old, new in zip(before[:2], after[:2], strict=True):
            assert without(new[number], dropped) == without(old[number], dropped)
    assert after[2] == before[2] == [f"{study}-0000001"]
    assert after[3]["optimization_objective"] == before[3]["optimization_objective"]
    assert after[3]["metadata_json"]["content"] == before[3]["metadata_json"]["content"]
    with Store.open(results) as made:
        assert care.check(made) == []
        begun = begin(made, solved[1], resume=True)  # it is the same study still
        assert begun.finished


def without(row, names):
    return {name: value for name, value in row.items() if name not in names}
