"""Whatever breaks a relaxation: the answer is that of the MILP with a binary for every pair and step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.study import SolverSettings
from schema.system import System
from solvers import milp
from solvers.dispatch import Dispatcher
from solvers.highs import PersistentHighs
from solvers.pairs import with_binaries
from solvers.solution import Status

STEPS = 12
FAR = {"carriers": {"electricity": "electricity@2"}}


def grid(buy, sell, import_kw, export_kw):
    return {
        "type": "grid",
        "import_limit_kw": import_kw,
        "export_limit_kw": export_kw,
        "import_price_eur_per_kwh": {"profile": buy},
        "export_price_eur_per_kwh": {"profile": sell},
    }


def battery(kwh, efficiency):
    return {
        "type": "battery",
        "capacity_kwh": kwh,
        "power_kw": kwh / 2,
        "charge_efficiency_fraction": efficiency,
        "discharge_efficiency_fraction": efficiency,
    }


@st.composite
def systems(draw):
    """One or two nodes with grids, storages, sun that has to go somewhere, and prices of any order and sign."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    kind = draw(st.sampled_from(["above", "negative", "any"]))
    buy = rng.uniform(0.2, 0.3, STEPS)
    sell = buy + 0.04
    if kind == "negative":
        buy, sell = np.full(STEPS, -0.05), np.full(STEPS, -0.06)
        buy[: STEPS // 2] = 0.3
    elif kind == "any":
        buy, sell = rng.uniform(-0.2, 0.4, (2, STEPS))
    series = {
        "load": rng.uniform(0, 3, STEPS),
        "sun": np.clip(rng.normal(0, 1, STEPS), 0, 1),
        "buy": buy,
        "sell": sell,
    }
    cap = draw(st.sampled_from([0.5, 3.0]))
    sun = {"type": "solar_pv", "capacity_kw": 4, "profile": "sun"}
    if draw(st.booleans()):
        sun = {"type": "generic_source", "carrier": "electricity", "capacity_kw": 4, "profile": "sun"}
        sun |= {"price_eur_per_kwh": -0.1}
    parts = {
        "grid": grid("buy", "sell", 6, cap),
        "battery": battery(4, 0.9),
        "sun": sun,
        "load": {"type": "power_demand", "profile": "load"},
    }
    if draw(st.booleans()):
        parts["second"] = battery(2, 0.95)
    if draw(st.booleans()):
        parts["line"] = {
            "type": "link",
            "from_node": "electricity",
            "to_node": "electricity@2",
            "capacity_kw": 2,
            "loss_fraction": 0.03,
            "both_ways": True,
        }
        parts["other"] = grid("sell", "buy", 4, 4) | FAR
        parts["third"] = battery(3, 0.92) | FAR
        parts["neighbour"] = {"type": "power_demand", "profile": "load"} | FAR
    return parts, series


@settings(max_examples=12, deadline=None)
@given(systems())
def test_the_answer_is_that_of_every_binary(drawn):
    parts, series = drawn
    horizon = {"start": "2019-01-01T00:00", "steps": STEPS}
    system = System.model_validate({"system": "street", "horizon": horizon, "components": parts})
    one = Dispatcher(system, series, SolverSettings(mip_gap_fraction=1e-7))
    case = one.case(None)
    compiled = one.engine.compiled(case)
    program = milp.with_finite_pairs(compiled.linear_program(case), compiled.pairs)
    every, _ = with_binaries(program, dict.fromkeys(compiled.pairs, np.arange(STEPS)))
    plain = PersistentHighs().solve(every, time_limit_seconds=60, mip_gap_fraction=1e-9)
    run = one.dispatch()
    if plain.x is None:
        assert plain.status is Status.INFEASIBLE
        assert run.status is Status.INFEASIBLE
        return
    assert run.status is Status.OPTIMAL, run.solution.message
    assert run.solution.objective_eur == pytest.approx(plain.objective, rel=1e-6, abs=2e-6)
