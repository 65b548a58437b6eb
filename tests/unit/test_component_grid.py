"""Grids by hand: what is bought, when, for how much, and what it emits."""

from __future__ import annotations

import numpy as np
import pytest

from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": 0.3}
LOAD = {"type": "power_demand", "profile": "load"}


def house(components, series, minutes=60, start="2019-01-01T00:00", timezone="UTC", **economics):
    """A dispatcher for components on profiles; all profiles are as long as the first."""
    steps = len(next(iter(series.values())))
    horizon = {"start": start, "steps": steps, "step_minutes": minutes, "timezone": timezone}
    data = {"system": "house", "horizon": horizon, "components": components, "economics": economics}
    system = System.model_validate(data)
    return Dispatcher(system, {name: np.asarray(values, dtype=float) for name, values in series.items()})


def battery(**attributes):
    return {"type": "battery", "capacity_kwh": 10, "power_kw": 2, "initial_level_fraction": 0} | attributes


def test_a_load_is_paid_at_the_price_of_its_step():
    grid = GRID | {"import_price_eur_per_kwh": {"profile": "price"}}
    run = house({"grid": grid, "load": LOAD}, {"load": [1, 2], "price": [0.1, 0.3]}).dispatch()
    assert run.status is Status.OPTIMAL
    assert run.kpis["total_cost"] == pytest.approx(1 * 0.1 + 2 * 0.3)
    assert run.flows["grid.import_kw"] == pytest.approx([1, 2])


def test_a_scale_multiplies_price_and_demand():
    grid = GRID | {"import_price_eur_per_kwh": {"profile": "price", "scale": 2}}
    load = LOAD | {"scale": 3}
    run = house({"grid": grid, "load": load}, {"load": [1, 2], "price": [0.1, 0.3]}).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(2 * 3 * (1 * 0.1 + 2 * 0.3))


@pytest.mark.parametrize(("minutes", "hours"), [(15, 0.25), (30, 0.5), (60, 1.0)])
def test_shorter_steps_carry_less_energy(minutes, hours):
    grid = GRID | {"import_co2_kg_per_kwh": 0.4}
    run = house({"grid": grid, "load": LOAD}, {"load": [4, 2]}, minutes).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(6 * hours * 0.3)
    assert run.kpis["total_co2"] == pytest.approx(6 * hours * 0.4)
    assert run.kpis["total_demand_kwh"] == pytest.approx(6 * hours)


def test_a_lossless_battery_buys_in_the_cheap_hour():
    grid = GRID | {"import_price_eur_per_kwh": {"profile": "price"}}
    parts = {"grid": grid, "load": LOAD, "battery": battery()}
    run = house(parts, {"load": [1, 1], "price": [0.1, 0.3]}).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.1)
    assert run.flows["grid.import_kw"] == pytest.approx([2, 0])
    assert run.flows["battery.charge_kw"] == pytest.approx([1, 0])


def test_a_lossy_battery_buys_more_than_it_gives_back():
    grid = GRID | {"import_price_eur_per_kwh": {"profile": "price"}}
    store = battery(charge_efficiency_fraction=0.9, discharge_efficiency_fraction=0.8)
    parts = {"grid": grid, "load": LOAD, "battery": store}
    run = house(parts, {"load": [1, 1], "price": [0.1, 0.3]}).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(0.1 + 0.1 / (0.9 * 0.8))


