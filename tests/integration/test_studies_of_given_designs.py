"""Monte Carlo, parametric and single studies from their files to their records, broken off and taken up again."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from schema.errors import InputError
from schema.loading import load_study
from schema.store import queries
from schema.store.database import FILE_NAME
from schema.store.store import Store

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PATIENCE = 120

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "price": {"time_of_use": {0: 0.18, 7: 0.34, 21: 0.22}},
        "flat": 0.28,
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 12,
            "import_price_eur_per_kwh": {"profile": "price"},
            "export_price_eur_per_kwh": 0.08,
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 6000},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 250},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
SWEEP = {
    "study": "sweep",
    "type": "parametric",
    "system": "house.yaml",
    "sweep": {
        "pv.capacity_kw": {"start": 0, "stop": 9, "count": 4},
        "battery.capacity_kwh": [0, 6],
        "grid.import_price_eur_per_kwh": ["price", "flat"],
    },
}
RISK = {
    "study": "risk",
    "type": "monte_carlo",
    "system": "house.yaml",
    "design": {"pv.capacity_kw": 6},
    "uncertain": {
        "grid.import_price_eur_per_kwh": {"scale": {"distribution": "normal", "mean": 1.0, "std": 0.2}},
        "lights.profile": {"scale": {"distribution": "uniform", "min": 0.7, "max": 1.2}},
        # With less than the lights take in the evening, there is no dispatch.
        "grid.import_limit_kw": {"distribution": "uniform", "min": 2.0, "max": 6.0},
    },
    "sampling": {"method": "sobol", "samples": 32, "seed": 4},
}
SINGLE = {"study": "one", "type": "single", "system": "house.yaml", "design": {"from_study": "sweep"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("studies")
    (place / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
    return place


@pytest.fixture(scope="module")
def write(folder):
    def written(stated, **changes):
        path = folder / f"{changes.get('study', stated['study'])}.yaml"
        path.write_text(yaml.safe_dump({**stated, **changes}, sort_keys=False))
        return path

    return written


def run(path, results, *, workers=1, runner="threads", resume=False):
    from flows.run import run_study

    return run_study(path, results, workers=workers, runner=runner, resume=resume).status


@pytest.fixture(scope="module")
def results(prefect, folder, write):
    """A sweep, a Monte Carlo study and a single one that takes the sweep's knee."""
    place = folder / "results"
    for study in (SWEEP, RISK, SINGLE):
        assert run(write(study), place) == "completed"
    return place


@pytest.fixture
def store(results):
    with Store.open(results, read_only=True) as opened:
        yield opened


def cli(*arguments):
    from ecosystemiser.cli import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def dispatched(path, values):
    from solvers.dispatch import Dispatcher

    loaded = load_study(path)
    return Dispatcher(loaded.system.system, loaded.system.series, loaded.study.solver).dispatch(values)


# -- what is recorded


def test_a_sweep_records_every_design_as_a_fresh_dispatcher_solves_it(store, folder):
    rows = queries.evaluations(store.connection, "sweep")
    assert len(rows) == 16
    assert [tuple(row["parameters"].values()) for row in rows[:3]] == [
        (0, 0, "price"),
        (0, 0, "flat"),
        (0, 6, "price"),
    ]
    for row in rows[::5]:
        kpis = dispatched(folder / "sweep.yaml", row["parameters"]).kpis
        assert row["objectives"] == {name: kpis[name] for name in ("total_cost", "total_co2")}
        assert row["fitness"] == kpis["total_cost"]
    study = store.study("sweep")
    assert (study["study_type"], study["status"], study["run_count"]) == ("parametric", "completed", 16)
    assert study["max_evaluations"] == 16
    assert study["progress_percent"] == 100


def test_a_sweep_tells_influences_and_its_front(store):
    told = queries.sensitivity(store.connection, "sweep", "total_co2")
    assert next(row["parameter_name"] for row in told) == "pv.capacity_kw"
    shares = sum(row["sobol_first_order"] for row in told)
    pairs = {
        frozenset((r["parameter_name"], other)): share
        for r in told
        for other, share in r["metadata_json"]["interactions"].items()
    }
    assert 0.9 < shares + sum(pairs.values()) <= 1 + 1e-9
    front = queries.pareto_front(store.connection, "sweep")
    rows = queries.evaluations(store.connection, "sweep")
    best = min(row["objectives"]["total_cost"] for row in rows)
    assert front[0]["objectives"]["total_cost"] == best


