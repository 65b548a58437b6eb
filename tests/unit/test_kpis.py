"""The KPIs by hand, and where their denominators are 0."""

from __future__ import annotations

import numpy as np
import pytest

from schema.kpis import EIGHT_UNITS, KPI_UNITS, defined_kpis
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

GRID = {
    "type": "grid",
    "import_price_eur_per_kwh": 0.3,
    "export_price_eur_per_kwh": 0.05,
    "import_co2_kg_per_kwh": 0.4,
    "export_co2_credit_kg_per_kwh": 0.1,
    "renewable_fraction": 0.25,
}
LOAD = {"type": "power_demand", "profile": "load"}
HEAT = {"type": "heat_demand", "profile": "heat"}
PV = {"type": "solar_pv", "capacity_kw": 1, "profile": "sun"}
BATTERY = {"type": "battery", "capacity_kwh": 1, "power_kw": 1, "initial_level_fraction": 0}
GAS = {"type": "gas_grid", "import_price_eur_per_kwh": 0.1, "import_co2_kg_per_kwh": 0.2}
CHP = {
    "type": "chp",
    "capacity_kw": 9,
    "electric_efficiency_fraction": 0.4,
    "thermal_efficiency_fraction": 0.5,
}


def kpis(components, minutes=60, economics=None, only_eight=True, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    data = {"system": "house", "horizon": horizon, "components": components, "economics": economics or {}}
    arrays = {name: np.asarray(values, dtype=float) for name, values in series.items()}
    run = Dispatcher(System.model_validate(data), arrays).dispatch()
    assert run.status is Status.OPTIMAL
    assert list(run.kpis)[:8] == list(EIGHT_UNITS)
    assert defined_kpis(run.system) <= set(run.kpis) <= set(KPI_UNITS)
    return {name: run.kpis[name] for name in (EIGHT_UNITS if only_eight else run.kpis)}


@pytest.mark.parametrize(("minutes", "hours"), [(60, 1.0), (30, 0.5), (15, 0.25)])
def test_all_eight_of_a_house_with_pv_battery_and_heat_pump(minutes, hours):
    parts = {
        "grid": GRID,
        "pv": PV,
        "battery": BATTERY | {"capacity_kwh": hours},
        "pump": {"type": "heat_pump", "capacity_kw": 9, "cop": 3},
        "load": LOAD,
        "heat": HEAT,
    }
    # First step: 5 kW of sun for 2 + 1 kW, 1 kW into the battery, 1 kW sold. Second: 3 kW, 1 of them stored.
    got = kpis(parts, minutes, {"co2_price_eur_per_kg": 0.5}, sun=[5, 0], load=[2, 2], heat=[3, 3])
    co2 = (2 * 0.4 - 1 * 0.1) * hours
    assert got == pytest.approx(
        {
            "total_cost": (2 * 0.3 - 1 * 0.05) * hours + 0.5 * co2,
            "total_co2": co2,
            "self_consumption_rate": (5 - 1) / 5,
            "self_sufficiency_rate": 1 - 2 / 6,
            "renewable_fraction": (5 + 0.25 * 2) / (5 + 2),
            "total_generation_kwh": 5 * hours,
            "total_demand_kwh": 6 * hours,
            "net_grid_usage_kwh": 1 * hours,
        }
    )


def test_a_chp_generates_and_its_gas_counts_as_energy_that_enters():
    parts = {"grid": GRID, "gas": GAS, "chp": CHP, "pv": PV, "load": LOAD, "heat": HEAT}
    # 5 kW of heat: 10 kW of gas, 4 kW of electricity, with 1 kW of sun for 6 kW of load.
    got = kpis(parts, sun=[1], load=[6], heat=[5])
    assert got == pytest.approx(
        {
            "total_cost": 10 * 0.1 + 1 * 0.3,
            "total_co2": 10 * 0.2 + 1 * 0.4,
            "self_consumption_rate": 1,
            "self_sufficiency_rate": 5 / 6,
            "renewable_fraction": (1 + 0.25) / (1 + 1 + 10),
            "total_generation_kwh": 5,
            "total_demand_kwh": 6,
            "net_grid_usage_kwh": 1,
        }
    )


def test_curtailed_power_was_not_generated():
    got = kpis({"grid": GRID | {"export_limit_kw": 0}, "pv": PV, "load": LOAD}, sun=[5], load=[2])
    assert got["total_generation_kwh"] == pytest.approx(2)
    assert got["self_consumption_rate"] == pytest.approx(1)
    assert got["self_sufficiency_rate"] == pytest.approx(1)


def test_without_electricity_its_rates_are_0():
    boiler = {"type": "gas_boiler", "capacity_kw": 9, "efficiency_fraction": 0.8}
    got = kpis({"gas": GAS, "boiler": boiler, "heat": HEAT}, heat=[4])
    assert got == pytest.approx(
        {
            "total_cost": 0.5,
            "total_co2": 1.0,
            "self_consumption_rate": 0,
            "self_sufficiency_rate": 0,
            "renewable_fraction": 0,
            "total_generation_kwh": 0,
            "total_demand_kwh": 0,
            "net_grid_usage_kwh": 0,
        }
    )


def test_where_nothing_happens_everything_is_0():
    got = kpis({"grid": GRID, "pv": PV, "load": LOAD}, sun=[0, 0], load=[0, 0])
    assert set(got.values()) == {0}


def test_selling_what_a_battery_held_is_not_self_consumption_below_0():
    battery = BATTERY | {"capacity_kwh": 10, "power_kw": 5, "initial_level_fraction": 1, "cyclic": False}
    got = kpis({"grid": GRID, "pv": PV, "battery": battery}, sun=[1, 1])
    assert got["net_grid_usage_kwh"] == pytest.approx(-12)
    assert got["self_consumption_rate"] == 0


def test_importing_to_store_is_not_self_sufficiency_below_0():
    battery = BATTERY | {"capacity_kwh": 10, "power_kw": 5, "min_level_fraction": 0.5, "cyclic": False}
    got = kpis({"grid": GRID, "battery": battery, "load": LOAD}, load=[1])
    assert got["net_grid_usage_kwh"] == pytest.approx(6)
    assert got["total_demand_kwh"] == pytest.approx(1)
    assert got["self_sufficiency_rate"] == 0


def test_a_house_of_wind_and_sun_is_renewable_as_a_whole():
    wind = {"type": "wind_turbine", "capacity_kw": 2, "profile": "wind"}
    got = kpis({"pv": PV, "wind": wind, "load": LOAD}, sun=[1, 1], wind=[1, 1], load=[3, 2])
    assert got["renewable_fraction"] == pytest.approx(1)
    assert got["self_sufficiency_rate"] == pytest.approx(1)
    assert got["total_generation_kwh"] == pytest.approx(5)


def others(components, **arguments):
    got = kpis(components, only_eight=False, **arguments)
    return {name: value for name, value in got.items() if name not in EIGHT_UNITS}


@pytest.mark.parametrize(("minutes", "hours"), [(60, 1.0), (15, 0.25)])
def test_peak_curtailment_cycles_unserved_and_lcoe(minutes, hours):
    parts = {
        "grid": GRID | {"import_limit_kw": 2.5, "export_limit_kw": 0},
        "pv": PV | {"investment_eur_per_kw": 876, "lifetime_years": 1, "fixed_cost_eur_per_kw_year": 8760},
        "battery": BATTERY | {"capacity_kwh": 2 * hours},
        "load": LOAD | {"unserved_price_eur_per_kwh": 9},
    }
    # 5 kW of sun for 2 kW of load and 1 kW into the battery, which can take no more; then 4 kW from grid and
    # battery where 4.2 are wanted, the battery giving 1 and the grid 2.5 kW.
    got = others(parts, minutes=minutes, economics={"discount_rate": 0}, sun=[5, 0], load=[2, 4.2])
    assert got == pytest.approx(
        {
            "peak_import_kw": 2.5,
            "unserved_kwh": 0.7 * hours,
            "curtailed_kwh": 2 * hours,
            "storage_cycles": 0.5,
            "lcoe_eur_per_kwh": (876 + 8760) * 2 * hours / 8760 / (3 * hours),
        }
    )


def test_what_a_system_has_not_is_not_told():
    assert set(others({"grid": GRID, "load": LOAD}, load=[1])) == {"peak_import_kw"}
    heat_only = {"gas": GAS, "boiler": {"type": "gas_boiler", "capacity_kw": 9}, "heat": HEAT}
    assert others(heat_only, heat=[4]) == {}
    buffer = {"type": "heat_buffer", "capacity_kwh": 2, "power_kw": 2}
    assert others(heat_only | {"buffer": buffer}, heat=[4]) == {}


def test_where_nothing_is_generated_there_is_no_cost_of_it():
    assert others({"grid": GRID, "pv": PV, "load": LOAD}, sun=[0], load=[1]) == {
        "peak_import_kw": pytest.approx(1),
        "curtailed_kwh": 0,
    }


def test_a_generator_in_the_shade_costs_what_it_costs():
    pv = PV | {"investment_eur_per_kw": 8760, "lifetime_years": 1}
    shaded = pv | {"profile": "shade"}
    warm = {"type": "generic_source", "carrier": "heat", "capacity_kw": 9, "price_eur_per_kwh": 7}
    parts = {"grid": GRID, "pv": pv, "shaded": shaded, "load": LOAD, "warm": warm, "heat": HEAT}
    got = others(parts, economics={"discount_rate": 0}, sun=[4], shade=[0], load=[4], heat=[3])
    assert got["lcoe_eur_per_kwh"] == pytest.approx(2 / 4)


def test_a_storage_without_capacity_makes_no_cycles():
    parts = {"grid": GRID, "battery": BATTERY | {"capacity_kwh": 0}, "load": LOAD}
    assert others(parts, load=[1])["storage_cycles"] == 0


def test_the_peak_is_that_of_all_grids_together():
    far = {"carriers": {"electricity": "electricity@barn"}}
    parts = {"near": GRID, "load": LOAD, "far": GRID | far, "barn": LOAD | far | {"profile": "barn"}}
    assert others(parts, load=[1, 3], barn=[4, 1])["peak_import_kw"] == pytest.approx(5)


def test_a_generic_source_is_renewable_by_its_share_and_the_rest_is_primary_too():
    source = {
        "type": "generic_source",
        "carrier": "electricity",
        "capacity_kw": 4,
        "renewable_fraction": 0.75,
    }
    got = kpis({"grid": GRID, "source": source, "load": LOAD}, load=[5])
    assert got["total_generation_kwh"] == pytest.approx(4)
    assert got["renewable_fraction"] == pytest.approx((3 + 0.25) / 5)


def test_a_converter_between_nodes_of_electricity_counts_by_its_losses():
    inverter = {
        "type": "generic_converter",
        "capacity_kw": 9,
        "input_carrier": "electricity@direct",
        "output_carrier": "electricity",
        "output_per_input": 0.8,
    }
    pv = PV | {"carriers": {"electricity": "electricity@direct"}}
    got = kpis({"pv": pv, "inverter": inverter, "load": LOAD}, sun=[5], load=[4])
    assert got["total_generation_kwh"] == pytest.approx(5)
    assert got["total_demand_kwh"] == pytest.approx(5)
    assert got["self_sufficiency_rate"] == 1
