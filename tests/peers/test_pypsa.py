"""Random small systems, optimised by PyPSA too: the same cost, with pairs kept apart and units on or off.

`make test-peers` runs them where PyPSA is installed (.venv-bench). What is compared, to 1e-6, is `total_cost`.
"""

from __future__ import annotations

import importlib.util
import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        importlib.util.find_spec("pypsa") is None,
        reason="PyPSA is not installed here: `make test-peers` prepares .venv-bench, which has it",
    ),
    pytest.mark.filterwarnings("ignore"),  # PyPSA's and linopy's own
]

SAME = 1e-6
EXACT = SolverSettings(mip_gap_fraction=1e-9, time_limit_seconds=60)
THEIRS = {"output_flag": False, "mip_rel_gap": 1e-9, "mip_feasibility_tolerance": 1e-9}
SOME = settings(
    max_examples=25,
    deadline=None,
    print_blob=True,
    phases=(Phase.reuse, Phase.generate),  # to shrink a case takes longer than to read it
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FAR = {"carriers": {"electricity": "electricity@far", "heat": "heat@far"}}


def some(*values):
    return st.sampled_from(values)


@st.composite
def stores(draw, kind, carriers=None):
    """A storage that can make up for its losses as soon as anything supplies its node."""
    initial = draw(some(0.0, 0.4, 1.0))
    return {
        "type": kind,
        "capacity_kwh": draw(some(2.0, 9.0)),
        "charge_power_kw": draw(some(1.5, 4.0)),
        "discharge_power_kw": draw(some(1.0, 4.0)),
        "charge_efficiency_fraction": draw(some(1.0, 0.9, 0.7)),
        "discharge_efficiency_fraction": draw(some(1.0, 0.95)),
        "self_discharge_fraction_per_hour": draw(some(0.0, 0.02)),
        "initial_level_fraction": initial,
        "min_level_fraction": draw(some(0.0, initial / 2)),
        "cyclic": draw(st.booleans()),
        "throughput_cost_eur_per_kwh": draw(some(0.0, 0.03)),
        "holding_cost_eur_per_kwh_hour": draw(some(0.0, 0.002)),
        "carriers": carriers or {},
    }


@st.composite
def commitment(draw):
    """Rules of a unit that is on or off; none of them as often as not."""
    if draw(st.booleans()):
        return {}
    rules = {
        "min_load_fraction": draw(some(0.0, 0.3, 0.6)),
        "start_up_cost_eur": draw(some(0.0, 0.2, 1.0)),
        "min_up_time_hours": draw(some(0.0, 1.5, 3.0)),
        "min_down_time_hours": draw(some(0.0, 2.0)),
    }
    if (ramp := draw(some(None, 0.3, 0.8))) is None:
        return rules | {"initial_load_fraction": draw(some(None, 0.0, 0.7))}
    # Without an output before the first step, that step knows no ramp here; in PyPSA it does for a unit that is
    # switched, which starts from standstill.
    before = 0.0 if any(rules.values()) else None
    return rules | {"ramp_fraction_per_hour": ramp, "initial_load_fraction": before}


@st.composite
def cogeneration(draw, kind):
    rules = draw(commitment())
    return rules | {
        "type": kind,
        "capacity_kw": draw(some(2.0, 4.0)),
        "electric_efficiency_fraction": 0.35,
        "thermal_efficiency_fraction": 0.5,
        "min_thermal_efficiency_fraction": None if rules else draw(some(None, 0.1)),
        "variable_cost_eur_per_kwh": draw(some(0.0, 0.01)),
    }


@st.composite
def links(draw, carrier):
    return {
        "type": "link",
        "from_node": carrier,
        "to_node": f"{carrier}@far",
        "capacity_kw": draw(some(1.0, 5.0)),
        "loss_fraction": draw(some(0.0, 0.08)),
        "both_ways": draw(st.booleans()),
        "variable_cost_eur_per_kwh": draw(some(0.0, 0.01)),
    }


def demand(kind, profile, **more):
    return {"type": kind, "profile": profile, "unserved_price_eur_per_kwh": 2.0} | more


@st.composite
def electricity(draw):
    parts = {
        "grid": {
            "type": "grid",
            "import_limit_kw": draw(some(4.0, 12.0)),
            "export_limit_kw": draw(some(0.0, 2.0, 8.0)),
            "import_price_eur_per_kwh": {"profile": "buy"},
            "export_price_eur_per_kwh": {"profile": "sell"},
            "import_co2_kg_per_kwh": {"profile": "co2"},
            "demand_charge_eur_per_kw_year": draw(some(0.0, 60.0)),
        },
        "load": demand("power_demand", "load"),
    }
    if draw(st.booleans()):
        parts["pv"] = {"type": "solar_pv", "capacity_kw": 6, "profile": "sun"}
    if draw(st.booleans()):
        wind = {"type": "wind_turbine", "capacity_kw": 2, "profile": "wind"}
        parts["wind"] = wind | {"variable_cost_eur_per_kwh": 0.01}
    if draw(st.booleans()):
        parts["battery"] = draw(stores("battery"))
    if draw(st.booleans()):
        source = {"type": "generic_source", "carrier": "electricity", "capacity_kw": 3, "co2_kg_per_kwh": 0.7}
        parts["diesel"] = source | {"price_eur_per_kwh": 0.25} | draw(commitment())
    return parts


@st.composite
def heat(draw):
    parts = {
        "gas": {"type": "gas_grid", "import_limit_kw": 30, "import_price_eur_per_kwh": 0.08},
        "warmth": demand("heat_demand", "heat"),
    }
    if draw(st.booleans()):
        pump = {"type": "heat_pump", "capacity_kw": 3}
        rules = draw(commitment())
        parts["pump"] = pump | rules | {"cop": 3.2 if rules else {"profile": "cop"}}
    if draw(st.booleans()):
        parts["rod"] = {"type": "electric_boiler", "capacity_kw": 2, "efficiency_fraction": 0.97}
    if draw(st.booleans()):
        parts["boiler"] = {"type": "gas_boiler", "capacity_kw": 4, "efficiency_fraction": 0.9} | draw(
            commitment()
        )
    if draw(st.booleans()):
        parts["chp"] = draw(cogeneration("chp"))
    if draw(st.booleans()):
        parts["buffer"] = draw(stores("heat_buffer"))
    if draw(st.booleans()):
        parts["collectors"] = {"type": "solar_thermal", "capacity_kw": 2, "profile": "sun"}
    if draw(st.booleans()):
        parts["network"] = {"type": "district_heat", "import_limit_kw": 2, "import_price_eur_per_kwh": 0.11}
    return parts


@st.composite
def far(draw):
    """A second place, with lines and pipes to it."""
    power = {"type": "generic_demand", "carrier": "electricity@far"}
    warmth = {"type": "generic_demand", "carrier": "heat@far"}
    parts = {
        "line": draw(links("electricity")),
        "far_load": demand(profile="load", kind="generic_demand") | power | {"scale": 0.6},
        "pipe": draw(links("heat")),
        "far_heat": demand(profile="heat", kind="generic_demand") | warmth | {"scale": 0.4},
        "far_pump": {"type": "heat_pump", "capacity_kw": 2, "cop": {"profile": "cop"}} | FAR,
    }
    if draw(st.booleans()):
        roof = {"type": "solar_pv", "capacity_kw": 4, "profile": "sun"}
        parts["far_pv"] = roof | {"carriers": {"electricity": "electricity@far"}}
    if draw(st.booleans()):
        parts["far_store"] = draw(stores("battery", {"electricity": "electricity@far"}))
    if draw(st.booleans()):
        parts["far_tank"] = draw(stores("heat_buffer", {"heat": "heat@far"}))
    return parts


@st.composite
def others(draw):
    """Cold, hydrogen, and a converter of no name."""
    parts = {}
    if draw(st.booleans()):
        parts["chiller"] = {"type": "chiller", "capacity_kw": 3, "cop": 2.5} | draw(commitment())
        parts["cold"] = demand("cooling_demand", "load")
    if draw(st.booleans()):
        splitter = {"type": "electrolyser", "capacity_kw": 3, "efficiency_fraction": 0.7}
        parts["splitter"] = splitter | draw(commitment())
        parts["bottle"] = draw(stores("hydrogen_tank"))
        parts["cell"] = draw(cogeneration("fuel_cell"))
        parts["use"] = demand("generic_demand", "heat", carrier="hydrogen", scale=0.1)
    if draw(st.booleans()):
        parts["reformer"] = {
            "type": "generic_converter",
            "input_carrier": "gas",
            "output_carrier": "hydrogen",
            "capacity_kw": 1.5,
            "output_per_input": 0.6,
            "variable_cost_eur_per_kwh": 0.02,
        }
        parts["fuel"] = demand("generic_demand", "load", carrier="hydrogen", scale=0.2)
    return parts


@st.composite
def settings_of(draw):
    """Horizon, economics, and profiles with dear exports and negative prices among them."""
    steps = draw(st.integers(3, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cheapest = draw(some(-0.1, 0.02))
    buy = rng.uniform(cheapest, 0.4, steps)
    series = {
        "buy": buy,
        "sell": rng.uniform(-0.05, 0.3, steps) if draw(st.booleans()) else buy - 0.05,
        "co2": rng.uniform(0.1, 0.6, steps),
        "load": rng.uniform(0, 3, steps),
        "heat": rng.uniform(0, 5, steps),
        "sun": np.clip(rng.normal(0, 0.6, steps), 0, 1),
        "wind": rng.uniform(0, 1, steps),
        "cop": rng.uniform(2, 4.5, steps),
    }
    horizon = {
        "start": "2019-01-10T00:00",
        "steps": steps,
        "step_minutes": draw(some(15, 30, 60)),
    }
    return horizon, {"co2_price_eur_per_kg": draw(some(0.0, 0.1))}, series


@st.composite
def systems(draw):
    """A system of one or two places and its profiles."""
    horizon, economics, series = draw(settings_of())
    parts = draw(electricity()) | draw(heat()) | draw(others())
    if draw(st.booleans()):
        parts |= draw(far())
    data = {"system": "peer", "horizon": horizon, "economics": economics, "components": parts}
    return System.model_validate(data), series


def cost_by_pypsa(system, series):
    """Their optimum [€], or None where there is none."""
    from benchmarks.pypsa_model import network_of, rules_of

    for name in ("pypsa", "linopy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    network = network_of(system, series)
    status, condition = network.optimize(
        solver_name="highs",
        solver_options=THEIRS,
        extra_functionality=rules_of(system),
        io_api="direct",
        progress=False,
        include_objective_constant=False,
    )
    if condition in {"infeasible", "infeasible_or_unbounded"}:
        return None
    assert (status, condition) == ("ok", "optimal")
    return network.objective


def check_same(system, series):
    run, theirs = Dispatcher(system, series, EXACT).dispatch(), cost_by_pypsa(system, series)
    if theirs is None:
        assert run.status is Status.INFEASIBLE
        return
    assert run.status is Status.OPTIMAL, run.solution.message
    assert run.kpis["total_cost"] == pytest.approx(theirs, rel=SAME, abs=SAME)


@pytest.mark.timeout(1800)
@SOME
@given(systems())
def test_a_random_system_costs_what_pypsa_says(case):
    check_same(*case)
