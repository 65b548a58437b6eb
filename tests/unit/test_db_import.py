"""Older result files become runs, with the KPIs that they allow, once; a hostile file is refused whole."""

from __future__ import annotations

import json
import math
import os

import pytest

from schema.errors import InputError
from schema.store import importing_files, queries
from schema.store.importing import Clock, import_results
from schema.store.store import Store
from schema.store.timeseries import read_details, read_series, read_units


def result(**changes):
    """Four hours of a house: the sun gives 6 kWh, the house takes 7, the grid gives 3 and takes 1."""
    flows = {
        "SolarPV_P_PowerDemand": ("SolarPV", "PowerDemand", [0, 2, 1, 0]),
        "SolarPV_P_Battery": ("SolarPV", "Battery", [0, 1, 1, 0]),
        "SolarPV_P_Grid": ("SolarPV", "Grid", [0, 0, 1, 0]),
        "Battery_P_PowerDemand": ("Battery", "PowerDemand", [0, 0, 0, 1]),
        "Grid_P_PowerDemand": ("Grid", "PowerDemand", [2, 0, 0, 1]),
    }
    made = {
        "system_id": "house",
        "timesteps": 4,
        "timestamp": "2025-09-30T10:00:00",
        "components": {
            "Grid": {"type": "transmission", "medium": "electricity"},
            "SolarPV": {
                "type": "generation",
                "medium": "electricity",
                "profile": [0, 3, 3, 0],
                "economic": {"capex": 1000, "opex_fix": 10, "opex_var": 0},
            },
            "PowerDemand": {"type": "consumption", "medium": "electricity"},
            "Battery": {"type": "storage", "medium": "electricity", "E": [0, 0, 1, 2, 1], "E_max": 10.0},
        },
        "flows": {
            name: {"source": source, "target": target, "type": "electricity", "value": value}
            for name, (source, target, value) in flows.items()
        },
        "metadata": {"solver": "rule_based", "seed": 3},
    }
    return {**made, **changes}


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "results") as opened:
        yield opened


