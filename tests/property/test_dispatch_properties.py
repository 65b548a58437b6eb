"""Whatever the house: energy is kept, limits hold, pairs stay apart, and more freedom never costs more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIGNS = {
    "import_kw": 1, "export_kw": -1, "discharge_kw": 1, "charge_kw": -1,
    ("pv", "electricity_kw"): 1, ("pump", "electricity_kw"): -1, ("rod", "electricity_kw"): -1,
    ("chp", "electricity_kw"): 1, ("load", "electricity_kw"): -1, ("heat", "heat_kw"): -1,
    ("chp", "gas_kw"): -1, "heat_kw": 1,
}  # fmt: skip
"""Which way a port's power goes, written down here once more."""
NODES = {"battery": "electricity", "tank": "heat", "gas": "gas", "grid": "electricity"}


def fractions(low=0.5, high=1.0):
    return st.floats(low, high, allow_subnormal=False)


@st.composite
def stores(draw, kind):
    initial = draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]))
    return {
        "type": kind,
        "capacity_kwh": draw(st.sampled_from([0.0, 1.0, 5.0, 20.0])),
        "power_kw": draw(st.sampled_from([4.0, 6.0])),
        "charge_efficiency_fraction": draw(fractions()),
        "discharge_efficiency_fraction": draw(fractions()),
        "self_discharge_fraction_per_hour": draw(st.sampled_from([0.0, 0.01, 0.05])),
        "initial_level_fraction": initial,
        "min_level_fraction": draw(st.sampled_from([0.0, initial / 2])),
        "cyclic": draw(st.booleans()),
        "throughput_cost_eur_per_kwh": draw(st.sampled_from([0.0, 0.05])),
    }


@st.composite
def houses(draw):
    """A house that can always be kept warm and lit, and its profiles."""
    steps = draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grid = {
        "type": "grid",
        "import_price_eur_per_kwh": {"profile": "buy"},
        "export_price_eur_per_kwh": {"profile": "sell"},
        "import_co2_kg_per_kwh": 0.4,
        "export_co2_credit_kg_per_kwh": draw(st.sampled_from([0.0, 0.2])),
        "demand_charge_eur_per_kw_month": draw(st.sampled_from([0.0, 5.0])),
    }
    if draw(st.booleans()):
        grid["import_limit_kw"] = 40.0
    if draw(st.booleans()):
        grid["export_limit_kw"] = 12.0
    parts = {"grid": grid, "load": {"type": "power_demand", "profile": "load"}}
    if draw(st.booleans()):
        parts["pv"] = {"type": "solar_pv", "capacity_kw": 6, "profile": "sun"}
    if draw(st.booleans()):
        parts["battery"] = draw(stores("battery"))
    if draw(st.booleans()):
        parts["pump"] = {"type": "heat_pump", "capacity_kw": 4, "cop": {"profile": "cop"}}
        parts["rod"] = {"type": "electric_boiler", "capacity_kw": 12, "efficiency_fraction": 0.95}
        parts["heat"] = {"type": "heat_demand", "profile": "heat"}
        if draw(st.booleans()):
            parts["tank"] = draw(stores("heat_buffer"))
        if draw(st.booleans()):
            parts["gas"] = {"type": "gas_grid", "import_price_eur_per_kwh": 0.08}
            parts["chp"] = {
                "type": "chp",
                "capacity_kw": 3,
                "electric_efficiency_fraction": 0.3,
                "thermal_efficiency_fraction": 0.6,
            }
    horizon = {
        "start": "2019-01-31T20:00",
        "steps": steps,
        "step_minutes": draw(st.sampled_from([15, 30, 60])),
    }
    economics = {"co2_price_eur_per_kg": draw(st.sampled_from([0.0, 0.1]))}
    data = {"system": "house", "horizon": horizon, "economics": economics, "components": parts}
    series = {
        "buy": rng.uniform(-0.1, 0.4, steps),
        "sell": rng.uniform(-0.1, 0.3, steps),
        "load": rng.uniform(0, 3, steps),
        "sun": np.clip(rng.normal(0, 0.7, steps), 0, None),
        "heat": rng.uniform(0, 6, steps),
        "cop": rng.uniform(2, 4.5, steps),
    }
    return Dispatcher(System.model_validate(data), series, SolverSettings(mip_gap_fraction=1e-7))


def solved(house, design=None):
    run = house.dispatch(design)
    assert run.status is Status.OPTIMAL, run.solution.message
    return run


