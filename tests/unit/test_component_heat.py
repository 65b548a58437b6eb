"""Heat and cold by hand: sun, district heat, cooling."""

from __future__ import annotations

import numpy as np
import pytest

from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": 0.3, "import_co2_kg_per_kwh": 0.4}
HEAT = {"type": "heat_demand", "profile": "heat"}
NETWORK = {
    "type": "district_heat",
    "import_price_eur_per_kwh": 0.12,
    "import_co2_kg_per_kwh": 0.1,
    "renewable_fraction": 0.25,
}
COLLECTORS = {"type": "solar_thermal", "capacity_kw": 4, "profile": "sun"}


def house(components, minutes=60, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": components})
    return Dispatcher(system, {name: np.asarray(values, dtype=float) for name, values in series.items()})


@pytest.mark.parametrize(("minutes", "hours"), [(60, 1.0), (15, 0.25)])
def test_collectors_give_what_the_sun_offers_and_no_more_than_is_wanted(minutes, hours):
    parts = {"collectors": COLLECTORS, "network": NETWORK, "heat": HEAT}
    run = house(parts, minutes, heat=[3, 3], sun=[0.5, 1]).dispatch()
    assert run.flows["collectors.heat_kw"] == pytest.approx([2, 3])
    assert run.flows["network.import_kw"] == pytest.approx([1, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(0.12 * hours)
    assert run.kpis["total_co2"] == pytest.approx(0.1 * hours)
    assert run.kpis["renewable_fraction"] == pytest.approx((5 + 0.25) / 6)
    assert run.kpis["total_generation_kwh"] == 0


def test_district_heat_helps_up_to_its_limit_and_its_price_may_be_a_profile():
    network = NETWORK | {"import_limit_kw": 2, "import_price_eur_per_kwh": {"profile": "price"}}
    rod = {"type": "electric_boiler", "capacity_kw": 9}
    parts = {"grid": GRID, "network": network, "rod": rod, "heat": HEAT}
    run = house(parts, heat=[3, 1], price=[0.1, 0.5]).dispatch()
    assert run.flows["network.import_kw"] == pytest.approx([2, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.1 + 1 * 0.3 + 1 * 0.3)
    assert run.kpis["renewable_fraction"] == pytest.approx(0.5 / 4)


def test_a_chiller_takes_cooling_over_cop_and_that_is_demand():
    chiller = {"type": "chiller", "capacity_kw": 6, "cop": {"profile": "cop"}}
    cold = {"type": "cooling_demand", "profile": "cold"}
    run = house({"grid": GRID, "chiller": chiller, "cold": cold}, cold=[6, 3], cop=[3, 2]).dispatch()
    assert run.flows["chiller.electricity_kw"] == pytest.approx([2, 1.5])
    assert run.kpis["total_cost"] == pytest.approx(3.5 * 0.3)
    assert run.kpis["total_demand_kwh"] == pytest.approx(3.5)


def test_cooling_beyond_the_chiller_is_infeasible_or_unserved():
    chiller = {"type": "chiller", "capacity_kw": 4, "cop": 4}
    cold = {"type": "cooling_demand", "profile": "cold"}
    assert house({"grid": GRID, "c": chiller, "cold": cold}, cold=[6]).dispatch().status is Status.INFEASIBLE
    warm = cold | {"unserved_price_eur_per_kwh": 1}
    run = house({"grid": GRID, "c": chiller, "cold": warm}, cold=[6]).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(1 * 0.3 + 2 * 1)
