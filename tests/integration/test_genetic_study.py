"""A small study from its files to its record: through Prefect, with real workers and a real database."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
import yaml

from schema.errors import InputError
from schema.loading import load_study
from schema.store import queries
from schema.store.database import FILE_NAME
from schema.store.records import KPI_COLUMNS
from schema.store.store import Store
from schema.store.timeseries import read_details, read_series

pytestmark = pytest.mark.integration

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "price": {"time_of_use": {0: 0.18, 7: 0.34, 21: 0.22}},
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
        "warmth": {"time_of_use": {0: 2.0, 6: 4.0, 10: 2.5, 17: 3.5}},
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 12,
            "import_price_eur_per_kwh": {"profile": "price"},
            "export_price_eur_per_kwh": 0.08,
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 1100},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 250},
        "heat_pump": {"type": "heat_pump", "capacity_kw": 6, "cop": 3, "investment_eur_per_kw": 900},
        "lights": {"type": "power_demand", "profile": "load"},
        "heating": {"type": "heat_demand", "profile": "warmth"},
    },
}
STUDY = {
    "study": "Small_front",
    "type": "genetic_algorithm",
    "system": "house.yaml",
    "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
    "constraints": {"self_sufficiency_rate": {"min": 0.1}},
    "variables": {
        "pv.capacity_kw": {"min": 0, "max": 20},
        "battery.capacity_kwh": {"min": 0, "max": 12, "integer": True},
        "heat_pump.capacity_kw": {"choices": [4, 5, 6, 9]},
        "solver.co2_weight_eur_per_kg": {"min": 0, "max": 1},
    },
    "algorithm": {"population_size": 8, "max_generations": 4, "seed": 3},
}
EVALUATIONS = 32


def merged(base, changes):
    """The mapping with changes at any depth; None takes a key out."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def write_study(folder, system=None, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"house.yaml": merged(SYSTEM, system or {}), "study.yaml": merged(STUDY, changes)}
    for name, content in texts.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
    return folder / "study.yaml"


def run(path, results, *, workers=1, runner="threads", resume=False):
    from flows.run import run_study

    return run_study(path, results, workers=workers, runner=runner, resume=resume)


@pytest.fixture(scope="module")
def finished(prefect, tmp_path_factory):
    """The study file and its results, run by two processes."""
    folder = tmp_path_factory.mktemp("study")
    path = write_study(folder)
    outcome = run(path, folder / "results", workers=2, runner="processes")
    assert (outcome.study_id, outcome.status, outcome.was_finished) == ("Small_front", "completed", False)
    return path, folder / "results"


@pytest.fixture
def store(finished):
    with Store.open(finished[1], read_only=True) as opened:
        yield opened


VOLATILE = {
    *(
        "created_at",
        "updated_at",
        "completed_at",
        "timestamp",
        "execution_time_seconds",
        "base_system_config_path",
    ),
    *("evaluation_time_seconds", "solver_time_seconds", "generation_time_seconds", "pareto_id", "metric_id"),
}


def record(results, *, without=()):
    """All that a study recorded but times and paths of this run, by table, rows in order."""
    orders = {
        "studies": "study_id",
        "study_runs": "run_id",
        "simulation_runs": "run_id",
        "pareto_fronts": "study_id, generation_number",
        "convergence_metrics": "study_id, generation_number",
    }
    with closing(sqlite3.connect(results / FILE_NAME)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}")]
            for table, order in orders.items()
        }
    for table, rows in tables.items():
        for row in rows:
            for name in VOLATILE | set(without):
                row.pop(name, None)
            if table == "studies":
                row["metadata_json"] = json.loads(row["metadata_json"])
                row["metadata_json"].pop("study_path")
                row["metadata_json"].pop("flow_runs")
    return tables


# -- what is recorded


