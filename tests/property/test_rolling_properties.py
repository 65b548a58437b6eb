"""Whatever the house and its windows: they keep every rule, and never cost less than the whole at once."""

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
GAP = 1e-6


@st.composite
def houses(draw, engine=False):
    """A house that can always be served, its profiles, and how it is cut into windows."""
    some = st.sampled_from
    steps = draw(st.integers(10, 14))  # more than the longest window and its look-ahead
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "buy"},
            "export_price_eur_per_kwh": 0.05,
            "import_limit_kw": 40,
            "export_limit_kw": 5,
            "demand_charge_eur_per_kw_month": draw(some([0.0, 200.0])),
            "demand_charge_eur_per_kw_year": draw(some([0.0, 900.0])),
            "demand_ratchet_fraction": draw(some([0.0, 0.6])),
        },
        "load": {"type": "power_demand", "profile": "load"},
        "pv": {"type": "solar_pv", "capacity_kw": 5, "profile": "sun"},
        "battery": {
            "type": "battery",
            "capacity_kwh": draw(some([0.0, 3.0, 12.0])),
            "power_kw": 3,
            "charge_efficiency_fraction": 0.9,
            "self_discharge_fraction_per_hour": draw(some([0.0, 0.02])),
            "cyclic": draw(st.booleans()),
        },
        "wash": {"type": "shiftable_demand", "profile": "load", "window_hours": draw(some([1.0, 4.0]))},
    }
    if engine:
        parts |= {
            "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.08},
            "boiler": {
                "type": "gas_boiler",
                "capacity_kw": 3,
                "min_load_fraction": 0.5,
                "start_up_cost_eur": draw(some([0.0, 0.3])),
                "min_up_time_hours": draw(some([1.0, 3.0])),
                "min_down_time_hours": draw(some([1.0, 3.0])),
                "ramp_fraction_per_hour": draw(some([None, 0.4])),
            },
            "network": {"type": "district_heat", "import_price_eur_per_kwh": 0.12},
            "tank": {"type": "heat_buffer", "capacity_kwh": 4, "power_kw": 4, "initial_level_fraction": 0.5},
            "heat": {"type": "heat_demand", "profile": "heat"},
        }
    horizon = {"start": "2019-01-31T20:00", "steps": steps}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": parts})
    series = {
        "buy": rng.uniform(0.1, 0.4, steps),
        "load": rng.uniform(0, 3, steps),
        "sun": np.clip(rng.normal(0, 0.7, steps), 0, None),
        "heat": rng.uniform(0, 4, steps),
    }
    window = draw(st.integers(2, 5))
    cut = {
        "window_hours": window,
        "overlap_hours": draw(st.integers(0, window - 1)),
        "foresight": draw(some(["horizon", "window"])),
    }
    settings_ = SolverSettings(method="rolling_horizon", mip_gap_fraction=GAP, **cut)
    return system, series, settings_


def both(system, series, cut):
    rolling = Dispatcher(system, series, cut).dispatch()
    whole = Dispatcher(system, series, cut.with_changes(method="milp")).dispatch()
    assert whole.status is Status.OPTIMAL, whole.solution.message
    assert rolling.status.has_solution, rolling.solution.message
    assert rolling.checks.passed
    return rolling, whole


@FEW
@given(houses())
def test_windows_never_cost_less_than_the_whole_and_as_much_with_foresight_of_the_horizon(house):
    rolling, whole = both(*house)
    cost, best = rolling.solution.objective_eur, whole.solution.objective_eur
    assert cost >= best - 1e-5 * (1 + abs(best))
    if house[2].foresight == "horizon":
        assert cost == pytest.approx(best, rel=1e-5, abs=1e-5)


@FEW
@given(houses(engine=True))
def test_units_on_or_off_keep_their_rules_and_gaps_hold_the_optimum(house):
    rolling, whole = both(*house)
    cost, best = rolling.solution.objective_eur, whole.solution.objective_eur
    assert cost >= best - 1e-5 * (1 + abs(best))
    gap = rolling.solution.gap_fraction
    assert (gap is None) == (house[2].foresight == "window")
    if gap is not None:
        assert cost - gap * abs(cost) <= best + 1e-5 * (1 + abs(best))


@FEW
@given(houses())
def test_what_is_paid_is_what_was_minimised_with_every_peak_counted_once(house):
    rolling, _ = both(*house)
    assert rolling.kpis["total_cost"] == pytest.approx(rolling.solution.objective_eur, rel=1e-6, abs=1e-5)
    peak = rolling.flows["grid.import_kw"].max()
    yearly = rolling.solution.values["grid"].get("yearly_peak_kw")
    if yearly is not None and house[0].components["grid"].demand_charge_eur_per_kw_year > 0:
        assert yearly[0] == pytest.approx(peak, abs=1e-6)
