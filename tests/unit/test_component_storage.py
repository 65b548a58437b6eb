"""Storages by hand: (S1) step by step, ends, floors and limits."""

from __future__ import annotations

import numpy as np
import pytest

from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": {"profile": "price"}, "export_limit_kw": 0}
LOAD = {"type": "power_demand", "profile": "load"}


def house(components, series, minutes=60):
    horizon = {"start": "2019-01-01T00:00", "steps": len(series["load"]), "step_minutes": minutes}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": components})
    return Dispatcher(system, {name: np.asarray(values, dtype=float) for name, values in series.items()})


def with_store(load, price, minutes=60, kind="battery", **attributes):
    store = {"type": kind, "capacity_kwh": 10, "power_kw": 5} | attributes
    return house({"grid": GRID, "store": store, "load": LOAD}, {"load": load, "price": price}, minutes)


@pytest.mark.parametrize("minutes", [15, 30, 60])
@pytest.mark.parametrize("kind", ["battery", "heat_buffer"])
def test_a_store_at_rest_loses_its_share_of_each_hour(minutes, kind):
    store = {
        "type": kind,
        "capacity_kwh": 10,
        "power_kw": 0,
        "initial_level_fraction": 0.8,
        "self_discharge_fraction_per_hour": 0.1,
        "cyclic": False,
    }
    run = house({"store": store}, {"load": np.zeros(4)}, minutes).dispatch()
    hours = minutes / 60 * np.arange(1, 5)
    assert run.states["store.level_kwh"] == pytest.approx(8 * 0.9**hours, abs=1e-12)


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_levels_follow_s1_step_by_step(minutes):
    rng = np.random.default_rng(4)
    load, price = rng.uniform(0, 3, 24), rng.uniform(0.1, 0.5, 24)
    run = with_store(
        load,
        price,
        minutes,
        charge_efficiency_fraction=0.9,
        discharge_efficiency_fraction=0.8,
        self_discharge_fraction_per_hour=0.02,
        initial_level_fraction=0.3,
    ).dispatch()
    level, hours = 3.0, minutes / 60
    charge, discharge = run.flows["store.charge_kw"], run.flows["store.discharge_kw"]
    assert charge.max() > 0.1
    for step in range(24):
        level = level * 0.98**hours + (0.9 * charge[step] - discharge[step] / 0.8) * hours
        assert run.states["store.level_kwh"][step] == pytest.approx(level, abs=1e-7)
    assert level == pytest.approx(3.0, abs=1e-6)


def test_a_free_end_gives_all_it_holds_and_a_cyclic_one_nothing():
    free = with_store([1, 1, 1], [0.3] * 3, initial_level_fraction=0.2, cyclic=False).dispatch()
    cyclic = with_store([1, 1, 1], [0.3] * 3, initial_level_fraction=0.2).dispatch()
    assert free.kpis["total_cost"] == pytest.approx((3 - 2) * 0.3)
    assert free.states["store.level_kwh"][-1] == pytest.approx(0, abs=1e-9)
    assert cyclic.kpis["total_cost"] == pytest.approx(3 * 0.3)
    assert cyclic.states["store.level_kwh"][-1] == pytest.approx(2)


def test_the_discharge_efficiency_is_paid_on_the_way_out():
    store = {"initial_level_fraction": 0.2, "cyclic": False, "discharge_efficiency_fraction": 0.5}
    run = with_store([1, 1, 1], [0.3] * 3, **store).dispatch()
    assert run.kpis["total_cost"] == pytest.approx((3 - 2 * 0.5) * 0.3)


def test_a_floor_keeps_what_lies_below_it():
    store = {"initial_level_fraction": 0.5, "min_level_fraction": 0.4, "cyclic": False}
    run = with_store([1, 1, 1], [0.3] * 3, **store).dispatch()
    assert run.kpis["total_cost"] == pytest.approx((3 - 1) * 0.3)
    assert run.states["store.level_kwh"].min() == pytest.approx(4)


def test_a_level_that_starts_below_its_floor_is_raised_in_the_first_step():
    store = {"initial_level_fraction": 0.1, "min_level_fraction": 0.4, "cyclic": False}
    run = with_store([1, 0], [0.3, 0.3], **store).dispatch()
    assert run.flows["store.charge_kw"] == pytest.approx([3, 0], abs=1e-9)


