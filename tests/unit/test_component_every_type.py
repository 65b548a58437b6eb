"""A case by hand for every type of component: three hours whose flows and cost the comments work out."""

from __future__ import annotations

import numpy as np
import pytest

from schema.components import COMPONENT_TYPES
from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

POWER = {"type": "grid", "import_price_eur_per_kwh": {"profile": "price"}, "export_limit_kw": 0}
LOAD = {"type": "power_demand", "profile": "load"}
WARMTH = {"type": "heat_demand", "profile": "load"}
COLD = {"type": "cooling_demand", "profile": "load"}
HEATING = {"type": "district_heat", "import_price_eur_per_kwh": 0.1}
GAS = {"type": "gas_grid", "import_price_eur_per_kwh": 0.1}
TAPS = {"type": "water_demand", "profile": "load"}
MAINS = {"type": "water_grid", "import_price_eur_per_m3": 4}
HYDROGEN = {
    "type": "generic_source",
    "carrier": "hydrogen",
    "capacity_kw": 99,
    "price_eur_per_kwh": {"profile": "price"},
}
STORE = {"capacity_kwh": 2, "power_kw": 2, "charge_efficiency_fraction": 0.8, "initial_level_fraction": 0}

SERIES = {
    "load": [1, 2, 4],
    "price": [0.1, 0.2, 0.4],
    "sun": [0, 0.5, 1],
    "rain": [0, 10, 40],
    "here": [1, 0, 1],
    "road": [0, 3, 0],
}
BOUGHT = 1 * 0.1 + 2 * 0.2 + 4 * 0.4
"""The load at the grid's price: 2.1 €."""

