"""`rolling_horizon` by hand: what windows see, hand on, pay for and say when they fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.milp import Clock
from solvers.rolling import Plan, roll
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": {"profile": "price"}, "export_limit_kw": 0}
LOAD = {"type": "power_demand", "profile": "load"}
FREE = {"capacity_kwh": 10, "power_kw": 2, "initial_level_fraction": 0, "cyclic": False}
BATTERY = {"type": "battery"} | FREE


def house(components, series, window, overlap=0, start="2019-01-01T00:00", **solver):
    steps = len(next(iter(series.values())))
    data = {"system": "house", "horizon": {"start": start, "steps": steps}, "components": components}
    profiles = {name: np.asarray(values, dtype=float) for name, values in series.items()}
    settings = {"method": "rolling_horizon", "window_hours": window, "overlap_hours": overlap} | solver
    return Dispatcher(System.model_validate(data), profiles, SolverSettings.model_validate(settings))


CHEAP_THEN_DEAR = {"price": [0.1] * 4 + [0.5] * 4, "load": [0] * 4 + [1] * 4}


@pytest.mark.parametrize(("overlap", "seen"), [(0, 0), (1, 1), (2, 2), (3, 3)])
def test_a_battery_buys_for_as_many_dear_hours_as_its_window_sees(overlap, seen):
    parts = {"grid": GRID, "battery": BATTERY, "load": LOAD}
    run = house(parts, CHEAP_THEN_DEAR, 4, overlap, foresight="window").dispatch()
    assert (run.status, run.solution.gap_fraction) == (Status.FEASIBLE, None)
    assert run.flows["battery.charge_kw"][:4].sum() == pytest.approx(seen)
    assert run.kpis["total_cost"] == pytest.approx(seen * 0.1 + (4 - seen) * 0.5)


@pytest.mark.parametrize("overlap", [0, 2])
def test_with_foresight_of_the_horizon_it_buys_for_all_of_them_and_knows_that_this_is_best(overlap):
    parts = {"grid": GRID, "battery": BATTERY, "load": LOAD}
    run = house(parts, CHEAP_THEN_DEAR, 4, overlap).dispatch()
    assert (run.status, run.solution.gap_fraction) == (Status.OPTIMAL, pytest.approx(0))
    assert run.kpis["total_cost"] == pytest.approx(4 * 0.1)


@pytest.mark.parametrize("foresight", ["horizon", "window"])
@pytest.mark.parametrize("kind", ["battery", "water_tank"])
def test_a_cyclic_level_ends_where_it_began(foresight, kind):
    rng = np.random.default_rng(3)
    series = {"price": rng.uniform(0.1, 0.5, 21), "load": rng.uniform(0, 1, 21)}
    far = {"carriers": {"water": "water@high"}}
    battery = BATTERY | {"initial_level_fraction": 0.3, "cyclic": True}
    stores = {
        "battery": {"grid": GRID, "load": LOAD, "store": battery},
        "water_tank": {
            "mains": {"type": "water_grid", "import_price_eur_per_m3": {"profile": "price"}},
            "lift": {
                "type": "pump",
                "from_node": "water",
                "to_node": "water@high",
                "capacity_m3_per_hour": 9,
                "electricity_kwh_per_m3": 0.4,
            },
            "grid": GRID,
            "taps": {"type": "water_demand", "profile": "load"} | far,
            "store": {"type": "water_tank", "capacity_m3": 10, "initial_level_fraction": 0.3} | far,
        },
    }  # fmt: skip
    run = house(stores[kind], series, 6, 2, foresight=foresight).dispatch()
    level = run.states["store.level_kwh" if kind == "battery" else "store.level_m3"]
    assert level[-1] == pytest.approx(3.0, abs=1e-9)
    assert np.ptp(level) > 1


def test_each_look_ahead_of_a_window_ends_at_the_level_that_the_horizon_must_end_with():
    """Without that the first window would use up what the battery holds, and the second buy it back for more."""
    series = {"price": [0.5] * 4 + [0.9] * 4, "load": [1] * 8}
    store = BATTERY | {"initial_level_fraction": 0.5, "cyclic": True}
    run = house({"grid": GRID, "battery": store, "load": LOAD}, series, 4, 0, foresight="window").dispatch()
    assert run.states["battery.level_kwh"][3] >= 5 - 1e-9
    assert run.kpis["total_cost"] == pytest.approx(4 * 0.5 + 4 * 0.9)


CHARGED = GRID | {"import_price_eur_per_kwh": 0.1, "demand_charge_eur_per_kw_month": 31}
WORN = BATTERY | {"throughput_cost_eur_per_kwh": 0.01, "power_kw": 5}


@pytest.mark.parametrize("foresight", ["horizon", "window"])
def test_a_peak_that_is_reached_costs_once_and_nothing_more_to_reach_again(foresight):
    load = [4, 0, 0, 0, 0, 0, 0, 4]
    parts = {"grid": CHARGED, "battery": WORN, "load": LOAD}
    run = house(parts, {"load": load}, 4, foresight=foresight).dispatch()
    share = 8 / (31 * 24)
    assert run.kpis["total_cost"] == pytest.approx(8 * 0.1 + 31 * share * 4)
    assert run.flows["battery.discharge_kw"].max() == pytest.approx(0, abs=1e-9)
    assert run.solution.objective_eur == pytest.approx(run.kpis["total_cost"])


@pytest.mark.parametrize("foresight", ["horizon", "window"])
def test_only_what_exceeds_the_peak_so_far_is_worth_the_battery(foresight):
    """2 kW are reached in the first window; of 6 kW in the second, 4 come from the battery, filled at 2 kW."""
    load = [2, 0, 0, 0, 0, 0, 0, 6]
    parts = {"grid": CHARGED, "battery": WORN, "load": LOAD}
    run = house(parts, {"load": load}, 4, foresight=foresight).dispatch()
    assert run.flows["grid.import_kw"].max() == pytest.approx(2)
    assert run.flows["battery.discharge_kw"][7] == pytest.approx(4)
    assert run.kpis["total_cost"] == pytest.approx(8 * 0.1 + 4 * 0.01 + 31 * 8 / (31 * 24) * 2)


@pytest.mark.parametrize(
    "charge",
    [
        {"demand_charge_eur_per_kw_month": 300},
        {"demand_charge_eur_per_kw_year": 4000},
        {"demand_charge_eur_per_kw_month": 300, "demand_ratchet_fraction": 0.8},
    ],
)
def test_months_and_years_that_begin_or_end_within_a_window_are_charged_as_in_one_piece(charge):
    rng = np.random.default_rng(5)
    series = {"load": rng.uniform(0, 4, 36), "price": np.full(36, 0.2)}
    parts = {"grid": GRID | charge, "battery": BATTERY, "load": LOAD}
    run = house(parts, series, 7, 3, start="2019-01-31T07:00").dispatch()
    whole = house(parts, series, 7, 3, start="2019-01-31T07:00", method="milp").dispatch()
    assert run.kpis["total_cost"] == pytest.approx(whole.kpis["total_cost"], rel=1e-6)
    assert run.status is Status.OPTIMAL


def test_a_unit_started_at_a_windows_end_keeps_its_time_in_the_next():
    """It starts for the one hour that its window sees, and stays on for three more."""
    parts = {
        "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.1},
        "boiler": {
            "type": "gas_boiler",
            "capacity_kw": 4,
            "efficiency_fraction": 1,
            "min_load_fraction": 0.5,
            "min_up_time_hours": 4,
        },
        "network": {"type": "district_heat", "import_price_eur_per_kwh": 2},
        "heat": {"type": "heat_demand", "profile": "load"},
        "roof": {"type": "generic_demand", "carrier": "heat", "profile": "dump", "unserved_price_eur_per_kwh": 0},
    }  # fmt: skip
    series = {"load": [0, 0, 4, 0, 0, 0, 0, 0, 0], "dump": [9] * 9}
    run = house(parts, series, 3, foresight="window", mip_gap_fraction=0).dispatch()
    assert run.solution.values["boiler"]["on"] == pytest.approx([0, 0, 1, 1, 1, 1, 0, 0, 0])
    assert run.flows["boiler.heat_kw"] == pytest.approx([0, 0, 4, 2, 2, 2, 0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("foresight", ["horizon", "window"])
def test_a_shiftable_demand_gets_its_energy_within_periods_that_windows_cut(foresight):
    rng = np.random.default_rng(8)
    series = {"price": rng.uniform(0.1, 0.5, 20), "load": rng.uniform(0, 2, 20)}
    wash = {"type": "shiftable_demand", "profile": "load", "window_hours": 5, "max_power_kw": 3}
    run = house({"grid": GRID, "wash": wash}, series, 3, 1, foresight=foresight).dispatch()
    for first in range(0, 20, 5):
        moved = run.flows["wash.electricity_kw"][first : first + 5]
        assert moved.sum() == pytest.approx(series["load"][first : first + 5].sum())
    assert not np.allclose(run.flows["wash.electricity_kw"], series["load"])


def car_that_leaves_after(hour, power_kw, needs_kwh):
    here = np.ones(hour + 4)
    here[hour:-1] = 0
    car = {
        "type": "ev_charger",
        "capacity_kwh": needs_kwh,
        "power_kw": power_kw,
        "presence": "here",
        "arrival_level_fraction": 0.0,
        "departure_level_fraction": 1.0,
    }
    grid = GRID | {"import_price_eur_per_kwh": 0.2}
    return {"grid": grid, "car": car}, {"here": here}


def test_a_window_that_fails_is_solved_again_together_with_the_one_before():
    """Only the second window knows that the car leaves in its first step; by then it is too late to fill it."""
    parts, series = car_that_leaves_after(5, power_kw=5, needs_kwh=20)
    run = house(parts, series, 4, foresight="window").dispatch()
    assert run.status is Status.FEASIBLE
    assert run.states["car.level_kwh"][4] == pytest.approx(20)


def test_what_no_few_windows_can_mend_has_failed_and_says_where_it_got_stuck():
    parts, series = car_that_leaves_after(8, power_kw=1, needs_kwh=8)
    blind = house(parts, series, 1, foresight="window").dispatch()
    assert blind.status is Status.FAILED
    assert blind.solution.message == (
        "no dispatch of steps 6 to 11 follows from what was decided before: "
        "car: its level cannot be kept in step 8"
    )
    assert blind.solution.values == {}
    seeing = house(parts, series, 1, foresight="horizon").dispatch()
    assert seeing.status is Status.OPTIMAL
    assert seeing.states["car.level_kwh"][7] == pytest.approx(8)


@pytest.mark.parametrize("foresight", ["horizon", "window"])
def test_one_window_over_all_is_the_milps_own_answer(foresight):
    parts = {"grid": GRID, "battery": BATTERY, "load": LOAD}
    one = house(parts, CHEAP_THEN_DEAR, 6, 2, foresight=foresight).dispatch()
    other = house(parts, CHEAP_THEN_DEAR, 6, 2, method="milp").dispatch()
    assert (one.status, one.solution.message) == (Status.OPTIMAL, other.solution.message)
    assert one.kpis == other.kpis


def test_steps_shorter_than_an_hour_make_windows_of_as_many_hours():
    parts = {"grid": GRID, "battery": BATTERY, "load": LOAD}
    series = {name: np.repeat(values, 4) for name, values in CHEAP_THEN_DEAR.items()}
    rolling = house(parts, series, 4, 2, foresight="window")
    horizon = rolling.system.horizon.with_changes(step_minutes=15)
    quarter = Dispatcher(
        rolling.system.model_copy(update={"horizon": horizon}),
        rolling.engine.reference.setting.series,
        rolling.engine.reference.solver,
    )
    assert quarter.dispatch().kpis["total_cost"] == pytest.approx(2 * 0.1 + 2 * 0.5)


def test_a_look_ahead_as_long_as_what_is_kept_is_refused():
    with pytest.raises(ValidationError, match=r"overlap_hours \(24\) must be below window_hours \(24\)"):
        SolverSettings(window_hours=24, overlap_hours=24)


def test_a_limit_tells_how_far_the_windows_got():
    rolling = house({"grid": GRID, "battery": BATTERY, "load": LOAD}, CHEAP_THEN_DEAR, 2)
    compiled = rolling.engine.compiled(rolling.engine.reference)
    program = compiled.linear_program(rolling.case())
    plan = Plan(2, 0, 1e-4, np.full(program.cost.size, np.nan))
    rolled = roll(rolling.engine.highs, program, compiled.windows, plan, Clock(0.0))
    assert (rolled.status, rolled.x) == (Status.FAILED, None)
    assert rolled.message == "time limit reached with a dispatch up to step 0 of 8"


def test_a_stretch_over_the_whole_horizon_is_the_whole_program():
    rolling = house({"grid": CHARGED, "battery": WORN, "load": LOAD}, {"load": [1, 2, 3]}, 2)
    compiled = rolling.engine.compiled(rolling.engine.reference)
    program = compiled.linear_program(rolling.case())
    nothing = np.full(program.cost.size, np.nan)
    part = compiled.windows.program_of(program, compiled.windows.cut(0, 3), nothing, nothing)
    same = replace(part, starts=program.starts, rows=program.rows, values=program.values)
    for name, value in vars(program).items():
        assert np.array_equal(getattr(same, name), value), name
    assert (part.matrix.toarray() == program.matrix.toarray()).all()