def test_the_study_s_row_tells_what_was_asked_and_how_it_ended(store, finished):
    row = store.study("Small_front")
    assert row["study_type"] == "genetic_algorithm"
    assert row["optimization_objective"] == STUDY["objectives"]
    assert row["optimization_constraints"] == STUDY["constraints"]
    assert (row["population_size"], row["max_generations"], row["max_evaluations"]) == (8, 4, 32)
    assert (row["status"], row["progress_percent"], row["run_count"]) == ("completed", 100.0, EVALUATIONS)
    assert row["completed_at"] >= row["created_at"]
    assert row["execution_time_seconds"] > 0
    assert Path(row["base_system_config_path"]) == finished[0].parent / "house.yaml"
    best = min(
        (r for r in queries.evaluations(store.connection, "Small_front") if not r["constraint_violations"]),
        key=lambda r: r["fitness"],
    )
    assert (row["best_solution_id"], row["best_fitness"]) == (best["run_id"], best["fitness"])
    assert row["metadata_json"]["content"]["algorithm"]["seed"] == 3
    assert row["metadata_json"]["versions"]["highspy"]
    assert len(row["metadata_json"]["reference_point"]) == 2


def test_every_evaluation_is_numbered_and_belongs_to_its_generation(store):
    rows = queries.evaluations(store.connection, "Small_front")
    assert [row["evaluation_number"] for row in rows] == list(range(EVALUATIONS))
    assert [row["run_id"] for row in rows] == [f"Small_front-{n:07d}" for n in range(EVALUATIONS)]
    assert [row["generation_number"] for row in rows] == [1 + n // 8 for n in range(EVALUATIONS)]
    for row in rows:
        assert row["simulation_status"] == "success"
        assert row["parameter_names"] == list(STUDY["variables"])
        assert row["fitness"] == row["objectives"]["total_cost"]
        assert 0 < row["solver_time_seconds"] < row["evaluation_time_seconds"] < 10


def test_constraint_breaking_designs_are_successes_that_are_on_no_front(store):
    rows = queries.evaluations(store.connection, "Small_front")
    breaking = [row for row in rows if row["constraint_violations"]]
    assert breaking
    assert not any(row["is_pareto_optimal"] for row in breaking)
    assert all(row["fitness"] is not None for row in breaking)
    for row in breaking:
        rate = queries.simulation_run(store.connection, row["run_id"])["self_sufficiency_rate"]
        assert row["constraint_violations"] == {"self_sufficiency_rate": pytest.approx(0.1 - rate)}


def test_every_simulation_run_is_settled_with_the_kpis_that_a_fresh_dispatcher_finds(store, finished):
    from solvers.dispatch import Dispatcher

    loaded = load_study(finished[0])
    for row in queries.evaluations(store.connection, "Small_front")[::5]:
        simulation = queries.simulation_run(store.connection, row["simulation_run_id"])
        assert simulation["simulation_status"] == "completed"
        assert (simulation["system_id"], simulation["timesteps"], simulation["solver_type"]) == (
            "house",
            24,
            "milp",
        )
        dispatcher = Dispatcher(loaded.system.system, loaded.system.series, loaded.study.solver)
        kpis = dispatcher.dispatch(row["parameters"]).kpis
        assert {name: simulation[name] for name in KPI_COLUMNS} == {name: kpis[name] for name in KPI_COLUMNS}


def dominates(a, b):
    return all(a[k] <= b[k] for k in a) and any(a[k] < b[k] for k in a)


def test_the_final_front_is_what_no_satisfying_evaluation_dominates(store):
    rows = [r for r in queries.evaluations(store.connection, "Small_front") if not r["constraint_violations"]]
    counts = {
        r["run_id"]: sum(dominates(other["objectives"], r["objectives"]) for other in rows) for r in rows
    }
    assert {r["run_id"]: r["domination_count"] for r in rows} == counts
    front = {run_id for run_id, count in counts.items() if count == 0}
    assert {r["run_id"] for r in rows if r["is_pareto_optimal"]} == front
    *by_generation, final = queries.fronts(store.connection, "Small_front")
    assert final["generation_number"] is None
    assert set(final["run_ids"]) == front
    assert final["front_size"] == len(front) == len(final["run_ids"])
    assert [row["generation_number"] for row in by_generation] == [1, 2, 3, 4]
    assert final["hypervolume"] == by_generation[-1]["hypervolume"]


def test_generations_only_get_better(store):
    rows = queries.convergence(store.connection, "Small_front")
    assert [row["generation_number"] for row in rows] == [1, 2, 3, 4]
    best = [row["best_fitness"] for row in rows]
    volume = [row["hypervolume"] for row in rows]
    assert best == sorted(best, reverse=True)
    assert volume == sorted(volume)
    for row in rows:
        assert row["evaluations_in_generation"] == 8
        assert row["best_fitness"] <= row["average_fitness"] <= row["worst_fitness"]
        assert row["fitness_std_dev"] >= 0
        assert row["population_diversity"] > 0
        assert row["generation_time_seconds"] > 0


def test_only_the_final_front_keeps_time_series_and_they_are_whole(store, finished):
    results = finished[1]
    front = set(queries.fronts(store.connection, "Small_front")[-1]["run_ids"])
    for row in queries.evaluations(store.connection, "Small_front"):
        simulation = queries.simulation_run(store.connection, row["run_id"])
        if row["run_id"] not in front:
            assert (
                simulation["results_path"]
                is simulation["flows_path"]
                is simulation["components_path"]
                is None
            )
            continue
        flows = pd.read_parquet(results / simulation["flows_path"])
        assert len(flows) == 24
        assert flows.notna().all(axis=None)
        assert (results / simulation["components_path"]).is_file()
        assert len(read_series(results, "Small_front", row["run_id"], "components")) == 24
        config, kpis = read_details(results, "Small_front", row["run_id"])
        assert config["parameters"] == row["parameters"]
        assert kpis["total_cost"] == simulation["total_cost"]
    kept = {folder.name for folder in (results / "simulation_runs" / "Small_front").iterdir()}
    assert kept == front


@pytest.mark.parametrize(("keep", "count"), [("all", 12), ("none", 0)])
def test_all_or_no_runs_keep_their_time_series_where_the_study_says_so(prefect, tmp_path, keep, count):
    path = write_study(tmp_path, timeseries=keep, algorithm={"population_size": 6, "max_generations": 2})
    run(path, tmp_path / "results")
    tables = record(tmp_path / "results")
    assert sum(row["flows_path"] is not None for row in tables["simulation_runs"]) == count
    assert len(list((tmp_path / "results").glob("simulation_runs/*/*/flows.parquet"))) == count


# -- the same study, the same rows


@pytest.mark.parametrize("workers", [1, 2])
def test_how_many_work_and_whether_they_are_threads_or_processes_changes_no_bit(
    prefect, finished, tmp_path, workers
):
    run(finished[0], tmp_path, workers=workers, runner="threads")
    # Which of the front's files were written by whom is the same as well: paths are relative.
    assert record(tmp_path) == record(finished[1])


def test_every_design_is_evaluated_once_and_by_its_task(prefect, tmp_path, monkeypatch, caplog):
    from tasks.evaluate import Evaluator

    evaluated = []
    evaluate = Evaluator.evaluate

    def counted(self, designs, **how):
        evaluated.extend(
            (design.number, threading.current_thread() is threading.main_thread()) for design in designs
        )
        return evaluate(self, designs, **how)

    monkeypatch.setattr(Evaluator, "evaluate", counted)
    assert run(write_study(tmp_path, timeseries="none"), tmp_path, runner="threads").status == "completed"
    assert sorted(evaluated) == [(number, False) for number in range(EVALUATIONS)]
    assert "without Prefect" not in caplog.text


def test_a_finished_study_shows_its_results_and_runs_nothing_again(finished):
    path, results = finished
    before = (results / FILE_NAME).read_bytes(), record(results)
    for resume in (False, True):
        outcome = run(path, results, resume=resume)
        assert (outcome.status, outcome.was_finished) == ("completed", True)
    assert ((results / FILE_NAME).read_bytes(), record(results)) == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"algorithm": {"seed": 4}}, "algorithm.seed (3, now 4)"),
        ({"objectives": {"total_co2": "maximise"}}, "objectives.total_co2 (minimise, now maximise)"),
        ({"constraints": {"renewable_fraction": {"max": 0.9}}}, "constraints.renewable_fraction"),
        ({"variables": {"pv.capacity_kw": {"max": 21}}}, "variables.pv.capacity_kw.max (20.0, now 21.0)"),
        ({"system": {"components": {"pv": {"investment_eur_per_kw": 900}}}}, "the system or its profiles"),
        ({"system": {"profiles": {"load": {"time_of_use": {0: 0.6}}}}}, "the system or its profiles"),
    ],
    ids=["seed", "objective", "constraint", "variable", "system", "profile"],
)
@pytest.mark.parametrize("resume", [False, True], ids=["anew", "resumed"])
def test_an_id_that_holds_another_study_is_refused_with_what_differs(
    finished, tmp_path, changes, told, resume
):
    system = changes.get("system")
    others = {key: value for key, value in changes.items() if key != "system"}
    path = write_study(tmp_path / "other", system, **others)
    before = (finished[1] / FILE_NAME).read_bytes()
    with pytest.raises(InputError) as refused:
        run(path, finished[1], resume=resume)
    assert told in str(refused.value)
    assert (finished[1] / FILE_NAME).read_bytes() == before


