"""Whatever the rules of commitment: told again by a plain loop, and against every pattern of on and off."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EXACT = SolverSettings(mip_gap_fraction=1e-7)
CAPACITY_KW = 10.0
CHEAP, DEAR = 0.1, 0.25
LINE = {"load_fraction": [0.3, 0.5, 0.8, 1.0], "relative_efficiency": [0.6, 0.95, 0.9, 1.0]}
"""Neither convex nor concave."""


@st.composite
def rules(draw):
    """Any rules that a unit may have."""
    some = st.sampled_from
    told = {
        "min_load_fraction": draw(some([0.0, 0.3, 0.5, 0.7])),
        "start_up_cost_eur": draw(some([0.0, 0.1, 0.5])),
        "min_up_time_hours": draw(some([0.0, 0.5, 1.0, 2.0])),
        "min_down_time_hours": draw(some([0.0, 0.5, 1.0, 2.0])),
        "ramp_fraction_per_hour": draw(some([None, None, 0.2, 0.4, 2.0])),
        "initial_load_fraction": draw(some([None, 0.0, 0.7, 1.0])),
    }
    return {name: value for name, value in told.items() if value is not None}


@st.composite
def cellars(draw, most_steps):
    """A boiler with rules, a dear source beside it, a demand that pauses, and the length of a step."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps, minutes = draw(st.integers(1, most_steps)), draw(st.sampled_from([15, 30, 60]))
    heat = rng.uniform(0, 1.2 * CAPACITY_KW, steps) * (rng.random(steps) < 0.8)
    return draw(rules()), minutes, heat


def dispatcher_of(unit, minutes, heat, gas_price=CHEAP, solver=EXACT):
    boiler = {"type": "gas_boiler", "capacity_kw": CAPACITY_KW, "efficiency_fraction": 1.0}
    dear = {"type": "generic_source", "carrier": "heat", "capacity_kw": 50, "price_eur_per_kwh": DEAR}
    parts = {
        "gas": {"type": "gas_grid", "import_price_eur_per_kwh": gas_price},
        "unit": boiler | unit,
        "dear": dear,
        "heat": {"type": "heat_demand", "profile": "heat"},
    }
    horizon = {"start": "2019-01-01T00:00", "steps": len(heat), "step_minutes": minutes}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    return Dispatcher(system, {"heat": heat}, solver)


def steps_of(hours, minutes):
    return max(1, math.ceil(60 * hours / minutes))


def runs_of(pattern, before):
    """[(on, first step, length)], the state before the first step joined to the first run with first step None."""
    runs, state, first = [], before, None
    for step, on in enumerate(pattern):
        if on != state:
            runs.append((state, first, step - (first or 0)))
            state, first = on, step
    return [*runs, (state, first, len(pattern) - (first or 0))]


def is_allowed(pattern, unit, minutes):
    """Whether a pattern keeps the minimum times; a run that reaches the end may last beyond it."""
    need = {
        1: steps_of(unit.get("min_up_time_hours", 0), minutes),
        0: steps_of(unit.get("min_down_time_hours", 0), minutes),
    }
    runs = runs_of(pattern, was_on(unit))
    return all(first is None or length >= need[on] for on, first, length in runs[:-1])


def was_on(unit):
    return int(unit.get("initial_load_fraction", 0) > 0)


def starts_in(pattern, unit):
    return sum(on > earlier for earlier, on in itertools.pairwise([was_on(unit), *pattern]))


def limits_of_change(pattern, unit, minutes):
    """[(step, limit)]: most that the output changes into a step."""
    if "ramp_fraction_per_hour" not in unit:
        return []
    ramp = CAPACITY_KW * unit["ramp_fraction_per_hour"] * minutes / 60
    least = CAPACITY_KW * unit.get("min_load_fraction", 0)
    states = [was_on(unit), *pattern]
    first = 0 if "initial_load_fraction" in unit else 1
    return [
        (t, ramp if states[t] and states[t + 1] else max(ramp, least)) for t in range(first, len(pattern))
    ]


def cost_of(pattern, unit, minutes, heat):
    """Cost of a pattern's best dispatch, by a linear program of its own; infinite where there is none."""
    steps, hours = len(heat), minutes / 60
    before = unit.get("initial_load_fraction", 0) * CAPACITY_KW
    rows, right = [], []
    for t, limit in limits_of_change(pattern, unit, minutes):
        row = np.zeros(2 * steps)
        row[t] = 1
        row[t - 1] -= t > 0
        earlier = before if t == 0 else 0.0
        rows += [row, -row]
        right += [limit + earlier, limit - earlier]
    least, most = unit.get("min_load_fraction", 0) * CAPACITY_KW, CAPACITY_KW
    found = linprog(
        hours * np.repeat([CHEAP, DEAR], steps),
        A_ub=np.array(rows) if rows else None,
        b_ub=right or None,
        A_eq=np.hstack([np.eye(steps), np.eye(steps)]),
        b_eq=heat,
        bounds=[(least * on, most * on) for on in pattern] + [(0, None)] * steps,
    )
    starts = starts_in(pattern, unit) * unit.get("start_up_cost_eur", 0)
    return found.fun + starts if found.status == 0 else np.inf


