"""Units that are switched on and off, by hand: a unit at 0.1 €/kWh beside a dear and free one at 0.25 €/kWh."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.components import COMPONENT_TYPES, Dispatchable
from schema.study import SolverSettings
from schema.system import System
from solvers.checks import check, stated
from solvers.components import MATHS
from solvers.dispatch import Dispatcher
from solvers.model import structure_of
from solvers.program import Program
from solvers.solution import Status

UNIT = {"type": "gas_boiler", "capacity_kw": 10, "efficiency_fraction": 1.0}
GAS = {"type": "gas_grid", "import_price_eur_per_kwh": 0.1}
DEAR = {"type": "generic_source", "carrier": "heat", "capacity_kw": 50, "price_eur_per_kwh": 0.25}
HEAT = {"type": "heat_demand", "profile": "heat"}
EXACT = SolverSettings(mip_gap_fraction=1e-7)


def cellar(heat, minutes=60, **unit):
    """A boiler with these attributes and a dear source of heat beside it."""
    horizon = {"start": "2019-01-01T00:00", "steps": len(heat), "step_minutes": minutes}
    parts = {"gas": GAS, "unit": UNIT | unit, "dear": DEAR, "heat": HEAT}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    return Dispatcher(system, {"heat": np.asarray(heat, dtype=float)}, EXACT)


def output(run):
    return run.flows["unit.heat_kw"]


def test_below_its_minimum_load_a_unit_is_off():
    run = cellar([3, 6, 5], min_load_fraction=0.5).dispatch()
    assert output(run) == pytest.approx([0, 6, 5], abs=1e-9)
    assert run.solution.values["unit"]["on"].tolist() == [0, 1, 1]
    assert run.kpis["total_cost"] == pytest.approx(3 * 0.25 + 11 * 0.1)


@pytest.mark.parametrize(("minutes", "starts"), [(60, 2), (15, 0)])
def test_a_start_is_paid_once_and_only_where_it_pays(minutes, starts):
    # Each spell of 8 kW saves 1.2 €/h; a start costs 1 €.
    run = cellar([8, 0, 8], minutes, start_up_cost_eur=1, min_load_fraction=0.5).dispatch()
    expected = {2: 16 * 0.1 + 2.0, 0: 16 * 0.25 / 4}[starts]
    assert run.solution.values["unit"]["start"].sum() == pytest.approx(starts)
    assert run.kpis["total_cost"] == pytest.approx(expected)
    assert run.accounts["unit"].operation_cost_eur == pytest.approx(starts * 1.0)
    assert run.accounts["unit"].co2_kg == 0


def test_a_dear_start_is_avoided_by_staying_on():
    free = cellar([8, 6, 8], start_up_cost_eur=1).dispatch()
    assert free.solution.values["unit"]["start"].sum() == pytest.approx(1)
    assert free.kpis["total_cost"] == pytest.approx(22 * 0.1 + 1)


def test_one_that_ran_before_pays_no_start():
    before = {"start_up_cost_eur": 1, "initial_load_fraction": 0.5}
    assert cellar([8, 8], **before).dispatch().kpis["total_cost"] == pytest.approx(1.6)
    assert cellar([8, 8], start_up_cost_eur=1).dispatch().kpis["total_cost"] == pytest.approx(2.6)


@pytest.mark.parametrize(("minutes", "hours"), [(60, 2), (30, 1.0), (30, 0.6), (60, 1.5)])
def test_once_started_a_unit_stays_on_for_its_minimum_up_time(minutes, hours):
    """Two steps each, rounded up: a start in the second step would have to last into the third, without demand."""
    run = cellar([8, 0, 8, 8], minutes, min_load_fraction=0.5, min_up_time_hours=hours).dispatch()
    assert output(run) == pytest.approx([0, 0, 8, 8], abs=1e-9)


def test_a_minimum_up_time_may_last_beyond_the_horizon():
    run = cellar([0, 0, 8], min_load_fraction=0.5, min_up_time_hours=5).dispatch()
    assert output(run) == pytest.approx([0, 0, 8], abs=1e-9)


def test_once_stopped_a_unit_stays_off_for_its_minimum_down_time():
    run = cellar([8, 0, 9, 8], min_load_fraction=0.5, min_down_time_hours=2).dispatch()
    # Off in the second step, so off in the third too; unless it starts with the third and leaves out the first.
    assert output(run) == pytest.approx([0, 0, 9, 8], abs=1e-9)
    before = cellar([8, 0, 9, 8], min_load_fraction=0.5, min_down_time_hours=2, initial_load_fraction=1)
    assert output(before.dispatch()) == pytest.approx([0, 0, 9, 8], abs=1e-9)


def test_a_ramp_limits_the_change_from_step_to_step():
    dispatcher = cellar([2, 9, 9, 9], ramp_fraction_per_hour=0.3)
    run = dispatcher.dispatch()
    assert output(run) == pytest.approx([2, 5, 8, 9])
    assert set(run.solution.values["unit"]) == {"heat_kw"}


@pytest.mark.parametrize("minutes", [15, 30])
def test_a_ramp_is_for_an_hour_whatever_the_step(minutes):
    run = cellar([2, 9, 9], minutes, ramp_fraction_per_hour=0.4).dispatch()
    step = 4 * minutes / 60
    assert output(run) == pytest.approx([2, 2 + step, 2 + 2 * step])


@pytest.mark.parametrize(("before", "first"), [(None, 9), (0.0, 3), (0.2, 5), (1.0, 9)])
def test_a_ramp_goes_on_from_the_output_before_where_that_is_told(before, first):
    told = {} if before is None else {"initial_load_fraction": before}
    run = cellar([9], ramp_fraction_per_hour=0.3, **told).dispatch()
    assert output(run) == pytest.approx([first])


@pytest.mark.parametrize("rules", [{}, {"min_load_fraction": 0.5}])
def test_a_unit_at_full_load_before_comes_down_no_faster_than_its_ramp(rules):
    unit = {"ramp_fraction_per_hour": 0.3, "initial_load_fraction": 1.0} | rules
    assert output(cellar([7], **unit).dispatch()) == pytest.approx([7])
    assert cellar([6.9], **unit).dispatch().status is Status.INFEASIBLE


def test_a_unit_starts_and_stops_at_its_minimum_load_where_its_ramp_is_slower():
    run = cellar([0, 9, 9, 9, 0], min_load_fraction=0.5, ramp_fraction_per_hour=0.2).dispatch()
    # 5 kW at the start, 7 kW at most after that, and 5 kW before the stop.
    assert output(run) == pytest.approx([0, 5, 7, 5, 0], abs=1e-9)


LINE = {"load_fraction": [0.5, 1.0], "relative_efficiency": [0.8, 1.0]}


def test_efficiency_at_part_load_is_a_line_of_what_goes_in():
    run = cellar([5, 10, 7.5], min_load_fraction=0.5, part_load=LINE).dispatch()
    assert output(run) == pytest.approx([5, 10, 7.5])
    # 5 kW take 6.25 kW, 10 kW take 10 kW, and what is half-way takes the mean of both.
    assert run.flows["unit.gas_kw"] == pytest.approx([6.25, 10, 8.125])


def test_a_unit_that_is_off_takes_nothing_whatever_its_line():
    run = cellar([2, 0], min_load_fraction=0.5, part_load=LINE).dispatch()
    assert run.flows["unit.gas_kw"] == pytest.approx([0, 0], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(0.5)


BENT = {"load_fraction": [0.2, 0.4, 0.6, 1.0], "relative_efficiency": [0.5, 0.8, 1.1, 1.0]}


@pytest.mark.parametrize("price", [0.1, -0.1])
@pytest.mark.parametrize(
    ("heat", "gas"), [(2, 4), (3, 4.5), (4, 5), (5, (5 + 6 / 1.1) / 2), (6, 6 / 1.1), (10, 10)]
)
def test_a_line_holds_whatever_its_bends_and_the_price_of_what_goes_in(heat, gas, price):
    horizon = {"start": "2019-01-01T00:00", "steps": 1}
    unit = {"type": "generic_converter", "input_carrier": "gas", "output_carrier": "heat", "capacity_kw": 10}
    line = {"output_per_input": 1.0, "min_load_fraction": 0.2, "part_load": BENT}
    gas_grid = GAS | {"import_price_eur_per_kwh": price}
    parts = {"gas": gas_grid, "unit": unit | line, "heat": HEAT}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    run = Dispatcher(system, {"heat": np.array([heat])}, EXACT).dispatch()
    assert run.flows["unit.input_kw"] == pytest.approx([gas])


def test_a_line_is_relative_to_a_cop_that_changes_with_each_step():
    pump = {"type": "heat_pump", "capacity_kw": 10, "cop": {"profile": "cop"}, "min_load_fraction": 0.5}
    horizon = {"start": "2019-01-01T00:00", "steps": 2}
    grid = {"type": "grid", "import_price_eur_per_kwh": 0.3}
    parts = {"grid": grid, "pump": pump | {"part_load": LINE}, "heat": HEAT}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    run = Dispatcher(system, {"heat": np.array([5.0, 10]), "cop": np.array([2.0, 4])}, EXACT).dispatch()
    assert run.flows["pump.electricity_kw"] == pytest.approx([5 / 2 / 0.8, 10 / 4])


def test_a_cogeneration_unit_s_line_is_of_both_of_its_yields():
    chp = {
        "type": "chp",
        "capacity_kw": 10,
        "electric_efficiency_fraction": 0.3,
        "thermal_efficiency_fraction": 0.6,
        "min_load_fraction": 0.5,
        "part_load": LINE,
    }
    horizon = {"start": "2019-01-01T00:00", "steps": 1}
    grid = {"type": "grid", "import_price_eur_per_kwh": 0.3}
    parts = {"gas": GAS, "grid": grid, "chp": chp, "heat": HEAT}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    run = Dispatcher(system, {"heat": np.array([10.0])}, EXACT).dispatch()
    assert run.flows["chp.electricity_kw"] == pytest.approx([5])
    assert run.flows["chp.gas_kw"] == pytest.approx([5 / 0.3 / 0.8])


def test_an_electrolyser_s_line_is_of_what_comes_out():
    splitter = {
        "type": "electrolyser",
        "capacity_kw": 10,
        "efficiency_fraction": 0.6,
        "min_load_fraction": 0.2,
    }
    line = {"load_fraction": [0.2, 0.6, 1.0], "relative_efficiency": [0.9, 1.2, 1.0]}
    horizon = {"start": "2019-01-01T00:00", "steps": 1}
    grid = {"type": "grid", "import_price_eur_per_kwh": 0.3}
    demand = {"type": "generic_demand", "carrier": "hydrogen", "profile": "heat"}
    parts = {"grid": grid, "splitter": splitter | {"part_load": line}, "demand": demand}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    run = Dispatcher(system, {"heat": np.array([0.6 * 8.6])}, EXACT).dispatch()
    # 6 kW give 0.6 · 7.2 kW and 10 kW give 0.6 · 10 kW: half-way is 8 kW.
    assert run.flows["splitter.electricity_kw"] == pytest.approx([8])


def test_a_source_without_sun_for_its_minimum_load_is_off():
    horizon = {"start": "2019-01-01T00:00", "steps": 3}
    source = {
        "type": "generic_source",
        "carrier": "heat",
        "capacity_kw": 10,
        "profile": "sun",
        "min_load_fraction": 0.4,
    }
    parts = {"source": source, "dear": DEAR, "heat": HEAT}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    series = {"heat": np.array([6.0, 6, 6]), "sun": np.array([0.3, 0.5, 1])}
    run = Dispatcher(system, series, EXACT).dispatch()
    assert run.flows["source.output_kw"] == pytest.approx([0, 5, 6], abs=1e-9)


def test_one_model_serves_every_capacity_minimum_load_cost_and_ramp():
    rules = {"min_load_fraction": 0.5, "start_up_cost_eur": 1, "ramp_fraction_per_hour": 0.5}
    dispatcher = cellar([0, 8, 8], **rules)
    dispatcher.dispatch()
    values = {
        "unit.capacity_kw": 20.0,
        "unit.min_load_fraction": 0.35,
        "unit.start_up_cost_eur": 0.5,
        "unit.ramp_fraction_per_hour": 0.2,
    }
    run = dispatcher.dispatch(values)
    assert len(dispatcher.engine._compiled) == 1
    assert output(run) == pytest.approx([0, 7, 8], abs=1e-9)
    assert run.kpis["total_cost"] == pytest.approx(15 * 0.1 + 0.25 + 0.5)


def test_another_minimum_time_is_another_model():
    dispatcher = cellar([8, 0, 8, 8, 0], min_load_fraction=0.5, min_up_time_hours=2)
    assert output(dispatcher.dispatch()) == pytest.approx([0, 0, 8, 8, 0], abs=1e-9)
    longer = dispatcher.dispatch({"unit.min_up_time_hours": 3})
    assert output(longer) == pytest.approx([0, 0, 0, 0, 0], abs=1e-9)


def test_a_capacity_of_nothing_leaves_all_to_others():
    run = cellar([8, 8], min_load_fraction=0.5, start_up_cost_eur=1, part_load=LINE).dispatch(
        {"unit.capacity_kw": 0.0}
    )
    assert run.kpis["total_cost"] == pytest.approx(16 * 0.25)


def test_what_only_whole_units_stand_in_the_way_of_is_told_as_that():
    horizon = {"start": "2019-01-01T00:00", "steps": 2}
    parts = {"gas": GAS, "unit": UNIT | {"min_load_fraction": 0.5}, "heat": HEAT}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    run = Dispatcher(system, {"heat": np.array([6.0, 4.0])}).dispatch(explain=True)
    assert run.status is Status.INFEASIBLE
    assert "on or off as a whole" in run.solution.message
    assert run.solution.conflict == (
        "the balance of heat has too much in 1 step, by up to 1 kW, worst at 2019-01-01 01:00 (1 kWh in all)",
        "it could be met only by a unit that is partly on: unit (minimum load)",
    )


def test_a_ramp_that_is_too_slow_is_told_by_its_name():
    horizon = {"start": "2019-01-01T00:00", "steps": 3}
    parts = {"gas": GAS, "unit": UNIT | {"ramp_fraction_per_hour": 0.2}, "heat": HEAT}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    run = Dispatcher(system, {"heat": np.array([1.0, 9, 9])}).dispatch(explain=True)
    assert run.status is Status.INFEASIBLE
    assert any("unit: its ramp up" in line for line in run.solution.conflict)


@pytest.mark.parametrize(
    ("name", "value"),
    [("on", 0.999), ("on", 0.0), ("start", 0.5), ("heat_kw", 4.99), ("heat_kw", 9.01)],
)
def test_a_commitment_tampered_with_by_a_hair_fails_the_checks(name, value):
    rules = {
        "min_load_fraction": 0.5,
        "start_up_cost_eur": 1,
        "min_up_time_hours": 2,
        "ramp_fraction_per_hour": 0.4,
    }
    dispatcher = cellar([0, 5, 9, 9], **rules)
    run = dispatcher.dispatch()
    assert run.status is Status.OPTIMAL
    case = dispatcher.case()
    values = {owner: {key: v.copy() for key, v in own.items()} for owner, own in run.solution.values.items()}
    values["unit"][name][1] = value
    equations = stated(case.system, case.numbers, values)
    checks = check(case.system, case.numbers, values, equations, run.solution.objective_eur)
    assert any(failure.startswith("unit: ") for failure in checks.failures)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"min_load_fraction": 1.1}, "less than or equal to 1"),
        ({"start_up_cost_eur": -1}, "greater than or equal to 0"),
        ({"ramp_fraction_per_hour": 0}, "greater than 0"),
        ({"min_load_fraction": 0.5, "initial_load_fraction": 0.2}, "neither 0 nor at least"),
        ({"part_load": LINE}, r"min_load_fraction \(0\) is below the first load_fraction"),
        (
            {"min_load_fraction": 0.5, "part_load": LINE | {"load_fraction": [1.0, 0.5]}},
            "ascend and end at 1",
        ),
        (
            {"min_load_fraction": 0.5, "part_load": LINE | {"load_fraction": [0.5, 0.9]}},
            "ascend and end at 1",
        ),
        ({"min_load_fraction": 0.5, "part_load": LINE | {"relative_efficiency": [1.0]}}, "at least 2 items"),
        (
            {"min_load_fraction": 0.5, "part_load": LINE | {"relative_efficiency": [1, 1, 1]}},
            "each load needs one efficiency",
        ),
        (
            {"min_load_fraction": 0.5, "part_load": LINE | {"relative_efficiency": [0.4, 1]}},
            "more load goes with less",
        ),
        ({"min_load_fraction": 0.5, "part_load": LINE | {"relative_efficiency": [1.1, 1]}}, "is above 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules, words):
    with pytest.raises(ValidationError, match=words):
        COMPONENT_TYPES["gas_boiler"].model_validate(UNIT | rules)


def test_without_rules_a_unit_s_mathematics_are_those_of_a_linear_program():
    for kind in [kind for kind, model in COMPONENT_TYPES.items() if issubclass(model, Dispatchable)]:
        model = COMPONENT_TYPES[kind]
        needed = {
            "cop": 3, "profile": "heat", "carrier": "heat", "input_carrier": "gas", "output_carrier": "heat",
            "output_per_input": 1, "efficiency_fraction": 0.9, "electric_efficiency_fraction": 0.3,
            "thermal_efficiency_fraction": 0.5,
        }  # fmt: skip
        data = {name: value for name, value in needed.items() if name in model.model_fields}
        unit = model.model_validate({"type": kind, "capacity_kw": 1, **data})
        assert not any(var.integer for var in MATHS[model].variables(unit))
        switched = unit.with_changes(min_load_fraction=0.5)
        assert [var.name for var in MATHS[model].variables(switched) if var.integer] == ["on"]


def test_hours_rounded_to_the_same_steps_make_the_same_rows():
    one, other = (cellar([8, 0, 8], min_up_time_hours=hours) for hours in (1.5, 2.0))
    assert structure_of(one.system) != structure_of(other.system)
    rows = []
    for dispatcher in (one, other):
        case = dispatcher.case()
        rows.append(Program(case.system, case.numbers).linear_program(case.numbers))
    assert np.array_equal(rows[0].values, rows[1].values)