def test_a_profile_s_name_and_a_factor_on_it_reach_the_dispatch(folder):
    path = folder / "sweep.yaml"
    base = dispatched(path, {}).kpis["total_cost"]
    dear = dispatched(path, {"grid.import_price_eur_per_kwh": 2.0}).kpis["total_cost"]
    flat = dispatched(path, {"grid.import_price_eur_per_kwh": "flat"}).kpis["total_cost"]
    assert dear > base != flat
    twice = dispatched(path, {"lights.profile": 2.0}).kpis["total_demand_kwh"]
    assert twice == pytest.approx(2 * dispatched(path, {}).kpis["total_demand_kwh"])
    with pytest.raises(ValueError, match="at least 0"):
        dispatched(path, {"lights.profile": -1.0})


def test_a_monte_carlo_study_records_every_row_and_leaves_out_only_what_has_no_answer(store):
    rows = queries.evaluations(store.connection, "risk")
    assert len(rows) == 32 * 5
    infeasible = [row for row in rows if row["simulation_status"] == "infeasible"]
    assert 0 < len(infeasible) < len(rows) / 2
    assert not any(row["simulation_status"] == "failed" for row in rows)
    told = store.study("risk")["metadata_json"]["left_out"]
    assert (told["count"], told["infeasible"]) == (len(infeasible), len(infeasible))
    assert told["clusters"][0]["parameter"] == "grid.import_limit_kw"
    costs = [r["objectives"]["total_cost"] for i, r in enumerate(rows) if i % 5 in {0, 4} and r["objectives"]]
    cost = queries.uncertainty(store.connection, "risk")[0]
    assert cost["objective_name"] == "total_cost"
    assert cost["mean_value"] == pytest.approx(np.mean(costs))
    assert cost["var_95"] == cost["percentile_95"] == pytest.approx(np.percentile(costs, 95))
    assert cost["cvar_95"] >= cost["var_95"]
    assert cost["metadata_json"]["samples"] == len(costs)
    low, high = cost["metadata_json"]["intervals_95"]["mean_value"]
    assert low < cost["mean_value"] < high
    effects = queries.sensitivity(store.connection, "risk", "total_cost")
    assert {row["analysis_id"] for row in effects} == {cost["analysis_id"]}
    assert {row["parameter_name"] for row in effects} == set(RISK["uncertain"])
    assert all(row["sobol_total_confidence"] > 0 for row in effects)
    assert sorted(row["importance_rank"] for row in effects) == [1, 2, 3]


def test_where_no_sample_can_be_dispatched_the_study_fails_and_says_why(results, write):
    limit = {"grid.import_limit_kw": {"distribution": "uniform", "min": 0.1, "max": 0.2}}
    path = write(RISK, study="hopeless", uncertain=limit, sampling={"samples": 4})
    assert run(path, results) == "failed"
    with Store.open(results, read_only=True) as store:
        study = store.study("hopeless")
        assert queries.uncertainty(store.connection, "hopeless") == []
    assert study["metadata_json"]["left_out"]["share"] == 1
    assert study["metadata_json"]["reason"]
    shown = cli("query", "uncertainty", "--study-id", "hopeless", "--results", results)
    assert "no analysis of uncertainty" in shown.output


def test_a_sweep_may_keep_the_series_of_its_front(results, write):
    path = write(SWEEP, study="kept", sweep={"pv.capacity_kw": [0, 3, 6]}, timeseries="front")
    assert run(path, results) == "completed"
    with Store.open(results, read_only=True) as store:
        front = {row["run_id"] for row in queries.pareto_front(store.connection, "kept")}
        runs = [queries.simulation_run(store.connection, f"kept-{i:07d}") for i in range(3)]
    assert {run["run_id"] for run in runs if run["flows_path"]} == front


def test_a_single_study_takes_the_other_study_s_knee_and_keeps_its_series(store, results):
    (row,) = queries.evaluations(store.connection, "one")
    (base,) = store.study("one")["metadata_json"]["designs"]
    assert base["run_id"] in {r["run_id"] for r in queries.pareto_front(store.connection, "sweep")}
    assert row["parameters"] == base["values"]
    assert (results / queries.simulation_run(store.connection, row["run_id"])["flows_path"]).is_file()


# -- designs from another study


@pytest.mark.parametrize("pick", ["cheapest", "lowest_co2", "sweep-0000005"])
def test_a_design_is_picked_from_another_study(results, folder, write, pick):
    from tasks.bases import bases_of

    loaded = load_study(write(SINGLE, study="picked", design={"from_study": "sweep", "pick": pick}))
    with Store.open(results, read_only=True) as store:
        (base,) = bases_of(store, loaded)
        rows = {row["run_id"]: row for row in queries.evaluations(store.connection, "sweep")}
    name = {"cheapest": "total_cost", "lowest_co2": "total_co2"}.get(pick)
    assert base.values == rows[base.run_id]["parameters"]
    if name:
        assert rows[base.run_id]["objectives"][name] == min(row["objectives"][name] for row in rows.values())
    else:
        assert base.run_id == pick


