"""A genetic study ends by its limits, goes on when they are wider, and starts from an earlier front."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest
import yaml

from schema.errors import InputError
from schema.store.database import FILE_NAME

pytestmark = pytest.mark.integration

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
VARIABLES = {
    "pv.capacity_kw": {"min": 0, "max": 20},
    "battery.capacity_kwh": {"min": 0, "max": 12, "integer": True},
}


@pytest.fixture
def run(prefect, tmp_path):
    """Runs a study with these settings; the results folder is the test's own unless named."""
    (tmp_path / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))

    def begin(study="front", *, results="results", resume=False, variables=VARIABLES, **algorithm):
        from flows.run import run_study

        stated = {
            "study": study,
            "type": "genetic_algorithm",
            "system": "house.yaml",
            "objectives": {"total_cost": "minimise", "total_co2": "minimise"},
            "variables": variables,
            "algorithm": {"population_size": 8, "seed": 5} | algorithm,
            "timeseries": "none",
        }
        path = tmp_path / f"{study}.yaml"
        path.write_text(yaml.safe_dump(stated, sort_keys=False))
        return run_study(path, tmp_path / results, workers=1, runner="threads", resume=resume)

    return begin


def rows(folder, sql):
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def study_of(folder, study="front"):
    (row,) = rows(folder, f"SELECT * FROM studies WHERE study_id = '{study}'")
    return row | {"metadata": json.loads(row["metadata_json"])}


def found(folder):
    """All that was evaluated and the fronts that it made, without times."""
    evaluations = (
        "SELECT run_id, generation_number, parameter_vector, objectives, is_pareto_optimal FROM study_runs"
    )
    fronts = "SELECT generation_number, front_size, hypervolume, run_ids FROM pareto_fronts"
    metrics = "SELECT generation_number, best_fitness, population_diversity FROM convergence_metrics"
    return [
        rows(folder, f"{sql} ORDER BY {order}")
        for sql, order in ((evaluations, "run_id"), (fronts, "1"), (metrics, "1"))
    ]


def test_wider_limits_prolong_a_finished_study_to_what_they_would_have_found_at_once(run, tmp_path):
    assert run(max_evaluations=30, max_generations=6).status == "completed"
    short = study_of(tmp_path / "results")
    assert (short["run_count"], short["metadata"]["stopped_by"]) == (24, "max_evaluations")
    assert (short["max_evaluations"], short["metadata"]["search"]) == (24, "NSGA-II")

    with pytest.raises(InputError, match="--resume"):
        run(max_generations=6)
    with pytest.raises(InputError, match="another study") as refused:
        run(max_evaluations=29, max_generations=6, resume=True)
    assert "algorithm.max_evaluations (30, now 29)" in refused.value.findings[0].message
    assert study_of(tmp_path / "results")["status"] == "completed"

    prolonged = run(max_generations=6, resume=True)
    assert (prolonged.status, prolonged.was_finished) == ("completed", False)
    row = study_of(tmp_path / "results")
    assert (row["run_count"], row["metadata"]["stopped_by"]) == (48, "max_generations")
    assert (row["max_evaluations"], row["metadata"]["content"]["algorithm"]["max_evaluations"]) == (48, None)
    assert run(max_generations=6).was_finished

    run(max_generations=6, results="at once")
    assert found(tmp_path / "results") == found(tmp_path / "at once")


def test_what_ended_a_study_and_where_it_started_is_told(run, tmp_path, capsys):
    from ecosystemiser.study_results import StudyResults
    from ecosystemiser.study_tables import print_study
    from schema.store.store import Store

    run("earlier", max_generations=2)
    run(start_from="earlier", max_generations=40, stagnation={"generations": 1, "tolerance_fraction": 0.9})
    with Store.open(tmp_path / "results") as store:
        found = StudyResults.read(store, "front", {})
    told = found.as_dict()
    assert (told["search"], told["stopped_by"]) == ("NSGA-II", "stagnation")
    assert told["start"]["run_ids"][0].startswith("earlier-")
    print_study(found)
    shown = capsys.readouterr().out
    assert "Sought by NSGA-II with 8 designs in a generation, until it stood still (stagnation)." in shown
    assert f"It started from {len(told['start']['designs'])} of {told['start']['found']} designs" in shown


def test_hours_that_were_used_count_when_a_study_goes_on(run, tmp_path):
    run(max_generations=6, max_hours=1e-9)
    row = study_of(tmp_path / "results")
    assert (row["run_count"], row["metadata"]["stopped_by"]) == (8, "max_hours")
    (used,) = rows(tmp_path / "results", "SELECT generation_time_seconds AS seconds FROM convergence_metrics")
    run(max_generations=6, max_hours=used["seconds"] / 3600 * 1.000001, resume=True)
    row = study_of(tmp_path / "results")
    assert (row["run_count"], row["metadata"]["stopped_by"]) == (16, "max_hours")


def test_a_start_from_an_earlier_front_is_recorded_and_outlives_the_other_study(run, tmp_path):
    run("earlier", max_generations=3)
    narrow = {"pv.capacity_kw": {"min": 0, "max": 4}, **{k: v for k, v in VARIABLES.items() if "pv" not in k}}
    told = {"start_from": "earlier", "variables": narrow}
    run(**told, max_generations=1)
    row = study_of(tmp_path / "results")
    front = rows(
        tmp_path / "results",
        "SELECT parameter_vector FROM study_runs "
        "WHERE study_id = 'earlier' AND is_pareto_optimal ORDER BY fitness, evaluation_number",
    )
    start = row["metadata"]["start"]
    assert start["found"] == len(front) > 1
    taken = [front[round(place)] for place in np.linspace(0, len(front) - 1, min(len(front), 8))]
    sizes = [json.loads(r["parameter_vector"]) for r in taken]
    assert [list(d.values()) for d in start["designs"]] == [[min(pv, 4), kwh] for pv, kwh in sizes]
    assert start["clipped"] == sum(pv > 4 for pv, _ in sizes) > 0
    first = rows(tmp_path / "results", "SELECT parameter_vector FROM study_runs WHERE study_id = 'front'")
    asked = {tuple(json.loads(r["parameter_vector"])) for r in first}
    assert {tuple(d.values()) for d in start["designs"]} <= asked

    from schema.store.store import Store

    with Store.open(tmp_path / "results") as store:
        store.delete_study("earlier")
    assert run(**told, max_generations=3, resume=True).status == "completed"
    assert study_of(tmp_path / "results")["metadata"]["start"] == start


@pytest.mark.parametrize(
    ("start_from", "variables", "says"),
    [
        ("nobody", VARIABLES, "there is no study 'nobody'"),
        ("earlier", {"grid.import_limit_kw": {"min": 3, "max": 5}}, "no number that study 'earlier' varies"),
    ],
)
def test_a_front_that_cannot_be_had_is_refused_before_anything_runs(
    run, tmp_path, start_from, variables, says
):
    run("earlier", max_generations=1)
    with pytest.raises(InputError, match=says):
        run(start_from=start_from, variables=variables)
    assert not rows(tmp_path / "results", "SELECT 1 FROM studies WHERE study_id = 'front'")
