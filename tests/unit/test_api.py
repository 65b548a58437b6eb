"""The Python API: light to import, in frames, with the findings of the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import ecosystemiser as eco
from schema.store.records import Evaluation, Front, NewStudy, Uncertainty
from schema.store.store import Store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")

HOUSE = """
system: tiny
horizon: {start: 2019-06-01T00:00, steps: 4}
profiles: {price: {time_of_use: {0: 0.1, 2: 0.3}}}
components:
  grid: {type: grid, import_limit_kw: 9, import_price_eur_per_kwh: {profile: price}}
  battery: {type: battery, capacity_kwh: 2, power_kw: 2}
  lights: {type: power_demand, profile: load}
"""


@pytest.fixture
def house(tmp_path):
    """Loads of 1 kW over 4 hours, at 0.1 and then 0.3 €/kWh, with a battery of 2 kWh that begins half full."""
    file = tmp_path / "house.yaml"
    file.write_text(HOUSE.replace("profiles: {", "profiles: {load: 1.0, "))
    return file


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    made = tmp_path_factory.mktemp("results")
    with Store.open(made) as store:
        store.create_study(
            NewStudy(
                "one", "genetic_algorithm", objectives={"total_cost": "minimise", "total_co2": "minimise"}
            )
        )
        store.record(
            [
                Evaluation(
                    *("one", n, {"pv.capacity_kw": float(n)}, "success", "x", 1, "milp", 1),
                    objectives={"total_cost": float(n), "total_co2": (4.0 - n) ** 2},
                    fitness=float(n),
                )
                for n in range(5)
            ]
        )
        store.record_final_front("one", Front([f"one-{n:07d}" for n in range(5)]))
        store.record_uncertainty([Uncertainty("one", "total_cost", mean_value=5.0)])
    return eco.open(made)


def test_the_import_is_light_and_lists_what_there_is():
    code = (
        "import sys, ecosystemiser as eco\n"
        "assert {'open', 'run', 'solve', 'validate', 'plot', 'InputError'} <= set(dir(eco))\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"numpy", "pandas", "prefect", "typer", "pydantic", "matplotlib"} & set(ran.stdout.split())
    with pytest.raises(AttributeError, match="has no attribute 'opne'"):
        eco.opne  # noqa: B018


def test_every_name_that_is_exported_is_there():
    assert all(getattr(eco, name) is not None for name in eco.__all__)


# -- one dispatch


def test_a_dispatch_tells_status_kpis_and_flows(house):
    solved = eco.solve(house)
    # 2 h at 0.1 and 2 h at 0.3 €/kWh: the battery (1 of 2 kWh) takes 1 kWh from the dear hours to the cheap ones.
    assert (solved.status, solved.gap) == ("optimal", 0.0)
    assert solved.kpis["total_cost"] == pytest.approx(3 * 0.1 + 1 * 0.3)
    assert solved.flows["grid.import_kw"].sum() == pytest.approx(4.0)
    assert solved.flows.attrs["units"]["grid.import_kw"] == "kW"
    assert list(solved.flows.index) == list(pd.date_range("2019-06-01", periods=4, freq="h", tz="UTC"))
    assert solved.checks["passed"]
    assert solved.accounts.loc["grid", "cost_eur"] == pytest.approx(0.6)
    assert "optimal by milp" in repr(solved)


def test_numbers_are_set_by_path_and_methods_by_name(house):
    # The whole battery's 2 kWh cannot be used more than its level allows: with none, all is bought as it is used.
    solved = eco.solve(str(house), {"battery.capacity_kwh": 0}, method="rule_based")
    assert solved.kpis["total_cost"] == pytest.approx(2 * 0.1 + 2 * 0.3)


def test_where_there_is_no_dispatch_the_conflict_is_told_and_frames_are_empty(house):
    solved = eco.solve(house, {"grid.import_limit_kw": 0})
    assert solved.status == "infeasible"
    assert solved.conflict
    assert (solved.kpis, solved.flows.empty, solved.accounts.empty) == ({}, True, True)


@pytest.mark.parametrize(
    ("set_", "method", "told"),
    [
        ({"battery.capacity": 1}, "milp", "did you mean 'capacity_kwh'?"),
        ({"battery.capacity_kwh": "big"}, "milp", "'big' is no number"),
        ({"battery.capacity_kwh": -1}, "milp", "at least 0"),
        ({}, "mlip", "did you mean 'milp'?"),
    ],
)
def test_what_is_wrong_is_an_exception_with_the_findings(house, set_, method, told):
    with pytest.raises(eco.InputError) as raised:
        eco.solve(house, set_, method=method)
    assert told in str(raised.value)
    assert isinstance(raised.value.findings[0], eco.Finding)


def test_validate_returns_every_finding(house, tmp_path):
    assert eco.validate(house) == []
    house.write_text(house.read_text().replace("import_limit_kw: 9", "import_limit_kw: -9, colour: red"))
    found = eco.validate(house, tmp_path / "none.yaml")
    assert {finding.path for finding in found} == {
        "components.grid.import_limit_kw", "components.grid.colour", "",
    }  # fmt: skip


def test_a_dispatch_is_drawn_and_one_that_is_none_is_told(house):
    solved = eco.solve(house)
    for draw in (eco.plot.week, eco.plot.duration, eco.plot.sankey):
        assert draw(solved).get_axes()
    with pytest.raises(eco.InputError, match="it is infeasible"):
        eco.plot.week(eco.solve(house, {"grid.import_limit_kw": 0}))
    with pytest.raises(eco.InputError, match="there is no week 2"):
        eco.plot.week(solved, number=2)


# -- results


def test_queries_are_frames_with_a_column_for_each_parameter(results):
    runs = results.runs("one", where="pv.capacity_kw>=3", order_by="fitness desc")
    assert list(runs["pv.capacity_kw"]) == [4.0, 3.0]
    assert list(runs["total_co2"]) == [0.0, 1.0]
    assert str(runs["created_at"].dtype).endswith("UTC]")
    assert list(results.studies()["study_id"]) == ["one"]
    assert results.statistics("one")["evaluations"].item() == 5
    assert results.best(limit=1)["run_id"].item() == "one-0000000"
    assert results.uncertainty()["mean_value"].item() == 5.0
    assert results.sensitivity().empty
    assert results.convergence().empty


def test_the_front_marks_its_knee(results):
    front = results.front()
    # (0, 16), (1, 9), (2, 4), (3, 1), (4, 0), scaled by 4 and 16: the third is farthest from the chord.
    assert list(front.loc[front["knee"], "total_cost"]) == [2.0]


def test_a_study_answers_as_its_folder_does(results):
    study = results.study()
    assert (study.id, study.status, study.objectives["total_cost"]) == ("one", "pending", "minimise")
    assert study.front().equals(results.front("one"))
    assert len(study.runs(limit=2)) == 2
    assert study.best(by="total_co2", limit=1)["run_id"].item() == "one-0000004"


def test_what_is_not_there_is_told(results, tmp_path):
    with pytest.raises(eco.InputError, match="run a study first"):
        eco.open(tmp_path)
    with pytest.raises(eco.InputError, match="did you mean one"):
        results.study("on")
    with pytest.raises(eco.InputError, match="did you mean total_cost"):
        results.runs(order_by="total_cos")
    with pytest.raises(eco.InputError, match="has no sweep to draw"):
        eco.plot.sweep(results)
    with pytest.raises(eco.InputError, match="no run"):
        results.flows("one-9")


def test_pictures_are_figures(results, tmp_path):
    eco.plot.front(results.study()).savefig(tmp_path / "front.png")
    eco.plot.front(results, "one").savefig(tmp_path / "same.png")
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")


# -- the page


def test_the_page_names_every_question_and_picture():
    questions = {name for name in vars(eco.Results) if not name.startswith("_")} - {
        "folder",
        "store",
        "study",
    }
    assert {name for name in questions if f"`{name}`" not in PAGE} == set()
    pictures = {"front", "convergence", "distribution", "sensitivity", "sweep"}
    assert pictures <= set(vars(eco.plot))