def net_kw(run):
    """What goes into each node less what is taken, summed up from the ports."""
    net = {}
    for port, power in run.flows.items():
        owner, name = port.split(".")
        node = NODES.get(owner, name.removesuffix("_kw"))
        net[node] = net.get(node, 0.0) + SIGNS.get((owner, name), SIGNS.get(name)) * power
    return net


@FEW
@given(houses())
def test_energy_is_kept_and_limits_hold(house):
    run, system = solved(house), house.system
    for node, rest in net_kw(run).items():
        assert np.abs(rest).max() < 1e-6, node
    hours = system.horizon.step_hours
    for name in ("battery", "tank"):
        if name not in system.components:
            continue
        store, level = system.components[name], run.states[f"{name}.level_kwh"]
        charge, discharge = run.flows[f"{name}.charge_kw"], run.flows[f"{name}.discharge_kw"]
        before = np.concatenate([[store.initial_level_fraction * store.capacity_kwh], level[:-1]])
        kept = before * (1 - store.self_discharge_fraction_per_hour) ** hours
        moved = store.charge_efficiency_fraction * charge - discharge / store.discharge_efficiency_fraction
        assert level == pytest.approx(kept + moved * hours, abs=1e-6)
        assert level.min() >= store.min_level_fraction * store.capacity_kwh - 1e-9
        assert level.max() <= store.capacity_kwh + 1e-9
        assert max(charge.max(), discharge.max()) <= store.power_kw + 1e-9
        if store.cyclic:
            assert level[-1] == pytest.approx(store.initial_level_fraction * store.capacity_kwh, abs=1e-9)
    assert all(power.min() >= 0 for power in run.flows.values())


@FEW
@given(houses())
def test_what_excludes_each_other_is_never_at_once(house):
    run = solved(house)
    pairs = [("grid", "import_kw", "export_kw"), ("battery", "charge_kw", "discharge_kw")]
    pairs.append(("tank", "charge_kw", "discharge_kw"))
    for name, one, other in pairs:
        if name in house.system.components:
            both = np.minimum(run.flows[f"{name}.{one}"], run.flows[f"{name}.{other}"])
            assert both.max() <= 1e-6


@FEW
@given(houses())
def test_kpis_are_sound(house):
    run = solved(house)
    kpis, hours = run.kpis, house.system.horizon.step_hours
    for name in ("self_consumption_rate", "self_sufficiency_rate", "renewable_fraction"):
        assert 0 <= kpis[name] <= 1
    grid = run.flows["grid.import_kw"].sum() - run.flows["grid.export_kw"].sum()
    assert kpis["net_grid_usage_kwh"] == pytest.approx(grid * hours, abs=1e-9)
    assert kpis["total_generation_kwh"] >= 0
    assert kpis["total_demand_kwh"] >= run.flows["load.electricity_kw"].sum() * hours - 1e-9
    assert kpis["total_cost"] == pytest.approx(sum(a.cost_eur for a in run.accounts.values()), abs=1e-9)
    # Without investment and CO2 weight, what is paid is what was minimised.
    assert kpis["total_cost"] == pytest.approx(run.solution.objective_eur, rel=1e-6, abs=1e-5)


@FEW
@given(houses(), st.sampled_from([1.0, 10.0]))
def test_more_freedom_never_costs_more(house, more):
    cost = solved(house).solution.objective_eur
    components = house.system.components
    wider = {
        "pv": "pv.capacity_kw",
        "pump": "pump.capacity_kw",
        "chp": "chp.capacity_kw",
        "battery": "battery.power_kw",
    }
    for name, path in wider.items():
        if name in components:
            attribute = getattr(components[name], path.partition(".")[2])
            design = {path: attribute + more}
            assert solved(house, design).solution.objective_eur <= cost + 1e-6 * (1 + abs(cost)), path


@FEW
@given(houses(), st.floats(0.01, 2.0))
def test_minding_co2_never_emits_more_and_never_costs_less(house, weight):
    plain = solved(house)
    green = solved(house, {"solver.co2_weight_eur_per_kg": weight})
    assert green.kpis["total_co2"] <= plain.kpis["total_co2"] + 1e-5
    assert green.kpis["total_cost"] >= plain.kpis["total_cost"] - 1e-5


@FEW
@given(houses(), st.floats(0.5, 3.0))
def test_a_larger_demand_is_never_cheaper_where_no_price_is_negative(house, scale):
    series = {name: np.abs(values) for name, values in house.engine.reference.setting.series.items()}
    dear = Dispatcher(house.system, series, house.engine.reference.solver)
    low, high = sorted([1.0, scale])
    one, other = solved(dear, {"load.scale": low}), solved(dear, {"load.scale": high})
    assert other.solution.objective_eur >= one.solution.objective_eur - 1e-5
