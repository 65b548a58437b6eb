"""Electric cars by hand: where they are, what they bring back, and what they give to the house."""

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
CAR = {
    "type": "ev_charger",
    "capacity_kwh": 50,
    "power_kw": 10,
    "presence": "here",
    "departure_level_fraction": 0.8,
}


def house(components, minutes=60, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": components})
    return Dispatcher(system, {name: np.asarray(values, dtype=float) for name, values in series.items()})


def test_a_car_that_comes_back_half_full_is_charged_in_the_cheap_hours_before_it_leaves():
    car = CAR | {"arrival_level_fraction": 0.5}
    run = house(
        {"grid": GRID, "car": car},
        here=[0, 1, 1, 1, 0, 0],
        price=[0.1, 0.4, 0.2, 0.3, 0.1, 0.1],
    ).dispatch()
    # 25 kWh on arrival, 40 on departure: 10 kW at 0.2 and 5 kW at 0.3.
    assert run.flows["car.charge_kw"] == pytest.approx([0, 0, 10, 5, 0, 0], abs=1e-9)
    assert run.states["car.level_kwh"] == pytest.approx([25, 25, 35, 40, 40, 40])
    assert run.kpis["total_cost"] == pytest.approx(10 * 0.2 + 5 * 0.3)
    assert run.kpis["total_demand_kwh"] == pytest.approx(15)


def test_every_return_begins_with_the_level_of_arrival():
    car = CAR | {"arrival_level_fraction": 0.5}
    run = house({"grid": GRID, "car": car}, here=[1, 1, 0, 1, 1, 0, 1], price=[0.3] * 7).dispatch()
    assert run.states["car.level_kwh"][[1, 2, 4, 5, 6]] == pytest.approx([40, 40, 40, 40, 25])
    assert run.kpis["total_demand_kwh"] == pytest.approx(30)


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_driving_lowers_the_level_while_the_car_is_away(minutes):
    hours = minutes / 60
    car = CAR | {"driving": {"profile": "road", "scale": 2}, "departure_level_fraction": 0, "power_kw": 20}
    run = house(
        {"grid": GRID, "car": car}, minutes, here=[1, 0, 0, 1], road=[0, 3, 4, 0], price=[0.3] * 4
    ).dispatch()
    level = run.states["car.level_kwh"]
    assert level[2] == pytest.approx(level[0] - 14 * hours)
    assert level[3] == pytest.approx(25)
    assert run.kpis["total_demand_kwh"] == pytest.approx(14 * hours)


def test_losses_are_paid_for():
    car = CAR | {"arrival_level_fraction": 0.5, "charge_efficiency_fraction": 0.75, "power_kw": 30}
    run = house({"grid": GRID, "car": car}, here=[1, 0], price=[0.3, 0.3]).dispatch()
    assert run.flows["car.charge_kw"] == pytest.approx([20, 0], abs=1e-9)


def test_a_car_gives_to_the_house_where_its_charger_can():
    series = {"here": [1, 1, 1], "load": [0, 4, 0], "price": [0.1, 0.5, 0.2]}
    car = CAR | {"arrival_level_fraction": 0.5}
    back = car | {"discharge_power_kw": 3, "discharge_efficiency_fraction": 0.75}
    plain = house({"grid": GRID, "load": LOAD, "car": car}, **series).dispatch()
    giving = house({"grid": GRID, "load": LOAD, "car": back}, **series).dispatch()
    assert plain.kpis["total_cost"] == pytest.approx(4 * 0.5)
    assert "car.discharge_kw" not in plain.flows
    # 3 kWh given back take 4 kWh, bought at 0.1.
    assert giving.kpis["total_cost"] == pytest.approx(1 * 0.5 + 4 * 0.1)
    assert giving.flows["car.discharge_kw"] == pytest.approx([0, 3, 0], abs=1e-9)
    assert giving.kpis["total_demand_kwh"] == pytest.approx(4 + (4 - 3))
    assert giving.kpis["total_generation_kwh"] == 0


def test_wear_is_paid_for_what_is_given_back():
    car = CAR | {"arrival_level_fraction": 0.5, "discharge_power_kw": 3, "throughput_cost_eur_per_kwh": 0.2}
    series = {"here": [1, 1], "load": [0, 3], "price": [0.1, 0.5]}
    run = house({"grid": GRID, "load": LOAD, "car": car}, **series).dispatch()
    assert run.accounts["car"].operation_cost_eur == pytest.approx(3 * 0.2)
    dear = house({"grid": GRID, "load": LOAD, "car": car | {"throughput_cost_eur_per_kwh": 0.5}}, **series)
    assert dear.dispatch().accounts["car"].operation_cost_eur == pytest.approx(0, abs=1e-9)


def test_a_car_that_gives_nothing_back_has_no_wear_to_pay_for():
    car = CAR | {"arrival_level_fraction": 0.5, "throughput_cost_eur_per_kwh": 0.2}
    run = house({"grid": GRID, "car": car}, here=[0, 1, 1, 0], price=[0.1] * 4).dispatch()
    assert run.accounts["car"].operation_cost_eur == 0
    assert run.kpis["total_cost"] == pytest.approx(15 * 0.1)


def test_a_car_is_never_charged_and_discharged_at_once_even_where_wasting_pays():
    car = CAR | {
        "arrival_level_fraction": 0.8,
        "discharge_power_kw": 10,
        "charge_efficiency_fraction": 0.5,
        "capacity_kwh": 10,
    }
    run = house({"grid": GRID, "car": car}, here=[1, 1, 1], price=[-0.5, -0.5, -0.5]).dispatch()
    both = np.minimum(run.flows["car.charge_kw"], run.flows["car.discharge_kw"])
    assert both.max() <= 1e-6
    assert run.status is Status.OPTIMAL


def test_a_step_in_which_the_car_is_there_in_part_has_that_part_of_the_power():
    car = CAR | {"arrival_level_fraction": 0.5, "departure_level_fraction": 0.6}
    run = house({"grid": GRID, "car": car}, here=[0.5, 0], price=[0.3, 0.3]).dispatch()
    assert run.flows["car.charge_kw"] == pytest.approx([5, 0], abs=1e-9)
    car = CAR | {"arrival_level_fraction": 0.5, "departure_level_fraction": 0.61}
    run = house({"grid": GRID, "car": car}, here=[0.5, 0], price=[0.3, 0.3]).dispatch()
    assert run.status is Status.INFEASIBLE


def test_after_the_last_step_the_level_is_at_least_the_one_it_began_with():
    car = CAR | {"driving": "road", "initial_level_fraction": 0.9, "departure_level_fraction": 0}
    run = house({"grid": GRID, "car": car}, here=[0, 1], road=[5, 0], price=[0.3, 0.3]).dispatch()
    assert run.flows["car.charge_kw"] == pytest.approx([0, 5], abs=1e-9)
    assert run.states["car.level_kwh"] == pytest.approx([40, 45])


def test_a_free_fill_up_may_end_above_where_it_began():
    car = CAR | {"arrival_level_fraction": 0.5}
    run = house({"grid": GRID, "car": car}, here=[1, 1], price=[-0.1, -0.1]).dispatch()
    assert run.states["car.level_kwh"][-1] == pytest.approx(45)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "either driving or arrival_level_fraction"),
        ({"arrival_level_fraction": 0.5, "driving": "road"}, "either driving or arrival_level_fraction"),
        ({"arrival_level_fraction": 0.9}, "below arrival_level_fraction"),
        ({"arrival_level_fraction": 0.5, "presence": 3}, "presence"),
    ],
)
def test_what_cannot_be_meant_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        COMPONENT_TYPES["ev_charger"].model_validate(CAR | change)