def test_the_order_of_variables_belongs_to_a_study(finished, tmp_path):
    turned = dict(reversed(STUDY["variables"].items()))
    path = write_study(tmp_path)
    path.write_text(yaml.safe_dump(STUDY | {"variables": turned}, sort_keys=False))
    with pytest.raises(InputError, match="the order of variables"):
        run(path, finished[1])


def test_words_and_file_names_do_not_make_another_study(finished, tmp_path):
    path = write_study(tmp_path, description="in other words")
    (tmp_path / "house.yaml").rename(tmp_path / "home.yaml")
    path.write_text(path.read_text().replace("house.yaml", "home.yaml"))
    assert run(path, finished[1]).was_finished


# -- designs that cannot be


def test_where_no_design_can_be_dispatched_the_study_fails_and_tells_why(prefect, tmp_path):
    path = write_study(
        tmp_path,
        {"components": {"grid": {"import_limit_kw": 0.5}}},
        variables={"pv.capacity_kw": {"max": 1}, "battery.capacity_kwh": {"max": 1}},
        algorithm={"population_size": 4, "max_generations": 2},
    )
    results = tmp_path / "results"
    assert run(path, results).status == "failed"
    tables = record(results)
    (row,) = tables["studies"]
    assert row["status"] == "failed"
    assert row["best_fitness"] is row["best_solution_id"] is None
    assert any("electricity" in line or "grid" in line for line in row["metadata_json"]["reason"])
    assert len(tables["study_runs"]) == 8
    for evaluation in tables["study_runs"]:
        assert evaluation["simulation_status"] == "infeasible"
        assert evaluation["fitness"] is None
        assert evaluation["objectives"] == evaluation["constraint_violations"] == "{}"
        assert evaluation["is_pareto_optimal"] == 0
    assert {row["simulation_status"] for row in tables["simulation_runs"]} == {"infeasible"}
    assert [row["best_fitness"] for row in tables["convergence_metrics"]] == [None, None]
    assert [(r["front_size"], r["hypervolume"]) for r in tables["pareto_fronts"]] == [(0, None)] * 3
    assert not (results / "simulation_runs").exists()