WRONG_PICKS = {
    "unknown study": ({"from_study": "sweap"}, "there is no study 'sweap'"),
    "unknown run": (
        {"from_study": "sweep", "pick": "sweep-0000099"},
        "'sweep-0000099' is no run of study 'sweep'",
    ),
    "unsolved run": ({"from_study": "risk", "pick": None}, "pick one that was solved"),
    "clash": ({"from_study": "sweep"}, "the design states grid.import_price_eur_per_kwh as well"),
}


@pytest.mark.parametrize("case", WRONG_PICKS)
def test_a_design_that_is_not_there_is_refused_before_anything_runs(results, write, case):
    design, words = WRONG_PICKS[case]
    if design.get("pick", "") is None:
        with Store.open(results, read_only=True) as store:
            rows = queries.evaluations(store.connection, "risk")
        unsolved = next(row["run_id"] for row in rows if row["simulation_status"] == "infeasible")
        design = {**design, "pick": unsolved}
    with pytest.raises(InputError, match=words):
        run(write(RISK, study="never", design=design), results)
    with Store.open(results, read_only=True) as store:
        assert store.study("never") is None


def test_a_whole_front_goes_through_the_same_samples(results, write):
    uncertain = {"economics.co2_price_eur_per_kg": {"distribution": "uniform", "min": 0.0, "max": 6.0}}
    path = write(
        RISK,
        study="front_risk",
        design={"from_study": "sweep", "pick": "front"},
        uncertain=uncertain,
        sampling={"method": "latin_hypercube", "samples": 10},
    )
    assert run(path, results) == "completed"
    with Store.open(results, read_only=True) as store:
        front = [row["run_id"] for row in queries.pareto_front(store.connection, "sweep")]
        told = queries.uncertainty(store.connection, "front_risk")
        assert [row["target_solution_id"] for row in told if row["objective_name"] == "total_cost"] == front
        shares = [row["metadata_json"]["front_share"] for row in told]
        assert len(front) > 1
        assert all(0 <= share <= 1 for share in shares)
        assert max(shares) > 0
        assert store.study("front_risk")["run_count"] == 10 * len(front)


# -- the same whoever evaluates, and however often it is broken off

VOLATILE = {
    *("created_at", "updated_at", "completed_at", "timestamp", "execution_time_seconds"),
    *("evaluation_time_seconds", "solver_time_seconds", "pareto_id", "analysis_id", "sensitivity_id"),
}


