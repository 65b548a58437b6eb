"""The examples at reduced size: a few days, a handful of designs, and what each README tells of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ecosystemiser.cli import app
from ecosystemiser.dispatching import solve_system
from schema.store import queries
from schema.store.store import Store

pytestmark = pytest.mark.integration
EXAMPLES = Path(__file__).parents[2] / "examples"
NEW = ("carpark", "district", "microgrid", "water")


@pytest.fixture
def reduced(tmp_path):
    """A function that copies an example with another horizon and another study."""

    def copy(name, start, steps, changes=None):
        folder = shutil.copytree(EXAMPLES / name, tmp_path / name)
        system = folder / f"{name}.yaml"
        text = re.sub(
            r"start: [^,]+, steps: \d+", f"start: {start}, steps: {steps}", system.read_text("utf-8")
        )
        system.write_text(text, encoding="utf-8")
        study = folder / "study.yaml"
        stated = study.read_text("utf-8")
        for old, new in (changes or {}).items():
            assert old in stated
            stated = stated.replace(old, new)
        study.write_text(stated, encoding="utf-8")
        return system

    return copy


def kpis(system, *values, method="milp"):
    solved = solve_system(system, list(values), method=method)
    assert solved.dispatch.status.has_solution
    return solved.dispatch.kpis, solved.dispatch


def runs_of(study, tmp_path):
    from flows.run import run_study

    results = tmp_path / "results"
    assert run_study(study, results, workers=1, runner="threads").status == "completed"
    with Store.open(results, read_only=True) as store:
        return [
            row
            for study in queries.list_studies(store.connection)
            for row in queries.evaluations(store.connection, study["study_id"])
        ]


@pytest.mark.parametrize("name", NEW)
def test_every_file_of_the_examples_is_valid_in_full(name):
    files = [str(file) for file in sorted((EXAMPLES / name).glob("*.yaml"))]
    told = CliRunner().invoke(app, ["validate", *files], catch_exceptions=False).output
    assert told.count("OK") == len(files) >= 2


def test_the_districts_solver_finds_sizes_that_no_stated_ones_beat(reduced):
    system = reduced("district", "2019-01-14T00:00", 72)
    best, dispatch = kpis(system)
    assert set(dispatch.sizes) == {"battery.capacity_kwh", "heat_pump.capacity_kw"}
    for battery, heat_pump in ((0, 0), (80, 25), (160, 60)):
        values = [f"battery.capacity_kwh={battery}", f"heat_pump.capacity_kw={heat_pump}"]
        stated, _ = kpis(system, *values)
        assert best["total_cost"] <= stated["total_cost"] * (1 + 1e-6)


def test_the_districts_heat_pump_saves_co2(reduced):
    system = reduced("district", "2019-01-14T00:00", 72)
    without, _ = kpis(system, "battery.capacity_kwh=0", "heat_pump.capacity_kw=0")
    larger, _ = kpis(system, "battery.capacity_kwh=0", "heat_pump.capacity_kw=120")
    assert larger["total_co2"] < 0.95 * without["total_co2"]


def test_the_microgrid_serves_all_but_a_hundredth(reduced):
    found, _ = kpis(reduced("microgrid", "2019-01-14T00:00", 72), method="hybrid")
    assert found["unserved_kwh"] < 0.01 * found["total_demand_kwh"]
    assert found["self_sufficiency_rate"] == 1
    assert found["net_grid_usage_kwh"] == 0


def test_the_waters_rain_and_grey_water_take_the_place_of_drinking_water(reduced):
    system = reduced("water", "2014-03-03T00:00", 168)
    found, _ = kpis(system, "cistern.capacity_m3=2")
    # Nothing but the 2.2 m³ a week of kitchen and bath comes from the mains in a wet week.
    assert found["water_demand_m3"] == pytest.approx(7 * (0.316 + 0.248), rel=0.1)
    assert found["water_self_sufficiency_rate"] > 0.35
    without, _ = kpis(
        system, "cistern.capacity_m3=0", "roof.catchment_area_m2=0", "shower_drain.catchment_area_m2=0"
    )
    assert without["water_self_sufficiency_rate"] == 0


def test_the_car_park_with_foresight_has_less_than_half_the_peak_of_rules(reduced):
    system = reduced("carpark", "2019-05-01T00:00", 168)
    ahead, _ = kpis(system)
    at_once, _ = kpis(system, method="rule_based")
    assert ahead["peak_import_kw"] < 0.5 * at_once["peak_import_kw"]
    assert ahead["total_cost"] < 0.95 * at_once["total_cost"]


REDUCED_STUDIES = {
    "district": (
        "2019-01-14T00:00",
        24,
        {"[0, 80, 160, 240]": "[0, 160]", "[0, 25, 60, 120]": "[0, 60]"},
        4,
    ),
    "microgrid": (
        "2019-01-14T00:00",
        48,
        {"[50, 100, 150]": "[50, 150]", "[100, 400]": "[100]"},
        4,
    ),
    "water": (
        "2014-03-03T00:00",
        48,
        {"[0, 1, 2, 3, 5, 8, 12]": "[0, 2]", "[1.0, 1.5, 2.0]": "[1.0, 2.0]"},
        4,
    ),
    "carpark": (
        "2019-05-01T00:00",
        48,
        {"population_size: 20, max_generations: 8": "population_size: 6, max_generations: 2"},
        12,
    ),
}


@pytest.mark.parametrize("name", REDUCED_STUDIES)
def test_every_study_of_the_examples_runs_and_every_design_has_a_dispatch(name, reduced, prefect, tmp_path):
    start, steps, changes, evaluations = REDUCED_STUDIES[name]
    system = reduced(name, start, steps, changes)
    runs = runs_of(system.with_name("study.yaml"), tmp_path)
    assert len(runs) == evaluations
    assert {run["simulation_status"] for run in runs} == {"success"}