def test_some_infeasible_designs_are_labelled_and_the_others_make_the_front(prefect, tmp_path):
    # 3 kW of heat pump cannot meet 4 kW of heat demand
    path = write_study(tmp_path, variables={"heat_pump.capacity_kw": {"choices": [3, 3.5, 6]}})
    assert run(path, tmp_path / "results").status == "completed"
    with Store.open(tmp_path / "results", read_only=True) as store:
        rows = queries.evaluations(store.connection, "Small_front")
        front = queries.pareto_front(store.connection, "Small_front")
    infeasible = [row for row in rows if row["simulation_status"] == "infeasible"]
    assert {row["parameters"]["heat_pump.capacity_kw"] for row in infeasible} == {3, 3.5}
    assert all(row["fitness"] is None for row in infeasible)
    assert front
    assert all(row["parameters"]["heat_pump.capacity_kw"] == 6 for row in front)


def test_where_no_design_keeps_the_constraints_the_study_completes_without_a_front(prefect, tmp_path):
    path = write_study(
        tmp_path, constraints={"self_sufficiency_rate": {"min": 0.999}, "total_co2": {"max": -1e6}}
    )
    assert run(path, tmp_path / "results").status == "completed"
    tables = record(tmp_path / "results")
    assert {row["simulation_status"] for row in tables["study_runs"]} == {"success"}
    assert tables["studies"][0]["best_fitness"] is None
    assert [row["front_size"] for row in tables["pareto_fronts"]] == [0] * 5


