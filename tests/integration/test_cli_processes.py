"""The command line as a user has it: real processes, their exit status, and what stands on which stream."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import chdir, closing
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app
from schema.store.records import Evaluation, NewStudy
from schema.store.store import Store

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PATIENCE = 240  # seconds; the machine may be busy

SYSTEM = """
system: tiny
horizon: {start: 2019-06-01T00:00, steps: 24}
profiles:
  load: 1.0
  price: {time_of_use: {0: 0.1, 12: 0.3}}
  co2: {time_of_use: {0: 0.5, 12: 0.1}}
components:
  grid:
    type: grid
    import_limit_kw: LIMIT
    import_price_eur_per_kwh: {profile: price}
    import_co2_kg_per_kwh: {profile: co2}
  battery: {type: battery, capacity_kwh: 4, power_kw: 4, investment_eur_per_kwh: 10}
  lights: {type: power_demand, profile: load}
"""
STUDY = """
study: tiny_front
type: genetic_algorithm
system: system.yaml
objectives: {total_cost: minimise, total_co2: minimise}
variables:
  battery.capacity_kwh: {min: 1, max: 5}
  solver.co2_weight_eur_per_kg: {min: 0, max: 2}
algorithm: {population_size: 8, max_generations: GENERATIONS, seed: 1}
"""


SERVER = """
import sys
from flows.session import prefect_session

with prefect_session():
    print("ready", flush=True)
    sys.stdin.read()
"""


class Desk:
    """A folder with a system and a study, a home for Prefect, and a user in front of it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self.write()

    def write(self, limit: str = "5", generations: str = "2") -> None:
        (self.folder / "system.yaml").write_text(SYSTEM.replace("LIMIT", limit))
        (self.folder / "study.yaml").write_text(STUDY.replace("GENERATIONS", generations))

    def start(self, *words: object, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ecosystemiser", *map(str, words)],
            env={**environment(self.home), **settings},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *words: object, status: int = 0, **settings: str) -> tuple[str, str]:
        with self.start(*words, **settings) as process:
            screen = process.communicate(timeout=PATIENCE)
        assert process.returncode == status, screen
        assert "Traceback" not in screen[1]
        assert "\x1b" not in screen[0] + screen[1]
        return screen

    def type(self, *words: object, status: int = 0) -> tuple[str, str]:
        """As `call`, in this process: what needs no process of its own is quicker so."""
        with chdir(self.folder):
            result = CliRunner().invoke(app, [*map(str, words)])
        assert result.exit_code == status, result.output
        return result.stdout, result.stderr


