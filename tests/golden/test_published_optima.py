"""Optima that others have published, as far as today's components can state them."""

from __future__ import annotations

import numpy as np
import pytest

from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status


def dispatch(components, series, start="2017-01-01T00:00"):
    horizon = {"start": start, "steps": len(next(iter(series.values())))}
    system = System.model_validate({"system": "published", "horizon": horizon, "components": components})
    return Dispatcher(
        system, {name: np.asarray(values, dtype=float) for name, values in series.items()}
    ).dispatch()


def test_reopt_blended_tariff():
    """REopt.jl, blended tariff: 10,000 kWh flat over a year at 0.1 $/kWh and 10 $/kW a month."""
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": 0.1,
            "demand_charge_eur_per_kw_month": 10,
        },
        "load": {"type": "power_demand", "profile": "load"},
    }
    run = dispatch(parts, {"load": np.full(8760, 10_000 / 8760)})
    assert run.status is Status.OPTIMAL
    energy = 0.1 * run.flows["grid.import_kw"].sum()
    assert energy == pytest.approx(1000.0)
    assert run.kpis["total_cost"] - energy == pytest.approx(136.99, abs=0.005)


def test_pypsa_lopf_storage_without_the_cost_of_holding():
    """PyPSA, test_storage_energy_marginal_cost: 2.6, of which 0.2 x (2 + 1 + 0) is for holding energy.

    Our storages know no cost of holding; the dispatch is the only feasible one that buys no more than is needed,
    so what is bought (2.0) and what is held (3.0 kWh) must be theirs.
    """
    parts = {
        "gen": {
            "type": "grid",
            "import_limit_kw": 3,
            "export_limit_kw": 0,
            "import_price_eur_per_kwh": {"profile": "price"},
        },
        "store": {
            "type": "battery",
            "capacity_kwh": 10,
            "power_kw": 10,
            "initial_level_fraction": 0.1,
            "cyclic": False,
        },
        "load": {"type": "power_demand", "profile": "load"},
    }
    # Their generator runs in the first snapshot only; here the others are too dear to be used.
    run = dispatch(parts, {"price": [1, 100, 100], "load": [1, 1, 1]})
    assert run.kpis["total_cost"] == pytest.approx(2.0)
    assert run.kpis["total_cost"] + 0.2 * run.states["store.level_kwh"].sum() == pytest.approx(2.6)
