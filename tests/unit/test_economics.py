"""Money that does not depend on the dispatch, by hand."""

from __future__ import annotations

import pytest

from schema.components import COMPONENT_TYPES
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.economics import (
    annuity_eur_per_year,
    capital_recovery_factor,
    fixed_cost_eur_per_year,
    investment_eur,
    yearly_costs_eur,
)

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
