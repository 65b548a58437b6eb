"""Bounds from windows that are solved apart: never above an optimum, never below the relaxation."""

from __future__ import annotations

import numpy as np
import pytest

from schema.study import SolverSettings
from schema.system import System
from solvers import milp
from solvers.bounds import Relaxation, windowed_bound
from solvers.dispatch import Dispatcher
from solvers.milp import Clock
from solvers.solution import Status

EXACT = SolverSettings(mip_gap_fraction=1e-7)


def with_engine(seed, steps=24, grid=None, chp=None, start="2019-01-28T00:00"):
    """An engine that is on or off, a tank and a battery; a few random days."""
    rng = np.random.default_rng(seed)
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "price"},
            "export_price_eur_per_kwh": 0.08,
            "import_limit_kw": 20,
            "export_limit_kw": 20,
        }
        | (grid or {}),
        "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.09},
        "chp": {
            "type": "chp",
            "capacity_kw": 5,
            "electric_efficiency_fraction": 0.3,
            "thermal_efficiency_fraction": 0.6,
            "min_load_fraction": 0.5,
            "start_up_cost_eur": 0.8,
            "min_up_time_hours": 3,
            "min_down_time_hours": 2,
        }
        | (chp or {}),
        "boiler": {"type": "gas_boiler", "capacity_kw": 30, "efficiency_fraction": 0.9},
        "tank": {"type": "heat_buffer", "capacity_kwh": 15, "power_kw": 10},
        "battery": {"type": "battery", "capacity_kwh": 6, "power_kw": 3, "charge_efficiency_fraction": 0.9},
        "load": {"type": "power_demand", "profile": "load"},
        "heat": {"type": "heat_demand", "profile": "heat"},
    }
    series = {
        "price": rng.uniform(0.15, 0.45, steps),
        "load": rng.uniform(0, 8, steps),
        "heat": rng.uniform(0, 14, steps),
    }
    system = System.model_validate(
        {"system": "flats", "horizon": {"start": start, "steps": steps}, "components": parts}
    )
    return Dispatcher(system, series, EXACT)


def relaxed(one):
    case = one.case()
    compiled = one.engine.compiled(case)
    program = milp.with_finite_pairs(compiled.linear_program(case), compiled.pairs)
    outcome = one.engine.highs.solve(program, time_limit_seconds=60, relaxed=True)
    assert outcome.status is Status.OPTIMAL
    return program, compiled, Relaxation(outcome.x, one.engine.highs.row_duals(), outcome.objective)


def bound_of(one, width, gap=0.0):
    program, compiled, relaxation = relaxed(one)
    bound = windowed_bound(
        one.engine.highs, program, compiled.windows, relaxation,
        window_steps=width, gap_fraction=gap, clock=Clock(60),
    )  # fmt: skip
    return bound, relaxation.objective


@pytest.mark.parametrize("width", [1, 5, 8, 12, 24, 40])
@pytest.mark.parametrize("seed", range(3))
def test_a_bound_lies_between_the_relaxation_and_the_optimum(seed, width):
    one = with_engine(seed)
    optimum = one.dispatch().solution.objective_eur
    bound, relaxation = bound_of(one, width)
    slack = 1e-6 * abs(optimum)
    assert relaxation - slack <= bound <= optimum + slack


def test_longer_windows_say_more_and_one_window_says_all():
    one = with_engine(1, steps=36)
    optimum = one.dispatch().solution.objective_eur
    bounds = [bound_of(one, width)[0] for width in (1, 12, 36)]
    assert bounds[0] < bounds[1] < bounds[2] + 1e-9
    assert bounds[2] == pytest.approx(optimum, rel=1e-6)


@pytest.mark.parametrize("charge", ["demand_charge_eur_per_kw_month", "demand_charge_eur_per_kw_year"])
def test_a_peak_that_ties_all_windows_together_has_its_price(charge):
    # Over the end of January, so that two months have peaks of their own.
    one = with_engine(2, steps=30, grid={charge: 60.0}, start="2019-01-31T12:00")
    optimum = one.dispatch().solution.objective_eur
    bound, relaxation = bound_of(one, 10)
    assert relaxation - 1e-6 <= bound <= optimum + 1e-6
    assert bound > relaxation + 1e-3


def test_exclusive_pairs_are_kept_apart_within_the_windows():
    # Selling above the purchase price: the relaxation buys and sells at once, no window does.
    dear = {"export_price_eur_per_kwh": 0.5, "import_limit_kw": 5, "export_limit_kw": 5}
    one = with_engine(3, grid=dear, chp={"min_load_fraction": 0, "start_up_cost_eur": 0})
    optimum = one.dispatch().solution.objective_eur
    bound, relaxation = bound_of(one, 6)
    assert relaxation < bound <= optimum + 1e-6 * abs(optimum)
    assert optimum - bound < 0.5 * (optimum - relaxation)


def test_wrong_prices_make_a_bound_weaker_never_wrong():
    one = with_engine(4)
    program, compiled, relaxation = relaxed(one)
    optimum = one.dispatch().solution.objective_eur
    rng, low = np.random.default_rng(0), -1000.0
    for _ in range(5):
        off = Relaxation(relaxation.x, relaxation.duals * rng.uniform(0.7, 1.3, relaxation.duals.size), low)
        bound = windowed_bound(
            one.engine.highs,
            program,
            compiled.windows,
            off,
            window_steps=8,
            gap_fraction=0.0,
            clock=Clock(60),
        )
        assert low < bound <= optimum + 1e-6 * abs(optimum)


def test_without_time_the_relaxation_is_all_that_is_known():
    one = with_engine(0)
    program, compiled, relaxation = relaxed(one)
    bound = windowed_bound(
        one.engine.highs, program, compiled.windows, relaxation,
        window_steps=8, gap_fraction=0.0, clock=Clock(0.0),
    )  # fmt: skip
    assert bound == relaxation.objective
