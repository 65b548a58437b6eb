"""Exclusive pairs: relaxed, repaired and split, the answer is that of the MILP with every binary."""

from __future__ import annotations

import time

import cvxpy as cp
import numpy as np
import pytest

from schema.study import SolverSettings
from schema.system import System
from solvers import milp
from solvers.dispatch import Dispatcher
from solvers.highs import PersistentHighs
from solvers.hulls import hull_of
from solvers.local_cuts import tighten
from solvers.pairs import netted, others_in_balance
from solvers.solution import Status
from solvers.stretches import steps_of

EXACT = SolverSettings(mip_gap_fraction=1e-7)
BIG = 1000.0


def dispatcher(components, series, solver=EXACT):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": components})
    return Dispatcher(
        system, {name: np.asarray(values, dtype=float) for name, values in series.items()}, solver
    )


def random_series(seed, steps=24):
    rng = np.random.default_rng(seed)
    return {
        "load": rng.uniform(0, 3, steps),
        "sun": np.clip(rng.normal(0, 1, steps), 0, None),
        "heat": rng.uniform(0, 6, steps),
        "buy": rng.uniform(-0.2, 0.4, steps),
        "sell": rng.uniform(-0.2, 0.4, steps),
    }


def house(*, import_limit=None, export_limit=None, chp_kw=0.0, pv_kw=4.0):
    """Grid, PV, battery and load; with a CHP also gas and heat, whose electricity must go somewhere."""
    limits = {"import_limit_kw": import_limit, "export_limit_kw": export_limit}
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "buy"},
            "export_price_eur_per_kwh": {"profile": "sell"},
        }
        | {key: value for key, value in limits.items() if value is not None},
        "pv": {"type": "solar_pv", "capacity_kw": pv_kw, "profile": "sun"},
        "battery": {
            "type": "battery",
            "capacity_kwh": 6,
            "power_kw": 2,
            "charge_efficiency_fraction": 0.9,
            "discharge_efficiency_fraction": 0.85,
        },
        "load": {"type": "power_demand", "profile": "load"},
    }
    if chp_kw:
        parts["gas"] = {"type": "gas_grid", "import_price_eur_per_kwh": 0.03}
        parts["chp"] = {
            "type": "chp",
            "capacity_kw": chp_kw,
            "electric_efficiency_fraction": 0.5,
            "thermal_efficiency_fraction": 0.4,
        }
        parts["heat"] = {"type": "heat_demand", "profile": "heat"}
    return parts


def plain_milp(s, *, import_limit=None, export_limit=None, chp_kw=0.0, pv_kw=4.0):
    """The same house written down anew, with a binary for each pair and step; its optimal cost."""
    T = s["load"].size
    i, x, g, c, d, e = (cp.Variable(T, nonneg=True) for _ in range(6))
    level = cp.Variable(T + 1, nonneg=True)
    buys, charges = cp.Variable(T, boolean=True), cp.Variable(T, boolean=True)
    rules = [
        i + g + d + e == s["load"] + x + c,
        g <= pv_kw * s["sun"],
        e <= chp_kw,
        c <= 2 * charges,
        d <= 2 * (1 - charges),
        i <= (import_limit or BIG) * buys,
        x <= (export_limit or BIG) * (1 - buys),
        level[1:] == level[:-1] + 0.9 * c - d / 0.85,
        level[0] == 3,
        level[T] == 3,
        level <= 6,
    ]
    if chp_kw:
        rules.append(0.8 * e == s["heat"])
    cost = s["buy"] @ i - s["sell"] @ x + 0.03 * cp.sum(e) / 0.5
    problem = cp.Problem(cp.Minimize(cost), rules)
    problem.solve(cp.HIGHS, mip_rel_gap=1e-9, mip_abs_gap=1e-9, mip_feasibility_tolerance=1e-9)
    return problem.status, problem.value


def apart(run):
    for name, one, other in [
        ("grid", "import_kw", "export_kw"),
        ("battery", "charge_kw", "discharge_kw"),
    ]:
        both = np.minimum(run.flows[f"{name}.{one}"], run.flows[f"{name}.{other}"])
        assert both.max() <= milp.EXCLUSIVE_TOLERANCE_KW


