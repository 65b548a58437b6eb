"""The compiled program is CVXPY's own, for every system and all numbers; DPP is held."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.model import build, structure_of
from solvers.program import _canonical_form

STEPS = 30
GRID = {
    "type": "grid",
    "import_price_eur_per_kwh": {"profile": "price"},
    "export_price_eur_per_kwh": 0.05,
    "import_co2_kg_per_kwh": 0.4,
}
LOAD = {"type": "power_demand", "profile": "load"}
STORE = {
    "capacity_kwh": 6.0,
    "power_kw": 2.0,
    "charge_efficiency_fraction": 0.9,
    "self_discharge_fraction_per_hour": 0.01,
    "throughput_cost_eur_per_kwh": 0.02,
}
BATTERY = STORE | {"type": "battery"}
PV = {"type": "solar_pv", "capacity_kw": 4.0, "profile": "sun"}
HEAT = {
    "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.1},
    "chp": {
        "type": "chp",
        "capacity_kw": 2.0,
        "electric_efficiency_fraction": 0.3,
        "thermal_efficiency_fraction": 0.5,
    },
    "boiler": {"type": "gas_boiler", "capacity_kw": 9.0},
    "pump": {"type": "heat_pump", "capacity_kw": 5.0, "cop": {"profile": "cop"}},
    "rod": {"type": "electric_boiler", "capacity_kw": 2.0, "efficiency_fraction": 0.99},
    "tank": STORE | {"type": "heat_buffer"},
    "heat": {"type": "heat_demand", "profile": "heat"},
}
SYSTEMS = {
    "a load": {"grid": GRID, "load": LOAD},
    "a battery": {"grid": GRID, "load": LOAD, "battery": BATTERY},
    "a demand charge over two months": {
        "grid": GRID | {"demand_charge_eur_per_kw_month": 6.0},
        "battery": BATTERY,
        "load": LOAD,
    },
    "a free end and limits": {
        "grid": GRID | {"import_limit_kw": 7.0, "export_limit_kw": 2.0},
        "pv": PV,
        "battery": BATTERY | {"cyclic": False, "min_level_fraction": 0.2},
        "load": LOAD,
    },
    "everything": {"grid": GRID, "pv": PV, "battery": BATTERY, "load": LOAD, **HEAT},
    "two nodes": {
        "grid": GRID,
        "load": LOAD,
        "barn": GRID | {"carriers": {"electricity": "electricity@barn"}},
        "cows": LOAD | {"scale": 2.0, "carriers": {"electricity": "electricity@barn"}},
    },
}


def dispatcher(name, steps=STEPS):
    rng = np.random.default_rng(11)
    series = {
        "price": rng.uniform(0.1, 0.4, steps),
        "load": rng.uniform(0, 2, steps),
        "heat": rng.uniform(0, 4, steps),
        "sun": np.clip(rng.normal(0, 0.5, steps), 0, None),
        "cop": rng.uniform(2, 4, steps),
    }
    horizon = {"start": "2019-01-31T06:00", "steps": steps}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": SYSTEMS[name]})
    return Dispatcher(system, series, SolverSettings(mip_gap_fraction=1e-7))


@pytest.fixture(scope="module")
def compiled():
    """By system: its parameters, its program and the CVXPY model they came from."""
    built = {}
    for name in SYSTEMS:
        one = dispatcher(name)
        case = one.case()
        built[name] = case.numbers, one.engine.compiled(case).program, build(one.system, case.numbers)
    return built


@pytest.mark.parametrize("name", SYSTEMS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_program_is_what_cvxpy_makes_of_the_same_parameters(compiled, name, seed):
    reference, program, model = compiled[name]
    rng = np.random.default_rng(seed)
    numbers = {
        owner: {
            key: value if value.ndim == 2 else rng.uniform(0.1, 5.0, value.shape)
            for key, value in own.items()
        }
        for owner, own in reference.items()
    }
    for (owner, key), parameter in model.parameters.items():
        parameter.value = numbers[owner][key]
    data, _, _ = model.problem.get_problem_data(cp.HIGHS, enforce_dpp=True)
    got = program.linear_program(numbers)
    equal = data["dims"].zero
    assert got.cost == pytest.approx(data["c"], abs=1e-12)
    assert abs(got.matrix - data["A"]).max() < 1e-12
    assert got.row_upper == pytest.approx(data["b"], abs=1e-12)
    assert (got.row_lower[:equal] == got.row_upper[:equal]).all()
    assert np.isneginf(got.row_lower[equal:]).all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_bounds_are_cvxpy_s_for_the_system_s_own_numbers(compiled, name):
    numbers, program, model = compiled[name]
    data, _, _ = model.problem.get_problem_data(cp.HIGHS)
    got = program.linear_program(numbers)
    upper = data["upper_bounds"]  # None where nothing has a limit
    assert np.array_equal(got.lower, data["lower_bounds"])
    assert np.array_equal(got.upper, np.full(program.width, np.inf) if upper is None else upper)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_dispatch_costs_what_cvxpy_s_own_solve_costs(name):
    one = dispatcher(name)
    for design in ({}, {"grid.export_price_eur_per_kwh": 0.02}):
        case = one.case(design)
        model = build(case.system, case.numbers)
        model.problem.solve(cp.HIGHS)
        run = one.dispatch(design)
        assert run.solution.objective_eur == pytest.approx(model.problem.value, rel=1e-7)
        for (owner, variable), place in model.variables.items():
            assert run.solution.values[owner][variable].shape == place.shape


def test_rows_and_columns_have_names(compiled):
    _, program, _ = compiled["a demand charge over two months"]
    balance = program.row_slices["electricity", "balance"]
    assert program.row_name(balance.start + 2) == program.row_name(balance.start + 2)
    assert (program.row_name(balance.start + 2).label, program.row_name(balance.start + 2).step) == (
        "balance",
        2,
    )
    peak = program.columns["grid", "monthly_peak_kw"]
    assert program.column_name(peak.start + 1) == ("grid", "monthly_peak_kw", 1)
    with pytest.raises(IndexError, match="no row"):
        program.row_name(10_000)
    with pytest.raises(IndexError, match="no column"):
        program.column_name(10_000)


def test_an_objective_that_is_not_affine_in_its_parameters_is_refused():
    x, one, other = cp.Variable(), cp.Parameter(value=2.0), cp.Parameter(value=3.0)
    with pytest.raises(cp.error.DPPError):
        _canonical_form(cp.Problem(cp.Minimize(one * other * x), [x >= 1]))


def test_numbers_leave_the_structure_and_equations_change_it():
    base = dispatcher("a battery").system
    assert structure_of(base) == structure_of(base.with_values({"battery.capacity_kwh": 1.0}))
    charged = base.with_values({"grid.demand_charge_eur_per_kw_month": 1.0})
    assert structure_of(base) != structure_of(charged)


def test_a_design_may_change_the_structure():
    one = dispatcher("a battery")
    plain = one.dispatch()
    charged = one.dispatch({"grid.demand_charge_eur_per_kw_month": 6.0})
    same = dispatcher("a demand charge over two months").dispatch()
    assert charged.solution.objective_eur == pytest.approx(same.solution.objective_eur, rel=1e-9)
    assert charged.solution.attempts == ("cold",)
    assert one.dispatch().solution.objective_eur == plain.solution.objective_eur
