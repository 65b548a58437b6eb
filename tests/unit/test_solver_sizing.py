"""Capacities that are left to the solver."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.errors import InputError
from schema.loading import load_system
from schema.study import SolverSettings
from schema.system import HOURS_PER_YEAR, System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

EXACT = SolverSettings(mip_gap_fraction=1e-7)


def dispatcher(components, series, economics=None, solver=EXACT):
    horizon = {"start": "2019-01-01T00:00", "steps": len(next(iter(series.values())))}
    system = System.model_validate(
        {"system": "house", "horizon": horizon, "economics": economics or {}, "components": components}
    )
    return Dispatcher(system, {k: np.asarray(v, dtype=float) for k, v in series.items()}, solver)


def from_to(low, high, **more):
    return {"optimise": {"min": low, "max": high, **more}}


def sunny(capacity, investment):
    """A load of 1, 2, 3 and 4 kW under a steady sun, beside a grid at 1 €/kWh that takes nothing back."""
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": 1,
            "export_price_eur_per_kwh": 0,
            "export_limit_kw": 0,
        },
        "pv": {
            "type": "solar_pv",
            "capacity_kw": capacity,
            "profile": "sun",
            "investment_eur_per_kw": investment,
            "lifetime_years": 1,
        },
        "load": {"type": "power_demand", "profile": "load"},
    }
    return dispatcher(parts, {"sun": [1] * 4, "load": [1, 2, 3, 4]}, {"discount_rate": 0})


PER_KW = HOURS_PER_YEAR / 4
"""Investment [€/kW] that weighs 1 € over four hours."""


@pytest.mark.parametrize(("worth", "capacity"), [(0.5, 4), (1.5, 3), (2.5, 2), (3.5, 1), (4.5, 0)])
def test_a_capacity_grows_until_its_next_kilowatt_saves_less_than_it_costs(worth, capacity):
    # The k-th kW is used in 5 - k of the four hours and saves as many euros.
    run = sunny(from_to(0, 20), worth * PER_KW).dispatch()
    assert run.status is Status.OPTIMAL
    assert run.sizes["pv.capacity_kw"] == pytest.approx(capacity, abs=1e-7)
    bought = sum(max(load - capacity, 0) for load in (1, 2, 3, 4))
    assert run.kpis["total_cost"] == pytest.approx(worth * capacity + bought)


def test_the_range_is_kept():
    assert sunny(from_to(0, 2.5), 0).dispatch().sizes["pv.capacity_kw"] == pytest.approx(2.5)
    assert sunny(from_to(3.25, 20), 9 * PER_KW).dispatch().sizes["pv.capacity_kw"] == pytest.approx(3.25)


def test_whole_numbers_only_where_that_is_asked_for():
    parts = {
        "grid": {"type": "grid", "import_price_eur_per_kwh": 1, "export_price_eur_per_kwh": 0},
        "pv": {"type": "solar_pv", "capacity_kw": from_to(0, 9, integer=True), "profile": "sun"},
        "load": {"type": "power_demand", "profile": "load"},
    }
    parts["pv"] |= {"investment_eur_per_kw": 0.6 * HOURS_PER_YEAR, "lifetime_years": 1}
    # 2.5 kW would be best; the third kW costs 0.6 € and saves 0.5.
    run = dispatcher(parts, {"sun": [1], "load": [2.5]}, {"discount_rate": 0}).dispatch()
    assert run.sizes == {"pv.capacity_kw": 2.0}
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.6 + 0.5)


def a_house(seed, **capacities):
    rng = np.random.default_rng(seed)
    steps = 48
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "price"},
            "export_price_eur_per_kwh": 0.05,
            "demand_charge_eur_per_kw_month": 3,
        },
        "pv": {
            "type": "solar_pv",
            "capacity_kw": 5,
            "profile": "sun",
            "investment_eur_per_kw": 900,
            "fixed_cost_eur_per_kw_year": 12,
        },
        "battery": {
            "type": "battery",
            "capacity_kwh": 6,
            "power_kw": 3,
            "charge_efficiency_fraction": 0.95,
            "discharge_efficiency_fraction": 0.95,
            "self_discharge_fraction_per_hour": 0.001,
            "initial_level_fraction": 0.3,
            "min_level_fraction": 0.1,
            "investment_eur_per_kwh": 60,
        },
        "heat_pump": {"type": "heat_pump", "capacity_kw": 8, "cop": 3, "investment_eur_per_kw": 300},
        "boiler": {"type": "electric_boiler", "capacity_kw": 20},
        "load": {"type": "power_demand", "profile": "load"},
        "heat": {"type": "heat_demand", "profile": "heat"},
    }
    for path, value in capacities.items():
        name, _, attribute = path.partition(".")
        parts[name][attribute] = value
    day = np.arange(steps) % 24
    series = {
        "price": rng.uniform(0.1, 0.5, steps),
        "sun": np.clip(np.sin((day - 6) / 12 * np.pi), 0, None),
        "load": rng.uniform(0.2, 3, steps),
        "heat": rng.uniform(1, 6, steps),
    }
    return dispatcher(parts, series)


SIZED = {
    "pv.capacity_kw": from_to(0, 15),
    "battery.capacity_kwh": from_to(0, 20),
    "battery.power_kw": from_to(0, 10),
    "heat_pump.capacity_kw": from_to(0, 10),
}


@pytest.mark.parametrize("battery_eur_per_kwh", [20, 200, 600, 2000])
@pytest.mark.parametrize("seed", range(2))
def test_no_design_in_the_range_is_cheaper_than_the_one_that_is_chosen(seed, battery_eur_per_kwh):
    price = {"battery.investment_eur_per_kwh": battery_eur_per_kwh}
    run = a_house(seed, **SIZED, **price).dispatch()
    assert run.status is Status.OPTIMAL
    assert set(run.sizes) == set(SIZED)
    best = run.kpis["total_cost"]
    plain = a_house(seed, **price)
    assert plain.dispatch(run.sizes).kpis["total_cost"] == pytest.approx(best, rel=1e-6)
    rng = np.random.default_rng(seed)
    for spread in [0.5] * 10 + [10] * 20:
        elsewhere = {
            path: float(np.clip(size + rng.normal(0, spread), 0, SIZED[path]["optimise"]["max"]))
            for path, size in run.sizes.items()
        }
        other = plain.dispatch(elsewhere)
        assert not other.status.has_solution or other.kpis["total_cost"] >= best - 1e-6 * abs(best)


def test_a_capacity_that_a_design_states_is_no_longer_chosen():
    one = a_house(0, **SIZED)
    run = one.dispatch({"pv.capacity_kw": 4.0})
    assert run.system.components["pv"].capacity_kw == 4.0
    assert set(run.sizes) == set(SIZED) - {"pv.capacity_kw"}
    assert run.kpis["total_cost"] >= one.dispatch().kpis["total_cost"] - 1e-6


def test_other_parameters_change_what_is_chosen_without_compiling_anew():
    one = a_house(0, **SIZED)
    first = one.dispatch()
    dear = one.dispatch({"pv.investment_eur_per_kw": 90_000.0})
    assert first.sizes["pv.capacity_kw"] > 0.5
    assert dear.sizes["pv.capacity_kw"] == pytest.approx(0, abs=1e-6)
    assert len(one.engine._compiled) == 1
    again = one.dispatch()
    assert again.sizes == first.sizes


def test_an_initial_level_of_nothing_in_the_file_does_not_fix_it_for_other_designs():
    one = a_house(1, **SIZED, **{"battery.initial_level_fraction": 0.1})
    empty = {"battery.min_level_fraction": 0.0, "battery.initial_level_fraction": 0.0}
    for design in ({}, empty, {}):
        run = one.dispatch(design)
        assert run.status is Status.OPTIMAL, run.solution.message


def test_the_baseline_keeps_the_capacities_that_were_chosen():
    one = a_house(0, **SIZED)
    economics = one.system.economics.with_changes(baseline={"battery.capacity_kwh": 0.0})
    system = one.system.model_copy(update={"economics": economics})
    series = one.engine.reference.setting.series
    run = Dispatcher(system, series, EXACT).dispatch()
    without = a_house(0).dispatch(run.sizes | {"battery.capacity_kwh": 0.0})
    plain = a_house(0).dispatch(run.sizes)
    saved = without.kpis["total_cost"] - plain.kpis["total_cost"]
    assert saved >= -1e-9
    assert "npv_eur" in run.kpis


WRONG = """\
system: house
horizon: {start: 2019-01-01T00:00, steps: 2}
profiles: {load: 1.0}
components:
  grid: {type: grid, import_price_eur_per_kwh: 0.3, export_price_eur_per_kwh: 0.1}
  pv: {type: solar_pv, capacity_kw: {optimise: {min: 9, max: 2}}, profile: load}
  boiler: {type: electric_boiler, capacity_kw: 5, efficiency_fraction: {optimise: {min: 0, max: 1}}}
  load: {type: power_demand, profile: load}
  heat: {type: heat_demand, profile: load}
"""


def test_what_cannot_be_chosen_is_told_at_its_place(tmp_path):
    path = tmp_path / "house.yaml"
    path.write_text(WRONG)
    with pytest.raises(InputError) as error:
        load_system(path)
    told = {finding.path: finding for finding in error.value.findings}
    assert told["components.pv.capacity_kw"].line == 6
    assert "0 ≤ min ≤ max" in told["components.pv.capacity_kw"].message
    assert "cannot be left to the solver" in told["components.boiler.efficiency_fraction"].message


def test_a_system_is_read_back_from_its_own_data_with_its_sizing():
    system = a_house(0, **SIZED).system
    assert System.model_validate(system.model_dump(mode="json")) == system
    with pytest.raises(ValidationError, match="no capacity"):
        System.model_validate({**system.model_dump(mode="json"), "sizing": {"pv.tilt": {"max": 3}}})


def test_a_capacity_that_stands_beside_its_own_sizing_is_refused():
    data = a_house(0, **SIZED).system.model_dump(mode="json")
    path, range_ = next(iter(data["sizing"].items()))
    data["sizing"][path] = {**range_, "max": range_["max"] + 1}
    with pytest.raises(ValidationError, match="write it once"):
        System.model_validate(data)
