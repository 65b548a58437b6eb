"""Converters and generators by hand."""

from __future__ import annotations

import numpy as np
import pytest

from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": 0.3, "export_price_eur_per_kwh": 0.05}
GAS = {"type": "gas_grid", "import_price_eur_per_kwh": 0.1}
LOAD = {"type": "power_demand", "profile": "load"}
HEAT = {"type": "heat_demand", "profile": "heat"}


def house(components, minutes=60, **series):
    horizon = {
        "start": "2019-01-01T00:00",
        "steps": len(next(iter(series.values()))),
        "step_minutes": minutes,
    }
    system = System.model_validate({"system": "house", "horizon": horizon, "components": components})
    return Dispatcher(system, {name: np.asarray(values, dtype=float) for name, values in series.items()})


def test_a_heat_pump_takes_heat_over_cop():
    parts = {"grid": GRID, "pump": {"type": "heat_pump", "capacity_kw": 8, "cop": 3}, "heat": HEAT}
    run = house(parts, heat=[6, 3]).dispatch()
    assert run.flows["pump.electricity_kw"] == pytest.approx([2, 1])
    assert run.kpis["total_cost"] == pytest.approx(3 * 0.3)
    assert run.kpis["total_demand_kwh"] == pytest.approx(3)


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_cop_may_change_with_each_step(minutes):
    pump = {"type": "heat_pump", "capacity_kw": 8, "cop": {"profile": "cop", "scale": 2}}
    run = house({"grid": GRID, "pump": pump, "heat": HEAT}, minutes, heat=[4, 4], cop=[1, 2]).dispatch()
    assert run.flows["pump.electricity_kw"] == pytest.approx([2, 1])
    assert run.kpis["total_cost"] == pytest.approx(3 * minutes / 60 * 0.3)


def test_an_electric_boiler_takes_heat_over_efficiency():
    parts = {
        "grid": GRID,
        "boiler": {"type": "electric_boiler", "capacity_kw": 8, "efficiency_fraction": 0.8},
        "heat": HEAT,
    }
    assert house(parts, heat=[4]).dispatch().flows["boiler.electricity_kw"] == pytest.approx([5])