def test_capacity_power_and_both_powers_limit_what_is_shifted():
    price, load = [0.1, 0.1, 0.5], [0, 0, 9]
    by_power = with_store(load, price, power_kw=2, initial_level_fraction=0).dispatch()
    by_charge = with_store(load, price, charge_power_kw=0.5, initial_level_fraction=0).dispatch()
    by_discharge = with_store(load, price, discharge_power_kw=1.5, initial_level_fraction=0).dispatch()
    by_capacity = with_store(load, price, capacity_kwh=3, initial_level_fraction=0).dispatch()
    for run, shifted in [(by_power, 2), (by_charge, 1), (by_discharge, 1.5), (by_capacity, 3)]:
        assert run.kpis["total_cost"] == pytest.approx(shifted * 0.1 + (9 - shifted) * 0.5)


def test_wear_is_paid_for_each_kwh_discharged_and_enters_the_decision():
    store = {"initial_level_fraction": 0, "throughput_cost_eur_per_kwh": 0.15}
    used = with_store([0, 2], [0.1, 0.3], 30, **store).dispatch()
    dear = with_store([0, 2], [0.1, 0.3], 30, **(store | {"throughput_cost_eur_per_kwh": 0.25})).dispatch()
    assert used.kpis["total_cost"] == pytest.approx(1 * (0.1 + 0.15))
    assert used.accounts["store"].operation_cost_eur == pytest.approx(0.15)
    assert dear.kpis["total_cost"] == pytest.approx(1 * 0.3)


def test_holding_is_paid_for_each_kwh_and_hour_and_enters_the_decision():
    store = {"initial_level_fraction": 0, "holding_cost_eur_per_kwh_hour": 0.1}
    used = with_store([0, 0, 2], [0.1, 0.2, 0.5], 30, **store).dispatch()
    # 1 kWh is bought half an hour before it is used: 0.2 and 0.05 for holding; earlier at 0.1 it were 0.1 + 0.1.
    assert used.flows["store.charge_kw"] == pytest.approx([2, 0, 0], abs=1e-9)
    assert used.kpis["total_cost"] == pytest.approx(0.1 + 0.1 * (0.5 + 0.5))
    assert used.accounts["store"].operation_cost_eur == pytest.approx(0.1)
    assert used.solution.objective_eur == pytest.approx(0.2)
    late = with_store([0, 0, 2], [0.18, 0.2, 0.5], 30, **store).dispatch()
    assert late.flows["store.charge_kw"] == pytest.approx([0, 2, 0], abs=1e-9)
    assert late.kpis["total_cost"] == pytest.approx(0.2 + 0.05)
    dear = with_store(
        [0, 0, 2], [0.1, 0.2, 0.5], 30, **(store | {"holding_cost_eur_per_kwh_hour": 1})
    ).dispatch()
    assert dear.kpis["total_cost"] == pytest.approx(0.5)


def test_what_is_left_after_the_last_step_is_held_for_that_step():
    store = {"initial_level_fraction": 0.4, "holding_cost_eur_per_kwh_hour": 0.1}
    cyclic = with_store([4, 0], [0.1, 0.1], **store).dispatch()
    free = with_store([4, 0], [0.1, 0.1], cyclic=False, **store).dispatch()
    assert cyclic.states["store.level_kwh"] == pytest.approx([0, 4], abs=1e-9)
    assert cyclic.kpis["total_cost"] == pytest.approx(4 * 0.1 + 4 * 0.1)
    assert free.kpis["total_cost"] == pytest.approx(0, abs=1e-9)


def test_a_store_without_capacity_does_nothing():
    run = with_store([1, 2], [0.1, 0.3], capacity_kwh=0).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(0.7)
    assert run.flows["store.charge_kw"] == pytest.approx([0, 0], abs=1e-9)


def test_a_cyclic_store_that_cannot_make_up_for_its_losses_is_infeasible():
    store = {
        "type": "heat_buffer",
        "capacity_kwh": 10,
        "power_kw": 5,
        "self_discharge_fraction_per_hour": 0.1,
    }
    run = house({"store": store}, {"load": np.zeros(3)}).dispatch()
    assert run.status is Status.INFEASIBLE
    assert run.kpis == {}
    assert run.solution.values == {}
