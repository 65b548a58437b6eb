"""Whatever the rules of commitment: what `rule_based` claims to be a dispatch keeps them, and is no miracle."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status


def _neighbour(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


commitment = _neighbour("test_commitment")
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
RULES = SolverSettings(method="rule_based")
GAP = 1e-4
LINES = [
    None,
    None,
    {"load_fraction": [0.3, 1.0], "relative_efficiency": [0.8, 1.0]},
    {"load_fraction": [0.3, 0.6, 1.0], "relative_efficiency": [0.75, 1.05, 1.0]},
]


def unit_rules(draw):
    """Rules of one unit, its line included."""
    told, line = draw(commitment.rules()), draw(st.sampled_from(LINES))
    if line is not None:
        told |= {"min_load_fraction": max(told["min_load_fraction"], 0.3), "part_load": line}
    return told


@st.composite
def cellars(draw):
    """Engine, heat pump, boiler and electrolyser with rules of any kind, beside stores and grids."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps, minutes = draw(st.integers(2, 24)), draw(st.sampled_from([15, 60]))
    grid = {
        "type": "grid",
        "import_price_eur_per_kwh": {"profile": "price"},
        "export_price_eur_per_kwh": draw(st.sampled_from([0.0, 0.05, 0.2])),
        "import_limit_kw": 40,
        "export_limit_kw": draw(st.sampled_from([0, 3, 40])),
    }
    tank = {
        "type": "heat_buffer",
        "capacity_kwh": 12,
        "power_kw": 6,
        "self_discharge_fraction_per_hour": 0.01,
    }
    units = {
        "engine": {"type": "chp", "capacity_kw": 3, "electric_efficiency_fraction": 0.3,
                   "thermal_efficiency_fraction": 0.6},
        "pump": {"type": "heat_pump", "capacity_kw": 4, "cop": {"profile": "cop"}},
        "boiler": {"type": "gas_boiler", "capacity_kw": 12, "efficiency_fraction": 0.9},
        "splitter": {"type": "electrolyser", "capacity_kw": 3, "efficiency_fraction": 0.6},
        "river": {"type": "generic_source", "carrier": "electricity", "capacity_kw": 2,
                  "price_eur_per_kwh": draw(st.sampled_from([0.0, 0.1]))},
    }  # fmt: skip
    bound = draw(st.sets(st.sampled_from(sorted(units)), min_size=1))
    for name in bound:
        told = unit_rules(draw)
        if name == "river":
            told.pop("part_load", None)
        units[name] = units[name] | told
    present = draw(st.sets(st.sampled_from(["engine", "pump", "river"]))) | bound | {"boiler"}
    parts = {
        "grid": grid,
        "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.08},
        "pv": {"type": "solar_pv", "capacity_kw": 6, "profile": "sun"},
        "load": {"type": "power_demand", "profile": "load"},
        "heat": {"type": "heat_demand", "profile": "heat"},
        **{name: units[name] for name in sorted(present)},
    }
    if draw(st.booleans()):
        parts["tank"] = tank
    if draw(st.booleans()):
        parts["battery"] = {
            "type": "battery",
            "capacity_kwh": 5,
            "power_kw": 3,
            "charge_efficiency_fraction": 0.9,
        }
    if "splitter" in present:
        parts["bottle"] = {"type": "hydrogen_tank", "capacity_kwh": 9, "power_kw": 3}
        parts["cell"] = {"type": "fuel_cell", "capacity_kw": 1, "electric_efficiency_fraction": 0.5}
        if draw(st.booleans()):
            parts["cell"] |= {"min_load_fraction": 0.4, "part_load": LINES[-1]}
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    hour = np.arange(steps) * minutes / 60 + draw(st.integers(0, 23))
    series = {
        "price": rng.uniform(0.1, 0.4, steps),
        "load": rng.uniform(0, 4, steps),
        "heat": rng.uniform(0, 10, steps) * (rng.random(steps) < 0.8),
        "sun": np.clip(np.sin((hour % 24 - 6) / 12 * np.pi), 0, None),
        "cop": rng.uniform(2, 4, steps),
    }
    return system, series, bound


def judge(cellar):
    system, series, bound = cellar
    run = Dispatcher(system, series, RULES).dispatch()
    scales = [{"load.scale": 0.5}, {}, {f"{min(bound)}.capacity_kw": 2.0}]
    together = Dispatcher(system, series, RULES).dispatch_all(scales)
    alone = [Dispatcher(system, series, RULES).dispatch(scale) for scale in scales]
    for one, other in zip(together, alone, strict=True):
        assert (one.status, one.solution.message) == (other.status, other.solution.message)
        assert one.kpis == other.kpis
        assert all(np.array_equal(one.flows[port], other.flows[port]) for port in other.flows)
    if run.status is Status.FAILED:
        assert run.solution.message.startswith("the rules leave a need unmet: "), run.solution.message
        return run
    assert run.status is Status.FEASIBLE
    assert run.checks.passed
    settings = SolverSettings(mip_gap_fraction=GAP, time_limit_seconds=5)
    best = Dispatcher(system, series, settings).dispatch().solution
    if best.status.has_solution and not run.solution.missed:
        bound_eur = best.objective_eur - best.gap_fraction * abs(best.objective_eur)
        assert run.solution.objective_eur >= bound_eur - 1e-6 * (1 + abs(bound_eur))
    return run


@FEW
@given(cellars())
def test_a_dispatch_by_rules_keeps_every_rule_or_says_that_it_does_not(cellar):
    judge(cellar)


@pytest.mark.slow
@MANY
@given(cellars())
def test_a_dispatch_by_rules_keeps_every_rule_whatever_the_units(cellar):
    judge(cellar)


@FEW
@given(commitment.cellars(most_steps=12), st.booleans())
def test_the_rules_are_kept_as_a_plain_loop_tells_them(cellar, has_line):
    unit, minutes, heat = cellar
    if has_line:
        unit = unit | {"min_load_fraction": max(unit["min_load_fraction"], 0.3), "part_load": commitment.LINE}
    run = commitment.dispatcher_of(unit, minutes, heat, solver=RULES).dispatch()
    if run.status is Status.FAILED:
        # Nothing takes what is too much: a unit that must stay on may have no place for it.
        assert "unit must run" in run.solution.message
        return
    commitment.assert_kept(run, unit, minutes)
    gas = commitment.gas_of(run.flows["unit.heat_kw"], has_line=has_line)
    assert run.flows["unit.gas_kw"] == pytest.approx(gas, abs=1e-5)