def record(results, study_id):
    """All that a study recorded but times, by table, rows in order."""
    orders = {
        "studies": "study_id",
        "study_runs": "run_id",
        "uncertainty_analysis": "objective_name, target_solution_id",
        "sensitivity_analysis": "objective_name, parameter_index",
    }
    with closing(sqlite3.connect(results / FILE_NAME, timeout=PATIENCE)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {
            table: [
                {name: value for name, value in dict(row).items() if name not in VOLATILE}
                for row in connection.execute(
                    f"SELECT * FROM {table} WHERE study_id = ? ORDER BY {order}", [study_id]
                )
            ]
            for table, order in orders.items()
        }
    for row in tables["studies"]:
        metadata = json.loads(row["metadata_json"])
        row["metadata_json"] = {name: told for name, told in metadata.items() if name != "flow_runs"}
    return tables


def test_processes_find_what_threads_find(results, folder, write, tmp_path):
    assert run(folder / "risk.yaml", tmp_path, workers=2, runner="processes") == "completed"
    assert record(tmp_path, "risk") == record(results, "risk")


RUN = """
import sys
from pathlib import Path
from flows.run import run_study

if __name__ == "__main__":
    study, results, resume = sys.argv[1:]
    print(run_study(Path(study), Path(results), workers=1, runner="threads", resume=bool(resume)).status)
"""


@pytest.mark.parametrize("study", ["risk", pytest.param("sweep", marks=pytest.mark.slow)])
def test_a_killed_study_goes_on_and_ends_as_if_it_had_never_been_killed(results, folder, tmp_path, study):
    whole = record(results, study)
    count = len(whole["study_runs"])
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, folder / f"{study}.yaml", tmp_path, ""],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    moment = random.randrange(1, count // 2)
    deadline = time.monotonic() + PATIENCE
    while settled(tmp_path, study) < moment and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if settled(tmp_path, study) < count:
        with pytest.raises(InputError, match="--resume"):
            run(folder / f"{study}.yaml", tmp_path)
    assert run(folder / f"{study}.yaml", tmp_path, resume=True) == "completed"
    assert record(tmp_path, study) == whole


def settled(results, study):
    try:
        with closing(sqlite3.connect(results / FILE_NAME, timeout=PATIENCE)) as connection:
            return connection.execute(
                "SELECT count(*) FROM study_runs WHERE study_id = ?", [study]
            ).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_auto_goes_on_where_it_was_broken_off(prefect, write, tmp_path):
    path = write(RISK, study="auto", sampling={"samples": "auto", "target_interval": 0.9, "max_samples": 128})
    assert run(path, tmp_path / "whole") == "completed"
    whole = record(tmp_path / "whole", "auto")
    with Store.open(tmp_path / "whole", read_only=True) as store:
        rounds = store.study("auto")["metadata_json"]["sampling"]["rounds"]
    assert [told["samples"] for told in rounds][:1] == [64]
    assert whole["study_runs"][-1]["generation_number"] == len(rounds)
    assert len(whole["study_runs"]) == rounds[-1]["samples"] * 5
    # As a kill leaves it: the later evaluations are not there, and the study says that it runs.
    import shutil

    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    with closing(sqlite3.connect(tmp_path / "again" / FILE_NAME)) as connection, connection:
        connection.execute("DELETE FROM study_runs WHERE evaluation_number > 200")
        connection.execute("DELETE FROM simulation_runs WHERE run_id > 'auto-0000200'")
        connection.execute("DELETE FROM uncertainty_analysis")
        connection.execute("UPDATE studies SET status = 'running', run_count = 201")
    assert run(path, tmp_path / "again", resume=True) == "completed"
    assert record(tmp_path / "again", "auto") == whole


def test_the_flow_of_another_kind_refuses_a_study(results, folder):
    from flows.parametric import parametric_study

    with pytest.raises(InputError, match="run the flow of that kind"):
        parametric_study(folder / "risk.yaml", results)


# -- on the command line


def test_the_commands_show_each_kind_of_study(results, folder):
    shown = cli("run", folder / "sweep.yaml", "--results", results)
    assert shown.exit_code == 0, shown.output
    assert "Sweep: 16 designs" in shown.stdout
    assert "sobol total" in shown.stdout
    shown = cli("run", folder / "risk.yaml", "--results", results)
    assert "Uncertainty of risk" in shown.stdout
    assert "samples have no answer" in shown.stdout
    assert "They lie at grid.import_limit_kw" in shown.stdout
    shown = cli("run", folder / "one.yaml", "--results", results)
    assert "Run one-0000000" in shown.stdout
    assert "renewable_fraction" in shown.stdout


def test_json_has_what_each_kind_found(results, folder):
    told = json.loads(cli("run", folder / "risk.yaml", "--results", results, "--json").stdout)
    assert (told["study_id"], told["status"], told["evaluations"], told["front"]) == (
        "risk",
        "completed",
        160,
        [],
    )
    assert told["uncertainty"][0]["objective_name"] == "total_co2" or told["uncertainty"][0]["cvar_95"]
    assert told["left_out"]["count"] == told["infeasible"]
    assert {row["parameter_name"] for row in told["sensitivity"]} == set(RISK["uncertain"])
    told = json.loads(cli("run", folder / "sweep.yaml", "--results", results, "--json").stdout)
    assert len(told["runs"]) == 16
    assert told["runs"][0]["parameters"]["grid.import_price_eur_per_kwh"] == "price"
    assert told["runs"][0]["gap_fraction"] >= 0
    assert told["front"]


def test_solvers_stand_side_by_side(results, write):
    sweep = {"solver.method": ["milp"], "pv.capacity_kw": [2, 4]}
    path = write(SWEEP, study="solvers", sweep=sweep)
    assert run(path, results) == "completed"
    shown = cli("run", path, "--results", results)
    heading = next(line for line in shown.stdout.splitlines() if line.startswith("run_id"))
    assert [name in heading for name in ("total_cost", "gap", "seconds", "solver.method")] == [True] * 4
    with Store.open(results, read_only=True) as store:
        assert queries.simulation_run(store.connection, "solvers-0000000")["solver_type"] == "milp"


def test_an_interaction_table_has_a_row_for_each_value_of_one_and_a_column_for_each_of_the_other(results):
    told = cli(
        "query",
        "interactions",
        "--study-id",
        "sweep",
        "--results",
        results,
        "--parameters",
        "pv.capacity_kw,battery.capacity_kwh",
        "--format",
        "json",
    )
    rows = json.loads(told.stdout)
    assert len(rows) == 8
    assert {row["evaluations"] for row in rows} == {2}
    shown = cli(
        "query", "interactions", "--study-id", "sweep", "--results", results, "--objective", "total_co2"
    )
    assert "Mean total_co2 [kg]" in shown.stdout
    wrong = cli(
        "query",
        "interactions",
        "--study-id",
        "sweep",
        "--results",
        results,
        "--parameters",
        "pv.capacity_kw,pv.size",
    )
    assert wrong.exit_code == 2 or isinstance(wrong.exception, InputError)
    nothing = cli("query", "interactions", "--study-id", "risk", "--results", results)
    assert "sweeps no two parameters" in nothing.output
