"""`rule_based` by numbers that can be worked out by hand."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.rules import method
from solvers.rules.committed import Line
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": 0.3, "export_price_eur_per_kwh": 0.05}
LOAD = {"type": "power_demand", "profile": "load"}
PV = {"type": "solar_pv", "capacity_kw": 4, "profile": "sun"}
BATTERY = {"type": "battery", "capacity_kwh": 4, "power_kw": 2, "initial_level_fraction": 0, "cyclic": False}
HEAT = {"type": "heat_demand", "profile": "load"}
GAS = {"type": "gas_grid", "import_price_eur_per_kwh": 0.08}


def dispatcher(components, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps}
    system = System.model_validate({"system": "small", "horizon": horizon, "components": components})
    arrays = {name: np.array(values, dtype=float) for name, values in series.items()}
    return Dispatcher(system, arrays, SolverSettings(method="rule_based"))


def ruled(components, **series):
    run = dispatcher(components, **series).dispatch()
    assert run.status is Status.FEASIBLE, run.solution.message
    assert run.solution.gap_fraction is None
    return run


def flow(run, name):
    return run.flows[name].round(9).tolist()


def test_sun_serves_the_load_then_the_battery_then_the_grid_and_the_battery_comes_before_imports():
    run = ruled(
        {"grid": GRID, "load": LOAD, "pv": PV, "battery": BATTERY}, load=[1] * 7, sun=[1, 1, 0, 0, 0, 0, 0]
    )
    assert flow(run, "battery.charge_kw") == [2, 2, 0, 0, 0, 0, 0]
    assert flow(run, "grid.export_kw") == [1, 1, 0, 0, 0, 0, 0]
    assert flow(run, "battery.discharge_kw") == [0, 0, 1, 1, 1, 1, 0]
    assert flow(run, "grid.import_kw") == [0, 0, 0, 0, 0, 0, 1]
    assert run.kpis["total_cost"] == pytest.approx(0.3 - 2 * 0.05)


def test_what_cannot_be_sold_or_would_have_to_be_paid_for_is_curtailed():
    grid = GRID | {"export_limit_kw": 2, "export_price_eur_per_kwh": {"profile": "sell"}}
    run = ruled({"grid": grid, "load": LOAD, "pv": PV}, load=[1, 1], sun=[1, 1], sell=[0.05, -0.01])
    assert flow(run, "grid.export_kw") == [2, 0]
    assert flow(run, "pv.electricity_kw") == [3, 1]


def test_surplus_is_sold_and_not_stored_where_selling_earns_more_than_storing_saves():
    poor = BATTERY | {"discharge_efficiency_fraction": 0.5}
    system = {"grid": GRID | {"export_price_eur_per_kwh": 0.2}, "load": LOAD, "pv": PV, "battery": poor}
    assert flow(ruled(system, load=[1, 1], sun=[1, 0]), "grid.export_kw") == [3, 0]
    system["battery"] = BATTERY
    assert flow(ruled(system, load=[1, 1], sun=[1, 0]), "grid.export_kw") == [1, 0]


def test_of_what_is_bought_the_cheapest_way_comes_first():
    parts = {
        "grid": GRID,
        "gas": GAS,
        "boiler": {"type": "gas_boiler", "capacity_kw": 2, "efficiency_fraction": 0.8},
        "pump": {"type": "heat_pump", "capacity_kw": 2, "cop": 2},
        "heat": HEAT,
    }
    run = ruled(parts, load=[3, 1])
    assert flow(run, "boiler.heat_kw") == [2, 1]  # 0.08 / 0.8 is below 0.3 / 2
    assert flow(run, "pump.heat_kw") == [1, 0]
    assert run.kpis["total_cost"] == pytest.approx(3 * 0.1 + 1 * 0.15)


def test_a_tank_is_emptied_before_heat_is_bought_and_filled_by_the_sun_through_the_heat_pump():
    parts = {
        "grid": GRID,
        "pv": PV,
        "pump": {"type": "heat_pump", "capacity_kw": 6, "cop": 2},
        "tank": {
            "type": "heat_buffer",
            "capacity_kwh": 8,
            "power_kw": 5,
            "initial_level_fraction": 0.25,
            "cyclic": False,
        },
        "heat": HEAT,
    }
    run = ruled(parts, load=[3, 1, 6], sun=[0, 1, 0])
    assert flow(run, "tank.discharge_kw") == [2, 0, 5]
    assert flow(run, "tank.charge_kw") == [0, 5, 0]
    assert flow(run, "pump.heat_kw") == [1, 6, 1]
    assert flow(run, "grid.import_kw") == [0.5, 0, 0.5]
    assert flow(run, "grid.export_kw") == [0, 1, 0]


ENGINE = {
    "type": "chp",
    "capacity_kw": 3,
    "electric_efficiency_fraction": 0.3,
    "thermal_efficiency_fraction": 0.6,
}


def test_electricity_from_an_engine_takes_the_place_of_imports_and_only_then_is_sold():
    run = ruled({"grid": GRID, "gas": GAS, "engine": ENGINE, "load": LOAD | {"profile": "electric"}, "heat": HEAT},
                load=[2, 6], electric=[3, 1])  # fmt: skip
    assert flow(run, "engine.electricity_kw") == [1, 3]
    assert flow(run, "grid.import_kw") == [2, 0]
    assert flow(run, "grid.export_kw") == [0, 2]


def test_heat_that_an_engine_may_throw_away_does_not_bind_its_electricity():
    loose = ENGINE | {"min_thermal_efficiency_fraction": 0}
    run = ruled(
        {"gas": GAS, "engine": loose, "load": LOAD, "heat": HEAT | {"profile": "warm"}}, load=[2], warm=[1]
    )
    assert flow(run, "engine.electricity_kw") == [2]
    assert flow(run, "engine.heat_kw") == [1]


def test_in_its_last_steps_a_cyclic_battery_is_filled_up_to_where_it_began():
    cyclic = BATTERY | {"initial_level_fraction": 0.5, "cyclic": True, "charge_efficiency_fraction": 0.8}
    run = ruled({"grid": GRID, "load": LOAD, "battery": cyclic}, load=[1] * 12)
    level = run.states["battery.level_kwh"]
    assert level[:8].round(9).tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert level[-1] == pytest.approx(2)
    # Half the power: 1 kW brings 0.8 kWh a step.
    assert level[-4:] == pytest.approx([0, 0.4, 1.2, 2])
    assert run.solution.missed == {}


def test_an_end_that_is_missed_is_told_with_its_amount_and_the_checks_take_what_was_reached():
    cyclic = BATTERY | {"initial_level_fraction": 0.5, "cyclic": True}
    run = ruled({"load": LOAD, "battery": cyclic}, load=[1, 0, 0, 0])
    assert run.states["battery.level_kwh"].tolist() == [1, 1, 1, 1]
    assert run.checks.passed
    assert run.solution.missed == {"battery": -1}
    assert "battery ends 1 kWh below the level at which it began" in run.solution.message


def test_what_is_left_short_is_told_with_its_balance_its_amount_and_its_hour():
    run = dispatcher({"grid": GRID | {"import_limit_kw": 3}, "load": LOAD}, load=[1, 5, 4]).dispatch()
    assert run.status is Status.FAILED
    assert run.solution.message == (
        "the rules leave a need unmet: the balance of electricity is short in 2 steps, by up to 2 kW, "
        "worst at 2019-01-01 01:00"
    )
    assert (run.kpis, run.flows) == ({}, {})


def test_demand_with_a_price_stays_unserved_where_nothing_is_left():
    run = ruled(
        {"grid": GRID | {"import_limit_kw": 3}, "load": LOAD | {"unserved_price_eur_per_kwh": 9}}, load=[1, 5]
    )
    assert run.solution.values["load"]["unserved_kw"].tolist() == [0, 2]
    assert run.kpis["total_cost"] == pytest.approx(0.3 * 4 + 9 * 2)


def test_in_an_outage_the_battery_carries_the_load():
    grid = GRID | {"availability_fraction": {"profile": "up"}}
    full = BATTERY | {"initial_level_fraction": 1}
    run = ruled({"grid": grid, "load": LOAD, "battery": full}, load=[2, 2, 2], up=[0, 0, 1])
    assert flow(run, "battery.discharge_kw") == [2, 2, 0]
    assert flow(run, "grid.import_kw") == [0, 0, 2]


def test_a_car_is_charged_as_soon_as_it_can_be_to_what_its_next_trip_needs_and_beyond_by_the_sun():
    car = {
        "type": "ev_charger", "capacity_kwh": 10, "power_kw": 3, "presence": "here", "driving": "road",
        "departure_level_fraction": 0.8, "initial_level_fraction": 0.2,
    }  # fmt: skip
    run = ruled({"grid": GRID, "load": LOAD, "car": car, "pv": PV},
                load=[0] * 7, here=[1, 1, 1, 1, 0, 1, 1], road=[0, 0, 0, 0, 4, 0, 0],
                sun=[0, 0, 0, 1, 0, 0, 0])  # fmt: skip
    assert flow(run, "car.charge_kw") == [3, 3, 0, 2, 0, 0, 0]
    assert run.states["car.level_kwh"].tolist() == [5, 8, 8, 10, 6, 6, 6]
    assert flow(run, "grid.import_kw") == [3, 3, 0, 0, 0, 0, 0]


def test_a_shiftable_demand_runs_when_it_wishes_and_ahead_of_it_only_by_surplus_within_its_window():
    wash = {"type": "shiftable_demand", "profile": "wish", "window_hours": 3}
    run = ruled({"grid": GRID, "wash": wash, "pv": PV}, wish=[1, 1, 1, 1, 1, 1], sun=[0, 1, 0, 0, 0, 0.5])
    assert flow(run, "wash.electricity_kw") == [1, 2, 0, 1, 1, 1]
    assert flow(run, "grid.import_kw") == [1, 0, 0, 1, 1, 0]


def test_a_shiftable_demand_is_served_ahead_where_its_power_would_not_do_later():
    wash = {"type": "shiftable_demand", "profile": "wish", "window_hours": 3, "max_power_kw": 2}
    run = ruled({"grid": GRID, "wash": wash}, wish=[0, 2, 3])
    assert flow(run, "wash.electricity_kw") == [1, 2, 2]


def test_rain_from_the_cistern_comes_before_the_mains_and_the_pump_before_its_electricity():
    cistern = {"carriers": {"water": "water@cistern"}}
    parts = {
        "grid": GRID,
        "mains": {"type": "water_grid", "import_price_eur_per_m3": 4},
        "taps": {"type": "water_demand", "profile": "load"},
        "roof": {
            "type": "rainwater_source",
            "profile": "rain",
            "catchment_area_m2": 100,
            "runoff_coefficient": 1,
        }
        | cistern,
        "tank": {"type": "water_tank", "capacity_m3": 3, "initial_level_fraction": 0, "cyclic": False}
        | cistern,
        "pump": {
            "type": "pump",
            "from_node": "water@cistern",
            "capacity_m3_per_hour": 1,
            "electricity_kwh_per_m3": 0.5,
        },
    }
    run = ruled(parts, load=[0.5, 1.5, 1, 1], rain=[20, 0, 0, 0])
    assert flow(run, "pump.pumped_m3_per_hour") == [0.5, 1, 0.5, 0]
    assert flow(run, "mains.import_m3_per_hour") == [0, 0.5, 0.5, 1]
    assert run.states["tank.level_m3"].round(9).tolist() == [1.5, 0.5, 0, 0]
    assert flow(run, "grid.import_kw") == [0.25, 0.5, 0.25, 0]


def test_a_line_brings_the_neighbour_s_surplus_and_never_runs_both_ways():
    far = {"carriers": {"electricity": "electricity@far"}}
    parts = {
        "grid": GRID,
        "load": LOAD,
        "pv": PV | far,
        "there": LOAD | {"scale": 0.5} | far,
        "line": {"type": "link", "from_node": "electricity", "to_node": "electricity@far", "capacity_kw": 2,
                 "loss_fraction": 0.1, "both_ways": True},
    }  # fmt: skip
    run = ruled(parts, load=[2, 2], sun=[1, 0])
    assert flow(run, "line.backward_kw") == [2, 0]
    assert flow(run, "line.forward_delivered_kw") == [0, 1]
    assert flow(run, "pv.electricity_kw") == [3, 0]
    assert flow(run, "grid.import_kw") == [0.2, pytest.approx(2 + 1 / 0.9)]


def test_surplus_becomes_hydrogen_and_hydrogen_becomes_electricity_and_never_both_at_once():
    parts = {
        "grid": GRID,
        "load": LOAD,
        "pv": PV,
        "splitter": {"type": "electrolyser", "capacity_kw": 3, "efficiency_fraction": 0.5},
        "bottle": {
            "type": "hydrogen_tank",
            "capacity_kwh": 9,
            "power_kw": 9,
            "initial_level_fraction": 0,
            "cyclic": False,
        },
        "cell": {"type": "fuel_cell", "capacity_kw": 1, "electric_efficiency_fraction": 0.5},
    }
    run = ruled(parts, load=[1, 2], sun=[1, 0])
    assert flow(run, "bottle.charge_kw") == [1.5, 0]
    assert flow(run, "cell.electricity_kw") == [0, 0.75]
    assert flow(run, "grid.import_kw") == [0, 1.25]


DESIGNS = [
    {"pv.capacity_kw": pv, "battery.capacity_kwh": kwh, "grid.import_price_eur_per_kwh": price}
    for pv, kwh, price in [(0, 3, 0.3), (2.7, 0, 0.2), (5.1, 7.3, 0.04), (3.3, 2.2, 0.31), (9, 1, 0.01)]
]


def many():
    rng = np.random.default_rng(4)
    parts = {
        "grid": GRID,
        "load": LOAD,
        "pv": PV,
        "battery": BATTERY
        | {"cyclic": True, "self_discharge_fraction_per_hour": 0.01, "charge_efficiency_fraction": 0.9},
        "pump": {"type": "heat_pump", "capacity_kw": 4, "cop": {"profile": "cop"}},
        "heat": HEAT,
    }
    return dispatcher(parts, load=rng.uniform(0, 2, 150), sun=np.clip(rng.normal(0, 0.5, 150), 0, None),
                      cop=rng.uniform(2, 4, 150))  # fmt: skip


@pytest.mark.parametrize("most_cells", [1, 300, 10**6])
def test_a_design_gets_the_same_bit_for_bit_alone_in_any_chunk_and_in_any_order(monkeypatch, most_cells):
    alone = [many().dispatch(design) for design in DESIGNS]
    monkeypatch.setattr(method, "_MOST_CELLS", most_cells)
    for order in (range(5), [3, 1, 4, 0, 2]):
        together = many().dispatch_all([DESIGNS[place] for place in order])
        for place, run in zip(order, together, strict=True):
            assert run.status is Status.FEASIBLE
            assert run.kpis == alone[place].kpis
            assert all(np.array_equal(run.flows[port], flow) for port, flow in alone[place].flows.items())


def test_without_series_the_figures_are_the_same():
    runs = many().dispatch_all(DESIGNS, keep_series=False)
    assert [run.kpis for run in runs] == [run.kpis for run in many().dispatch_all(DESIGNS)]
    assert all((run.flows, run.states, run.solution.values) == ({}, {}, {}) for run in runs)


def test_a_design_that_cannot_be_does_not_sink_the_others():
    wrong, right = many().dispatch_all([{"pv.capacity_kw": -1}, {}])
    assert "greater than or equal to 0" in str(wrong)
    assert right.status is Status.FEASIBLE


def test_designs_by_other_methods_in_the_same_population_get_these():
    by_milp, by_rules = many().dispatch_all([{"solver.method": "milp"}, {}])
    assert by_milp.status is Status.OPTIMAL
    assert by_rules.status is Status.FEASIBLE
    assert by_rules.solution.objective_eur >= by_milp.solution.objective_eur


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_collected_after_a_population_as_it_was_before(enabled):
    collects = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        many().dispatch_all([{"pv.capacity_kw": -1}, {}])
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if collects else gc.disable)()


def test_a_way_that_only_some_designs_need_does_not_touch_the_others():
    parts = {
        "grid": GRID,
        "gas": GAS,
        "boiler": {"type": "gas_boiler", "capacity_kw": 9, "efficiency_fraction": 0.8},
        "pump": {"type": "heat_pump", "capacity_kw": 2, "cop": 4},
        "heat": HEAT,
    }
    house = dispatcher(parts, load=[3, 1])
    enough, short = house.dispatch_all([{"pump.capacity_kw": 5}, {"pump.capacity_kw": 1}])
    (alone,) = dispatcher(parts, load=[3, 1]).dispatch_all([{"pump.capacity_kw": 5}])
    assert flow(enough, "boiler.heat_kw") == flow(alone, "boiler.heat_kw") == [0, 0]
    assert flow(short, "boiler.heat_kw") == [2, 0]
    assert enough.kpis == alone.kpis


# -- units that are switched on and off

BOILER = {"type": "gas_boiler", "capacity_kw": 4, "efficiency_fraction": 1}
NETWORK = {"type": "district_heat", "import_price_eur_per_kwh": 0.5}
TANK = {"type": "heat_buffer", "capacity_kwh": 8, "power_kw": 5, "initial_level_fraction": 0, "cyclic": False}


def cellar(**boiler):
    return {"gas": GAS, "boiler": BOILER | boiler, "heat": HEAT}


def test_a_unit_runs_at_its_least_load_where_less_is_asked_for_and_a_store_takes_what_is_too_much():
    run = ruled(cellar(min_load_fraction=0.5) | {"tank": TANK}, load=[1, 1, 1])
    assert flow(run, "boiler.heat_kw") == [2, 0, 2]
    assert flow(run, "tank.charge_kw") == [1, 0, 1]
    assert run.solution.values["boiler"]["on"].tolist() == [1, 0, 1]


def test_it_stays_on_for_its_minimum_up_time_and_each_start_is_paid():
    told = {"min_load_fraction": 0.5, "min_up_time_hours": 2, "start_up_cost_eur": 0.7}
    run = ruled(cellar(**told) | {"tank": TANK}, load=[1, 1, 1, 1, 1])
    assert flow(run, "boiler.heat_kw") == [2, 2, 0, 0, 2]
    assert run.solution.values["boiler"]["start"].tolist() == [1, 0, 0, 0, 1]
    assert run.kpis["total_cost"] == pytest.approx(6 * 0.08 + 2 * 0.7)


def test_it_stays_off_for_its_minimum_down_time():
    told = {"min_load_fraction": 0.5, "min_down_time_hours": 2}
    run = ruled(cellar(**told) | {"network": NETWORK}, load=[4, 0, 4, 4])
    assert flow(run, "boiler.heat_kw") == [4, 0, 0, 4]
    assert flow(run, "network.import_kw") == [0, 0, 4, 0]


def test_less_than_the_least_load_is_left_to_others_where_nothing_takes_the_rest():
    run = ruled(cellar(min_load_fraction=0.5) | {"network": NETWORK}, load=[1, 3])
    assert flow(run, "boiler.heat_kw") == [0, 3]
    assert flow(run, "network.import_kw") == [1, 0]


def test_a_ramp_goes_on_from_the_output_before():
    told = {"ramp_fraction_per_hour": 0.25, "initial_load_fraction": 0.5}
    run = ruled(cellar(**told) | {"network": NETWORK}, load=[4, 4, 3])
    assert flow(run, "boiler.heat_kw") == [3, 4, 3]
    assert flow(run, "network.import_kw") == [1, 0, 0]


def test_efficiency_at_part_load_goes_by_its_line():
    line = {"load_fraction": [0.5, 1], "relative_efficiency": [0.8, 1]}
    run = ruled(cellar(min_load_fraction=0.5, part_load=line), load=[2, 3, 4])
    assert flow(run, "boiler.gas_kw") == pytest.approx([2 / 0.8, (2 / 0.8 + 4) / 2, 4])


def test_below_its_first_point_a_line_goes_on_as_at_it_and_never_below_nothing():
    """Gas of 2 at 3 kW and of 4 at 4 kW: the line drawn on would come to -2 at 1 kW."""
    line = Line(np.array([3.0]), np.array([2.0]), np.array([-4.0]), [])
    assert [line.other_flow(np.array([kw]))[0] for kw in (0.0, 1.5, 3.0, 4.0)] == [0, 1, 2, 4]


def test_what_an_engine_must_run_is_sold_and_stored():
    parts = {
        "grid": GRID,
        "gas": GAS,
        "engine": ENGINE | {"min_load_fraction": 1.0, "min_up_time_hours": 2},
        "tank": TANK,
        "load": LOAD | {"profile": "electric"},
        "heat": HEAT,
    }
    run = ruled(parts, load=[6, 4], electric=[3, 1])
    assert flow(run, "engine.electricity_kw") == [3, 3]
    assert flow(run, "grid.export_kw") == [0, 2]
    assert flow(run, "tank.charge_kw") == [0, 2]


def test_the_sun_is_curtailed_for_what_a_unit_must_run():
    river = {"type": "generic_source", "carrier": "electricity", "capacity_kw": 4, "price_eur_per_kwh": 0.1}
    river |= {"min_load_fraction": 0.5, "min_up_time_hours": 2}
    run = ruled({"river": river, "load": LOAD, "pv": PV}, load=[4, 2], sun=[0, 1])
    assert flow(run, "river.output_kw") == [4, 2]
    assert flow(run, "pv.electricity_kw") == [0, 0]


def test_a_unit_that_must_run_and_has_no_place_for_it_has_failed_and_is_named():
    run = dispatcher(cellar(min_load_fraction=0.5, min_up_time_hours=3), load=[3, 0, 1]).dispatch()
    assert run.status is Status.FAILED
    assert run.solution.message == (
        "the rules leave a need unmet: boiler must run and finds no use or no energy for it: its minimum load is "
        "not kept in 2 steps, by up to 2 kW, worst at 2019-01-01 01:00"
    )


def test_a_way_that_another_design_needs_bars_nothing_here():
    parts = {
        "grid": GRID,
        "gas": GAS,
        "pv": PV,
        "engine": ENGINE | {"min_load_fraction": 0.5, "min_up_time_hours": 2},
        "battery": BATTERY,
        "tank": TANK,
        "load": LOAD | {"profile": "electric"},
        "heat": HEAT,
    }
    given = {"load": [6, 4, 1, 3], "electric": [3, 1, 2, 1], "sun": [0, 0.5, 1, 0]}
    designs = [{"pv.capacity_kw": 0}, {"engine.capacity_kw": 6.0}, {"battery.capacity_kwh": 0}]
    together = dispatcher(parts, **given).dispatch_all(designs)
    for design, one in zip(designs, together, strict=True):
        alone = dispatcher(parts, **given).dispatch(design)
        assert one.solution.message == alone.solution.message
        assert all(np.array_equal(one.flows[port], alone.flows[port]) for port in alone.flows)
