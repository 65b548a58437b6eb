"""No dispatch is solved twice, within a study or across studies; and nobody could tell it from the results."""

from __future__ import annotations

import copy
import json
import sqlite3
from contextlib import closing

import pytest
import yaml
from typer.testing import CliRunner

from schema.store import queries
from schema.store.database import FILE_NAME
from schema.store.store import Store

pytestmark = pytest.mark.integration

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "price": {"time_of_use": {0: 0.18, 7: 0.34, 21: 0.22}},
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
    },
    "economics": {"baseline": {"pv.capacity_kw": 0}},
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 2.8,  # too little without a battery or PV: some designs are infeasible
            "import_price_eur_per_kwh": {"profile": "price"},
            "export_price_eur_per_kwh": 0.08,
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 6000},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4, "investment_eur_per_kwh": 250},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
SEARCH = {
    "study": "search",
    "type": "genetic_algorithm",
    "system": "house.yaml",
    "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
    "variables": {
        "pv.capacity_kw": {"choices": [0, 3, 6, 9]},
        "battery.capacity_kwh": {"choices": [0, 4, 8]},
        "battery.investment_eur_per_kwh": {"choices": [200, 300]},
    },
    "algorithm": {"population_size": 8, "max_generations": 4, "seed": 3},
    "timeseries": "none",
}
RISK = {
    "study": "risk",
    "type": "monte_carlo",
    "system": "house.yaml",
    "design": {"pv.capacity_kw": 6},
    "uncertain": {
        "economics.discount_rate": {"distribution": "uniform", "min": 0.02, "max": 0.08},
        "pv.investment_eur_per_kw": {"scale": {"distribution": "normal", "mean": 1.0, "std": 0.1}},
    },
    "sampling": {"method": "latin_hypercube", "samples": 40, "seed": 4},
    "outputs": ["total_cost", "npv_eur"],
}
SWEEP = {
    "study": "sweep",
    "type": "parametric",
    "system": "house.yaml",
    "sweep": {"solver.method": ["milp", "rule_based"], "battery.capacity_kwh": [4, 8]},
}
ASKED = (
    "SELECT evaluation_number, generation_number, parameter_vector, fitness, objectives, constraint_violations, "
    "e.simulation_status, is_pareto_optimal, domination_count, total_cost, total_co2, self_consumption_rate, "
    "self_sufficiency_rate, renewable_fraction, total_generation_kwh, total_demand_kwh, net_grid_usage_kwh, "
    "s.metadata_json AS others, json_extract(e.metadata_json, '$.message') AS message, "
    "json_extract(e.metadata_json, '$.iterations') AS iterations, "
    "json_extract(e.metadata_json, '$.cached_from') AS cached_from FROM study_runs e "
    "JOIN simulation_runs s ON s.run_id = e.simulation_run_id WHERE e.study_id = ? ORDER BY evaluation_number"
)


@pytest.fixture
def ran(prefect, tmp_path):
    """Runs a study in the test's results folder and gives its rows."""
    from flows.run import run_study

    def run(
        stated, *, system=SYSTEM, results="results", workers=1, runner="threads", resume=False, **changes
    ):
        (tmp_path / "house.yaml").write_text(yaml.safe_dump(system, sort_keys=False))
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**stated, **changes}, sort_keys=False))
        outcome = run_study(path, tmp_path / results, workers=workers, runner=runner, resume=resume)
        assert outcome.status == "completed"
        return rows_of(tmp_path / results, outcome.study_id)

    return run


def rows_of(results, study_id):
    with closing(sqlite3.connect(results / FILE_NAME)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(ASKED, [study_id])]


def told(rows):
    """All that does not say where a dispatch came from."""
    return [{name: value for name, value in row.items() if name != "cached_from"} for row in rows]


def solved(rows):
    return [row for row in rows if row["cached_from"] is None]


def cli(*arguments):
    from ecosystemiser.cli import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_search_solves_each_dispatch_once_and_goes_the_same_way(ran):
    plain = ran(SEARCH, study="plain", cache=False)
    rows = ran(SEARCH)
    assert solved(plain) == plain
    assert told(rows) == told(plain)
    assert {row["simulation_status"] for row in rows} == {"success", "infeasible"}
    # What a battery costs makes another design, and the same dispatch.
    dispatches = [tuple(json.loads(row["parameter_vector"])[:2]) for row in rows]
    assert len(set(dispatches)) < len({row["parameter_vector"] for row in rows})
    assert len(solved(rows)) == len(set(dispatches))
    first = {design: f"search-{number:07d}" for number, design in reversed([*enumerate(dispatches)])}
    for number, (row, design) in enumerate(zip(rows, dispatches, strict=True)):
        origin = first[design]
        assert row["cached_from"] == (None if origin == f"search-{number:07d}" else origin)


def test_what_another_study_has_solved_is_not_solved_again(ran):
    first, second = ran(SEARCH), ran(SEARCH, study="again", workers=2, runner="processes")
    assert told(first) == told(second)
    assert solved(second) == []
    own = {row["evaluation_number"] for row in solved(first)}
    assert {int(row["cached_from"].removeprefix("search-")) for row in second} == own


