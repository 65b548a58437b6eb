"""Whatever the design: what is taken over from a recorded dispatch is to the last bit what a solve gives."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.kpis import kpis_again
from tasks.dispatch_keys import DispatchKeys
from tasks.reuse import operation_of, text_of

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STEPS = 12
SERIES = {
    "price": np.linspace(0.18, 0.34, STEPS),
    "load": np.random.default_rng(1).uniform(0.5, 3.0, STEPS),
    "sun": np.clip(np.sin(np.linspace(0, np.pi, STEPS)), 0, None),
}
SYSTEM = {
    "system": "house",
    "horizon": {"start": "2019-01-01T00:00", "steps": STEPS},
    "components": {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "price"},
            "export_price_eur_per_kwh": 0.08,
            "import_co2_kg_per_kwh": 0.35,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 4, "profile": "sun", "investment_eur_per_kw": 1100},
        "battery": {
            "type": "battery",
            "capacity_kwh": 5,
            "power_kw": 4,
            "investment_eur_per_kwh": 250,
            "throughput_cost_eur_per_kwh": 0.01,
        },
        "mill": {"type": "generic_source", "carrier": "electricity", "capacity_kw": 1, "price_eur_per_kwh": 0.1},
        "lights": {"type": "power_demand", "profile": "load"},
    },
}  # fmt: skip
SIZES = st.fixed_dictionaries(
    {
        "pv.capacity_kw": st.floats(0, 12, allow_subnormal=False),
        "battery.capacity_kwh": st.floats(0, 20, allow_subnormal=False),
    }
)
MONEY = st.fixed_dictionaries(
    {},
    optional={
        "economics.discount_rate": st.floats(0, 0.15, allow_subnormal=False),
        "economics.project_years": st.floats(1, 40, allow_subnormal=False),
        "pv.investment_eur_per_kw": st.floats(0, 3000, allow_subnormal=False),
        "pv.fixed_cost_eur_per_kw_year": st.floats(0, 30, allow_subnormal=False),
        "battery.lifetime_years": st.floats(1, 30, allow_subnormal=False),
        "battery.subsidy_fraction": st.floats(0, 1, allow_subnormal=False),
        "mill.investment_eur_per_kw": st.floats(0, 2000, allow_subnormal=False),
    },
)
BASELINE = {"pv.capacity_kw": 0.0, "battery.capacity_kwh": 0.0}


def system(baseline):
    return System.model_validate(SYSTEM | {"economics": {"baseline": baseline}})


@FEW
@given(SIZES, MONEY, MONEY, st.sampled_from([{}, BASELINE]), st.sampled_from(["milp", "rule_based"]))
def test_a_dispatch_serves_all_designs_of_its_key(sizes, before, after, baseline, method):
    solver = SolverSettings(method=method)
    first, second = (Dispatcher(system(baseline), SERIES, solver) for _ in range(2))
    keys = DispatchKeys(first.system, SERIES, solver)
    assert keys.key(sizes | before) == keys.key(sizes | after)
    solved = first.dispatch(sizes | before)
    operation = operation_of(first.system, text_of(first.system, solved.operation), solved.kpis)
    taken_over = kpis_again(first.system, sizes | after, operation)
    assert list(taken_over.items()) == list(second.dispatch(sizes | after).kpis.items())


@FEW
@given(st.lists(SIZES, min_size=2, max_size=4))
def test_other_designs_have_other_keys(designs):
    keys = DispatchKeys(system({}), SERIES, SolverSettings())
    different = {(design["pv.capacity_kw"] + 0.0, design["battery.capacity_kwh"] + 0.0) for design in designs}
    assert len({keys.key(design) for design in designs}) >= len(different)
