"""The checker on every type of component: each variable moved by a hair, up and down, fails."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from schema.study import SolverSettings
from schema.system import System
from solvers.checks import check, stated
from solvers.components import MATHS
from solvers.dispatch import Dispatcher
from solvers.model import variables_of
from solvers.solution import Status

STEPS = 6
HAIR = 5e-5
"""Above the tolerance of 1e-6 at every scale of this system, whose numbers and cost are below 25."""
PRICED = {"unserved_price_eur_per_kwh": 9}
RULES = {
    "min_load_fraction": 0.3,
    "start_up_cost_eur": 2,
    "min_up_time_hours": 2,
    "min_down_time_hours": 2,
    "ramp_fraction_per_hour": 0.7,
}
LINE = {"load_fraction": [0.3, 0.6, 1], "relative_efficiency": [0.8, 0.95, 1]}
STORE = {
    "capacity_kwh": 6,
    "power_kw": 3,
    "charge_efficiency_fraction": 0.9,
    "discharge_efficiency_fraction": 0.9,
    "self_discharge_fraction_per_hour": 0.01,
    "throughput_cost_eur_per_kwh": 0.01,
    "holding_cost_eur_per_kwh_hour": 0.01,
}
CISTERN = {"carriers": {"water": "water@cistern"}}
PARTS = {
    "grid": {
        "import_limit_kw": 60,
        "export_limit_kw": 9,
        "import_price_eur_per_kwh": {"profile": "price"},
        "export_price_eur_per_kwh": 0.05,
        "demand_charge_eur_per_kw_month": 500,
        "demand_charge_eur_per_kw_year": 5000,
        "demand_ratchet_fraction": 0.9,
    },
    "solar_pv": {"capacity_kw": 4, "profile": "sun"},
    "wind_turbine": {"capacity_kw": 2, "profile": "sun"},
    "battery": STORE,
    "power_demand": {"profile": "load"} | PRICED,
    "shiftable_demand": {"profile": "load", "window_hours": 3},
    "ev_charger": {
        "capacity_kwh": 20,
        "power_kw": 5,
        "discharge_power_kw": 3,
        "presence": "here",
        "driving": "road",
        "departure_level_fraction": 0.3,
    },
    "heat_pump": {"capacity_kw": 3, "cop": 3} | RULES | {"part_load": LINE},
    "electric_boiler": {"capacity_kw": 2},
    "gas_boiler": {"capacity_kw": 4} | RULES,
    "chp": {"capacity_kw": 2, "electric_efficiency_fraction": 0.3, "thermal_efficiency_fraction": 0.5}
    | {"min_thermal_efficiency_fraction": 0.2}
    | RULES,
    "solar_thermal": {"capacity_kw": 2, "profile": "sun"},
    "district_heat": {"import_limit_kw": 9, "import_price_eur_per_kwh": 0.2},
    "heat_buffer": STORE,
    "heat_demand": {"profile": "load", "scale": 3} | PRICED,
    "chiller": {"capacity_kw": 4, "cop": 3},
    "cooling_demand": {"profile": "load"} | PRICED,
    "gas_grid": {"import_price_eur_per_kwh": 0.08},
    "electrolyser": {"capacity_kw": 3, "efficiency_fraction": 0.6} | RULES | {"part_load": LINE},
    "hydrogen_tank": STORE,
    "fuel_cell": {"capacity_kw": 1, "electric_efficiency_fraction": 0.5, "thermal_efficiency_fraction": 0.3},
    "water_grid": {"import_price_eur_per_m3": 4},
    "water_demand": {"profile": "load", "scale": 0.3, "unserved_price_eur_per_m3": 50},
    "rainwater_source": {"profile": "rain", "catchment_area_m2": 80} | CISTERN,
    "water_tank": {"capacity_m3": 0.5, "loss_fraction_per_hour": 0.02} | CISTERN,
    "pump": {"from_node": "water@cistern", "capacity_m3_per_hour": 1, "electricity_kwh_per_m3": 0.4},
    "generic_source": {"carrier": "electricity@far", "capacity_kw": 2, "price_eur_per_kwh": 0.1} | RULES,
    "generic_demand": {"carrier": "electricity@far", "profile": "load"} | PRICED,
    "generic_storage": {"carrier": "electricity@far"} | STORE,
    "generic_converter": {
        "input_carrier": "gas",
        "output_carrier": "hydrogen",
        "capacity_kw": 1,
        "output_per_input": 0.6,
    },
    "link": {
        "from_node": "electricity",
        "to_node": "electricity@far",
        "capacity_kw": 3,
        "loss_fraction": 0.1,
        "both_ways": True,
        "variable_cost_eur_per_kwh": 0.01,
    },
}
"""One component of each type, named after it, with the equations that are optional."""


@cache
def solved():
    rng = np.random.default_rng(3)
    series = {
        "price": rng.uniform(0.1, 0.4, STEPS),
        "load": rng.uniform(1, 3, STEPS),
        "sun": np.array([0, 0.3, 0.9, 0.8, 0.2, 0]),
        "rain": np.array([0, 9.0, 0, 0, 2, 0]),
        "here": np.array([1.0, 1, 0, 0, 1, 1]),
        "road": np.array([0, 0, 2.0, 2, 0, 0]),
    }
    parts = {kind: {"type": kind} | own for kind, own in PARTS.items()}
    horizon = {"start": "2019-01-31T21:00", "steps": STEPS}  # over the end of a month
    system = System.model_validate({"system": "everything", "horizon": horizon, "components": parts})
    one = Dispatcher(system, series, SolverSettings(mip_gap_fraction=1e-3))
    run = one.dispatch()
    assert run.status is Status.OPTIMAL, run.solution.message
    return system, one.case().numbers, run.solution


def failures(values):
    system, numbers, solution = solved()
    return check(system, numbers, values, stated(system, numbers, values), solution.objective_eur).failures


def test_the_solution_itself_passes():
    assert not failures(solved()[2].values)


def test_no_type_is_left_out():
    system = solved()[0]
    assert {type(component) for component in system.components.values()} == set(MATHS)
    assert all(variables_of(system, name) for name in system.components)


@pytest.mark.parametrize("kind", [cls.model_fields["type"].annotation.__args__[0] for cls in MATHS])
def test_every_variable_moved_by_a_hair_fails_in_every_step(kind):
    system, _, solution = solved()
    for var in variables_of(system, kind):
        for step in range(solution.values[kind][var.name].size):
            for way in (-1, 1):
                values = {name: dict(own) for name, own in solution.values.items()}
                moved = values[kind][var.name].copy()
                moved[step] += way * HAIR
                values[kind][var.name] = moved
                assert failures(values), f"{var.name} in step {step}, {way * HAIR:+g}"
