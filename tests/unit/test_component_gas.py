"""Gas and hydrogen by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.components import COMPONENT_TYPES
from schema.system import System
from solvers.dispatch import Dispatcher

GRID = {"type": "grid", "import_price_eur_per_kwh": {"profile": "price"}, "export_limit_kw": 0}
LOAD = {"type": "power_demand", "profile": "load"}
SPLITTER = {"type": "electrolyser", "capacity_kw": 10, "efficiency_fraction": 0.6}
TANK = {"type": "hydrogen_tank", "capacity_kwh": 50, "power_kw": 50, "initial_level_fraction": 0}
CELL = {"type": "fuel_cell", "capacity_kw": 5, "electric_efficiency_fraction": 0.5}


def house(components, minutes=60, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": components})
    return Dispatcher(system, {name: np.asarray(values, dtype=float) for name, values in series.items()})


def test_hydrogen_carries_cheap_electricity_to_a_dear_hour():
    parts = {"grid": GRID, "splitter": SPLITTER, "tank": TANK, "cell": CELL, "load": LOAD}
    run = house(parts, load=[0, 3], price=[0.1, 0.9]).dispatch()
    # 3 kWh out take 6 kWh of hydrogen, and these 10 kWh of electricity.
    assert run.flows["splitter.electricity_kw"] == pytest.approx([10, 0], abs=1e-9)
    assert run.flows["splitter.hydrogen_kw"] == pytest.approx([6, 0], abs=1e-9)
    assert run.states["tank.level_kwh"] == pytest.approx([6, 0], abs=1e-9)
    assert run.flows["cell.hydrogen_kw"] == pytest.approx([0, 6], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(1.0)
    assert run.kpis["total_demand_kwh"] == pytest.approx(13)
    assert run.kpis["total_generation_kwh"] == pytest.approx(3)


def test_an_electrolyser_s_capacity_is_of_what_it_takes():
    parts = {
        "grid": GRID,
        "splitter": SPLITTER | {"capacity_kw": 8},
        "tank": TANK,
        "cell": CELL,
        "load": LOAD,
    }
    run = house(parts, load=[0, 3], price=[0.1, 0.9]).dispatch()
    assert run.flows["splitter.electricity_kw"] == pytest.approx([8, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(0.8 + (3 - 8 * 0.6 * 0.5) * 0.9)


def test_variable_costs_of_an_electrolyser_go_with_what_it_takes():
    splitter = SPLITTER | {"variable_cost_eur_per_kwh": 0.02}
    parts = {"grid": GRID, "splitter": splitter, "tank": TANK, "cell": CELL, "load": LOAD}
    run = house(parts, load=[0, 3], price=[0.1, 0.9]).dispatch()
    assert run.accounts["splitter"].operation_cost_eur == pytest.approx(10 * 0.02)


def test_a_fuel_cell_heats_where_its_thermal_efficiency_is_told():
    cell = CELL | {"thermal_efficiency_fraction": 0.4}
    heat = {"type": "heat_demand", "profile": "heat"}
    rod = {"type": "electric_boiler", "capacity_kw": 9}
    tank = TANK | {"initial_level_fraction": 1, "cyclic": False}
    parts = {"grid": GRID, "tank": tank, "cell": cell, "rod": rod, "heat": heat, "load": LOAD}
    run = house(parts, load=[5], heat=[6], price=[0.5]).dispatch()
    assert run.flows["cell.heat_kw"] == pytest.approx([4])
    assert run.flows["rod.heat_kw"] == pytest.approx([2])
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.5)


def test_a_fuel_cell_without_heat_needs_nobody_who_takes_any():
    tank = TANK | {"initial_level_fraction": 0.2, "cyclic": False}
    run = house({"tank": tank, "cell": CELL, "load": LOAD}, load=[5]).dispatch()
    assert run.flows["cell.electricity_kw"] == pytest.approx([5])
    assert run.states["tank.level_kwh"] == pytest.approx([0], abs=1e-9)


@pytest.mark.parametrize("kind", ["chp", "fuel_cell"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"electric_efficiency_fraction": 0.7, "thermal_efficiency_fraction": 0.4}, "more than 1"),
        (
            {
                "electric_efficiency_fraction": 0.3,
                "thermal_efficiency_fraction": 0.4,
                "min_thermal_efficiency_fraction": 0.5,
            },
            "above thermal_efficiency_fraction",
        ),
    ],
)
def test_a_unit_that_makes_energy_is_refused(kind, change, message):
    with pytest.raises(ValidationError, match=message):
        COMPONENT_TYPES[kind].model_validate({"type": kind, "capacity_kw": 5} | change)


def test_green_gas_counts_as_renewable_by_its_share():
    gas = {"type": "gas_grid", "import_price_eur_per_kwh": 0.1, "renewable_fraction": 0.3}
    boiler = {"type": "gas_boiler", "capacity_kw": 9}
    heat = {"type": "heat_demand", "profile": "heat"}
    run = house({"gas": gas, "boiler": boiler, "heat": heat}, heat=[4]).dispatch()
    assert run.kpis["renewable_fraction"] == pytest.approx(0.3)