CASES = {
    "prices of any sign without limits": {},
    "prices of any sign with limits": {"import_limit": 5, "export_limit": 3},
    "an export limit alone": {"export_limit": 2},
    "electricity that must go, under an export cap": {"export_limit": 0.5, "chp_kw": 8, "pv_kw": 0},
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_the_plain_milp_s(case, seed):
    series = random_series(seed)
    if "chp_kw" in CASES[case]:
        series["heat"] = 0.8 * np.minimum(series["load"] + 0.7, 6)
    status, cost = plain_milp(series, **CASES[case])
    run = dispatcher(house(**CASES[case]), series).dispatch()
    assert status in {"optimal", "infeasible"}
    if status == "infeasible":
        assert run.status is Status.INFEASIBLE
        return
    assert run.status is Status.OPTIMAL
    assert run.solution.objective_eur == pytest.approx(cost, rel=1e-6, abs=1e-6)
    assert run.solution.gap_fraction <= 1e-7
    apart(run)


def relaxation(run_of, values=None):
    case = run_of.case(values)
    compiled = run_of.engine.compiled(case)
    return compiled, milp.with_finite_pairs(compiled.linear_program(case), compiled.pairs)


def test_the_cases_do_break_the_relaxation():
    for case, options in CASES.items():
        series = random_series(0)
        series["heat"] = 0.8 * np.minimum(series["load"] + 0.7, 6)
        one = dispatcher(house(**options), series)
        compiled, program = relaxation(one)
        point = one.engine.highs.solve(program, time_limit_seconds=10).x
        assert any(pair.broken(point).size for pair in compiled.pairs), case


def test_selling_above_the_purchase_price_without_limits_is_bounded_by_what_the_house_can_take():
    # Without a limit the relaxation could buy and sell for ever. Here nothing is to be had but the battery.
    series = {"load": [1, 1], "sun": [0, 0], "buy": [0.1, 0.1], "sell": [0.2, 0.2]}
    run = dispatcher(house(), series).dispatch()
    assert run.status is Status.OPTIMAL
    # The level ends where it began, so 2 kW of charging in one step makes good what is given in the other.
    give = 2 * 0.9 * 0.85
    assert run.kpis["total_cost"] == pytest.approx(-(give - 1) * 0.2 + 3 * 0.1)
    apart(run)


def test_a_lossless_battery_with_nothing_to_gain_needs_no_binaries():
    parts = house()
    parts["battery"] |= {"charge_efficiency_fraction": 1, "discharge_efficiency_fraction": 1}
    series = {"load": np.ones(24), "sun": np.zeros(24), "buy": np.zeros(24), "sell": np.zeros(24)}
    one = dispatcher(parts, series)
    run = one.dispatch()
    assert not one.engine.highs._has_integers
    assert run.status is Status.OPTIMAL
    assert run.solution.objective_eur == pytest.approx(0, abs=1e-9)
    assert run.solution.gap_fraction == 0
    apart(run)


def test_a_house_that_is_feasible_only_by_burning_energy_is_infeasible():
    # The CHP's surplus could only vanish in a battery that charges and discharges at once.
    parts = house(export_limit=0, chp_kw=8, pv_kw=0)
    series = {"load": np.ones(6), "heat": np.full(6, 0.9), "sun": np.zeros(6)}
    series |= {"buy": np.full(6, 0.3), "sell": np.zeros(6)}
    run = dispatcher(parts, series).dispatch()
    assert plain_milp({k: np.asarray(v) for k, v in series.items()}, export_limit=1e-12, chp_kw=8, pv_kw=0)[
        0
    ].startswith("infeasible")
    assert run.status is Status.INFEASIBLE
    assert "exclusive" in run.solution.message


def test_a_limit_that_the_balance_implies_is_what_the_others_can_take():
    series = {"load": [1.5], "sun": [1], "buy": [0.3], "sell": [0.1]}
    compiled, program = relaxation(dispatcher(house(), series))
    grid = compiled.pairs[0]
    assert program.upper[grid.a] == pytest.approx([1.5 + 2])  # the load and the battery's charging
    assert program.upper[grid.b] == pytest.approx([4 + 2 - 1.5])  # PV and discharging less the load


def test_two_grids_without_limits_that_trade_with_each_other_are_told_plainly():
    grid = {"type": "grid", "import_price_eur_per_kwh": 0.1, "export_price_eur_per_kwh": 0.2}
    parts = {"one": grid, "two": grid, "load": {"type": "power_demand", "profile": "load"}}
    run = dispatcher(parts, {"load": [1.0]}).dispatch()
    assert run.status is Status.FAILED
    assert run.solution.message == milp.UNLIMITED
    assert len(run.solution.attempts) == 1
    assert run.kpis == {}


def test_two_grids_without_limits_that_have_nothing_to_trade_are_fine():
    grid = {"type": "grid", "import_price_eur_per_kwh": 0.3, "export_price_eur_per_kwh": 0.1}
    parts = {"one": grid, "two": grid | {"import_price_eur_per_kwh": 0.2}}
    run = dispatcher(
        parts | {"load": {"type": "power_demand", "profile": "load"}}, {"load": [1.0]}
    ).dispatch()
    assert run.status is Status.OPTIMAL
    assert run.kpis["total_cost"] == pytest.approx(0.2)


def evenings(days):
    """Days on which what is sold from 17 to 20 h earns more than it costs."""
    rng = np.random.default_rng(5)
    hour = np.arange(24 * days) % 24
    return {
        "load": 1.0 + rng.uniform(0, 1, hour.size),
        "sun": np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * rng.uniform(0.4, 1, hour.size),
        "buy": np.where((hour >= 7) & (hour < 22), 0.32, 0.24),
        "sell": np.where((hour >= 17) & (hour < 20), 0.36, 0.05),
    }


def tightened(run_of, gap_eur=1e-6):
    compiled, program = relaxation(run_of)
    highs = PersistentHighs()
    relaxed = highs.solve(program, time_limit_seconds=60)
    clock = milp.Clock(60)
    hull = hull_of(highs, program, compiled.pairs, clock, relaxed, highs.row_duals())
    cuts = tighten(highs, hull, compiled.pairs, clock, gap_eur)
    return relaxed, cuts, program


def hulled(run_of):
    compiled, program = relaxation(run_of)
    highs = PersistentHighs()
    relaxed = highs.solve(program, time_limit_seconds=60)
    hull = hull_of(highs, program, compiled.pairs, milp.Clock(60), relaxed, highs.row_duals())
    return compiled.pairs, program, relaxed, hull


def test_the_hull_of_a_step_buys_nothing_with_which_to_sell():
    # Buying costs 0.1 and selling earns 0.2; the house takes 1 kW, and nothing else can give or take.
    parts = house(import_limit=5, export_limit=3, pv_kw=2)
    del parts["battery"]
    one = dispatcher(parts, {"load": [1.0], "sun": [1.0], "buy": [0.1], "sell": [0.2]})
    _, _, relaxed, hull = hulled(one)
    # Relaxed, 2 kW are bought and, with the sun's 2 kW, 3 kW sold.
    assert relaxed.objective == pytest.approx(2 * 0.1 - 3 * 0.2)
    # In truth the house takes 1 kW of the sun's 2.
    assert hull.outcome.objective == pytest.approx(-0.2)


def balas(program, hull):
    """The optimum of (X5), written down with a copy of each term for either direction."""
    x = cp.Variable(program.cost.size)
    low, high = np.isfinite(program.lower), np.isfinite(program.upper)
    rows = program.matrix @ x
    rules = [
        rows >= program.row_lower,
        rows <= program.row_upper,
        x[low] >= program.lower[low],
        x[high] <= program.upper[high],
    ]
    for pair, columns in hull.directions.items():
        steps = np.flatnonzero(columns >= 0)
        if steps.size == 0:
            continue
        y = cp.Variable(steps.size, nonneg=True)
        rules.append(y <= 1)
        where = {int(step): k for k, step in enumerate(steps)}
        for member, z in ((pair.a, y), (pair.b, 1 - y)):
            step, column, factor, right = others_in_balance(program, pair, member)
            mine = np.isin(step, steps)
            at = np.array([where[s] for s in step[mine]])
            column, factor = column[mine], factor[mine]
            ends = factor * program.lower[column], factor * program.upper[column]
            lo, hi, w, own = np.minimum(*ends), np.maximum(*ends), cp.Variable(at.size), x[column]
            sums = np.zeros((steps.size, at.size))
            sums[at, np.arange(at.size)] = 1
            rest = cp.multiply(factor, own) - w
            rules += [
                x[member.start + steps] == cp.multiply(right[steps], z) + sums @ w,
                x[member.start + steps] <= cp.multiply(program.upper[member][steps], z),
                w >= cp.multiply(lo, z[at]),
                w <= cp.multiply(hi, z[at]),
                rest >= cp.multiply(lo, 1 - z[at]),
                rest <= cp.multiply(hi, 1 - z[at]),
            ]
    problem = cp.Problem(cp.Minimize(program.cost @ x + program.offset), rules)
    problem.solve(cp.HIGHS)
    return problem.value


@pytest.mark.parametrize("seed", range(4))
def test_the_rows_of_a_hull_come_to_what_balas_copies_come_to(seed):
    one = dispatcher(house(import_limit=5, export_limit=3), random_series(seed))
    _, program, relaxed, hull = hulled(one)
    exact = balas(program, hull)
    slack = 1e-6 * max(abs(exact), 1)
    assert relaxed.bound < hull.outcome.bound <= exact + slack
    # The rounds end when one gains a ten-thousandth of what all of them have gained.
    assert hull.outcome.bound >= exact - 1e-3 * (exact - relaxed.bound) - slack


@pytest.mark.parametrize("seed", range(4))
def test_the_rows_of_a_hull_hold_for_every_dispatch_whatever_the_prices(seed):
    limits = {"import_limit": 5, "export_limit": 3}
    series, other = random_series(seed), random_series(seed + 100)
    _, _, _, hull = hulled(dispatcher(house(**limits), series))
    repriced = dispatcher(house(**limits), series | {"buy": other["buy"], "sell": other["sell"]})
    compiled, program = relaxation(repriced)
    x = milp.solve(PersistentHighs(), program, compiled.pairs, milp.Clock(60), mip_gap_fraction=1e-7).x
    rows = hull.program.matrix @ hull.lifted(x)
    assert (rows - hull.program.row_lower).min() >= -1e-6
    assert (hull.program.row_upper - rows).min() >= -1e-6


def test_cuts_of_single_evenings_close_the_gap_of_a_week():
    limits = {"import_limit": 6, "export_limit": 5}
    series = evenings(7)
    relaxed, cuts, program = tightened(dispatcher(house(**limits), series))
    _, cost = plain_milp(series, **limits)
    assert relaxed.bound < cost - 1
    assert cuts.bound == pytest.approx(cost, rel=1e-6)
    assert cuts.best.objective == pytest.approx(cost, rel=1e-6)
    # Rows are added, and nothing is searched over the week as a whole.
    assert cuts.program.row_lower.size > program.row_lower.size
    assert cuts.program.integers.size == 0


def test_stretches_leave_the_last_fifth_of_the_time_to_what_comes_of_them():
    pairs, _, _, hull = hulled(dispatcher(house(import_limit=6, export_limit=5), evenings(7)))
    highs = PersistentHighs()
    late = milp.Clock(1000, began=time.perf_counter() - 850)
    cuts = tighten(highs, hull, pairs, late, 1e-6)
    assert cuts.bound == hull.outcome.bound
    assert cuts.best is None
    assert late.solver_seconds == 0


@pytest.mark.parametrize("seed", range(4))
def test_cuts_hold_for_every_dispatch_whatever_the_prices(seed):
    series = random_series(seed, 72)
    relaxed, cuts, program = tightened(dispatcher(house(import_limit=5, export_limit=3), series))
    _, cost = plain_milp(series, import_limit=5, export_limit=3)
    slack = 1e-6 * max(abs(cost), 1)
    assert relaxed.bound <= cuts.bound + slack
    assert cuts.bound <= cost + slack
    assert cuts.best.objective >= cost - slack
    own = slice(program.row_lower.size, None)
    left = cuts.program.matrix[own] @ cuts.best.x - cuts.program.row_lower[own]
    assert left.min() >= -1e-6


@pytest.mark.parametrize("seed", range(2))
def test_what_no_pair_has_to_do_with_is_no_part_of_any_gap(seed):
    limits = {"import_limit": 5, "export_limit": 3, "pv_kw": 0}
    water = {
        "tap": {"type": "water_grid", "import_price_eur_per_m3": 2.0},
        "taps": {"type": "water_demand", "profile": "load"},
    }
    series = random_series(seed, 48)
    run = dispatcher(house(**limits) | water, series).dispatch()
    assert run.status is Status.OPTIMAL
    _, cost = plain_milp(series, **limits)
    assert run.kpis["total_cost"] == pytest.approx(cost + 2.0 * series["load"].sum(), rel=1e-6)


def test_rows_and_columns_belong_to_the_step_of_their_pair():
    one = dispatcher(house(import_limit=5, export_limit=3), evenings(1))
    compiled, program = relaxation(one)
    rows, columns = steps_of(program, compiled.pairs)
    names = compiled.program
    assert all(names.row_name(row).step == step for row, step in enumerate(rows))
    assert all(names.column_name(column)[2] == step for column, step in enumerate(columns))


def test_what_cancels_in_every_row_is_netted_without_another_solve():
    parts = house()
    parts["battery"] |= {"charge_efficiency_fraction": 1, "discharge_efficiency_fraction": 1}
    one = dispatcher(parts, {"load": [1.0, 1.0], "sun": [0, 0], "buy": [0.3, 0.3], "sell": [0.1, 0.1]})
    compiled, program = relaxation(one)
    grid, battery = compiled.pairs
    x = np.zeros(program.cost.size)
    x[battery.a], x[battery.b] = [2.0, 0.5], [1.5, 2.0]
    x[grid.a], x[grid.b] = [2.0, 1.0], [1.0, 0.0]
    apart = netted(program, compiled.pairs, x)
    assert apart[battery.a] == pytest.approx([0.5, 0])
    assert apart[battery.b] == pytest.approx([0, 1.5])
    # Import and export cancel too, and selling earns less than buying costs.
    assert apart[grid.a] == pytest.approx([1, 1])
    assert apart[grid.b] == pytest.approx([0, 0])


def test_what_is_lost_in_a_battery_is_not_netted():
    one = dispatcher(house(), {"load": [1.0], "sun": [0], "buy": [0.3], "sell": [0.4]})
    compiled, program = relaxation(one)
    x = np.ones(program.cost.size)
    assert netted(program, compiled.pairs, x) == pytest.approx(x)


def test_an_infeasible_stretch_makes_the_whole_infeasible():
    # As above, over days: only the third day's surplus has nowhere to go.
    parts = house(export_limit=0, chp_kw=8, pv_kw=0)
    load, heat = np.ones(120), np.full(120, 0.5)
    heat[60:72] = 4.0
    series = {
        "load": load,
        "heat": heat,
        "sun": np.zeros(120),
        "buy": np.full(120, 0.3),
        "sell": np.zeros(120),
    }
    run = dispatcher(parts, series).dispatch()
    assert run.status is Status.INFEASIBLE


def test_connections_without_limits_need_none_where_only_a_unit_is_on_or_off():
    parts = house()
    parts["spare"] = {**parts["grid"], "import_price_eur_per_kwh": 0.9, "export_price_eur_per_kwh": 0.0}
    parts["grid"] |= {"import_price_eur_per_kwh": 0.3, "export_price_eur_per_kwh": 0.05}
    parts["heater"] = {"type": "electric_boiler", "capacity_kw": 4, "min_load_fraction": 0.5}
    parts["tank"] = {"type": "heat_buffer", "capacity_kwh": 9, "power_kw": 9}
    parts["heat"] = {"type": "heat_demand", "profile": "heat"}
    series = random_series(0, steps=12)
    series["heat"] = np.full(12, 1.2)
    run = dispatcher(parts, series).dispatch()
    assert run.status is Status.OPTIMAL, run.solution.message
    apart(run)
