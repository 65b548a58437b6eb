"""What a dispatch minimises: cost, CO2, the exchange with the grid, or a weighted sum."""

from __future__ import annotations

import numpy as np
import pytest

from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

# Heat of 6 kW for two hours: by gas at 0.05 €/kWh and 0.2 kg/kWh, or by electricity at 0.10 €/kWh, free of CO2
# in the first hour and of 0.4 kg/kWh in the second.
HEAT_KW, HOURS = 6.0, 2
PARTS = {
    "grid": {
        "type": "grid",
        "import_price_eur_per_kwh": 0.10,
        "export_price_eur_per_kwh": 0.02,
        "import_co2_kg_per_kwh": {"profile": "intensity"},
    },
    "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.05, "import_co2_kg_per_kwh": 0.2},
    "heater": {"type": "electric_boiler", "capacity_kw": 10},
    "boiler": {"type": "gas_boiler", "capacity_kw": 10, "efficiency_fraction": 1.0},
    "heating": {"type": "heat_demand", "profile": "heat"},
}
SERIES = {"intensity": np.array([0.0, 0.4]), "heat": np.full(HOURS, HEAT_KW)}


def dispatch(parts=None, series=None, **solver):
    parts, series = parts or PARTS, series or SERIES
    horizon = {"start": "2019-01-01T00:00", "steps": len(next(iter(series.values())))}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": parts})
    run = Dispatcher(system, series, SolverSettings(**solver)).dispatch()
    assert run.status is Status.OPTIMAL
    return run


def test_unless_told_the_cheapest_dispatch_is_taken():
    run = dispatch()
    assert run.kpis["total_cost"] == pytest.approx(12 * 0.05)
    assert run.kpis["total_co2"] == pytest.approx(12 * 0.2)


def test_the_least_co2_is_taken_where_that_is_the_objective():
    run = dispatch(objective="co2")
    assert run.flows["heater.heat_kw"] == pytest.approx([6, 0])
    assert run.kpis["total_co2"] == pytest.approx(6 * 0.2)
    assert run.kpis["total_cost"] == pytest.approx(6 * 0.10 + 6 * 0.05)


def test_a_weight_of_co2_takes_the_dispatch_whose_weighted_sum_is_least():
    # Electricity saves 0.2 kg/kWh in the first hour and costs 0.05 €/kWh more: worth it from 0.25 €/kg on.
    assert dispatch(co2_weight_eur_per_kg=0.24).kpis["total_co2"] == pytest.approx(12 * 0.2)
    run = dispatch(co2_weight_eur_per_kg=0.26)
    assert run.kpis["total_co2"] == pytest.approx(6 * 0.2)
    assert run.solution.objective_eur == pytest.approx(6 * 0.10 + 6 * 0.05 + 0.26 * 6 * 0.2)


PV_AND_BATTERY = {
    "grid": {
        "type": "grid",
        "import_price_eur_per_kwh": 0.3,
        "export_price_eur_per_kwh": {"profile": "sell"},
    },
    "pv": {"type": "solar_pv", "capacity_kw": 1, "profile": "sun"},
    "battery": {"type": "battery", "capacity_kwh": 10, "power_kw": 10, "initial_level_fraction": 0},
    "load": {"type": "power_demand", "profile": "load"},
}
A_DAY = {"sun": np.array([4.0, 0, 0]), "load": np.array([0.0, 1, 1]), "sell": np.array([0.5, 0.5, 0.1])}


def test_the_least_exchange_with_the_grid_neither_buys_nor_sells_what_it_need_not():
    cheapest = dispatch(PV_AND_BATTERY, A_DAY)
    assert cheapest.kpis["total_cost"] < 0
    assert cheapest.flows["grid.export_kw"].sum() > 3
    run = dispatch(PV_AND_BATTERY, A_DAY, objective="grid_exchange")
    exchanged = run.flows["grid.import_kw"].sum() + run.flows["grid.export_kw"].sum()
    assert exchanged == pytest.approx(0, abs=1e-6)
    assert run.kpis["curtailed_kwh"] == pytest.approx(2)


def test_a_weight_of_the_exchange_is_weighed_against_cost():
    # Selling 2 kWh at 0.5 €/kWh is worth it until a kWh exchanged weighs as much.
    sold = {"grid.export_kw": 2}
    for weight, kwh in ((0.29, sold["grid.export_kw"]), (0.51, 0)):
        run = dispatch(PV_AND_BATTERY, A_DAY, grid_exchange_weight_eur_per_kwh=weight)
        net = run.kpis["net_grid_usage_kwh"]
        assert -net == pytest.approx(kwh)


def test_of_dispatches_with_equal_co2_the_cheapest_is_taken():
    parts = {name: dict(part) for name, part in PARTS.items()}
    parts["gas"]["import_co2_kg_per_kwh"] = 0.0
    run = dispatch(parts, objective="co2")
    assert run.kpis["total_co2"] == pytest.approx(0)
    assert run.kpis["total_cost"] == pytest.approx(12 * 0.05)
