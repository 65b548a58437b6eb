"""Money that does not depend on the dispatch, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.components import COMPONENT_TYPES
from schema.errors import InputError
from schema.kpis import EIGHT_UNITS, KPI_UNITS, STANDS_WITH
from schema.loading import load_study
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.economics import (
    annuity_eur_per_year,
    capital_recovery_factor,
    fixed_cost_eur_per_year,
    investment_eur,
    net_investment_eur,
    purchases_eur,
    yearly_costs_eur,
)
from solvers.solution import Status

PV = {
    "type": "solar_pv",
    "capacity_kw": 5,
    "profile": "sun",
    "investment_eur_per_kw": 1000,
    "lifetime_years": 20,
    "fixed_cost_eur_per_kw_year": 10,
}
BATTERY = {
    "type": "battery",
    "capacity_kwh": 8,
    "power_kw": 4,
    "investment_eur_per_kwh": 500,
    "lifetime_years": 10,
    "fixed_cost_eur_per_kwh_year": 3,
    "subsidy_fraction": 0.25,
}
GRID = {"type": "grid", "import_price_eur_per_kwh": 0.3}


def component(data):
    return COMPONENT_TYPES[data["type"]].model_validate(data)


def system(components, steps=24, minutes=60, **economics):
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    return System.model_validate(
        {"system": "house", "horizon": horizon, "economics": economics, "components": components}
    )


@pytest.mark.parametrize(
    ("rate", "years", "factor"),
    [(0.05, 20, 0.0802425872), (0.10, 1, 1.10), (0.07, 10, 0.1423775027), (0.0, 25, 0.04), (0.0, 0.5, 2.0)],
)
def test_the_capital_recovery_factor_is_that_of_the_tables(rate, years, factor):
    assert capital_recovery_factor(rate, years) == pytest.approx(factor, rel=1e-9)


def test_annuities_pay_back_the_investment_with_its_interest():
    rate, years = 0.06, 15
    paid = capital_recovery_factor(rate, years)
    assert sum(paid / (1 + rate) ** year for year in range(1, years + 1)) == pytest.approx(1)


def test_the_factor_is_continuous_at_a_rate_of_0():
    assert capital_recovery_factor(1e-7, 20) == pytest.approx(1 / 20, rel=1e-5)
    assert capital_recovery_factor(1e-30, 20) == 1 / 20


def test_investment_goes_with_power_or_with_energy():
    assert investment_eur(component(PV)) == 5000
    assert investment_eur(component(BATTERY)) == 4000
    assert investment_eur(component(GRID)) == 0


def test_a_subsidy_lowers_the_annuity_and_not_the_fixed_cost():
    battery = component(BATTERY)
    assert annuity_eur_per_year(battery, 0.0) == pytest.approx(0.75 * 4000 / 10)
    assert annuity_eur_per_year(battery, 0.07) == pytest.approx(3000 * 0.1423775027)
    assert fixed_cost_eur_per_year(battery) == 24
    assert annuity_eur_per_year(component(BATTERY | {"subsidy_fraction": 1}), 0.07) == 0


def test_a_grid_costs_nothing_to_have():
    grid = component(GRID)
    assert (annuity_eur_per_year(grid, 0.05), fixed_cost_eur_per_year(grid)) == (0, 0)


def test_yearly_costs_add_up_by_component():
    house = system({"pv": PV, "battery": BATTERY, "grid": GRID}, discount_rate=0.0)
    assert yearly_costs_eur(house) == {
        "pv": pytest.approx(250 + 50),
        "battery": pytest.approx(300 + 24),
        "grid": 0,
    }


@pytest.mark.parametrize(("steps", "minutes"), [(876, 60), (1752, 30), (3504, 15)])
def test_yearly_costs_count_by_the_share_of_8760_hours(steps, minutes):
    house = system({"pv": PV, "grid": GRID}, steps, minutes, discount_rate=0.05)
    share = 0.1
    assert house.horizon.year_share == pytest.approx(share)
    run = Dispatcher(house, {"sun": house.horizon.index.hour.to_numpy() * 0.0}).dispatch()
    yearly = 5000 * 0.0802425872 + 50
    assert run.kpis["total_cost"] == pytest.approx(share * yearly)
    assert run.accounts["pv"].yearly_cost_eur == pytest.approx(share * yearly)


def test_what_only_enters_constants_leaves_the_dispatch_as_it_is():
    house = system({"pv": PV, "battery": BATTERY, "grid": GRID | {"export_price_eur_per_kwh": 0.1}})
    one = Dispatcher(house, {"sun": house.horizon.index.hour.to_numpy() / 24})
    plain = one.dispatch()
    dear = one.dispatch(
        {"pv.investment_eur_per_kw": 9000, "battery.lifetime_years": 3, "economics.discount_rate": 0.2}
    )
    assert dear.solution.objective_eur == plain.solution.objective_eur
    assert dear.kpis["total_cost"] > plain.kpis["total_cost"]
    assert dear.accounts["grid"] == plain.accounts["grid"]


@pytest.mark.parametrize(
    ("life", "years", "expected"),
    [
        (20, 20, 1.0),
        (10, 20, 1 + 1.05**-10),
        (15, 20, 1 + 1.05**-15 - (10 / 15) * 1.05**-20),
        (30, 20, 1 - (10 / 30) * 1.05**-20),
        (7.5, 15, 1 + 1.05**-7.5),
    ],
)
def test_purchases_are_replaced_within_the_project_and_what_is_left_counts(life, years, expected):
    battery = component(BATTERY | {"lifetime_years": life})
    assert net_investment_eur(battery) == pytest.approx(3000)
    assert purchases_eur(battery, 0.05, years) == pytest.approx(3000 * expected)


@pytest.mark.parametrize(("life", "years"), [(20, 20), (10, 20), (5, 20)])
def test_over_whole_lives_purchases_are_worth_their_annuities(life, years):
    battery = component(BATTERY | {"lifetime_years": life})
    annuities = annuity_eur_per_year(battery, 0.05) / capital_recovery_factor(0.05, years)
    assert purchases_eur(battery, 0.05, years) == pytest.approx(annuities)


def test_what_costs_nothing_to_buy_has_no_purchases():
    assert purchases_eur(component(GRID), 0.05, 20) == 0
    assert purchases_eur(component(PV | {"subsidy_fraction": 1}), 0.05, 20) == 0


YEAR = {"steps": 876, "discount_rate": 0.05, "project_years": 20}
LOAD = {"type": "power_demand", "profile": "load"}
NO_PV = {"pv.capacity_kw": 0}


def compared(components, design=None, **arguments):
    house = system(components, **(YEAR | {"baseline": NO_PV} | arguments))
    steps = house.horizon.steps
    series = {"sun": [0.5] * steps, "load": [2.0] * steps}
    return Dispatcher(house, {name: np.asarray(values) for name, values in series.items()}).dispatch(design)


def test_npv_and_payback_against_a_house_without_pv():
    # 2 kW of load, all of it from 5 kW of PV: 2 kW · 8,760 h · 0.3 €/kWh a year saved, 50 € a year spent on PV.
    run = compared({"grid": GRID | {"export_limit_kw": 0}, "pv": PV, "load": LOAD})
    saved = 2 * 8760 * 0.3 - 50
    assert run.kpis["npv_eur"] == pytest.approx(saved / 0.0802425872 - 5000)
    assert run.kpis["payback_years"] == pytest.approx(5000 / saved)


def test_with_lives_of_the_project_npv_is_the_saving_in_total_cost():
    run = compared({"grid": GRID, "pv": PV | {"lifetime_years": 10}, "load": LOAD}, {"pv.capacity_kw": 3})
    plain = compared({"grid": GRID, "pv": PV | {"lifetime_years": 10}, "load": LOAD}, NO_PV)
    per_year = (plain.kpis["total_cost"] - run.kpis["total_cost"]) / 0.1
    assert run.kpis["npv_eur"] == pytest.approx(per_year / 0.0802425872)


def test_the_baseline_itself_has_an_npv_of_0_and_nothing_to_pay_back():
    run = compared({"grid": GRID, "pv": PV, "load": LOAD}, NO_PV)
    assert run.kpis["npv_eur"] == pytest.approx(0, abs=1e-9)
    assert run.kpis["payback_years"] == 0


def test_what_is_not_paid_back_within_the_project_has_no_payback():
    dear = PV | {"investment_eur_per_kw": 30_000}
    run = compared({"grid": GRID, "pv": dear, "load": LOAD})
    assert "payback_years" not in run.kpis
    assert run.kpis["npv_eur"] < 0


def test_a_baseline_follows_what_it_does_not_state():
    parts = {"grid": GRID | {"export_limit_kw": 0}, "pv": PV, "load": LOAD}
    run = compared(parts, {"grid.import_price_eur_per_kwh": 0.6, "economics.project_years": 10})
    saved = 2 * 8760 * 0.6 - 50
    left = 5000 * 0.5 * 1.05**-10
    assert run.kpis["npv_eur"] == pytest.approx(saved / capital_recovery_factor(0.05, 10) - 5000 + left)


def test_co2_at_its_price_is_saved_too():
    grid = GRID | {"import_co2_kg_per_kwh": 0.4}
    run = compared({"grid": grid, "pv": PV, "load": LOAD}, co2_price_eur_per_kg=0.1)
    saved = 2 * 8760 * (0.3 + 0.04) - 50
    assert run.kpis["payback_years"] == pytest.approx(5000 / saved)


def test_a_comparison_leaves_the_dispatch_as_it_is():
    parts = {"grid": GRID, "pv": PV, "load": LOAD}
    with_baseline, without = compared(parts), compared(parts, baseline={})
    assert with_baseline.solution.objective_eur == without.solution.objective_eur
    assert "npv_eur" not in without.kpis
    assert {n: v for n, v in with_baseline.kpis.items() if n in without.kpis} == dict(without.kpis)


def test_a_baseline_without_a_dispatch_fails_the_design_and_says_why():
    run = compared({"pv": PV, "load": LOAD})
    assert run.status is Status.FAILED
    assert "economics.baseline has no dispatch to compare with: infeasible" in run.solution.message
    assert run.kpis == {}


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({"roof.capacity_kw": 0}, "no component 'roof'"),
        ({"pv.profile": 0}, "is not a number"),
        ({"pv.capacity_kw": -1}, "at least 0"),
        ({"pv": 0}, "write component.attribute"),
    ],
)
def test_a_baseline_that_leads_nowhere_is_refused(baseline, message):
    with pytest.raises(ValidationError, match=message):
        system({"pv": PV, "grid": GRID}, baseline=baseline)


STUDY = """
study: trade_off
type: genetic_algorithm
system: house.yaml
objectives: {NAME: maximise, total_co2: minimise}
variables: {pv.capacity_kw: {min: 0, max: 9}}
"""
HOUSE = """
system: house
horizon: {start: 2019-01-01T00:00, steps: 2}
profiles: {sun: 0.5, load: 2.0}
economics: {baseline: {pv.capacity_kw: 0}}
components:
  grid: {type: grid, import_price_eur_per_kwh: 0.3}
  pv: {type: solar_pv, capacity_kw: 5, profile: sun}
  load: {type: power_demand, profile: load}
"""


@pytest.mark.parametrize("kpi", ["npv_eur", "peak_import_kw", "curtailed_kwh"])
def test_a_study_may_seek_what_every_design_has(tmp_path, kpi):
    (tmp_path / "house.yaml").write_text(HOUSE, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY.replace("NAME", kpi), encoding="utf-8")
    assert kpi in load_study(tmp_path / "study.yaml").study.objectives


@pytest.mark.parametrize(
    ("kpi", "need"),
    [
        ("payback_years", "an investment that pays back"),
        ("lcoe_eur_per_kwh", "generation"),
        ("storage_cycles", "a storage of electricity"),
        ("water_demand_m3", "a demand for water"),
    ],
)
def test_a_study_may_not_seek_what_a_design_may_lack(tmp_path, kpi, need):
    (tmp_path / "house.yaml").write_text(HOUSE, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY.replace("NAME", kpi), encoding="utf-8")
    with pytest.raises(InputError, match=f"not every design of this system has {kpi}: .*{need}"):
        load_study(tmp_path / "study.yaml")


def test_every_kpi_besides_the_eight_says_what_it_stands_with():
    assert set(STANDS_WITH) == set(KPI_UNITS) - set(EIGHT_UNITS)
