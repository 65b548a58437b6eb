"""Water by hand: tariffs, rain, tanks and pumps."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.components import COMPONENT_TYPES
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

MAINS = {"type": "water_grid", "import_price_eur_per_m3": 4, "import_co2_kg_per_m3": 0.5}
TAPS = {"type": "water_demand", "profile": "taps"}
ROOF = {"type": "rainwater_source", "profile": "rain", "catchment_area_m2": 100}
TANK = {"type": "water_tank", "capacity_m3": 3, "initial_level_fraction": 0}
CISTERN = {"carriers": {"water": "water@cistern"}}
PUMP = {
    "type": "pump",
    "from_node": "water@cistern",
    "capacity_m3_per_hour": 2,
    "electricity_kwh_per_m3": 0.5,
}
GRID = {"type": "grid", "import_price_eur_per_kwh": 0.3}


def house(components, minutes=60, economics=None, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    data = {"system": "house", "horizon": horizon, "components": components, "economics": economics or {}}
    arrays = {name: np.asarray(values, dtype=float) for name, values in series.items()}
    return Dispatcher(System.model_validate(data), arrays)


@pytest.mark.parametrize(("minutes", "hours"), [(60, 1.0), (15, 0.25)])
def test_water_is_billed_and_emits_by_the_cubic_metre(minutes, hours):
    run = house(
        {"mains": MAINS, "taps": TAPS | {"scale": 2}}, minutes, {"co2_price_eur_per_kg": 0.1}, taps=[0.1, 0.2]
    ).dispatch()
    assert run.flows["mains.import_m3_per_hour"] == pytest.approx([0.2, 0.4])
    assert run.kpis["total_co2"] == pytest.approx(0.3 * hours)
    assert run.kpis["total_cost"] == pytest.approx((0.6 * 4 + 0.03) * hours)
    assert run.kpis["water_demand_m3"] == pytest.approx(0.6 * hours)
    assert run.kpis["water_self_sufficiency_rate"] == 0
    assert run.kpis["total_demand_kwh"] == 0


def test_a_roof_catches_its_share_of_the_rain():
    parts = {"mains": MAINS, "roof": ROOF | {"runoff_coefficient": 0.5}, "taps": TAPS}
    # 100 m² · 10 mm/h · 0.5 = 0.5 m³/h; 20 mm/h offer more than is wanted.
    run = house(parts, taps=[0.8, 0.8], rain=[10, 20]).dispatch()
    assert run.flows["roof.rain_m3_per_hour"] == pytest.approx([0.5, 0.8])
    assert run.kpis["total_cost"] == pytest.approx(0.3 * 4)
    assert run.kpis["rainwater_use_m3"] == pytest.approx(1.3)
    assert run.kpis["water_self_sufficiency_rate"] == pytest.approx(1.3 / 1.6)


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_tank_keeps_rain_for_later_and_loses_its_share(minutes):
    hours = minutes / 60
    tank = TANK | {"loss_fraction_per_hour": 0.1, "cyclic": False}
    parts = {"mains": MAINS, "roof": ROOF, "tank": tank, "taps": TAPS}
    run = house(parts, minutes, taps=[0, 0, 1], rain=[10, 0, 0]).dispatch()
    left = 0.8 * hours * 0.9 ** (2 * hours)
    assert run.states["tank.level_m3"] == pytest.approx([0.8 * hours, 0.8 * hours * 0.9**hours, 0])
    assert run.kpis["total_cost"] == pytest.approx((hours - left) * 4)


def test_a_tank_that_is_full_overflows():
    tank = TANK | {"initial_level_fraction": 1, "cyclic": False, "min_level_fraction": 0.5}
    spring = {"mains": MAINS | {"import_price_eur_per_m3": -1, "import_limit_m3_per_hour": 2}}
    run = house(spring | {"tank": tank, "taps": TAPS}, taps=[0.5]).dispatch()
    assert run.solution.values["tank"]["overflow_m3_per_hour"][0] >= 1.5 - 1e-9
    assert run.states["tank.level_m3"][0] <= 3 + 1e-9
    assert run.kpis["total_cost"] == pytest.approx(-2)


def test_rain_that_overflows_was_not_used():
    tank = TANK | {"cyclic": False, "flow_limit_m3_per_hour": 1}
    run = house(
        {"mains": MAINS, "roof": ROOF, "tank": tank, "taps": TAPS}, taps=[0, 5], rain=[50, 0]
    ).dispatch()
    assert run.flows["tank.outflow_m3_per_hour"] == pytest.approx([0, 1], abs=1e-9)
    assert run.kpis["rainwater_use_m3"] <= 1 + 1e-9
    assert run.kpis["total_cost"] == pytest.approx(4 * 4)


def test_a_pump_lifts_rain_from_its_cistern_for_electricity():
    parts = {
        "grid": GRID,
        "mains": MAINS,
        "roof": ROOF | CISTERN,
        "tank": TANK | CISTERN,
        "pump": PUMP,
        "taps": TAPS,
    }
    run = house(parts, taps=[0, 1, 3], rain=[25, 25, 0]).dispatch()
    # 2 m³ fall in each of the first two hours; the tank holds 3, and the pump lifts 2 an hour.
    assert run.flows["pump.pumped_m3_per_hour"] == pytest.approx([0, 1, 2], abs=1e-9)
    assert run.flows["pump.electricity_kw"] == pytest.approx([0, 0.5, 1], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(1 * 4 + 1.5 * 0.3)
    assert run.kpis["total_demand_kwh"] == pytest.approx(1.5)
    assert run.kpis["water_self_sufficiency_rate"] == pytest.approx(3 / 4)


def test_rain_that_costs_more_to_lift_than_water_from_the_mains_stays_where_it_is():
    pump = PUMP | {"electricity_kwh_per_m3": 20}
    parts = {"grid": GRID, "mains": MAINS, "roof": ROOF | CISTERN, "pump": pump, "taps": TAPS}
    run = house(parts, taps=[1], rain=[25]).dispatch()
    assert run.flows["pump.pumped_m3_per_hour"] == pytest.approx([0], abs=1e-9)


def test_unserved_water_has_its_price_and_its_figure():
    taps = TAPS | {"unserved_price_eur_per_m3": 50}
    run = house({"mains": MAINS | {"import_limit_m3_per_hour": 1}, "taps": taps}, 30, taps=[3]).dispatch()
    assert run.kpis["total_cost"] == pytest.approx((1 * 4 + 2 * 50) / 2)
    assert run.kpis["unserved_water_m3"] == pytest.approx(1)
    assert run.kpis["water_demand_m3"] == pytest.approx(0.5)


def test_what_is_short_of_water_is_told_in_cubic_metres():
    parts = {"mains": MAINS | {"import_limit_m3_per_hour": 1}, "taps": TAPS}
    run = house(parts, 30, taps=[3]).dispatch(explain=True)
    assert run.status is Status.INFEASIBLE
    assert "the balance of water is short in 1 step, by up to 2 m³/h" in run.solution.conflict[0]
    assert "(1 m³ in all)" in run.solution.conflict[0]


def test_every_series_tells_its_unit():
    parts = {"grid": GRID, "mains": MAINS, "roof": ROOF | CISTERN, "tank": TANK | CISTERN, "pump": PUMP}
    battery = {"type": "battery", "capacity_kwh": 1, "power_kw": 1}
    units = house(parts | {"battery": battery, "taps": TAPS}, taps=[1], rain=[1]).dispatch().units
    assert units["mains.import_m3_per_hour"] == "m³/h"
    assert units["tank.level_m3"] == "m³"
    assert units["pump.electricity_kw"] == "kW"
    assert units["battery.level_kwh"] == "kWh"


def test_tanks_and_pumps_are_paid_for_by_volume_and_flow():
    tank = TANK | {"investment_eur_per_m3": 100, "fixed_cost_eur_per_m3_year": 2, "lifetime_years": 10}
    pump = PUMP | {"investment_eur_per_m3_per_hour": 50, "fixed_cost_eur_per_m3_per_hour_year": 3}
    parts = {"grid": GRID, "mains": MAINS, "roof": ROOF | CISTERN, "tank": tank | CISTERN, "pump": pump}
    run = house(parts | {"taps": TAPS}, 60, {"discount_rate": 0}, taps=[0], rain=[0]).dispatch()
    assert run.accounts["tank"].yearly_cost_eur * 8760 == pytest.approx(3 * (100 / 10 + 2))
    assert run.accounts["pump"].yearly_cost_eur * 8760 == pytest.approx(2 * (50 / 20 + 3))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PUMP | {"from_node": "heat"}, "'heat' must be water"),
        (PUMP | {"from_node": "water"}, "the same node"),
        (TANK | {"min_level_fraction": 0.5}, "below min_level_fraction"),
        (ROOF | {"runoff_coefficient": 1.1}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(data, message):
    with pytest.raises(ValidationError, match=message):
        COMPONENT_TYPES[data["type"]].model_validate(data)
