"""Whatever the street: houses with a line between them, cars, cold, hydrogen and water keep what they get."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.kpis import KPI_UNITS, defined_kpis
from schema.study import SolverSettings
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FAR = {"carriers": {"electricity": "electricity@far"}}
CISTERN = {"carriers": {"water": "water@cistern"}}
PORTS = {
    "electricity": {
        "grid.import_kw": 1, "grid.export_kw": -1, "load.electricity_kw": -1, "wash.electricity_kw": -1,
        "car.charge_kw": -1, "car.discharge_kw": 1, "chiller.electricity_kw": -1, "splitter.electricity_kw": -1,
        "cell.electricity_kw": 1, "pump.electricity_kw": -1,
        "line.forward_kw": -1, "line.backward_delivered_kw": 1,
    },
    "electricity@far": {
        "pv.electricity_kw": 1, "battery.discharge_kw": 1, "battery.charge_kw": -1, "far.input_kw": -1,
        "river.output_kw": 1, "line.backward_kw": -1, "line.forward_delivered_kw": 1,
    },
    "heat": {
        "collectors.heat_kw": 1, "network.import_kw": 1, "cell.heat_kw": 1, "heat.heat_kw": -1,
    },
    "cooling": {"chiller.cooling_kw": 1, "cold.cooling_kw": -1},
    "hydrogen": {
        "splitter.hydrogen_kw": 1, "bottle.discharge_kw": 1, "bottle.charge_kw": -1, "cell.hydrogen_kw": -1,
    },
    "water": {"mains.import_m3_per_hour": 1, "pump.pumped_m3_per_hour": 1, "taps.water_m3_per_hour": -1},
    "water@cistern": {
        "roof.rain_m3_per_hour": 1, "tank.outflow_m3_per_hour": 1, "tank.inflow_m3_per_hour": -1,
        "pump.taken_m3_per_hour": -1,
    },
}  # fmt: skip
"""Which way every port's flow goes at every node, written down here once more."""


@st.composite
def streets(draw):
    """Two houses that can always be served, and their profiles."""
    steps = draw(st.integers(3, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    some = st.sampled_from
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "buy"},
            "export_price_eur_per_kwh": {"profile": "sell"},
            "import_limit_kw": 60,
            "export_limit_kw": draw(some([0.0, 8.0])),
            "demand_charge_eur_per_kw_year": draw(some([0.0, 80.0])),
            "availability_fraction": draw(some([1.0, 0.9])),
            "import_co2_kg_per_kwh": 0.4,
        },
        "load": {"type": "power_demand", "profile": "load"},
        "line": {
            "type": "link",
            "from_node": "electricity",
            "to_node": "electricity@far",
            "capacity_kw": 9,
            "loss_fraction": draw(some([0.0, 0.1])),
            "both_ways": draw(st.booleans()),
            "variable_cost_eur_per_kwh": draw(some([0.0, 0.01])),
        },
        "far": {
            "type": "generic_demand",
            "carrier": "electricity@far",
            "profile": "load",
            "scale": 0.5,
            "unserved_price_eur_per_kwh": draw(some([0.2, 3.0])),
        },
        "pv": {"type": "solar_pv", "capacity_kw": 6, "profile": "sun"} | FAR,
        "battery": {
            "type": "battery",
            "capacity_kwh": 5,
            "power_kw": 3,
            "charge_efficiency_fraction": 0.9,
            "self_discharge_fraction_per_hour": 0.01,
        }
        | FAR,
    }
    if draw(st.booleans()):
        parts["wash"] = {
            "type": "shiftable_demand",
            "profile": "load",
            "window_hours": draw(some([0.5, 2.0, 24.0])),
        }
    if draw(st.booleans()):
        parts["car"] = draw(cars())
    if draw(st.booleans()):
        parts["chiller"] = {"type": "chiller", "capacity_kw": 9, "cop": 3}
        parts["cold"] = {"type": "cooling_demand", "profile": "load"}
    if draw(st.booleans()):
        parts["river"] = {"type": "generic_source", "carrier": "electricity@far", "capacity_kw": 2}
    if draw(st.booleans()):
        parts |= hydrogen()
    if draw(st.booleans()):
        parts |= water()
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": draw(some([15, 30, 60]))}
    data = {"system": "street", "horizon": horizon, "components": parts}
    here = rng.integers(0, 2, steps).astype(float)
    here[0] = here[-1] = 1
    series = {
        "buy": rng.uniform(-0.1, 0.4, steps),
        "sell": rng.uniform(-0.1, 0.3, steps),
        "load": rng.uniform(0, 3, steps),
        "sun": np.clip(rng.normal(0, 0.7, steps), 0, None),
        "rain": np.clip(rng.normal(0, 10, steps), 0, None),
        "here": here,
        "road": (1 - here) * rng.uniform(0, 1, steps),
    }
    return Dispatcher(System.model_validate(data), series, SolverSettings(mip_gap_fraction=1e-7))


@st.composite
def cars(draw):
    """A car that can always make its trips, and fill up in the last step what it has driven."""
    told = draw(st.sampled_from([{"arrival_level_fraction": 0.5}, {"driving": "road"}]))
    return told | {
        "type": "ev_charger",
        "capacity_kwh": 40,
        "power_kw": 10,
        "presence": "here",
        "discharge_power_kw": draw(st.sampled_from([None, 4.0])),
        "charge_efficiency_fraction": 0.9,
        "discharge_efficiency_fraction": 0.9,
        "departure_level_fraction": told.get("arrival_level_fraction", 0.0),
    }


