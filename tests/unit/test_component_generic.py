"""What has no name of its own, and links between nodes, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.components import COMPONENT_TYPES
from schema.errors import InputError
from schema.loading import load_system
from schema.system import System
from solvers.dispatch import Dispatcher
from solvers.solution import Status

GRID = {"type": "grid", "import_price_eur_per_kwh": 0.3, "export_limit_kw": 0}
LOAD = {"type": "power_demand", "profile": "load"}
FAR = {"carriers": {"electricity": "electricity@barn"}}
LINK = {"type": "link", "from_node": "electricity", "to_node": "electricity@barn", "capacity_kw": 5}


def house(components, minutes=60, economics=None, **series):
    steps = len(next(iter(series.values())))
    horizon = {"start": "2019-01-01T00:00", "steps": steps, "step_minutes": minutes}
    data = {"system": "house", "horizon": horizon, "components": components, "economics": economics or {}}
    arrays = {name: np.asarray(values, dtype=float) for name, values in series.items()}
    return Dispatcher(System.model_validate(data), arrays)


@pytest.mark.parametrize(("minutes", "hours"), [(60, 1.0), (15, 0.25)])
def test_a_pellet_boiler_is_a_source_of_heat_with_a_price_and_co2(minutes, hours):
    pellets = {
        "type": "generic_source",
        "carrier": "heat",
        "capacity_kw": 4,
        "price_eur_per_kwh": {"profile": "price"},
        "co2_kg_per_kwh": 0.03,
        "variable_cost_eur_per_kwh": 0.01,
        "renewable_fraction": 1,
    }
    demand = {"type": "generic_demand", "carrier": "heat", "profile": "heat", "unserved_price_eur_per_kwh": 3}
    parts = {"pellets": pellets, "demand": demand}
    run = house(parts, minutes, {"co2_price_eur_per_kg": 0.1}, heat=[3, 6], price=[0.06, 0.08]).dispatch()
    assert run.flows["pellets.output_kw"] == pytest.approx([3, 4])
    assert run.flows["demand.input_kw"] == pytest.approx([3, 4])
    co2 = 7 * 0.03 * hours
    assert run.kpis["total_co2"] == pytest.approx(co2)
    assert run.kpis["total_cost"] == pytest.approx((3 * 0.07 + 4 * 0.09 + 2 * 3) * hours + 0.1 * co2)
    assert run.kpis["renewable_fraction"] == pytest.approx(1)
    assert run.kpis["unserved_kwh"] == pytest.approx(2 * hours)


def test_a_source_with_a_profile_gives_what_is_available_at_most():
    source = {"type": "generic_source", "carrier": "electricity", "capacity_kw": 4, "profile": "river"}
    run = house({"grid": GRID, "river": source, "load": LOAD}, load=[3, 3], river=[0.5, 1]).dispatch()
    assert run.flows["river.output_kw"] == pytest.approx([2, 3])
    assert run.kpis["total_generation_kwh"] == pytest.approx(5)


def test_a_storage_and_a_converter_of_anything():
    grid = GRID | {"import_price_eur_per_kwh": {"profile": "price"}}
    machine = {
        "type": "generic_converter",
        "input_carrier": "electricity",
        "output_carrier": "cooling",
        "output_per_input": {"profile": "yield"},
        "capacity_kw": 6,
        "variable_cost_eur_per_kwh": 0.01,
    }
    ice = {
        "type": "generic_storage",
        "carrier": "cooling",
        "capacity_kwh": 10,
        "power_kw": 5,
        "initial_level_fraction": 0,
        "charge_efficiency_fraction": 0.8,
    }
    cold = {"type": "cooling_demand", "profile": "cold"}
    parts = {"grid": grid, "machine": machine, "ice": ice, "cold": cold}
    run = house(parts, cold=[0, 4], price=[0.1, 0.9], **{"yield": [2.5, 2]}).dispatch()
    assert run.flows["machine.output_kw"] == pytest.approx([5, 0], abs=1e-9)
    assert run.flows["machine.input_kw"] == pytest.approx([2, 0], abs=1e-9)
    assert run.states["ice.level_kwh"] == pytest.approx([4, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(2 * 0.1 + 5 * 0.01)
    assert run.kpis["total_demand_kwh"] == pytest.approx(2)


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_link_serves_another_node_and_counts_nothing_twice(loss):
    barn = LOAD | FAR | {"profile": "barn"}
    parts = {"grid": GRID, "load": LOAD, "link": LINK | {"loss_fraction": loss}, "barn": barn}
    run = house(parts, load=[1, 1], barn=[4, 2]).dispatch()
    sent = np.array([4, 2]) / (1 - loss)
    assert run.flows["link.forward_kw"] == pytest.approx(sent)
    assert run.flows["link.forward_delivered_kw"] == pytest.approx([4, 2])
    assert "link.backward_kw" not in run.flows
    assert run.kpis["total_cost"] == pytest.approx((2 + sent.sum()) * 0.3)
    assert run.kpis["total_demand_kwh"] == pytest.approx(8)
    assert run.kpis["total_generation_kwh"] == 0
    assert run.kpis["net_grid_usage_kwh"] == pytest.approx(2 + sent.sum())


def test_a_link_s_capacity_holds_where_power_enters():
    barn = LOAD | FAR | {"unserved_price_eur_per_kwh": 9}
    parts = {"grid": GRID, "link": LINK | {"loss_fraction": 0.2}, "barn": barn}
    run = house(parts, load=[6]).dispatch()
    assert run.flows["link.forward_kw"] == pytest.approx([5])
    assert run.flows["barn.electricity_kw"] == pytest.approx([4])


def test_one_way_is_one_way_and_both_are_both():
    pv = {"type": "solar_pv", "capacity_kw": 1, "profile": "sun"} | FAR
    parts = {"grid": GRID, "load": LOAD, "pv": pv}
    series = {"load": [3, 3], "sun": [4, 0]}
    one = house(parts | {"link": LINK}, **series).dispatch()
    both = house(parts | {"link": LINK | {"both_ways": True, "loss_fraction": 0.5}}, **series).dispatch()
    assert one.kpis["total_cost"] == pytest.approx(6 * 0.3)
    assert both.flows["link.backward_kw"] == pytest.approx([4, 0], abs=1e-9)
    assert both.flows["link.backward_delivered_kw"] == pytest.approx([2, 0], abs=1e-9)
    assert both.kpis["total_cost"] == pytest.approx(4 * 0.3)


def test_energy_is_not_dumped_by_pumping_both_ways():
    """At a negative price the relaxation would burn electricity in the losses of both ways."""
    grid = GRID | {"import_price_eur_per_kwh": -0.1, "import_limit_kw": 50}
    barn = LOAD | FAR
    parts = {"grid": grid, "link": LINK | {"both_ways": True, "loss_fraction": 0.2}, "barn": barn}
    run = house(parts, load=[2, 1]).dispatch()
    assert run.status is Status.OPTIMAL
    both = np.minimum(run.flows["link.forward_kw"], run.flows["link.backward_kw"])
    assert both.max() <= 1e-6
    assert run.kpis["total_cost"] == pytest.approx(-0.1 * 3 / 0.8)


def test_a_link_may_dump_into_a_neighbour_who_can_take_it():
    """The smaller of a pair is what its balance leaves: a line's own losses must not cut that short."""
    grid = GRID | {"import_price_eur_per_kwh": -0.1, "import_limit_kw": 50}
    store = {
        "type": "battery",
        "capacity_kwh": 4,
        "power_kw": 9,
        "initial_level_fraction": 0,
        "cyclic": False,
    }
    parts = {"grid": grid, "link": LINK | {"both_ways": True, "loss_fraction": 0.5}, "store": store | FAR}
    parts["barn"] = LOAD | FAR
    run = house(parts, load=[0, 0]).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(-0.1 * 8)