def test_samples_that_differ_in_money_share_one_dispatch(ran):
    plain, rows = ran(RISK, study="plain", cache=False), ran(RISK, workers=2, runner="processes")
    assert told(rows) == told(plain)
    assert [row["cached_from"] for row in rows] == [None, *["risk-0000000"] * 39]
    assert len({row["total_cost"] for row in rows}) == 40
    assert len({json.loads(row["others"])["kpis"]["npv_eur"] for row in rows}) == 40


def test_each_solver_has_its_own_dispatches(ran):
    roomy = copy.deepcopy(SYSTEM)  # rules need more of the grid than foresight does
    roomy["components"]["grid"]["import_limit_kw"] = 12
    rows, again = ran(SWEEP, system=roomy), ran(SWEEP, system=roomy, study="again")
    assert solved(rows) == rows
    assert solved(again) == []
    assert told(again) == told(rows)
    # Solvers are compared by the time that they take, of which a look-up tells nothing.
    measured = ran(SWEEP, system=roomy, study="measured", cache=False)
    assert solved(measured) == measured == rows


def test_a_hit_takes_no_solver_time_and_is_told(ran, tmp_path):
    ran(SEARCH)
    count = len(ran(SEARCH, study="again"))
    with closing(sqlite3.connect(tmp_path / "results" / FILE_NAME)) as connection:
        seconds = connection.execute(
            "SELECT solver_time_seconds, evaluation_time_seconds FROM study_runs WHERE study_id = 'again'"
        ).fetchall()
    assert all(solver == 0 and 0 < whole < 1 for solver, whole in seconds)
    shown = cli("run", tmp_path / "study.yaml", "--results", tmp_path / "results", "--json")
    assert json.loads(shown.stdout)["cached"] == count
    shown = cli("run", tmp_path / "study.yaml", "--results", tmp_path / "results")
    assert f"{count} from the cache" in shown.stdout
    shown = cli("status", "again", "--results", tmp_path / "results")
    assert f"{count} from the cache" in shown.stdout
    shown = cli("query", "runs", "--study-id", "again", "--limit", "1", "--results", tmp_path / "results")
    assert "search-00000" in shown.stdout
    shown = cli(
        "query", "statistics", "--study-id", "again", "--results", tmp_path / "results", "--format", "json"
    )
    assert json.loads(shown.stdout)[0]["cached"] == count


def test_a_study_that_goes_on_ends_as_if_it_had_never_stopped(ran, tmp_path):
    whole = ran(SEARCH, results="whole")
    ran(SEARCH)
    # As a kill leaves it: some of the third generation are settled, out of order, and none after them.
    with closing(sqlite3.connect(tmp_path / "results" / FILE_NAME, isolation_level=None)) as connection:
        gone = "evaluation_number > 19 OR evaluation_number IN (16, 18)"
        connection.executescript(
            f"DELETE FROM simulation_runs WHERE run_id IN (SELECT run_id FROM study_runs WHERE {gone});"
            f"DELETE FROM dispatches WHERE {gone}; DELETE FROM study_runs WHERE {gone};"
            "DELETE FROM convergence_metrics WHERE generation_number > 2;"
            "DELETE FROM pareto_fronts WHERE generation_number > 2 OR generation_number IS NULL;"
            "UPDATE studies SET status = 'running', run_count = 18"
        )
    assert ran(SEARCH, resume=True) == whole


def test_runs_that_keep_their_time_series_are_solved(ran, tmp_path):
    plain = ran(RISK, sampling={"method": "latin_hypercube", "samples": 3})
    rows = ran(RISK, study="kept", sampling={"method": "latin_hypercube", "samples": 3}, timeseries="all")
    assert solved(rows) == rows
    assert told(rows) == told(plain)
    assert len([*(tmp_path / "results" / "simulation_runs" / "kept").iterdir()]) == 3


def test_what_a_deleted_study_has_solved_is_forgotten(ran, tmp_path):
    ran(SEARCH)
    second = ran(SEARCH, study="again")
    with Store.open(tmp_path / "results") as store:
        store.delete_study("search")
        assert store.connection.execute("SELECT count(*) FROM dispatches").fetchone()[0] == 0
    assert rows_of(tmp_path / "results", "again") == second
    anew = ran(SEARCH)
    assert len(solved(anew)) == len({row["cached_from"] for row in second})
    assert {row["cached_from"] for row in anew} & {row["cached_from"] for row in second}


def test_a_run_that_was_taken_over_can_be_replayed(ran, tmp_path):
    rows = ran(RISK)
    assert rows[7]["cached_from"] == "risk-0000000"
    shown = cli("replay", "risk-0000007", "--results", tmp_path / "results", "--json")
    assert shown.exit_code == 0, shown.output
    with Store.open(tmp_path / "results", read_only=True) as store:
        assert queries.simulation_run(store.connection, "risk-0000007")["flows_path"]
    assert cli("db", "check", "--results", tmp_path / "results").exit_code == 0