def test_designs_that_run_into_the_time_limit_are_failures_that_say_so(prefect, tmp_path):
    path = write_study(
        tmp_path,
        solver={"time_limit_seconds": 1e-9},
        algorithm={"population_size": 4, "max_generations": 1},
    )
    run(path, tmp_path / "results")
    rows = record(tmp_path / "results")["study_runs"]
    # A design that the reference's basis solves at once takes no time.
    failed = [row for row in rows if row["simulation_status"] != "success"]
    assert failed
    for row in failed:
        assert (row["simulation_status"], row["fitness"]) == ("failed", None)
        assert "limit" in json.loads(row["metadata_json"])["message"]


def test_designs_that_are_not_valid_together_fail_one_by_one(prefect, tmp_path):
    """Each value is fine alone; a level that must end below its floor is not."""
    path = write_study(
        tmp_path,
        variables={
            "battery.initial_level_fraction": {"min": 0, "max": 1},
            "battery.min_level_fraction": {"min": 0, "max": 0.5},
        },
    )
    assert run(path, tmp_path / "results").status == "completed"
    rows = record(tmp_path / "results")["study_runs"]
    failed = [row for row in rows if row["simulation_status"] == "failed"]
    assert 0 < len(failed) < len(rows)
    assert all("initial_level_fraction" in json.loads(row["metadata_json"])["message"] for row in failed)


def test_one_objective_and_a_search_space_that_is_soon_exhausted_are_a_study_too(prefect, tmp_path):
    path = write_study(
        tmp_path,
        objectives={"total_co2": None},
        constraints={"self_sufficiency_rate": None},
        algorithm={"population_size": 8, "max_generations": 20},
    )
    study = yaml.safe_load(path.read_text())
    study["variables"] = {
        "heat_pump.capacity_kw": {"choices": [4, 6, 9]},
        "pv.capacity_kw": {"min": 5, "max": 5},
    }
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    assert run(path, tmp_path / "results").status == "completed"
    tables = record(tmp_path / "results")
    assert sorted(json.loads(row["parameter_vector"]) for row in tables["study_runs"]) == [
        [4, 5],
        [6, 5],
        [9, 5],
    ]
    assert tables["studies"][0]["progress_percent"] == 100
    assert tables["pareto_fronts"][-1]["front_size"] == 1


# -- what Prefect shows


