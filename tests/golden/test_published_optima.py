"""Optima that others have published, restated with our components."""

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


def test_reopt_look_back_demand():
    """REopt.jl, look-back demand charges: 1 kW over 2022 but for 100 kW in one hour of January.

    10.5 $/kW in six cold months, 11.5 $/kW in six warm ones; no month is billed for less than 35 % of the year's
    peak: 100 · (10.5 + 0.35 · 10.5 · 5 + 0.35 · 11.5 · 6).
    """
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": 0.1,
            "demand_charge_eur_per_kw_month": {"profile": "charge"},
            "demand_ratchet_fraction": 0.35,
        },
        "load": {"type": "power_demand", "profile": "load"},
    }
    load = np.ones(8760)
    load[7] = 100.0
    hours = np.datetime64("2022-01-01T00") + np.arange(8760)
    month = hours.astype("datetime64[M]").astype(int) % 12 + 1
    charge = np.where((month >= 5) & (month <= 10), 11.5, 10.5)
    run = dispatch(parts, {"load": load, "charge": charge}, start="2022-01-01T00:00")
    energy = 0.1 * run.flows["grid.import_kw"].sum()
    assert run.kpis["total_cost"] - energy == pytest.approx(5302.5, rel=1e-9)
    assert run.solution.objective_eur == pytest.approx(run.kpis["total_cost"], rel=1e-9)


def test_pypsa_lopf_storage():
    """PyPSA, test_storage_energy_marginal_cost: 2 for what is bought, 0.2 · (2 + 1 + 0) for what is held."""
    parts = {
        "gen": {
            "type": "generic_source",
            "carrier": "electricity",
            "capacity_kw": 3,
            "profile": "available",
            "price_eur_per_kwh": 1,
        },
        "store": {
            "type": "generic_storage",
            "carrier": "electricity",
            "capacity_kwh": 10,
            "power_kw": 10,
            "initial_level_fraction": 0.1,
            "cyclic": False,
            "holding_cost_eur_per_kwh_hour": 0.2,
        },
        "load": {"type": "power_demand", "profile": "load"},
    }
    run = dispatch(parts, {"available": [1, 0, 0], "load": [1, 1, 1]})
    assert run.kpis["total_cost"] == pytest.approx(2.6, rel=1e-9)
    assert run.solution.objective_eur == pytest.approx(2.6, rel=1e-9)
    assert run.states["store.level_kwh"] == pytest.approx([2, 1, 0], abs=1e-9)


def test_pypsa_link_unit_commitment():
    """PyPSA, test_link_unit_commitment: a turbine that stays on through an hour in which the wind would do.

    Its capacity and least load are of what it takes (12,000 at an efficiency of 0.5), ours of what it gives.
    """
    parts = {
        "gas": {"type": "gas_grid", "import_limit_kw": 20_000, "import_price_eur_per_kwh": 10},
        "turbine": {
            "type": "generic_converter",
            "input_carrier": "gas",
            "output_carrier": "electricity",
            "capacity_kw": 6000,
            "output_per_input": 0.5,
            "min_load_fraction": 0.1,
            "min_up_time_hours": 3,
            "start_up_cost_eur": 3333,
            "initial_load_fraction": 0,
        },
        "wind": {"type": "wind_turbine", "capacity_kw": 800, "profile": "wind"},
        "load": {"type": "power_demand", "profile": "load"},
    }
    run = dispatch(parts, {"wind": [1, 1, 1, 1], "load": [4000, 6000, 800, 5000]})
    assert run.status is Status.OPTIMAL
    assert run.kpis["total_cost"] == pytest.approx(267333.0, rel=1e-9)
    assert run.flows["turbine.output_kw"] == pytest.approx([3200, 5200, 600, 4200])
    assert run.solution.values["turbine"]["on"] == pytest.approx([1, 1, 1, 1])