@pytest.fixture
def file(tmp_path):
    def written(content=None, name="house_20250930.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content or result()))
        return path

    return written


def counts(store):
    return [
        store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("studies", "study_runs", "simulation_runs")
    ]


def test_the_kpis_that_the_flows_allow_are_worked_out_and_the_others_stay_null(store, file):
    (told,) = import_results(store, [file()])
    run = queries.simulation_run(store.connection, told.run_id)
    assert (run["total_generation_kwh"], run["total_demand_kwh"], run["net_grid_usage_kwh"]) == (
        6.0,
        7.0,
        2.0,
    )
    assert run["self_consumption_rate"] == pytest.approx(5 / 6)  # 1 of 6 goes to the grid
    assert run["self_sufficiency_rate"] == pytest.approx(4 / 7)  # 3 of 7 come from it
    assert (run["total_cost"], run["total_co2"], run["renewable_fraction"]) == (None, None, None)
    assert (run["system_id"], run["timesteps"], run["solver_type"]) == ("house", 4, "rule_based")
    assert (run["simulation_status"], run["timestamp"]) == ("completed", "2025-09-30T10:00:00Z")


def test_heat_is_no_electricity_and_a_converter_is_demand(store, file):
    data = result()
    data["components"]["HeatPump"] = {"type": "generation", "medium": "heat"}
    data["components"]["HeatDemand"] = {"type": "consumption", "medium": "heat"}
    data["flows"]["Grid_P_HeatPump"] = {
        "source": "Grid",
        "target": "HeatPump",
        "type": "electricity",
        "value": [1, 1, 0, 0],
    }
    data["flows"]["HeatPump_H_HeatDemand"] = {
        "source": "HeatPump",
        "target": "HeatDemand",
        "type": "heat",
        "value": [3, 3, 0, 0],
    }
    (told,) = import_results(store, [file(data)])
    run = queries.simulation_run(store.connection, told.run_id)
    assert (run["total_generation_kwh"], run["total_demand_kwh"], run["net_grid_usage_kwh"]) == (
        6.0,
        9.0,
        4.0,
    )


def test_the_time_series_can_be_read_with_their_units(store, file):
    clock = Clock(step_minutes=30)
    (told,) = import_results(store, [file()], clock=clock)
    flows = read_series(store.results_dir, "imported", told.run_id, "flows")
    assert flows["Grid.Grid_P_PowerDemand"].tolist() == [2, 0, 0, 1]
    assert (flows.index[1] - flows.index[0]).total_seconds() == 1800
    levels = read_series(store.results_dir, "imported", told.run_id, "components")
    assert levels["Battery.level_kwh"].tolist() == [0, 1, 2, 1]  # after each step
    assert read_units(store.results_dir, "imported", told.run_id, "components") == {
        "Battery.level_kwh": "kWh"
    }
    config, kpis = read_details(store.results_dir, "imported", told.run_id)
    assert config["components"]["SolarPV"]["economic"]["capex"] == 1000
    assert config["imported"]["metadata"] == {"solver": "rule_based", "seed": 3}
    assert kpis["total_generation_kwh"] == 3.0  # half-hours


def test_a_file_is_imported_once_whatever_its_name(store, file):
    first = import_results(store, [file(), file(name="same.json")])
    before = counts(store)
    again = import_results(store, [file(name="third.json")])
    assert [run.new for run in [*first, *again]] == [True, False, False]
    assert {run.run_id for run in [*first, *again]} == {"imported-0000000"}
    assert counts(store) == before == [1, 1, 1]
    other = import_results(store, [file(result(timesteps=4, system_id="other"))])
    assert other[0].run_id == "imported-0000001"


def test_a_study_that_was_run_takes_no_imports(store, file):
    from schema.store.records import NewStudy

    store.create_study(NewStudy("house", "genetic_algorithm"))
    with pytest.raises(InputError, match="not made of imports"):
        import_results(store, [file()], study_id="house")
    with pytest.raises(InputError, match="cannot name a study"):
        import_results(store, [file()], study_id="../house")


def test_everything_that_is_wrong_with_every_file_is_told_and_nothing_is_imported(store, file):
    wrong = result(system_id=7, timesteps=4.5, timestamp="yesterday", metadata=[])
    wrong["components"]["Grid"]["type"] = "sun"
    wrong["flows"]["Grid_P_PowerDemand"]["source"] = "Moon"
    paths = [file(name="good.json"), file(wrong, "bad.json"), file("{", "broken.json")]
    with pytest.raises(InputError) as caught:
        import_results(store, paths)
    told = {(finding.file.rpartition("/")[2], finding.path) for finding in caught.value.findings}
    assert told >= {
        ("bad.json", "system_id"),
        ("bad.json", "timesteps"),
        ("bad.json", "timestamp"),
        ("bad.json", "metadata"),
        ("bad.json", "components.Grid.type"),
        ("bad.json", "flows.Grid_P_PowerDemand.source"),
        ("broken.json", ""),
    }
    assert counts(store) == [0, 0, 0]
    assert not (store.results_dir / "simulation_runs").exists()


def changed(path, value):
    data = result()
    *way, last = path.split("|")
    place = data
    for step in way:
        place = place[step]
    place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("system_id", "../../etc", "system_id must be"),
        ("system_id", "a\0b", "system_id must be"),
        ("timesteps", True, "whole number"),
        ("timesteps", -1, "whole number"),
        ("timesteps", 10**12, "whole number"),
        ("timesteps", 3, "4 values for 3 steps"),
        ("timestamp", 5, "no moment"),
        ("timestamp", "9999-12-31T23:59:59-23:59", "no moment"),
        ("components", [], "must be an object"),
        ("components|../x", {"type": "storage", "medium": "heat"}, "cannot be a name"),
        ("components|a\nb", {"type": "storage", "medium": "heat"}, "cannot be a name"),
        ("components|Battery|E", [1, 2], "2 values for 4 steps"),
        ("components|Battery|E", [0, 0, 1, "2"], "no finite number"),
        ("components|Battery|E_max", "much", "E_max"),
        ("components|SolarPV|economic", 5, "economic"),
        ("components|Grid", None, "must be an object"),
        ("flows", {}, "no flows"),
        ("flows|../x", {}, "cannot be a name"),
        ("flows|Grid_P_PowerDemand|value", [1, 2, math.nan, 3], "no finite number"),
        ("flows|Grid_P_PowerDemand|value", [1, 2, math.inf, 3], "no finite number"),
        ("flows|Grid_P_PowerDemand|value", [1, 2, True, 3], "no finite number"),
        ("flows|Grid_P_PowerDemand|value", [1, 2, 10**400, 3], "no finite number"),
        ("flows|Grid_P_PowerDemand|value", [1, 2, -3, 3], "cannot be negative"),
        ("flows|Grid_P_PowerDemand|value", None, "list of numbers"),
        ("flows|Grid_P_PowerDemand|type", {}, "type must be"),
        ("flows|Grid_P_PowerDemand|target", ["Grid"], "no component"),
        ("metadata", {"name": "\ud800"}, "no file can hold"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_refused(path, value, message, store, file):
    with pytest.raises(InputError, match=message):
        import_results(store, [file(changed(path, value))])
    assert counts(store) == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no JSON"),
        ("[1, 2]", "one object"),
        ('{"system_id": "a", "system_id": "b"}', "stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' * 100 + "1" + "}" * 100, "nested too deeply"),
        ('{"timesteps": ' + "9" * 5000 + "}", "no JSON"),
        ("\x00\xff", "no JSON"),
    ],
)
def test_what_is_no_result_file_is_refused(content, message, store, file):
    with pytest.raises(InputError, match=message):
        import_results(store, [file(content or " ")])


def test_a_file_beyond_all_size_is_not_even_read(store, tmp_path):
    huge = tmp_path / "huge.json"
    with huge.open("wb") as sparse:
        sparse.truncate(importing_files.MAX_BYTES + 1)
    with pytest.raises(InputError, match="too large"):
        import_results(store, [huge])


def test_what_is_no_plain_file_is_refused_at_once(store, tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for path, message in [
        (tmp_path / "pipe.json", "no file"),
        (tmp_path, "no file"),
        (tmp_path / "none.json", "cannot be read"),
        (tmp_path / "a\0b", "cannot be read"),
    ]:
        with pytest.raises(InputError, match=message):
            import_results(store, [path])


def test_findings_are_told_up_to_a_number_that_can_be_read(store, file):
    flows = {f"f{number}": {"source": "x", "target": "y"} for number in range(1000)}
    with pytest.raises(InputError) as caught:
        import_results(store, [file(result(flows=flows))])
    assert len(caught.value.findings) == 50