def test_prefect_shows_the_study_by_its_name_with_its_progress_and_its_front(prefect, finished, store):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        ArtifactFilter,
        ArtifactFilterKey,
        FlowRunFilter,
        FlowRunFilterId,
    )

    with get_client(sync_client=True) as client:
        runs = [r for r in client.read_flow_runs() if r.parameters["results"] == str(finished[1])]
        (flow_run,) = runs
        assert flow_run.name == "Small_front"
        assert flow_run.state.is_completed()
        tasks = wait_for_tasks(client, FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id])))
        shown = ("progress", "front", "front-picture", "report")
        key = ArtifactFilterKey(any_=[f"small-front-{what}" for what in shown])
        artifacts = {
            a.key: a
            for a in client.read_artifacts(artifact_filter=ArtifactFilter(key=key))
            if a.flow_run_id == flow_run.id
        }
    evaluations = [t for t in tasks if t.name.startswith("Small_front generation ")]
    assert any(t.name.endswith(f"to {EVALUATIONS - 1}") for t in evaluations)
    assert all(t.name.startswith("Small_front ") and t.state.is_completed() for t in tasks)
    assert artifacts["small-front-progress"].data == 100.0
    assert "generation 4 of 4, 32 of 32 evaluations" in artifacts["small-front-progress"].description
    table = json.loads(artifacts["small-front-front"].data)
    assert [row["run_id"] for row in table] == [
        row["run_id"] for row in queries.pareto_front(store.connection, "Small_front")
    ]
    assert {"pv.capacity_kw", "total_cost [€]", "total_co2 [kg]"} <= table[0].keys()
    picture = artifacts["small-front-front-picture"].data
    assert "](data:image/svg+xml;base64," in picture
    assert len(picture) < 20_000
    assert "ecosystemiser report Small_front --results" in artifacts["small-front-report"].data


def wait_for_tasks(client, flow_runs):
    """The flow run's task runs, once the server has recorded that they ended."""
    import time

    deadline = time.monotonic() + 60
    while True:
        tasks = client.read_task_runs(flow_run_filter=flow_runs)
        if tasks and all(t.state is not None and t.state.is_final() for t in tasks):
            return tasks
        assert time.monotonic() < deadline
        time.sleep(0.5)


# -- a results folder that cannot be used


def test_a_results_folder_that_is_a_file_is_refused_before_anything_runs(finished, tmp_path):
    (tmp_path / "results").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        run(finished[0], tmp_path / "results")
    assert (tmp_path / "results").read_text() == "mine"


def test_a_front_whose_series_cannot_be_written_stops_the_study_which_goes_on_once_they_can(
    prefect, finished, tmp_path
):
    from schema.store.errors import StoreError

    results = tmp_path / "results"
    results.mkdir()
    (results / "simulation_runs").write_text("in the way")
    hasty = finished[0].with_name("hasty.yaml")
    asked = yaml.safe_load(finished[0].read_text())
    hasty.write_text(yaml.safe_dump(asked | {"failures": {"storage_patience_seconds": 0.5}}, sort_keys=False))
    with pytest.raises(StoreError, match="--resume"):
        run(hasty, results)
    assert record(results)["studies"][0]["status"] == "failed"
    assert len(record(results)["study_runs"]) == EVALUATIONS
    (results / "simulation_runs").unlink()
    assert run(finished[0], results, resume=True).status == "completed"
    assert record(results) == record(finished[1])
    shutil.rmtree(results)


def test_a_front_waits_until_its_series_can_be_written(prefect, finished, tmp_path):
    generations = len(record(finished[1])["convergence_metrics"])
    results = tmp_path / "results"
    results.mkdir()
    (results / "simulation_runs").write_text("in the way")

    def searched():
        # Before there is a table it cannot be read.
        with (
            contextlib.suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(results / FILE_NAME)) as connection,
        ):
            recorded = connection.execute("SELECT count(*) FROM convergence_metrics").fetchone()[0]
            return recorded == generations
        return False

    def clear_the_way():
        while not searched():
            time.sleep(0.05)
        time.sleep(1)
        (results / "simulation_runs").unlink()

    clearing = threading.Thread(target=clear_the_way)
    clearing.start()
    assert run(finished[0], results).status == "completed"
    clearing.join()
    assert record(results) == record(finished[1])
    shutil.rmtree(results)