def environment(home):
    left_out = ("PREFECT_", "ECOSYSTEMISER_", "PYTEST")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    return {**inherited, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(home)}


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path, tmp_path / "prefect")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose Prefect server stays between the runs: starting one takes longer than they do."""
    home = tmp_path_factory.mktemp("prefect")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout.readline() == "ready\n"
        yield home
        server.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def hopeless(tmp_path_factory, home):
    """A run of a study whose every design is infeasible, begun early: it needs its time too."""
    desk = Desk(tmp_path_factory.mktemp("hopeless"), home)
    desk.write(limit="0.5")
    with desk.start("run", "study.yaml", "--runner", "threads", "--json") as process:
        yield process


@pytest.fixture(scope="module")
def ran(tmp_path_factory, home, hopeless):
    """A study that was run to its end, and what stood on the screen."""
    desk = Desk(tmp_path_factory.mktemp("ran"), home)
    return desk, desk.call("run", "study.yaml", "--workers", "2", "--runner", "threads")


def test_help_needs_none_of_the_heavy_libraries_and_little_time(desk):
    heavy = ("numpy", "pandas", "cvxpy", "highspy", "prefect", "matplotlib", "pyarrow", "yaml")
    script = (
        "import sys, time; began = time.perf_counter(); from ecosystemiser.cli import app\n"
        "try: app(['run', '--help'])\n"
        "except SystemExit: pass\n"
        f"print([m for m in {heavy} if m in sys.modules], time.process_time(), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    loaded, seconds = done.stderr.rsplit("]", 1)
    assert loaded == "["
    assert float(seconds) < 1.5
    assert "ecosystemiser run examples/house/study_week.yaml" in done.stdout


def test_wrong_input_is_status_two_with_plain_lines_and_nothing_written(desk):
    (desk.folder / "study.yaml").write_text(
        STUDY.replace("min: 1, max: 5", "min: 9, max: 5").replace("GEN", "X")
    )
    before = sorted(desk.folder.iterdir())
    out, err = desk.call("run", "study.yaml", "--json", status=2)
    assert out == ""
    assert "study.yaml:7: variables.battery.capacity_kwh: " in err
    assert "min (9) is above max (5)" in err
    assert sorted(desk.folder.iterdir()) == before


def test_results_that_cannot_be_written_are_status_two(desk):
    (desk.folder / "results").touch()
    out, err = desk.type("run", "study.yaml", "--quiet", status=2)
    assert (out, len(err.splitlines())) == ("", 1)
    assert "results is a file: name a folder" in err


def test_whoever_stops_reading_is_no_failure_to_be_told(desk):
    with Store.open(desk.folder / "results") as store:
        store.create_study(NewStudy("s", "single", objectives={"total_cost": "minimise"}))
        store.record(
            [
                Evaluation(
                    "s",
                    n,
                    {"a.b": 1.0},
                    "success",
                    "x",
                    1,
                    "milp",
                    objectives={"total_cost": 1.0},
                    fitness=1.0,
                )
                for n in range(2_000)
            ]
        )
    with desk.start("query", "runs", "--limit", "2000", "--format", "csv") as process:
        assert process.stdout.readline().startswith("run_id,")
        process.stdout.close()
        assert process.stderr.read() == ""


def test_a_run_tells_what_comes_what_happens_and_what_was_found(ran):
    _, (out, err) = ran
    announced, *generations = err.splitlines()
    assert re.fullmatch(r"tiny_front: 16 evaluations by 2 workers, about .+, .+ in results", announced)
    assert [line.split(":")[0] for line in generations] == ["generation 1 of 2", "generation 2 of 2"]
    assert "16 of 16 evaluations, best total_cost " in generations[-1]
    assert out.startswith("tiny_front: completed, 16 evaluations (0 infeasible, 0 failed) in ")
    assert "Front: " in out
    assert "front: results/pictures/tiny_front/front.png" in out
    assert "  ecosystemiser query best-designs --study-id tiny_front\n" in out


def test_a_run_leaves_pictures_a_database_and_time_series(ran):
    desk, _ = ran
    for name in ("front.png", "convergence.png"):
        picture = desk.folder / "results" / "pictures" / "tiny_front" / name
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert list((desk.folder / "results" / "simulation_runs" / "tiny_front").glob("*/flows.parquet"))


def test_a_finished_study_shows_its_results_again_at_once(ran):
    desk, (first, _) = ran
    out, err = desk.type("run", "study.yaml")
    assert out == first
    assert err == "tiny_front is finished: nothing was run\n"


def test_the_json_of_a_run_is_alone_on_stdout_and_agrees_with_the_database(ran):
    desk, _ = ran
    out, err = desk.type("run", "study.yaml", "--json")
    assert err == ""
    found = json.loads(out)
    assert (found["study_id"], found["status"], found["evaluations"]) == ("tiny_front", "completed", 16)
    front = json.loads(desk.type("query", "pareto-front", "--format", "json")[0])
    assert [d["run_id"] for d in found["front"]] == [row["run_id"] for row in front]
    assert found["front"][0]["parameters"].keys() == {"battery.capacity_kwh", "solver.co2_weight_eur_per_kg"}
    assert found["front"][0]["objectives"] == front[0]["objectives"]
    with closing(sqlite3.connect(desk.folder / "results" / "simulation_index.sqlite")) as database:
        final = "SELECT hypervolume FROM pareto_fronts WHERE generation_number IS NULL"
        assert found["hypervolume"] == database.execute(final).fetchone()[0]
    assert all((desk.folder / path).exists() for path in found["paths"].values())


def test_another_study_of_the_same_id_is_refused_with_what_differs(ran):
    desk, _ = ran
    desk.write(generations="1")
    out, err = desk.type("run", "study.yaml", "--quiet", status=2)
    desk.write()
    assert out == ""
    assert "algorithm.max_generations (2, now 1)" in err


def test_a_study_without_any_design_is_status_one_with_the_reasons(hopeless):
    out, err = hopeless.communicate(timeout=PATIENCE)
    assert hopeless.returncode == 1
    found = json.loads(out)
    assert (found["front"], found["infeasible"]) == ([], 16)
    told = err.splitlines()
    assert [f"  {reason}" for reason in found["reasons"]] == told[1:]
    assert told[0].startswith("Error: study tiny_front found no design that can be dispatched")
    assert told[1:3] == [
        "  16 evaluations: 0 solved (0 of them break a constraint), 16 infeasible, 0 failed",
        "  infeasible, 16 times: infeasible",
    ]


def test_an_interrupted_run_says_how_to_go_on_and_does(ran):
    desk, _ = ran
    desk.write(generations="4000")
    with desk.start("run", "study.yaml", "--results", "long", "--runner", "threads") as process:
        for line in process.stderr:
            if line.startswith("generation 2 "):
                break
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate(timeout=PATIENCE)
    desk.write()
    assert process.returncode == 130
    assert time.monotonic() - began < 60
    assert out == ""
    told = [line for line in err.splitlines() if not line.startswith("generation ")]
    again = "ecosystemiser run study.yaml --resume --results long"
    assert told == [f"Interrupted: what was evaluated is kept; go on with `{again}`"]
    state = json.loads(desk.type("status", "tiny_front", "--results", "long", "--json")[0])
    assert state["state"] == "cancelled"
    assert state["evaluations"] >= 16
    assert state["process"] is None


def works_on(process):
    """Whether it is a worker that has not ended; one that ended and was not yet asked for its status has."""
    try:
        return process.is_running() and "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_a_study_that_is_cancelled_from_outside_ends_as_by_ctrl_c_and_goes_on_later(home, tmp_path):
    desk = Desk(tmp_path, home)
    desk.write(generations="4000")
    with desk.start("run", "study.yaml", "--results", "long", "--workers", "2") as process:
        for line in process.stderr:
            if line.startswith("generation 2 "):
                break
        members = psutil.Process(process.pid).children(recursive=True)
        out, told = desk.type("cancel", "tiny_front", "--results", "long")
        screen = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Interrupted: what was evaluated is kept" in screen[1]
    assert "Traceback" not in screen[1]
    assert not [member for member in members if works_on(member)]
    assert f"Process {process.pid} was told to end tiny_front" in told
    assert out.startswith("tiny_front: cancelled, ")
    assert "--resume --results long" in out
    _, told = desk.type("cancel", "tiny_front", "--results", "long", status=2)
    assert "no process is running tiny_front, which is cancelled; next: ecosystemiser run" in told