def hydrogen():
    return {
        "splitter": {"type": "electrolyser", "capacity_kw": 5, "efficiency_fraction": 0.6},
        "bottle": {"type": "hydrogen_tank", "capacity_kwh": 20, "power_kw": 9},
        "cell": {
            "type": "fuel_cell",
            "capacity_kw": 2,
            "electric_efficiency_fraction": 0.5,
            "thermal_efficiency_fraction": 0.3,
            "min_thermal_efficiency_fraction": 0.1,
        },
        "collectors": {"type": "solar_thermal", "capacity_kw": 3, "profile": "sun"},
        "network": {"type": "district_heat", "import_price_eur_per_kwh": 0.1, "renewable_fraction": 0.4},
        "heat": {"type": "heat_demand", "profile": "load", "scale": 2},
    }


def water():
    return {
        "mains": {"type": "water_grid", "import_price_eur_per_m3": 4},
        "taps": {"type": "water_demand", "profile": "load", "scale": 0.1},
        "roof": {"type": "rainwater_source", "profile": "rain", "catchment_area_m2": 80} | CISTERN,
        "tank": {
            "type": "water_tank",
            "capacity_m3": 2,
            "cyclic": False,
            "loss_fraction_per_hour": 0.02,
        }
        | CISTERN,
        "pump": {
            "type": "pump",
            "from_node": "water@cistern",
            "capacity_m3_per_hour": 1,
            "electricity_kwh_per_m3": 0.4,
        },
    }


def solved(street, design=None):
    run = street.dispatch(design)
    assert run.status is Status.OPTIMAL, run.solution.message
    return run


@FEW
@given(streets())
def test_nodes_pairs_and_stores_keep_their_books(street):
    run = solved(street)
    check_nodes(run)
    check_pairs(run)
    check_stores(run, street)


def check_nodes(run):
    assert set(run.flows) <= {port for ports in PORTS.values() for port in ports}
    for node, ports in PORTS.items():
        rest = sum(sign * run.flows[port] for port, sign in ports.items() if port in run.flows)
        assert np.abs(rest).max() < 1e-6, node
    assert all(flow.min() >= -1e-9 for flow in run.flows.values())


def check_pairs(run):
    for one, other in [("line.forward_kw", "line.backward_kw"), ("car.charge_kw", "car.discharge_kw")]:
        if other in run.flows:
            assert np.minimum(run.flows[one], run.flows[other]).max() <= 1e-6


def check_stores(run, street):
    hours, series, parts = (
        street.system.horizon.step_hours,
        street.engine.reference.setting.series,
        street.system.components,
    )
    if "wash" in parts:
        window = max(1, round(parts["wash"].window_hours / hours))
        moved = run.flows["wash.electricity_kw"] - series["load"]
        for first in range(0, moved.size, window):
            assert moved[first : first + window].sum() == pytest.approx(0, abs=1e-6)
    if "car" in parts:
        here, level = series["here"] > 0, run.states["car.level_kwh"]
        assert run.flows["car.charge_kw"][~here].max(initial=0) <= 1e-9
        gained = 0.9 * run.flows["car.charge_kw"] - run.flows.get("car.discharge_kw", 0 * level) / 0.9
        driven = series["road"] if parts["car"].driving is not None else 0
        before = np.concatenate([[20], level[:-1]])
        if parts["car"].arrival_level_fraction is not None:
            before[1:][here[1:] & ~here[:-1]] = 20
        assert level == pytest.approx(before + (gained - driven) * hours, abs=1e-6)
    if "tank" in parts:
        flows = run.solution.values["tank"]
        gained = flows["inflow_m3_per_hour"] - flows["outflow_m3_per_hour"] - flows["overflow_m3_per_hour"]
        before = np.concatenate([[1.0], run.states["tank.level_m3"][:-1]])
        assert run.states["tank.level_m3"] == pytest.approx(before * 0.98**hours + gained * hours, abs=1e-6)


@FEW
@given(streets())
def test_kpis_are_sound_and_count_energy_once(street):
    """G + I - X - D is what storages took more than they gave, and what the line lost."""
    run = solved(street)
    kpis, hours, flows = run.kpis, street.system.horizon.step_hours, run.flows
    assert defined_kpis(street.system) <= set(kpis) <= set(KPI_UNITS)
    for name, value in kpis.items():
        if name.endswith(("_rate", "renewable_fraction")):
            assert 0 <= value <= 1, name
        elif name not in {"total_cost", "total_co2", "net_grid_usage_kwh", "lcoe_eur_per_kwh"}:
            assert value >= -1e-9, name
    assert kpis["total_cost"] == pytest.approx(run.solution.objective_eur, rel=1e-6, abs=1e-5)
    stored = (flows["battery.charge_kw"] - flows["battery.discharge_kw"]).sum() * hours
    lost = sum(
        (flows[f"line.{way}_kw"] - flows[f"line.{way}_delivered_kw"]).sum() * hours
        for way in ("forward", "backward")
        if f"line.{way}_kw" in flows
    )
    rest = kpis["total_generation_kwh"] + kpis["net_grid_usage_kwh"] - kpis["total_demand_kwh"]
    assert rest == pytest.approx(stored + lost, abs=1e-5)


WIDER = (
    "line.capacity_kw",
    "bottle.power_kw",
    "pump.capacity_m3_per_hour",
    "car.power_kw",
    "river.capacity_kw",
)


@FEW
@given(streets(), st.sampled_from([1.0, 5.0]))
def test_more_freedom_never_costs_more(street, more):
    cost = solved(street).solution.objective_eur
    for path in WIDER:
        name, _, attribute = path.partition(".")
        if name in street.system.components:
            design = {path: getattr(street.system.components[name], attribute) + more}
            assert solved(street, design).solution.objective_eur <= cost + 1e-6 * (1 + abs(cost)), path