def test_the_cheaper_heater_runs_first_and_the_other_helps_out():
    parts = {
        "grid": GRID,
        "gas": GAS,
        "pump": {"type": "heat_pump", "capacity_kw": 5, "cop": 4},  # 0.075 €/kWh
        "boiler": {"type": "gas_boiler", "capacity_kw": 9, "efficiency_fraction": 0.8},  # 0.125 €/kWh
        "heat": HEAT,
    }
    run = house(parts, heat=[4, 7]).dispatch()
    assert run.flows["pump.heat_kw"] == pytest.approx([4, 5])
    assert run.flows["boiler.heat_kw"] == pytest.approx([0, 2], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(9 * 0.075 + 2 * 0.125)


def test_a_capacity_that_falls_short_is_infeasible():
    parts = {"grid": GRID, "pump": {"type": "heat_pump", "capacity_kw": 5, "cop": 4}, "heat": HEAT}
    dispatcher = house(parts, heat=[5.001])
    assert dispatcher.dispatch().status is Status.INFEASIBLE
    assert dispatcher.dispatch({"pump.capacity_kw": 5.001}).status is Status.OPTIMAL


def test_a_chp_makes_heat_and_electricity_in_its_ratio():
    chp = {
        "type": "chp",
        "capacity_kw": 6,
        "electric_efficiency_fraction": 0.3,
        "thermal_efficiency_fraction": 0.5,
    }
    parts = {"grid": GRID, "gas": GAS, "chp": chp, "load": LOAD, "heat": HEAT}
    run = house(parts, load=[4, 1], heat=[5, 5]).dispatch()
    assert run.flows["chp.electricity_kw"] == pytest.approx([3, 3])
    assert run.flows["chp.gas_kw"] == pytest.approx([10, 10])
    assert run.flows["grid.import_kw"] == pytest.approx([1, 0], abs=1e-9)
    assert run.flows["grid.export_kw"] == pytest.approx([0, 2], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(20 * 0.1 + 0.3 - 2 * 0.05)
    assert run.kpis["total_generation_kwh"] == pytest.approx(6)
    assert run.kpis["total_co2"] == pytest.approx(20 * 0.202)


def test_a_chp_s_heat_cannot_be_dumped():
    chp = {
        "type": "chp",
        "capacity_kw": 6,
        "electric_efficiency_fraction": 0.4,
        "thermal_efficiency_fraction": 0.4,
    }
    gas = GAS | {"import_price_eur_per_kwh": 0.01}
    run = house(
        {"grid": GRID, "gas": gas, "chp": chp, "load": LOAD, "heat": HEAT}, load=[5], heat=[2]
    ).dispatch()
    assert run.flows["chp.electricity_kw"] == pytest.approx([2])


@pytest.mark.parametrize(("least", "electricity"), [(0.0, 5), (0.2, 4)])
def test_a_chp_may_throw_heat_away_down_to_its_least(least, electricity):
    chp = {
        "type": "chp",
        "capacity_kw": 6,
        "electric_efficiency_fraction": 0.4,
        "thermal_efficiency_fraction": 0.4,
        "min_thermal_efficiency_fraction": least,
    }
    gas = GAS | {"import_price_eur_per_kwh": 0.01}
    grid = GRID | {"export_limit_kw": 0}
    parts = {"grid": grid, "gas": gas, "chp": chp, "load": LOAD, "heat": HEAT}
    run = house(parts, load=[5], heat=[2]).dispatch()
    # Heat of 2 kW at the least ratio of 1/2 lets 4 kW of electricity be made.
    assert run.flows["chp.electricity_kw"] == pytest.approx([electricity])
    assert run.flows["chp.heat_kw"] == pytest.approx([2])
    assert run.flows["chp.gas_kw"] == pytest.approx([electricity / 0.4])


def test_a_chp_gives_no_more_heat_than_its_efficiency_allows():
    chp = {
        "type": "chp",
        "capacity_kw": 6,
        "electric_efficiency_fraction": 0.4,
        "thermal_efficiency_fraction": 0.4,
        "min_thermal_efficiency_fraction": 0,
    }
    parts = {
        "grid": GRID | {"export_price_eur_per_kwh": -1},
        "gas": GAS,
        "chp": chp,
        "load": LOAD,
        "heat": HEAT,
    }
    assert house(parts, load=[3], heat=[3]).dispatch().flows["chp.electricity_kw"] == pytest.approx([3])
    assert house(parts, load=[9], heat=[6.01]).dispatch().status is Status.INFEASIBLE


def test_variable_costs_are_paid_for_each_kwh_of_output_and_decide():
    pump = {"type": "heat_pump", "capacity_kw": 5, "cop": 4, "variable_cost_eur_per_kwh": 0.02}
    boiler = {"type": "gas_boiler", "capacity_kw": 9, "efficiency_fraction": 0.8}
    parts = {"grid": GRID, "gas": GAS, "pump": pump, "boiler": boiler, "heat": HEAT}
    one = house(parts, 30, heat=[4, 7])
    run = one.dispatch()
    assert run.accounts["pump"].operation_cost_eur == pytest.approx(9 * 0.02 / 2)
    assert run.kpis["total_cost"] == pytest.approx((9 * 0.095 + 2 * 0.125) / 2)
    dear = one.dispatch({"pump.variable_cost_eur_per_kwh": 0.06})
    assert dear.kpis["total_cost"] == pytest.approx(11 * 0.125 / 2)
    free = one.dispatch({"pump.variable_cost_eur_per_kwh": 0.0})
    assert free.kpis["total_cost"] == pytest.approx((9 * 0.075 + 2 * 0.125) / 2)


@pytest.mark.parametrize("kind", ["solar_pv", "wind_turbine"])
def test_a_generator_with_variable_costs_rests_where_the_grid_is_cheaper(kind):
    generator = {"type": kind, "capacity_kw": 4, "profile": "wind", "variable_cost_eur_per_kwh": 0.1}
    grid = GRID | {"import_price_eur_per_kwh": {"profile": "price"}}
    parts = {"grid": grid, "turbine": generator, "load": LOAD}
    run = house(parts, load=[3, 3], wind=[1, 1], price=[0.3, 0.08]).dispatch()
    assert run.flows["turbine.electricity_kw"] == pytest.approx([3, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(3 * 0.1 + 3 * 0.08)


def test_a_chp_without_use_for_heat_is_an_engine():
    chp = {
        "type": "chp",
        "capacity_kw": 6,
        "electric_efficiency_fraction": 0.5,
        "thermal_efficiency_fraction": 0,
    }
    parts = {"grid": GRID, "gas": GAS, "chp": chp, "load": LOAD, "heat": HEAT}
    run = house(parts, load=[5], heat=[0]).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(10 * 0.1)


@pytest.mark.parametrize("kind", ["solar_pv", "wind_turbine"])
def test_generators_give_what_is_available_and_no_more_than_is_wanted(kind):
    generator = {"type": kind, "capacity_kw": 4, "profile": {"profile": "wind", "scale": 0.5}}
    grid = GRID | {"export_limit_kw": 0}
    run = house({"grid": grid, "turbine": generator, "load": LOAD}, load=[3, 1], wind=[1, 1]).dispatch()
    assert run.flows["turbine.electricity_kw"] == pytest.approx([2, 1])
    assert run.flows["grid.import_kw"] == pytest.approx([1, 0], abs=1e-9)


def test_a_free_grid_and_a_generator_make_one_account_each():
    pv = {"type": "solar_pv", "capacity_kw": 2, "profile": "sun", "investment_eur_per_kw": 1000}
    run = house({"grid": GRID, "pv": pv, "load": LOAD}, load=[1], sun=[0]).dispatch({"pv.lifetime_years": 10})
    assert run.accounts["grid"].cost_eur == pytest.approx(0.3)
    assert run.accounts["pv"].operation_cost_eur == 0
    assert sum(account.cost_eur for account in run.accounts.values()) == pytest.approx(run.kpis["total_cost"])


def test_a_demand_alone_on_its_node_is_infeasible_and_an_idle_generator_is_not():
    pv = {"type": "solar_pv", "capacity_kw": 2, "profile": "sun"}
    assert house({"pv": pv, "load": LOAD}, load=[1], sun=[0]).dispatch().status is Status.INFEASIBLE
    idle = house({"pv": pv}, sun=[1.0]).dispatch()
    assert idle.status is Status.OPTIMAL
    assert idle.kpis["total_generation_kwh"] == 0
