"""What every method of dispatch promises, over systems that hold every type of component."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from schema.components import COMPONENT_TYPES
from schema.kpis import KPI_UNITS, defined_kpis
from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import METHODS, Dispatcher
from solvers.kpis import kpis_again
from solvers.model import numbers_of, structure_of
from solvers.solution import Status
from tasks.dispatch_keys import is_money
from tasks.reuse import operation_of, text_of

STEPS = 30
GAP = 1e-4
GRID = {
    "type": "grid",
    "import_price_eur_per_kwh": {"profile": "price"},
    "export_price_eur_per_kwh": 0.05,
    "import_limit_kw": 30,
    "import_co2_kg_per_kwh": 0.4,
}
CHARGES = {
    "demand_charge_eur_per_kw_month": 9,
    "demand_charge_eur_per_kw_year": 60,
    "demand_ratchet_fraction": 0.5,
}
ELECTRICITY = {
    "grid": GRID | CHARGES,
    "load": {"type": "power_demand", "profile": "load"},
    "pv": {"type": "solar_pv", "capacity_kw": 5, "profile": "sun"},
    "mill": {"type": "wind_turbine", "capacity_kw": 2, "profile": "wind"},
    "battery": {
        "type": "battery",
        "capacity_kwh": 6,
        "power_kw": 3,
        "charge_efficiency_fraction": 0.9,
        "self_discharge_fraction_per_hour": 0.001,
        "throughput_cost_eur_per_kwh": 0.01,
    },
}
HOUSE = ELECTRICITY | {
    "pump": {"type": "heat_pump", "capacity_kw": 5, "cop": {"profile": "cop"}},
    "rod": {"type": "electric_boiler", "capacity_kw": 9, "efficiency_fraction": 0.98},
    "network": {"type": "district_heat", "import_price_eur_per_kwh": 0.12},
    "collectors": {"type": "solar_thermal", "capacity_kw": 2, "profile": "sun"},
    "tank": {
        "type": "heat_buffer",
        "capacity_kwh": 12,
        "power_kw": 6,
        "self_discharge_fraction_per_hour": 0.01,
    },
    "heat": {"type": "heat_demand", "profile": "load", "scale": 2.5},
}
STREET = ELECTRICITY | {
    "line": {
        "type": "link",
        "from_node": "electricity",
        "to_node": "electricity@far",
        "capacity_kw": 9,
        "loss_fraction": 0.03,
        "both_ways": True,
    },
    "far": {
        "type": "generic_demand",
        "carrier": "electricity@far",
        "profile": "load",
        "unserved_price_eur_per_kwh": 2,
    },
    "river": {
        "type": "generic_source",
        "carrier": "electricity@far",
        "capacity_kw": 1,
        "price_eur_per_kwh": 0.1,
    },
    "flywheel": {"type": "generic_storage", "carrier": "electricity@far", "capacity_kwh": 2, "power_kw": 1},
    "wash": {"type": "shiftable_demand", "profile": "load", "scale": 0.5, "window_hours": 10},
    "car": {
        "type": "ev_charger",
        "capacity_kwh": 20,
        "power_kw": 7,
        "discharge_power_kw": 4,
        "presence": "here",
        "driving": "road",
        "charge_efficiency_fraction": 0.9,
        "departure_level_fraction": 0.6,
    },
    "chiller": {"type": "chiller", "capacity_kw": 8, "cop": 3},
    "cold": {"type": "cooling_demand", "profile": "load"},
}
HYDROGEN = ELECTRICITY | {
    "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.07},
    "engine": {
        "type": "chp",
        "capacity_kw": 3,
        "electric_efficiency_fraction": 0.3,
        "thermal_efficiency_fraction": 0.6,
    },
    "boiler": {"type": "gas_boiler", "capacity_kw": 20, "efficiency_fraction": 0.9},
    "splitter": {"type": "electrolyser", "capacity_kw": 2, "efficiency_fraction": 0.65},
    "bottle": {"type": "hydrogen_tank", "capacity_kwh": 12, "power_kw": 3},
    "cell": {
        "type": "fuel_cell",
        "capacity_kw": 1,
        "electric_efficiency_fraction": 0.5,
        "thermal_efficiency_fraction": 0.3,
        "min_thermal_efficiency_fraction": 0.0,
    },
    "burner": {
        "type": "generic_converter",
        "input_carrier": "hydrogen",
        "output_carrier": "heat",
        "capacity_kw": 1,
        "output_per_input": 0.9,
    },
    "tank": {"type": "heat_buffer", "capacity_kwh": 15, "power_kw": 8},
    "heat": {"type": "heat_demand", "profile": "load", "scale": 2.5},
}
ENGINE = {
    "grid": GRID,
    "load": ELECTRICITY["load"],
    "gas": HYDROGEN["gas"],
    "engine": HYDROGEN["engine"]
    | {
        "min_load_fraction": 0.5,
        "start_up_cost_eur": 0.4,
        "min_up_time_hours": 4,
        "min_down_time_hours": 3,
    },
    "boiler": HYDROGEN["boiler"],
    "tank": HYDROGEN["tank"],
    "heat": HYDROGEN["heat"],
}
FARM = ELECTRICITY | {
    "mains": {"type": "water_grid", "import_price_eur_per_m3": 4},
    "taps": {"type": "water_demand", "profile": "load", "scale": 0.1},
    "roof": {
        "type": "rainwater_source",
        "profile": "rain",
        "catchment_area_m2": 80,
        "carriers": {"water": "water@cistern"},
    },
    "cistern": {
        "type": "water_tank",
        "capacity_m3": 2,
        "loss_fraction_per_hour": 0.001,
        "carriers": {"water": "water@cistern"},
    },
    "lift": {
        "type": "pump",
        "from_node": "water@cistern",
        "capacity_m3_per_hour": 1,
        "electricity_kwh_per_m3": 0.4,
    },
}
SYSTEMS = {"house": HOUSE, "street": STREET, "hydrogen": HYDROGEN, "engine": ENGINE, "farm": FARM}
TAKES = {"export", "charge", "inflow", "taken", "forward", "backward"}
"""What ports are named that take from their node, wherever they stand."""
IN = {
    "load.electricity_kw", "pump.electricity_kw", "rod.electricity_kw", "heat.heat_kw", "far.input_kw",
    "wash.electricity_kw", "chiller.electricity_kw", "cold.cooling_kw", "engine.gas_kw", "boiler.gas_kw",
    "splitter.electricity_kw", "cell.hydrogen_kw", "burner.input_kw", "taps.water_m3_per_hour",
    "lift.electricity_kw",
}  # fmt: skip
"""Ports that take and are named after their carrier."""
NODE = {
    "pv": "electricity", "mill": "electricity", "battery": "electricity", "grid": "electricity",
    "car": "electricity", "gas": "gas", "network": "heat", "tank": "heat", "far": "electricity@far",
    "river": "electricity@far", "flywheel": "electricity@far", "bottle": "hydrogen", "burner.input_kw": "hydrogen",
    "burner.output_kw": "heat", "line.forward_kw": "electricity", "line.backward_delivered_kw": "electricity",
    "line.backward_kw": "electricity@far", "line.forward_delivered_kw": "electricity@far", "mains": "water",
    "lift.taken_m3_per_hour": "water@cistern", "lift.pumped_m3_per_hour": "water", "roof": "water@cistern",
    "cistern": "water@cistern",
}  # fmt: skip
"""Where ports stand that are not named after their carrier."""
BY_MILP = [method for method in METHODS if method != "rule_based"]
"""The methods that solve a MILP, in one piece or many; rules prove nothing."""
CASE = pytest.mark.parametrize(("name", "method"), [(name, method) for name in SYSTEMS for method in METHODS])


def series():
    rng = np.random.default_rng(11)
    hour = np.arange(STEPS) % 24
    here = ((hour < 8) | (hour >= 17)).astype(float)
    return {
        "price": np.where((hour >= 7) & (hour < 21), 0.32, 0.22) + rng.uniform(0, 0.02, STEPS),
        "load": rng.uniform(0.5, 2.5, STEPS),
        "sun": np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None),
        "wind": rng.uniform(0, 0.6, STEPS),
        "cop": rng.uniform(2.5, 4, STEPS),
        "rain": np.clip(rng.normal(0, 5, STEPS), 0, None),
        "here": here,
        "road": (1 - here) * 0.5,
    }


def dispatcher(name, method, **solver):
    # From the 31st at noon: the second month begins within a window.
    horizon = {"start": "2019-01-31T12:00", "steps": STEPS}
    system = System.model_validate({"system": name, "horizon": horizon, "components": SYSTEMS[name]})
    windows = {"window_hours": 8, "overlap_hours": 5}
    return Dispatcher(
        system, series(), SolverSettings(method=method, mip_gap_fraction=GAP, **windows, **solver)
    )


@cache
def run_of(name, method):
    return dispatcher(name, method).dispatch()


def test_every_type_of_component_is_in_one_of_the_systems():
    assert {part["type"] for parts in SYSTEMS.values() for part in parts.values()} == set(COMPONENT_TYPES)


@CASE
def test_every_node_gets_what_is_taken_from_it(name, method):
    run = run_of(name, method)
    assert run.status.has_solution, run.solution.message
    net = {}
    for port, flow in run.flows.items():
        owner, _, label = port.partition(".")
        node = NODE.get(port, NODE.get(owner, label.split("_")[0]))
        takes = port in IN or (label.split("_")[0] in TAKES and "delivered" not in label)
        net[node] = net.get(node, 0) + (-flow if takes else flow)
    assert {node for node, rest in net.items() if np.abs(rest).max() > 1e-6} == set()


@CASE
def test_flows_and_levels_stay_within_what_their_components_allow(name, method):
    run = run_of(name, method)
    assert run.checks.passed
    assert all(flow.min() >= -1e-9 for flow in run.flows.values())
    for owner, part in SYSTEMS[name].items():
        capacity = next((part[key] for key in ("capacity_kwh", "capacity_m3") if key in part), None)
        for state in (f"{owner}.level_kwh", f"{owner}.level_m3"):
            if capacity is not None and state in run.states:
                assert -1e-9 <= run.states[state].min() <= run.states[state].max() <= capacity + 1e-9
    assert run.flows["grid.import_kw"].max() <= 30 + 1e-9
    both = np.minimum(run.flows["grid.import_kw"], run.flows["grid.export_kw"])
    assert both.max() <= 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_a_unit_on_or_off_keeps_its_times_across_windows(method):
    run = run_of("engine", method)
    power = run.flows["engine.electricity_kw"]
    on = power > 1e-6
    assert power[on].min(initial=1.5) >= 1.5 - 1e-6
    changes = np.flatnonzero(np.diff(np.concatenate([[False], on]).astype(int)))
    for first, last in pairwise(changes):
        assert last - first >= (4 if on[first] else 3)


@CASE
def test_status_gap_and_values_agree(name, method):
    solution = run_of(name, method).solution
    assert solution.status in {Status.OPTIMAL, Status.FEASIBLE}
    assert solution.message
    assert solution.gap_fraction is None or 0 <= solution.gap_fraction < math.inf
    if solution.status is Status.OPTIMAL:
        assert solution.gap_fraction <= GAP
    assert not solution.reached_time_limit
    assert all(np.isfinite(x).all() for own in solution.values.values() for x in own.values())


@CASE
def test_no_dispatch_costs_less_than_the_milps_bound(name, method):
    best = run_of(name, "milp").solution
    assert best.status is Status.OPTIMAL
    bound = best.objective_eur - best.gap_fraction * abs(best.objective_eur)
    solution = run_of(name, method).solution
    # What ends below the level at which it began may cost less, and says so.
    assert solution.missed or solution.objective_eur >= bound - 1e-6 * abs(bound)


@CASE
def test_the_gap_holds_against_the_milps_optimum(name, method):
    best, solution = run_of(name, "milp").solution, run_of(name, method).solution
    if solution.gap_fraction is not None:
        bound = solution.objective_eur - solution.gap_fraction * abs(solution.objective_eur)
        assert bound <= best.objective_eur * (1 + 2 * GAP)


@CASE
def test_kpis_are_those_that_are_defined(name, method):
    run = run_of(name, method)
    assert defined_kpis(run.system) <= set(run.kpis) <= set(KPI_UNITS)
    assert all(math.isfinite(value) for value in run.kpis.values())
    # No investment and no weight: what is paid is what was minimised, peaks counted once.
    assert run.kpis["total_cost"] == pytest.approx(run.solution.objective_eur, rel=1e-6)


DESIGNS = [{}, {"load.scale": 0.7}, {"load.scale": 1.3, "grid.import_price_eur_per_kwh": 1.5}]


@CASE
def test_a_design_gets_the_same_whatever_was_solved_before(name, method):
    there, back = dispatcher(name, method), dispatcher(name, method)
    forth = [there.dispatch(design) for design in DESIGNS]
    reverse = [back.dispatch(design) for design in reversed(DESIGNS)][::-1]
    again = there.dispatch(DESIGNS[0])
    for one, other in zip([*forth, forth[0]], [*reverse, again], strict=True):
        assert one.solution.objective_eur == other.solution.objective_eur
        assert one.kpis == other.kpis
        assert all((one.flows[port] == other.flows[port]).all() for port in one.flows)


@pytest.mark.parametrize("name", list(SYSTEMS))
def test_a_design_with_other_weights_has_the_parameters_that_it_has_when_all_are_worked_out_anew(name):
    weights = {"solver.co2_weight_eur_per_kg": 0.7, "solver.grid_exchange_weight_eur_per_kwh": 0.3}
    case = dispatcher(name, "milp").case(weights)
    for owner, numbers in numbers_of(case.system, case.setting).items():
        assert numbers.keys() == case.numbers[owner].keys()
        assert all(np.array_equal(case.numbers[owner][key], value) for key, value in numbers.items()), owner


def test_another_process_gives_the_same_kpis():
    program = (
        "import importlib.util, json, sys\n"
        f"spec = importlib.util.spec_from_file_location('contract', {__file__!r})\n"
        "contract = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(contract)\n"
        "runs = {method: dict(contract.run_of('house', method).kpis) for method in contract.METHODS}\n"
        "json.dump(runs, sys.stdout)\n"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert json.loads(out) == {method: dict(run_of("house", method).kpis) for method in METHODS}


@pytest.mark.parametrize("method", BY_MILP)
@pytest.mark.parametrize("name", list(SYSTEMS))
def test_a_limit_without_an_answer_has_failed_and_gives_no_values(name, method):
    far_from_the_reference = {"load.scale": 1.5, "grid.import_price_eur_per_kwh": 0.1}
    run = dispatcher(name, method, time_limit_seconds=1e-9).dispatch(far_from_the_reference)
    assert run.status is Status.FAILED
    assert "limit" in run.solution.message
    assert run.solution.reached_time_limit
    assert (run.solution.values, run.flows, run.kpis, run.solution.objective_eur) == ({}, {}, {}, None)


def with_too_much_load_at(step, method):
    house = dispatcher("house", method)
    reference = house.engine.reference
    profiles = {key: values.copy() for key, values in reference.setting.series.items()}
    profiles["load"][step] = 99
    return Dispatcher(house.system, profiles, reference.solver)


@pytest.mark.parametrize("method", BY_MILP)
@pytest.mark.parametrize("step", [2, STEPS - 2])
def test_a_demand_that_cannot_be_met_is_told_in_the_components_words(method, step):
    """Wherever in the horizon the demand is too high for grid, generators and battery together."""
    run = with_too_much_load_at(step, method).dispatch(explain=True)
    assert run.status is Status.INFEASIBLE
    assert (run.solution.values, run.kpis) == ({}, {})
    told = "\n".join(run.solution.conflict)
    assert "the balance of electricity is short" in told
    assert "grid: import_kw at most 30" in told


def test_rules_that_cannot_meet_a_demand_have_failed_as_that_proves_nothing():
    run = with_too_much_load_at(2, "rule_based").dispatch()
    assert run.status is Status.FAILED
    assert "the balance of electricity is short in 1 step" in run.solution.message
    assert run.kpis == {}


def test_rules_that_are_asked_why_tell_a_conflict_where_no_dispatch_is_possible():
    run = with_too_much_load_at(2, "rule_based").dispatch(explain=True)
    assert run.status is Status.INFEASIBLE
    assert "grid: import_kw at most 30" in "\n".join(run.solution.conflict)
    assert (run.solution.values, run.kpis) == ({}, {})


def money_of(system):
    """Other numbers for all that components are bought for, and for what discounts it."""
    attributes = [
        (name, attribute)
        for name, component in system.components.items()
        for attribute in type(component).model_fields
        if is_money(attribute)
    ]
    values = {f"{name}.{attribute}": 7.0 + place for place, (name, attribute) in enumerate(attributes)}
    shares = {path: 0.37 for path in values if path.endswith("_fraction")}
    return values | shares | {"economics.discount_rate": 0.031, "economics.project_years": 17.0}


@CASE
def test_a_dispatch_that_is_taken_over_has_to_the_last_bit_what_a_solve_gives(name, method):
    # Among all types of component none has an equation into which money enters.
    anew, run = dispatcher(name, method), run_of(name, method)
    values = money_of(anew.system)
    solved = anew.dispatch(values)
    assert len(values) > 10
    assert solved.kpis["total_cost"] != run.kpis["total_cost"]
    operation = operation_of(anew.system, text_of(anew.system, run.operation), run.kpis)
    assert list(kpis_again(anew.system, values, operation).items()) == list(solved.kpis.items())
    reference, other = anew.case({}).numbers, anew.case(values).numbers
    for part in SYSTEMS[name]:
        assert reference[part].keys() == other[part].keys()
        assert all(np.array_equal(number, other[part][key]) for key, number in reference[part].items())
    assert structure_of(anew.case({}).system) == structure_of(anew.case(values).system)


@CASE
def test_no_time_limit_has_a_say_where_there_is_time(name, method):
    assert run_of(name, method).solution.in_time