def compare_with_every_pattern(cellar):
    unit, minutes, heat = cellar
    run = dispatcher_of(unit, minutes, heat).dispatch()
    patterns = [p for p in itertools.product([0, 1], repeat=len(heat)) if is_allowed(p, unit, minutes)]
    best = min(cost_of(pattern, unit, minutes, heat) for pattern in patterns)
    if math.isinf(best):
        assert run.status is Status.INFEASIBLE
    else:
        assert run.status is Status.OPTIMAL, run.solution.message
        assert run.kpis["total_cost"] == pytest.approx(best, rel=1e-6, abs=1e-6)


@FEW
@given(cellars(most_steps=4))
def test_the_optimum_is_that_of_the_best_pattern_of_on_and_off(cellar):
    compare_with_every_pattern(cellar)


@pytest.mark.slow
@MANY
@given(cellars(most_steps=6))
def test_the_optimum_is_that_of_the_best_pattern_of_on_and_off_whatever_the_rules(cellar):
    compare_with_every_pattern(cellar)


@FEW
@given(cellars(most_steps=12), st.booleans(), st.sampled_from([0.1, -0.05]))
def test_every_dispatch_keeps_the_rules_as_a_plain_loop_tells_them(cellar, has_line, gas_price):
    unit, minutes, heat = cellar
    if has_line:
        unit = unit | {"min_load_fraction": max(unit["min_load_fraction"], 0.3), "part_load": LINE}
    run = dispatcher_of(unit, minutes, heat, gas_price).dispatch()
    if run.status is Status.INFEASIBLE:
        assert "initial_load_fraction" in unit
        return
    assert run.status is Status.OPTIMAL, run.solution.message
    assert_kept(run, unit, minutes)
    assert run.flows["unit.gas_kw"] == pytest.approx(
        gas_of(run.flows["unit.heat_kw"], has_line=has_line), abs=1e-5
    )


@FEW
@given(cellars(most_steps=12), st.sampled_from(["horizon", "window"]))
def test_the_rules_hold_across_the_borders_of_windows(cellar, foresight):
    unit, minutes, heat = cellar
    rolling = EXACT.with_changes(
        method="rolling_horizon", window_hours=1, overlap_hours=0.5, foresight=foresight
    )
    run = dispatcher_of(unit, minutes, heat, solver=rolling).dispatch()
    if run.status.has_solution:
        assert_kept(run, unit, minutes)
    else:
        # With a ramp, or from an output before the first step, a window may leave the next one without a way on.
        assert {"ramp_fraction_per_hour", "initial_load_fraction"} & set(unit), run.solution.message


def assert_kept(run, unit, minutes):
    """Each rule, told by a plain loop over the steps."""
    told = unit
    values, power = run.solution.values["unit"], run.flows["unit.heat_kw"]
    if "on" not in values:
        pattern = [1] * power.size
        unit = unit | {"initial_load_fraction": unit.get("initial_load_fraction", 1.0)}
    else:
        pattern = values["on"].tolist()
        assert set(pattern) <= {0, 1}
        assert is_allowed(pattern, unit, minutes)
    for on, kw in zip(pattern, power, strict=True):
        assert (unit["min_load_fraction"] * on - 1e-6) * CAPACITY_KW <= kw <= on * CAPACITY_KW + 1e-6
    before = told.get("initial_load_fraction", 0) * CAPACITY_KW
    for t, limit in limits_of_change(pattern, unit, minutes):
        if t > 0 or "initial_load_fraction" in told:
            assert abs(power[t] - (power[t - 1] if t else before)) <= limit + 1e-6
    starts = starts_in(pattern, unit) if "on" in values else 0
    assert run.accounts["unit"].operation_cost_eur == pytest.approx(
        starts * unit["start_up_cost_eur"], abs=1e-6
    )


def gas_of(power, *, has_line):
    """What goes in, by interpolation."""
    if not has_line:
        return power
    load = np.array(LINE["load_fraction"])
    line = np.interp(power / CAPACITY_KW, load, load / np.array(LINE["relative_efficiency"])) * CAPACITY_KW
    return np.where(power > 1e-6, line, 0.0)