CASES = {
    # 2.1 € for the load, 31 €/kW a month on 4 kW for 3 of 744 hours
    "grid": (
        {"it": POWER | {"demand_charge_eur_per_kw_month": 31}, "load": LOAD},
        {"it.import_kw": [1, 2, 4]},
        BOUGHT + 31 * 4 * 3 / 744,
    ),
    # 3 kW of sun: 0, 1.5 and 3 kW
    "solar_pv": (
        {"it": {"type": "solar_pv", "capacity_kw": 3, "profile": "sun"}, "grid": POWER, "load": LOAD},
        {"it.electricity_kw": [0, 1.5, 3], "grid.import_kw": [1, 0.5, 1]},
        0.1 + 0.5 * 0.2 + 0.4,
    ),
    # 6 kW of wind: 0, 3 and 6 kW, curtailed to the load
    "wind_turbine": (
        {
            "it": {
                "type": "wind_turbine",
                "capacity_kw": 6,
                "profile": "sun",
                "variable_cost_eur_per_kwh": 0.01,
            },
            "grid": POWER,
            "load": LOAD,
        },
        {"it.electricity_kw": [0, 2, 4]},
        0.1 + 6 * 0.01,
    ),
    # 1.6 kWh of 2 bought in the first hour, 0.4 of 0.5 in the second; given back in the third
    "battery": (
        {"it": {"type": "battery"} | STORE, "grid": POWER, "load": LOAD},
        {"it.charge_kw": [2, 0.5, 0], "it.discharge_kw": [0, 0, 2]},
        3 * 0.1 + 2.5 * 0.2 + 2 * 0.4,
    ),
    "power_demand": (
        {"it": LOAD | {"scale": 2}, "grid": POWER},
        {"it.electricity_kw": [2, 4, 8]},
        2 * BOUGHT,
    ),
    # 7 kWh within the three hours, at most 5 kW
    "shiftable_demand": (
        {
            "it": {"type": "shiftable_demand", "profile": "load", "window_hours": 3, "max_power_kw": 5},
            "grid": POWER,
        },
        {"it.electricity_kw": [5, 2, 0]},
        5 * 0.1 + 2 * 0.2,
    ),
    # full (from 5 of 10 kWh) before a trip of 3 kWh, and 5 kWh again at the end
    "ev_charger": (
        {
            "it": {
                "type": "ev_charger",
                "capacity_kwh": 10,
                "power_kw": 6,
                "presence": "here",
                "driving": "road",
                "departure_level_fraction": 1,
            },
            "grid": POWER,
        },
        {"it.charge_kw": [5, 0, 0]},
        0.5,
    ),
    "heat_pump": (
        {"it": {"type": "heat_pump", "capacity_kw": 5, "cop": 4}, "grid": POWER, "heat": WARMTH},
        {"it.heat_kw": [1, 2, 4], "it.electricity_kw": [0.25, 0.5, 1]},
        BOUGHT / 4,
    ),
    "electric_boiler": (
        {
            "it": {"type": "electric_boiler", "capacity_kw": 5, "efficiency_fraction": 0.8},
            "grid": POWER,
            "heat": WARMTH,
        },
        {"it.electricity_kw": [1.25, 2.5, 5]},
        BOUGHT / 0.8,
    ),
    # 3 kW of it, what is missing from the network at the price of 0.5
    "gas_boiler": (
        {
            "it": {"type": "gas_boiler", "capacity_kw": 3, "efficiency_fraction": 0.8},
            "gas": GAS,
            "network": HEATING | {"import_price_eur_per_kwh": 0.5},
            "heat": WARMTH,
        },
        {"it.heat_kw": [1, 2, 3], "it.gas_kw": [1.25, 2.5, 3.75], "network.import_kw": [0, 0, 1]},
        7.5 * 0.1 + 0.5,
    ),
    # 0.3 kWh of electricity and 0.5 of heat from 1 of gas; dearer than the grid until the third hour
    "chp": (
        {
            "it": {
                "type": "chp",
                "capacity_kw": 1.5,
                "electric_efficiency_fraction": 0.3,
                "thermal_efficiency_fraction": 0.5,
            },
            "gas": GAS,
            "network": HEATING | {"import_price_eur_per_kwh": 0.05},
            "grid": POWER,
            "load": LOAD,
            "heat": WARMTH,
        },
        # 1 kWh of electricity takes 3.33 of gas (0.333 €) and saves 1.67 of heat (0.083 €): 0.25 €
        {"it.electricity_kw": [0, 0, 1.5], "it.gas_kw": [0, 0, 5], "it.heat_kw": [0, 0, 2.5]},
        BOUGHT - 1.5 * 0.4 + 0.5 + 0.05 * (7 - 2.5),
    ),
    "solar_thermal": (
        {
            "it": {"type": "solar_thermal", "capacity_kw": 6, "profile": "sun"},
            "network": HEATING,
            "heat": WARMTH,
        },
        {"it.heat_kw": [0, 2, 4], "network.import_kw": [1, 0, 0]},
        0.1,
    ),
    "district_heat": (
        {"it": HEATING | {"import_co2_kg_per_kwh": 0.2}, "heat": WARMTH},
        {"it.import_kw": [1, 2, 4]},
        0.7,
    ),
    # as the battery, by a rod
    "heat_buffer": (
        {
            "it": {"type": "heat_buffer"} | STORE,
            "rod": {"type": "electric_boiler", "capacity_kw": 9},
            "grid": POWER,
            "heat": WARMTH,
        },
        {"it.charge_kw": [2, 0.5, 0], "it.discharge_kw": [0, 0, 2]},
        3 * 0.1 + 2.5 * 0.2 + 2 * 0.4,
    ),
    # 0.15 € for what is not served is less than the second and third hour's price
    "heat_demand": (
        {
            "it": WARMTH | {"unserved_price_eur_per_kwh": 0.15},
            "rod": {"type": "electric_boiler", "capacity_kw": 9},
            "grid": POWER,
        },
        {"rod.heat_kw": [1, 0, 0]},
        0.1 + 6 * 0.15,
    ),
    "chiller": (
        {"it": {"type": "chiller", "capacity_kw": 4, "cop": 2}, "grid": POWER, "cold": COLD},
        {"it.electricity_kw": [0.5, 1, 2]},
        BOUGHT / 2,
    ),
    "cooling_demand": (
        {
            "it": COLD | {"scale": 3},
            "chiller": {"type": "chiller", "capacity_kw": 12, "cop": 3},
            "grid": POWER,
        },
        {"it.cooling_kw": [3, 6, 12]},
        BOUGHT,
    ),
    "gas_grid": (
        {
            "it": GAS | {"import_price_eur_per_kwh": {"profile": "price"}},
            "boiler": {"type": "gas_boiler", "capacity_kw": 9, "efficiency_fraction": 0.5},
            "heat": WARMTH,
        },
        {"it.import_kw": [2, 4, 8]},
        2 * BOUGHT,
    ),
    "electrolyser": (
        {
            "it": {"type": "electrolyser", "capacity_kw": 8, "efficiency_fraction": 0.5},
            "grid": POWER,
            "use": {"type": "generic_demand", "carrier": "hydrogen", "profile": "load"},
        },
        {"it.electricity_kw": [2, 4, 8], "it.hydrogen_kw": [1, 2, 4]},
        2 * BOUGHT,
    ),
    # as the battery, with hydrogen at the price of electricity
    "hydrogen_tank": (
        {
            "it": {"type": "hydrogen_tank"} | STORE,
            "source": HYDROGEN,
            "use": {"type": "generic_demand", "carrier": "hydrogen", "profile": "load"},
        },
        {"it.charge_kw": [2, 0.5, 0], "it.discharge_kw": [0, 0, 2]},
        3 * 0.1 + 2.5 * 0.2 + 2 * 0.4,
    ),
    # 2 kWh of hydrogen make 1 of electricity; no heat
    "fuel_cell": (
        {
            "it": {
                "type": "fuel_cell",
                "capacity_kw": 4,
                "electric_efficiency_fraction": 0.5,
                "thermal_efficiency_fraction": 0,
            },
            "source": HYDROGEN,
            "load": LOAD,
        },
        {"it.hydrogen_kw": [2, 4, 8]},
        2 * BOUGHT,
    ),
    "water_grid": ({"it": MAINS, "taps": TAPS}, {"it.import_m3_per_hour": [1, 2, 4]}, 28),
    "water_demand": (
        {"it": TAPS | {"scale": 0.5}, "mains": MAINS},
        {"it.water_m3_per_hour": [0.5, 1, 2]},
        14,
    ),
    # 0, 10 and 40 mm on 50 m² at 0.8: 0, 0.4 and 1.6 m³, some of which is used as it falls
    "rainwater_source": (
        {
            "it": {
                "type": "rainwater_source",
                "profile": "rain",
                "catchment_area_m2": 50,
                "runoff_coefficient": 0.8,
            },
            "mains": MAINS,
            "taps": TAPS,
            "tank": {"type": "water_tank", "capacity_m3": 1, "initial_level_fraction": 0, "cyclic": False},
        },
        {"it.rain_m3_per_hour": [0, 0.4, 1.6]},
        4 * (7 - 2),
    ),
    # half full: 1 m³ of 2 for the taps
    "water_tank": (
        {"it": {"type": "water_tank", "capacity_m3": 2, "cyclic": False}, "mains": MAINS, "taps": TAPS},
        {},
        4 * (7 - 1),
    ),
    "pump": (
        {
            "it": {
                "type": "pump",
                "from_node": "water@well",
                "capacity_m3_per_hour": 4,
                "electricity_kwh_per_m3": 0.5,
            },
            "well": MAINS | {"carriers": {"water": "water@well"}},
            "grid": POWER,
            "taps": TAPS,
        },
        {"it.pumped_m3_per_hour": [1, 2, 4], "it.electricity_kw": [0.5, 1, 2]},
        28 + BOUGHT / 2,
    ),
    # 3 kW at 0.15 €: dearer than the grid in the first hour only
    "generic_source": (
        {
            "it": {
                "type": "generic_source",
                "carrier": "electricity",
                "capacity_kw": 3,
                "price_eur_per_kwh": 0.15,
            },
            "grid": POWER,
            "load": LOAD,
        },
        {"it.output_kw": [0, 2, 3]},
        0.1 + 5 * 0.15 + 0.4,
    ),
    "generic_demand": (
        {"it": {"type": "generic_demand", "carrier": "gas", "profile": "load", "scale": 3}, "gas": GAS},
        {"it.input_kw": [3, 6, 12]},
        2.1,
    ),
    # as the battery
    "generic_storage": (
        {"it": {"type": "generic_storage", "carrier": "electricity"} | STORE, "grid": POWER, "load": LOAD},
        {"it.charge_kw": [2, 0.5, 0], "it.discharge_kw": [0, 0, 2]},
        3 * 0.1 + 2.5 * 0.2 + 2 * 0.4,
    ),
    "generic_converter": (
        {
            "it": {
                "type": "generic_converter",
                "input_carrier": "electricity",
                "output_carrier": "gas",
                "capacity_kw": 4,
                "output_per_input": 0.4,
            },
            "grid": POWER,
            "use": {"type": "generic_demand", "carrier": "gas", "profile": "load"},
        },
        {"it.input_kw": [2.5, 5, 10]},
        BOUGHT / 0.4,
    ),
    # a fifth is lost, and each kWh sent costs a cent
    "link": (
        {
            "it": {
                "type": "link",
                "from_node": "electricity",
                "to_node": "electricity@far",
                "capacity_kw": 5,
                "loss_fraction": 0.2,
                "variable_cost_eur_per_kwh": 0.01,
            },
            "grid": POWER,
            "load": {"type": "generic_demand", "carrier": "electricity@far", "profile": "load"},
        },
        {"it.forward_kw": [1.25, 2.5, 5], "it.forward_delivered_kw": [1, 2, 4]},
        (BOUGHT + 7 * 0.01) / 0.8,
    ),
}
"""By type: a system in which the component `it` is of that type, flows, and the total cost [€]."""


@pytest.mark.parametrize("kind", COMPONENT_TYPES)
def test_every_type_does_by_hand_what_it_should(kind):
    parts, flows, cost = CASES[kind]
    assert parts["it"]["type"] == kind
    horizon = {"start": "2019-01-01T00:00", "steps": 3}
    system = System.model_validate({"system": kind, "horizon": horizon, "components": parts})
    series = {name: np.asarray(values, dtype=float) for name, values in SERIES.items()}
    run = Dispatcher(system, series, SolverSettings(mip_gap_fraction=1e-9)).dispatch()
    assert run.status is Status.OPTIMAL, run.solution.message
    for port, power in flows.items():
        assert run.flows[port] == pytest.approx(power, abs=1e-9), port
    assert run.kpis["total_cost"] == pytest.approx(cost, abs=1e-9)