def test_a_battery_rests_where_its_losses_cost_more_than_the_prices_differ():
    grid = GRID | {"import_price_eur_per_kwh": {"profile": "price"}}
    store = battery(charge_efficiency_fraction=0.7)
    parts = {"grid": grid, "load": LOAD, "battery": store}
    run = house(parts, {"load": [1, 1], "price": [0.25, 0.3]}).dispatch()
    assert run.flows["battery.charge_kw"] == pytest.approx([0, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(0.55)


def test_exports_earn_their_price_and_their_credit():
    grid = GRID | {
        "export_price_eur_per_kwh": 0.08,
        "export_co2_credit_kg_per_kwh": 0.25,
        "export_limit_kw": 3,
    }
    pv = {"type": "solar_pv", "capacity_kw": 1, "profile": "sun"}
    run = house({"grid": grid, "load": LOAD, "pv": pv}, {"load": [1, 1], "sun": [3, 9]}).dispatch()
    assert run.flows["grid.export_kw"] == pytest.approx([2, 3])  # the limit curtails the second hour
    assert run.flows["pv.electricity_kw"] == pytest.approx([3, 4])
    assert run.kpis["total_cost"] == pytest.approx(-5 * 0.08)
    assert run.kpis["total_co2"] == pytest.approx(-5 * 0.25)


def test_a_co2_price_is_paid_and_a_co2_weight_is_not():
    grid = GRID | {
        "import_price_eur_per_kwh": {"profile": "price"},
        "import_co2_kg_per_kwh": {"profile": "co2"},
    }
    series = {"load": [0, 1], "price": [0.1, 0.3], "co2": [1.0, 0.1]}
    parts = {"grid": grid, "load": LOAD, "battery": battery()}
    plain = house(parts, series).dispatch()
    weighted = house(parts, series).dispatch({"solver.co2_weight_eur_per_kg": 1.0})
    priced = house(parts, series, co2_price_eur_per_kg=1.0).dispatch()
    assert (plain.kpis["total_cost"], plain.kpis["total_co2"]) == pytest.approx((0.1, 1.0))
    assert (weighted.kpis["total_cost"], weighted.kpis["total_co2"]) == pytest.approx((0.3, 0.1))
    assert (priced.kpis["total_cost"], priced.kpis["total_co2"]) == pytest.approx((0.3 + 0.1, 0.1))
    assert weighted.solution.objective_eur == pytest.approx(0.3 + 0.1)


def test_two_months_are_charged_for_their_own_peaks_by_the_share_that_is_covered():
    grid = GRID | {"demand_charge_eur_per_kw_month": 10, "import_price_eur_per_kwh": 0}
    load = np.concatenate([np.full(24, 3.0), np.full(24, 5.0)])
    run = house({"grid": grid, "load": LOAD}, {"load": load}, start="2019-01-31T00:00").dispatch()
    assert run.kpis["total_cost"] == pytest.approx(10 * 3 / 31 + 10 * 5 / 28)


def test_half_hours_cover_the_same_share_of_a_month():
    grid = GRID | {"demand_charge_eur_per_kw_month": 10, "import_price_eur_per_kwh": 0}
    parts = {"grid": grid, "load": LOAD}
    run = house(parts, {"load": np.full(48, 2.0)}, 30, start="2019-02-03T00:00").dispatch()
    assert run.kpis["total_cost"] == pytest.approx(10 * 2 / 28)


def test_a_month_with_a_clock_change_has_743_hours():
    grid = GRID | {"demand_charge_eur_per_kw_month": 10, "import_price_eur_per_kwh": 0}
    parts = {"grid": grid, "load": LOAD}
    run = house(parts, {"load": np.ones(24)}, start="2019-03-01T00:00", timezone="Europe/Berlin").dispatch()
    assert run.kpis["total_cost"] == pytest.approx(10 * 24 / 743)


def test_a_demand_charge_makes_the_battery_shave_the_peak():
    grid = GRID | {"demand_charge_eur_per_kw_month": 31, "import_price_eur_per_kwh": 0.1}
    load = np.zeros(24)
    load[12] = 4.0
    parts = {"grid": grid, "load": LOAD, "battery": battery(power_kw=3)}
    run = house(parts, {"load": load}, start="2019-01-01T00:00").dispatch()
    # The battery gives at most 3 kW, bought before at no more than 1 kW: 4 kWh, a peak of 1 kW for 1/31 month.
    assert run.kpis["total_cost"] == pytest.approx(4 * 0.1 + 31 * 1 / 31)
    assert run.flows["grid.import_kw"].max() == pytest.approx(1)


def test_no_month_is_billed_for_less_than_the_ratchet_s_share_of_the_highest_peak():
    grid = GRID | {"demand_charge_eur_per_kw_month": 10, "import_price_eur_per_kwh": 0}
    load = np.concatenate([np.full(24, 2.0), np.full(24, 5.0)])
    ratchet = grid | {"demand_ratchet_fraction": 0.6}
    run = house({"grid": ratchet, "load": LOAD}, {"load": load}, start="2019-01-31T00:00").dispatch()
    assert run.kpis["total_cost"] == pytest.approx(10 * (0.6 * 5) / 31 + 10 * 5 / 28)
    assert run.solution.objective_eur == pytest.approx(run.kpis["total_cost"])
    assert run.solution.values["grid"]["monthly_peak_kw"] == pytest.approx([3, 5])
    low = grid | {"demand_ratchet_fraction": 0.3}
    run = house({"grid": low, "load": LOAD}, {"load": load}, start="2019-01-31T00:00").dispatch()
    assert run.kpis["total_cost"] == pytest.approx(10 * 2 / 31 + 10 * 5 / 28)


def test_a_ratchet_makes_the_battery_shave_for_the_other_month_too():
    # 1 kWh held back lowers February's peak by 1 kW; by half of that, January's bill; each discharge wears 0.5 €.
    grid = GRID | {"demand_charge_eur_per_kw_month": {"profile": "charge"}, "import_price_eur_per_kwh": 0}
    store = battery(throughput_cost_eur_per_kwh=0.5, power_kw=1)
    series = {"load": np.zeros(48), "charge": np.concatenate([np.full(24, 31.0), np.full(24, 5.6)])}
    series["load"][40] = 4.0
    parts = {"grid": grid, "load": LOAD, "battery": store}
    plain = house(parts, series, start="2019-01-31T00:00").dispatch()
    parts["grid"] = grid | {"demand_ratchet_fraction": 0.5}
    ratchet = house(parts, series, start="2019-01-31T00:00").dispatch()
    assert plain.kpis["total_cost"] == pytest.approx(4 * 5.6 / 28)
    assert ratchet.flows["grid.import_kw"].max() == pytest.approx(3)
    assert ratchet.kpis["total_cost"] == pytest.approx(0.5 + 3 * 5.6 / 28 + 0.5 * 3 * 31 / 31)


def test_a_ratchet_adds_to_a_yearly_demand_charge():
    charges = {"demand_charge_eur_per_kw_month": 31, "demand_charge_eur_per_kw_year": 8760}
    grid = GRID | charges | {"demand_ratchet_fraction": 0.5, "import_price_eur_per_kwh": 0}
    run = house({"grid": grid, "load": LOAD}, {"load": [2, 5]}, start="2019-01-31T23:00").dispatch()
    assert run.kpis["total_cost"] == pytest.approx(2.5 * 31 / 744 + 5 * 31 / 672 + 8760 * 5 * 2 / 8760)


def test_a_demand_charge_may_differ_by_month():
    grid = GRID | {"demand_charge_eur_per_kw_month": {"profile": "charge"}, "import_price_eur_per_kwh": 0}
    load = np.concatenate([np.full(24, 3.0), np.full(24, 5.0)])
    charge = np.concatenate([np.full(12, 8.0), np.full(12, 12.0), np.full(24, 20.0)])
    run = house(
        {"grid": grid, "load": LOAD}, {"load": load, "charge": charge}, start="2019-01-31T00:00"
    ).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(10 * 3 / 31 + 20 * 5 / 28)


def test_a_yearly_demand_charge_is_the_horizon_s_peak_by_its_share_of_a_year():
    grid = GRID | {"demand_charge_eur_per_kw_year": 100, "import_price_eur_per_kwh": 0}
    run = house({"grid": grid, "load": LOAD}, {"load": [2, 5, 3]}, 30).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(100 * 5 * 1.5 / 8760)
    assert run.solution.values["grid"]["yearly_peak_kw"] == pytest.approx([5])


def test_monthly_and_yearly_demand_charges_add_up_and_shave_the_same_peak():
    charges = {"demand_charge_eur_per_kw_month": 31, "demand_charge_eur_per_kw_year": 365}
    grid = GRID | charges | {"import_price_eur_per_kwh": 0.1}
    load = np.zeros(24)
    load[12] = 4.0
    parts = {"grid": grid, "load": LOAD, "battery": battery(power_kw=3)}
    run = house(parts, {"load": load}).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(4 * 0.1 + 31 * 1 / 31 + 365 * 1 / 365)
    assert run.accounts["grid"].operation_cost_eur == pytest.approx(run.solution.objective_eur)


def test_nothing_passes_in_an_outage_and_a_part_where_a_part_is_left():
    grid = GRID | {"export_price_eur_per_kwh": 0.1, "availability_fraction": {"profile": "up"}}
    pv = {"type": "solar_pv", "capacity_kw": 1, "profile": "sun"}
    series = {"load": [1, 1, 1, 0], "sun": [0, 1, 0, 9], "up": [1, 0, 0.5, 0]}
    run = house({"grid": grid, "load": LOAD, "pv": pv}, series).dispatch()
    assert run.flows["grid.import_kw"] == pytest.approx([1, 0, 1, 0], abs=1e-9)
    assert run.flows["grid.export_kw"] == pytest.approx([0, 0, 0, 0], abs=1e-9)
    limited = {"import_limit_kw": 1, "export_limit_kw": 1}
    short = house({"grid": grid | limited, "load": LOAD, "pv": pv}, series).dispatch()
    assert short.status is Status.INFEASIBLE


def test_a_battery_carries_the_house_through_an_outage():
    grid = GRID | {"availability_fraction": {"profile": "up"}}
    parts = {"grid": grid, "load": LOAD, "battery": battery()}
    run = house(parts, {"load": [0, 2, 0], "up": [1, 0, 1]}).dispatch()
    assert run.flows["battery.discharge_kw"] == pytest.approx([0, 2, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.3)


def test_gas_is_billed_and_emits_by_its_lower_heating_value():
    parts = {
        "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.1},
        "boiler": {"type": "gas_boiler", "capacity_kw": 20},
        "heat": {"type": "heat_demand", "profile": "heat"},
    }
    run = house(parts, {"heat": [9.5, 0]}, co2_price_eur_per_kg=0.05).dispatch()
    assert run.flows["gas.import_kw"] == pytest.approx([10, 0])
    assert run.kpis["total_co2"] == pytest.approx(10 * 0.202)
    assert run.kpis["total_cost"] == pytest.approx(10 * 0.1 + 0.05 * 10 * 0.202)


def test_prices_and_intensities_of_gas_may_be_profiles():
    gas = {
        "type": "gas_grid",
        "import_price_eur_per_kwh": {"profile": "price"},
        "import_co2_kg_per_kwh": {"profile": "co2"},
    }
    parts = {
        "gas": gas,
        "boiler": {"type": "gas_boiler", "capacity_kw": 20, "efficiency_fraction": 0.5},
        "heat": {"type": "heat_demand", "profile": "heat"},
    }
    run = house(parts, {"heat": [1, 2], "price": [0.1, 0.2], "co2": [0.2, 0.1]}).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.1 + 4 * 0.2)
    assert run.kpis["total_co2"] == pytest.approx(2 * 0.2 + 4 * 0.1)


def test_a_component_on_another_node_is_served_there():
    parts = {
        "near": GRID | {"import_price_eur_per_kwh": 0.1},
        "far": GRID | {"carriers": {"electricity": "electricity@barn"}},
        "load": LOAD,
        "barn": LOAD | {"scale": 2, "carriers": {"electricity": "electricity@barn"}},
    }
    run = house(parts, {"load": [1, 1]}).dispatch()
    assert run.flows["near.import_kw"] == pytest.approx([1, 1])
    assert run.flows["far.import_kw"] == pytest.approx([2, 2])
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.1 + 4 * 0.3)


def test_one_step_is_a_horizon():
    run = house({"grid": GRID, "load": LOAD, "battery": battery()}, {"load": [2]}).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(0.6)