def test_variable_costs_are_paid_for_what_is_sent_either_way():
    pv = {"type": "solar_pv", "capacity_kw": 1, "profile": "sun"} | FAR
    link = LINK | {"both_ways": True, "variable_cost_eur_per_kwh": 0.1}
    parts = {"grid": GRID, "load": LOAD, "pv": pv, "link": link, "barn": LOAD | FAR}
    run = house(parts, load=[3, 3], sun=[5, 0]).dispatch()
    assert run.accounts["link"].operation_cost_eur == pytest.approx((2 + 3) * 0.1)


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("generic_source", {"carrier": "steam", "capacity_kw": 1}, "'steam' must be one of electricity"),
        ("generic_source", {"carrier": "water", "capacity_kw": 1}, "'water' must be one of electricity"),
        ("generic_source", {"carrier": "heat@", "capacity_kw": 1}, "'heat@' must be one of"),
        ("generic_source", {"carrier": "heat", "capacity_kw": 1, "carriers": {"heat": "heat@b"}}, "has none"),
        ("link", LINK | {"to_node": "electricity"}, "the same node"),
        ("link", LINK | {"to_node": "heat@barn"}, "different carriers"),
        ("link", LINK | {"loss_fraction": 1}, "less than 1"),
        (
            "generic_converter",
            {"input_carrier": "heat", "output_carrier": "heat", "output_per_input": 1, "capacity_kw": 1},
            "the same node",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(kind, data, message):
    with pytest.raises(ValidationError, match=message):
        COMPONENT_TYPES[kind].model_validate({"type": kind} | data)


SYSTEM = """
system: two houses
horizon: {start: 2019-01-01T00:00, steps: 2}
profiles: {load: 2.0}
components:
  grid: {type: grid, import_price_eur_per_kwh: 0.3}
  link: {type: link, from_node: electricity, to_node: electricity@house_2, capacity_kw: 5}
  load: {type: power_demand, profile: load, carriers: {electricity: electricity@NODE}}
"""


def test_a_system_of_two_nodes_is_read_and_dispatched(tmp_path):
    (tmp_path / "two.yaml").write_text(SYSTEM.replace("NODE", "house_2"), encoding="utf-8")
    loaded = load_system(tmp_path / "two.yaml")
    run = Dispatcher(loaded.system, loaded.series).dispatch()
    assert run.kpis["total_cost"] == pytest.approx(4 * 0.3)


def test_a_node_that_nothing_supplies_is_refused(tmp_path):
    (tmp_path / "two.yaml").write_text(SYSTEM.replace("NODE", "house_3"), encoding="utf-8")
    with pytest.raises(InputError, match="'load' takes electricity@house_3, and no component supplies it"):
        load_system(tmp_path / "two.yaml")


def test_a_link_alone_is_no_source(tmp_path):
    lines = [line for line in SYSTEM.replace("NODE", "house_2").splitlines() if "grid" not in line]
    (tmp_path / "two.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="'link' takes electricity, and no component supplies it"):
        load_system(tmp_path / "two.yaml")
