"""A recorded run solved again: the same to the last KPI, or told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from ecosystemiser.cli import app
from schema.errors import InputError
from schema.loading import load_study
from schema.store import queries
from schema.store.store import Store
from schema.store.timeseries import read_series
from tasks.bases import Base
from tasks.bookkeeping import StudyRecord, begin
from tasks.evaluate import Assignment, Design, Evaluator
from tasks.replay import replay, solve_again

SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": 24},
    "profiles": {
        "load": {"time_of_use": {0: 0.5, 6: 2.0, 9: 1.0, 17: 3.0, 22: 0.7}},
        "sun": {"time_of_use": {0: 0.0, 8: 0.3, 11: 0.7, 15: 0.2, 17: 0.0}},
    },
    "components": {
        "grid": {
            "type": "grid",
            "import_limit_kw": 12,
            "import_price_eur_per_kwh": 0.3,
            "export_price_eur_per_kwh": 0.08,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun"},
        "battery": {"type": "battery", "capacity_kwh": 5, "power_kw": 4},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}
STUDY = {
    "study": "sweep",
    "type": "parametric",
    "system": "house.yaml",
    "sweep": {"pv.capacity_kw": [0, 4, 8]},
}
DESIGNS = [
    {"pv.capacity_kw": 0.0},
    {"pv.capacity_kw": 8.0},
    {"pv.capacity_kw": 4.0, "grid.import_limit_kw": 0.1},
]


@pytest.fixture
def results(tmp_path):
    """Two solved runs and an infeasible one; the first kept its files."""
    (tmp_path / "house.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    loaded, place = load_study(tmp_path / "sweep.yaml"), tmp_path / "results"
    system = loaded.system
    assignment = Assignment(
        system.system, system.series, system.content_hash, loaded.study.solver, "sweep", place
    )
    with Store.open(place) as store, store.claim("sweep"):
        begin(store, loaded, resume=False, bases=[Base({})])
        record, evaluator = StudyRecord(store, loaded), Evaluator(assignment)
        designs = [Design(number, values) for number, values in enumerate(DESIGNS)]
        record.start(designs)
        for design in designs:
            record.settle(1, evaluator.evaluate([design], keep_series=design.number == 0))
    return place


def again(results, number):
    with Store.open(results) as store:
        return replay(store, f"sweep-{number:07d}")


def kept(results, run_id):
    with Store.open(results, read_only=True) as store:
        return queries.simulation_run(store.connection, run_id)["results_path"]


def cli(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_replay_agrees_with_its_record_and_writes_what_was_not_kept(results):
    assert not kept(results, "sweep-0000001")
    found = again(results, 1)
    assert found.agrees
    assert found.differences == {}
    assert kept(results, "sweep-0000001") == found.files.results_path
    flows = read_series(results, "sweep", "sweep-0000001", "flows")
    assert len(flows) == 24
    assert flows["pv.electricity_kw"].sum() > 0


def test_a_run_can_be_solved_again_without_a_trace(results):
    def there():  # SQLite's own two files come and go with readers
        return {f: f.stat().st_mtime_ns for f in results.rglob("*") if not f.name.endswith(("-shm", "-wal"))}

    before = there()
    with Store.open(results, read_only=True) as store:
        found = solve_again(store, "sweep-0000001")
        assert found.agrees
        assert found.files is None
        assert found.dispatch.flows["pv.electricity_kw"].sum() > 0
        assert solve_again(store, "sweep-0000002").status == "infeasible"
    assert there() == before


def test_a_run_without_a_dispatch_has_none_again(results):
    found = again(results, 2)
    assert found.agrees
    assert found.status == found.recorded_status == "infeasible"
    assert found.files is None


def test_a_record_that_does_not_hold_is_told(results):
    with Store.open(results) as store, store.connection:
        store.connection.execute(
            "UPDATE simulation_runs SET total_cost = total_cost + 0.01 WHERE run_id = ?", ["sweep-0000001"]
        )
    found = again(results, 1)
    assert not found.agrees
    assert found.differences == pytest.approx({"total_cost": -0.01})
    shown = cli("replay", "sweep-0000001", "--results", results)
    assert shown.exit_code == 1
    assert "comes out otherwise" in shown.stderr


def test_where_the_file_is_gone_a_kept_run_has_the_system(results):
    (results.parent / "house.yaml").unlink()
    assert again(results, 1).agrees


def test_another_system_in_the_file_is_not_solved_in_its_place(results):
    changed = {**SYSTEM, "description": "x", "components": {**SYSTEM["components"]}}
    changed["components"]["battery"] = {**SYSTEM["components"]["battery"], "capacity_kwh": 9}
    (results.parent / "house.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    assert again(results, 1).agrees


def test_without_the_file_and_without_a_kept_run_it_is_told_what_is_missing(results):
    (results.parent / "house.yaml").unlink()
    for file in (results / "simulation_runs").rglob("*.json"):
        file.unlink()
    with pytest.raises(InputError, match="put that system back"):
        again(results, 1)


def test_the_command_shows_both_and_prints_json_alone(results):
    shown = cli("replay", "sweep-0000001", "--results", results)
    assert shown.exit_code == 0, shown.output
    assert "as it was recorded" in shown.stdout
    assert "total_cost" in shown.stdout
    told = json.loads(cli("replay", "sweep-0000000", "--results", results, "--json").stdout)
    assert told["agrees"] is True
    assert Path(results, told["results_path"]).is_dir()


def test_a_run_that_is_not_there_is_wrong_input(results, tmp_path):
    shown = cli("replay", "sweep-0000099", "--results", results)
    assert shown.exit_code == 2
    assert "there is no run" in shown.stderr
    nowhere = tmp_path / "nowhere"
    assert cli("replay", "sweep-0000000", "--results", nowhere).exit_code == 2
    assert not nowhere.exists()
