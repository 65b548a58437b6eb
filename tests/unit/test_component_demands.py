"""Demands by hand: what stays unserved, and what moves within its window."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.components import COMPONENT_TYPES
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": {"profile": "price"}, "export_limit_kw": 0}
LOAD = {"type": "power_demand", "profile": "load"}
SHIFTABLE = {"type": "shiftable_demand", "profile": "load", "window_hours": 2}


def house(components, minutes=60, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": components})
    return Dispatcher(system, {name: np.asarray(values, dtype=float) for name, values in series.items()})


@pytest.mark.parametrize(("minutes", "hours"), [(60, 1.0), (15, 0.25)])
def test_what_the_grid_cannot_give_stays_unserved_at_its_price(minutes, hours):
    load = LOAD | {"unserved_price_eur_per_kwh": 10}
    parts = {"grid": GRID | {"import_limit_kw": 2}, "load": load}
    run = house(parts, minutes, load=[1, 5], price=[0.3, 0.3]).dispatch()
    assert run.flows["load.electricity_kw"] == pytest.approx([1, 2])
    assert run.solution.values["load"]["unserved_kw"] == pytest.approx([0, 3])
    assert run.kpis["total_cost"] == pytest.approx((3 * 0.3 + 3 * 10) * hours)
    assert run.accounts["load"].operation_cost_eur == pytest.approx(30 * hours)
    assert run.kpis["total_demand_kwh"] == pytest.approx(3 * hours)


def test_demand_stays_unserved_where_that_is_cheaper_and_no_more_than_all_of_it():
    load = LOAD | {"unserved_price_eur_per_kwh": 0.5}
    run = house({"grid": GRID, "load": load}, load=[1, 2], price=[0.6, 0.4]).dispatch()
    assert run.flows["load.electricity_kw"] == pytest.approx([0, 2], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(0.5 + 0.8)


def test_without_a_price_all_must_be_served():
    parts = {"grid": GRID | {"import_limit_kw": 2}, "load": LOAD}
    assert house(parts, load=[1, 5], price=[0.3, 0.3]).dispatch().status is Status.INFEASIBLE


def test_a_heat_demand_may_stay_unserved_too():
    heat = {"type": "heat_demand", "profile": "load", "unserved_price_eur_per_kwh": 2}
    rod = {"type": "electric_boiler", "capacity_kw": 3}
    run = house({"grid": GRID, "rod": rod, "heat": heat}, load=[4], price=[0.3]).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(3 * 0.3 + 2)


def test_a_shiftable_demand_runs_in_the_cheap_hour_of_each_window():
    run = house({"grid": GRID, "wash": SHIFTABLE}, load=[1, 2, 4, 0], price=[0.1, 0.3, 0.5, 0.2]).dispatch()
    assert run.flows["wash.electricity_kw"] == pytest.approx([3, 0, 0, 4], abs=1e-9)
    assert run.states["wash.backlog_kwh"] == pytest.approx([-2, 0, 4, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(3 * 0.1 + 4 * 0.2)
    assert run.kpis["total_demand_kwh"] == pytest.approx(7)


def test_a_maximum_power_spreads_it_over_more_hours():
    wash = SHIFTABLE | {"window_hours": 3, "max_power_kw": 2}
    run = house({"grid": GRID, "wash": wash}, load=[3, 0, 0], price=[0.3, 0.1, 0.2]).dispatch()
    assert run.flows["wash.electricity_kw"] == pytest.approx([0, 2, 1], abs=1e-9)


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_each_window_keeps_its_energy_and_the_last_one_ends_with_the_horizon(minutes):
    rng = np.random.default_rng(5)
    load, price = rng.uniform(0, 2, 23), rng.uniform(0.1, 0.5, 23)
    wash = SHIFTABLE | {"window_hours": 4 * minutes / 60, "scale": 1.5, "max_power_kw": 4}
    run = house({"grid": GRID, "wash": wash}, minutes, load=load, price=price).dispatch()
    served = run.flows["wash.electricity_kw"]
    assert served.max() <= 4 + 1e-9
    assert np.ptp(served) > 1
    for first in range(0, 23, 4):
        window = slice(first, first + 4)
        assert served[window].sum() == pytest.approx(1.5 * load[window].sum(), abs=1e-7)


def test_a_window_of_one_step_or_less_leaves_the_wish_as_it_is():
    wash = SHIFTABLE | {"window_hours": 0.1}
    run = house({"grid": GRID, "wash": wash}, load=[1, 2], price=[0.3, 0.1]).dispatch()
    assert run.flows["wash.electricity_kw"] == pytest.approx([1, 2])


def test_a_power_too_low_for_a_window_is_infeasible_and_says_so():
    one = house({"grid": GRID, "wash": SHIFTABLE | {"max_power_kw": 1}}, load=[1, 2], price=[0.3, 0.1])
    run = one.dispatch(explain=True)
    assert run.status is Status.INFEASIBLE
    assert any("wash: its backlog" in line for line in run.solution.conflict)


def test_commitments_are_refused():
    with pytest.raises(ValidationError, match="min_load_fraction"):
        COMPONENT_TYPES["shiftable_demand"].model_validate(SHIFTABLE | {"min_load_fraction": 0.3})
