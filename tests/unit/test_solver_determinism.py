"""A result depends on its design alone: not on order, on the dispatcher, or on the study that asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schema.inputs import resolve_profiles
from schema.study import SolverSettings
from schema.system import System
from schema.yaml_files import read_yaml
from solvers.dispatch import Dispatcher
from solvers.references import nearest_share
from solvers.solution import Status

HOUSE = Path(__file__).parents[2] / "examples" / "house"


@pytest.fixture(scope="module")
def week():
    system = System.model_validate(read_yaml(HOUSE / "week.yaml")[0])
    return system, resolve_profiles(system, HOUSE, "week.yaml")


@pytest.fixture(scope="module")
def designs():
    rng = np.random.default_rng(5)
    capacities = [
        {
            "pv.capacity_kw": rng.uniform(0, 15),
            "battery.capacity_kwh": rng.uniform(0, 20),
            "heat_pump.capacity_kw": rng.choice([3.0, 4.0, 5.0, 6.0, 8.0]),
            "solver.co2_weight_eur_per_kg": rng.uniform(0, 1),
        }
        for _ in range(12)
    ]
    others = [
        {"battery.charge_efficiency_fraction": 0.8},  # another matrix
        {"grid.export_price_eur_per_kwh": -0.1, "grid.export_limit_kw": 0.5},
        {"grid.import_limit_kw": 0.5, "grid.export_limit_kw": 0.0},  # infeasible
        {"grid.demand_charge_eur_per_kw_month": 9.0},  # another structure
        {},
    ]
    return capacities + others


def bits(run):
    """Everything that a dispatch says, to the last bit."""
    values = {
        (owner, name): value.tobytes()
        for owner, own in run.solution.values.items()
        for name, value in own.items()
    }
    return run.status, run.solution.objective_eur, values, dict(run.kpis)


def test_results_are_the_same_bit_for_bit_in_any_order(week, designs):
    forward, backward = Dispatcher(*week), Dispatcher(*week)
    one = [bits(forward.dispatch(design)) for design in designs]
    other = [bits(backward.dispatch(design)) for design in reversed(designs)][::-1]
    assert one == other


def test_a_design_solved_twice_and_one_solved_alone_are_the_same(week, designs):
    busy = Dispatcher(*week)
    first = [bits(busy.dispatch(design)) for design in designs]
    assert [bits(busy.dispatch(design)) for design in designs] == first
    for place in (0, 12, 13, 15):
        assert bits(Dispatcher(*week).dispatch(designs[place])) == first[place]


def test_binaries_leave_no_trace_either(week, designs):
    horizon = week[0].horizon.with_changes(steps=24)
    day = week[0].model_copy(update={"horizon": horizon}), {k: v[:24] for k, v in week[1].items()}
    mixed = [designs[0], {"grid.export_price_eur_per_kwh": 0.5}, designs[1]]
    forward, backward = Dispatcher(*day), Dispatcher(*day)
    one = [bits(forward.dispatch(design)) for design in mixed]
    assert one == [bits(backward.dispatch(design)) for design in reversed(mixed)][::-1]


def test_warm_and_cold_agree_on_the_cost(week, designs):
    one = Dispatcher(*week)
    cold = Dispatcher(week[0].with_values({"grid.import_limit_kw": 0.01, "pv.capacity_kw": 0.0}), week[1])
    free = {"grid.import_limit_kw": 15.0}
    for design in designs[:6]:
        warm_run, cold_run = one.dispatch(design), cold.dispatch(free | design)
        assert (warm_run.solution.attempts, cold_run.solution.attempts) == (("warm",), ("cold",))
        assert warm_run.solution.objective_eur == pytest.approx(cold_run.solution.objective_eur, rel=1e-9)


def basis(one):
    one.warm_up()
    (compiled,) = one.engine._compiled.values()
    return list(compiled.basis.col_status), list(compiled.basis.row_status)


def test_the_reference_basis_is_the_system_s_own_never_the_study_s(week, designs):
    plain = Dispatcher(*week)
    expected = basis(plain)
    study = SolverSettings(co2_weight_eur_per_kg=0.7, mip_gap_fraction=0.1, time_limit_seconds=1e-6)
    assert basis(Dispatcher(*week, study)) == expected
    started_elsewhere = Dispatcher(*week)
    started_elsewhere.dispatch(designs[3])
    assert basis(started_elsewhere) == expected


def sizes(run_of, *designs):
    return [nearest_share(run_of.system, run_of.case(design).system) for design in designs]


def test_a_design_starts_from_the_reference_with_the_nearest_sun_and_wind(week):
    one = Dispatcher(*week)
    installed = one.system.components["pv"].capacity_kw
    assert sizes(one, {}, {"battery.capacity_kwh": 1.0}) == [1.0, 1.0]
    others = [{"pv.capacity_kw": share * installed} for share in (0.0, 0.02, 0.3, 0.6, 1.3, 1.6, 3.5, 90)]
    assert sizes(one, *others) == [0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 4.0]


def test_a_system_without_sun_and_wind_has_one_reference(week):
    dark = Dispatcher(week[0].with_values({"pv.capacity_kw": 0.0}), week[1])
    assert sizes(dark, {}, {"pv.capacity_kw": 9.0}) == [1.0, 1.0]


def test_where_the_nearest_reference_is_infeasible_the_file_s_own_is_taken():
    parts = {
        "grid": {
            "type": "grid",
            "import_limit_kw": 1,
            "import_price_eur_per_kwh": 0.3,
            "export_price_eur_per_kwh": 0,
        },
        "pv": {"type": "solar_pv", "capacity_kw": 2, "profile": "sun"},
        "load": {"type": "power_demand", "profile": "load"},
    }
    horizon = {"start": "2019-06-01T00:00", "steps": 3}
    system = System.model_validate({"system": "hut", "horizon": horizon, "components": parts})
    one = Dispatcher(system, {"sun": np.ones(3), "load": np.full(3, 2.0)})
    assert one.dispatch({"pv.capacity_kw": 0.0}).status is Status.INFEASIBLE
    wide = one.dispatch({"pv.capacity_kw": 0.0, "grid.import_limit_kw": 5.0})
    assert wide.status is Status.OPTIMAL
    assert wide.solution.attempts == ("warm",)
    assert wide.kpis["total_cost"] == pytest.approx(3 * 2 * 0.3)
