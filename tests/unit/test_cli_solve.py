"""`solve`, `validate` and `doctor` on small systems whose answers can be worked out by hand."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ecosystemiser import installation
from ecosystemiser.cli import app

SYSTEM = """
system: tiny
horizon: {start: 2019-06-01T00:00, steps: 24}
profiles:
  load: 1.0
  price: {time_of_use: {0: 0.1, 12: 0.3}}
components:
  grid:
    type: grid
    import_limit_kw: 5
    import_price_eur_per_kwh: {profile: price}
    import_co2_kg_per_kwh: 0.5
  battery:
    type: battery
    capacity_kwh: 4
    power_kw: 4
    charge_efficiency_fraction: 1
    discharge_efficiency_fraction: 1
    self_discharge_fraction_per_hour: 0
    initial_level_fraction: 0
    investment_eur_per_kwh: 365
    lifetime_years: 10
  lights: {type: power_demand, profile: load}
economics: {discount_rate: 0}
"""
STUDY = """
study: tiny_front
type: genetic_algorithm
system: system.yaml
objectives: {total_cost: minimise, total_co2: minimise}
variables: {battery.capacity_kwh: {min: 0, max: 5}}
algorithm: {population_size: 8, max_generations: 2}
"""


@pytest.fixture
def system(tmp_path):
    (tmp_path / "system.yaml").write_text(SYSTEM)
    (tmp_path / "study.yaml").write_text(STUDY)
    return str(tmp_path / "system.yaml")


def call(*words, status=0):
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == status, result.output
    return result


# -- solve


def test_a_dispatch_tells_kpis_and_what_each_component_costs_and_emits(system):
    found = json.loads(call("solve", system, "--json").stdout)
    # 24 kWh, 4 of them moved to the cheap half; the battery's 1,460 € over 10 years are 0.40 € a day.
    assert found["status"] == "optimal"
    assert found["objective"] == pytest.approx(4.0)
    assert found["kpis"]["total_cost"] == pytest.approx(4.4)
    assert found["kpis"]["total_co2"] == pytest.approx(12.0)
    assert found["components"]["battery"]["cost_eur"] == pytest.approx(0.4)
    assert found["components"]["grid"]["co2_kg"] == pytest.approx(12.0)
    assert (found["system"], found["solver"], found["conflict"]) == ("tiny", "milp", [])
    assert found["checks"]["passed"] is True
    assert found["gap_fraction"] == 0.0
    assert found["solve_seconds"] > 0


def test_people_get_tables_with_units(system):
    told = call("solve", system).stdout
    assert told.startswith("tiny: optimal by milp, gap 0")
    assert ["total_cost", "4.400", "€"] in [line.split() for line in told.splitlines()]
    assert ["total", "0.4000", "4.000", "4.400", "12.00"] in [line.split() for line in told.splitlines()]


def test_numbers_can_be_changed(system):
    words = ["--set", "battery.capacity_kwh=0", "--set", "economics.co2_price_eur_per_kg = 0.1", "--json"]
    found = json.loads(call("solve", system, *words).stdout)
    assert found["kpis"]["total_cost"] == pytest.approx(4.8 + 1.2)
    assert found["values"] == {"battery.capacity_kwh": 0.0, "economics.co2_price_eur_per_kg": 0.1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "batery.capacity_kwh=1"], "did you mean 'battery'?"),
        (["--set", "battery.capacity=1"], "did you mean 'capacity_kwh'?"),
        (["--set", "battery.capacity_kwh=-1"], "at least 0"),
        (["--set", "battery.capacity_kwh=nan"], "a finite number"),
        (["--set", "battery.capacity_kwh=big"], "'big' is no number"),
        (["--set", "battery.capacity_kwh"], "component.attribute=number"),
        (["--set", "lights.scale=1", "--set", "lights.scale=2"], "stands twice"),
        (["--set", "grid.import_price_eur_per_kwh=1"], "is a profile"),
        (["--solver", "magic"], "the solver must be 'milp'"),
        (["--flows", "flows.csv"], "must end in .parquet"),
        (["--flows", "/no/such/folder/flows.parquet"], "a folder that exists"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_solved(system, words, told):
    result = call("solve", system, *words, status=2)
    assert result.stdout == ""
    assert told in result.stderr


def test_all_that_is_wrong_is_told_at_once(system):
    words = ["--set", "a=b", "--set", "pv.x=1", "--set", "battery.capacity_kwh=-1", "--solver", "x"]
    assert len(call("solve", system, *words, status=2).stderr.splitlines()) == 4


def test_the_flows_are_written_with_units_over_the_horizon(system, tmp_path):
    file = tmp_path / "flows.parquet"
    assert call("solve", system, "--flows", file).stdout.endswith(f"Written: {file}\n")
    flows = pd.read_parquet(file)
    assert flows.index.name == "time"
    assert len(flows) == 24
    supplied = flows["grid.import_kw"] + flows["battery.discharge_kw"] - flows["battery.charge_kw"]
    np.testing.assert_allclose(supplied, flows["lights.electricity_kw"], atol=1e-6)
    assert flows["battery.level_kwh"].max() == pytest.approx(4.0)
    units = {field.name: (field.metadata or {}).get(b"unit") for field in pq.read_schema(file)}
    assert (units["grid.import_kw"], units["battery.level_kwh"]) == (b"kW", b"kWh")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flows.parquet", "study.yaml", "system.yaml"]


def test_a_system_that_cannot_be_dispatched_is_status_one_and_writes_no_file(system, tmp_path):
    words = ["--set", "grid.import_limit_kw=0.5", "--flows", tmp_path / "flows.parquet"]
    result = call("solve", system, *words, status=1)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: tiny has no dispatch (infeasible)")
    assert "the balance of electricity" in result.stderr
    assert not (tmp_path / "flows.parquet").exists()
    found = json.loads(call("solve", system, *words, "--json", status=1).stdout)
    assert (found["status"], found["kpis"], found["flows"]) == ("infeasible", {}, None)
    assert found["conflict"]


def test_a_study_cannot_be_solved(system, tmp_path):
    assert "this is a study" in call("solve", tmp_path / "study.yaml", status=2).stderr


def test_a_system_cannot_be_run(system, tmp_path):
    told = call("run", system, "--results", tmp_path / "results", status=2).stderr
    assert f"`ecosystemiser solve {system}` dispatches a system" in told
    assert not (tmp_path / "results").exists()


# -- validate


def test_good_files_are_told_one_a_line(system, tmp_path):
    result = call("validate", system, tmp_path / "study.yaml")
    assert [line.partition(": ")[2][:8] for line in result.stdout.splitlines()] == ["OK: syst", "OK: stud"]
    assert json.loads(call("validate", system, "--json").stdout) == {"valid": True, "errors": []}


def test_every_error_of_every_file_is_told_once(system, tmp_path):
    bad = SYSTEM.replace("capacity_kwh: 4", "capacity_kwh: -4").replace("power_kw: 4", "pover_kw: 4")
    (tmp_path / "system.yaml").write_text(bad)
    files = [system, tmp_path / "study.yaml", tmp_path / "none.yaml"]
    result = call("validate", *files, status=2)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert f"{system}:15: components.battery.capacity_kwh: capacity_kwh must be at least 0, not -4" in lines
    assert any("did you mean 'power_kw'?" in line for line in lines)
    assert any("none.yaml: there is no such file" in line for line in lines)
    assert len(lines) == len(set(lines))
    told = json.loads(call("validate", *files, "--json", status=2).stdout)
    assert told["valid"] is False
    assert len(told["errors"]) == len(lines)
    assert {"file", "path", "found", "expected", "message"} <= told["errors"][0].keys()


# -- doctor


def test_a_sound_installation_passes_every_check(tmp_path):
    result = call("doctor", "--json", "--results", tmp_path)
    told = json.loads(result.stdout)
    assert told["sound"] is True
    assert [check["name"] for check in told["checks"]] == [
        *("Python", "packages", "own packages", "HiGHS", "Prefect", "results", "small solve")
    ]
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_told_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(
        installation, "requirements", lambda: ["numpy<1", "no-such-package>=1", "highspy>=99"]
    )
    packages = installation._packages()
    assert not packages.sound
    assert packages.found.startswith("numpy is ")
    assert "no-such-package is missing" in packages.found
    assert "make setup" in packages.advice
    assert not installation._highs().sound
    unusable = installation._results(tmp_path / "file")
    assert not unusable.sound
    assert "ECOSYSTEMISER_RESULTS" in unusable.advice


def test_what_breaks_while_it_is_looked_at_is_told_as_broken():
    def broken():
        raise ImportError("no such library")

    check = installation._looked(broken)
    assert (check.name, check.sound, check.found) == ("broken", False, "ImportError: no such library")


# -- the parser


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["slove", "x"], "Did you mean 'solve'"),
        (["solve"], "Missing argument 'SYSTEM.yaml'"),
        (["run", "x.yaml", "--worker", "2"], "--workers"),
        (["run", "x.yaml", "--workers", "0"], "--workers"),
        (["run", "x.yaml", "--runner", "cluster"], "--runner"),
        (["query", "pareto"], "No such command"),
    ],
)
def test_a_slip_of_the_fingers_gets_a_hint(words, told):
    result = call(*words, status=2)
    assert result.stdout == ""
    assert told in result.stderr
    assert "--help`" in result.stderr


def test_help_is_shown_without_a_command():
    assert "Usage: ecosystemiser" in call().stdout
    assert "pareto-front" in call("query").stdout
    assert call("--version").stdout.strip() == "0.1.0"


def test_a_dispatch_can_be_had_as_csv_with_each_kpi_and_each_component_s_share(tmp_path):
    (tmp_path / "system.yaml").write_text(
        "system: lamp\n"
        "horizon: {start: 2019-01-01T00:00, steps: 2}\n"
        "profiles: {load: 1.5}\n"
        "components:\n"
        "  grid: {type: grid, import_price_eur_per_kwh: 0.2, import_co2_kg_per_kwh: 0.4}\n"
        "  lamp: {type: power_demand, profile: load}\n"
    )
    told = CliRunner().invoke(app, ["solve", str(tmp_path / "system.yaml"), "--format", "csv"])
    assert told.exit_code == 0
    rows = {(row["of"], row["quantity"]): row for row in csv.DictReader(io.StringIO(told.stdout))}
    assert float(rows["system", "total_cost"]["value"]) == pytest.approx(0.6)
    assert float(rows["grid", "co2"]["value"]) == pytest.approx(1.2)
    assert rows["grid", "cost"]["unit"] == "€"


# -- its record


def test_a_dispatch_is_recorded_where_results_are_told_and_nowhere_else(system, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("solve", system)
    assert not (tmp_path / "results").exists()
    told = call("solve", system, "--set", "battery.capacity_kwh=2", "--results", str(tmp_path / "kept"))
    run_id = told.stderr.strip().removeprefix("Recorded as ")
    assert run_id.startswith("solve-tiny-")
    monkeypatch.setenv("ECOSYSTEMISER_RESULTS", str(tmp_path / "kept"))
    assert json.loads(call("solve", system, "--json").stdout)["status"] == "optimal"
    rows = json.loads(call("query", "runs", "--format", "json").stdout)
    assert len(rows) == 2
    (row,) = (row for row in rows if row["run_id"] == run_id)
    assert (row["study_id"], row["simulation_status"], row["solver_type"]) == (None, "completed", "milp")
    assert row["total_co2"] == pytest.approx(12)
    assert row["metadata_json"]["parameters"] == {"battery.capacity_kwh": 2}
    assert row["metadata_json"]["solver_status"] == "optimal"
    assert call("db", "check").stdout


def test_what_has_no_dispatch_is_recorded_as_such(system, tmp_path):
    kept = str(tmp_path / "kept")
    call("solve", system, "--set", "grid.import_limit_kw=0.5", "--results", kept, status=1)
    (row,) = json.loads(call("query", "runs", "--results", kept, "--format", "json").stdout)
    assert (row["simulation_status"], row["total_cost"]) == ("infeasible", None)


@pytest.mark.parametrize("obstacle", ["a file", "no database"])
def test_a_dispatch_that_cannot_be_recorded_is_told_all_the_same_with_a_warning(system, tmp_path, obstacle):
    kept = tmp_path / "kept"
    if obstacle == "a file":
        kept.write_text("in the way")
    else:
        kept.mkdir()
        (kept / "simulation_index.sqlite").write_text("this is no database, and never was one" * 100)
    told = call("solve", system, "--json", "--results", str(kept))
    assert json.loads(told.stdout)["status"] == "optimal"
    assert told.stderr.startswith("Warning: the dispatch was not recorded: ")
    assert "Traceback" not in told.stderr
