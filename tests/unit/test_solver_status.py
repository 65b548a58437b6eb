"""How a solve ends, and that a limit or a failure never passes for an answer."""

from __future__ import annotations

import time
from dataclasses import replace

import highspy
import numpy as np
import pytest
import scipy.sparse as sp

from schema.study import SolverSettings
from schema.system import System
from solvers import milp
from solvers.dispatch import Dispatcher
from solvers.highs import STATUS, Clock, Outcome, PersistentHighs
from solvers.program import LinearProgram
from solvers.solution import Status


def program(cost, matrix, row_lower, row_upper, upper, lower=0.0):
    columns = sp.csc_array(np.asarray(matrix, dtype=float))
    n = columns.shape[1]
    as_row = lambda value, size: np.broadcast_to(np.asarray(value, dtype=float), (size,)).copy()  # noqa: E731
    m = columns.shape[0]
    return LinearProgram(
        as_row(cost, n), 0.0, as_row(lower, n), as_row(upper, n), as_row(row_lower, m), as_row(row_upper, m),
        columns.indptr.astype(np.int32), columns.indices.astype(np.int32), columns.data,
    )  # fmt: skip


def whole(linear):
    return replace(linear, integers=np.arange(linear.cost.size, dtype=np.int32))


def market_split(rows=5, columns=40):
    """Which half of the numbers adds up to half of each sum? Hopeless for branch and bound."""
    rng = np.random.default_rng(1)
    weights = rng.integers(0, 100, (rows, columns)).astype(float)
    half = weights.sum(axis=1) // 2
    return whole(program(rng.random(columns), weights, half, half, 1.0))


def house(steps=24, **grid):
    system = System.model_validate(
        {
            "system": "house",
            "horizon": {"start": "2019-01-01T00:00", "steps": steps},
            "components": {
                "grid": {"type": "grid", "import_price_eur_per_kwh": {"profile": "price"}} | grid,
                "battery": {
                    "type": "battery",
                    "capacity_kwh": 5,
                    "power_kw": 2,
                    "charge_efficiency_fraction": 0.9,
                },
                "load": {"type": "power_demand", "profile": "load"},
            },
        }
    )
    rng = np.random.default_rng(0)
    return system, {"price": rng.uniform(0.1, 0.4, steps), "load": rng.uniform(0, 2, steps)}


def test_a_milp_s_time_limit_without_incumbent_is_failed_and_has_no_numbers():
    outcome = PersistentHighs().solve(market_split(), time_limit_seconds=0.2)
    assert outcome.status is Status.FAILED
    assert outcome.x is None
    assert outcome.hit_limit


def test_every_solve_has_its_own_time_limit():
    highs, hard = PersistentHighs(), market_split()
    highs.solve(hard, time_limit_seconds=0.5)
    began = time.perf_counter()
    highs.solve(hard, time_limit_seconds=0.1)
    assert time.perf_counter() - began < 0.35
    easy = program([1, 1], [[1, 1]], 1, 1, 5)
    assert highs.solve(easy, time_limit_seconds=0.1).status is Status.OPTIMAL


def test_a_milp_s_time_limit_with_an_incumbent_is_feasible_and_tells_its_gap():
    rng = np.random.default_rng(2)
    knapsack = program(-rng.integers(50, 99, 60), rng.integers(50, 99, (20, 60)), -np.inf, 1500, 1.0)
    start = np.zeros(60)
    outcome = PersistentHighs().solve(whole(knapsack), time_limit_seconds=0.2, start=start)
    assert outcome.status is Status.FEASIBLE
    assert outcome.bound < outcome.objective < 0
    assert milp.relative_gap(outcome.objective, outcome.bound) > 0


def test_a_dispatch_without_time_has_failed_and_shows_no_numbers():
    system, series = house(2000)
    run = Dispatcher(system, series, SolverSettings(time_limit_seconds=1e-9)).dispatch(
        {"battery.capacity_kwh": 3}
    )
    assert run.status is Status.FAILED
    assert "time limit" in run.solution.message
    assert run.solution.values == {}
    assert run.solution.objective_eur is None
    assert (run.kpis, run.flows, run.states, run.accounts) == ({}, {}, {}, {})


def test_a_limit_is_told_as_one_even_where_the_relaxation_needed_no_time():
    parts = {
        "gas": {"type": "gas_grid", "import_price_eur_per_kwh": 0.1},
        "boiler": {"type": "gas_boiler", "capacity_kw": 5, "min_load_fraction": 0.5, "start_up_cost_eur": 1},
        "network": {"type": "district_heat", "import_price_eur_per_kwh": 0.2},
        "heat": {"type": "heat_demand", "profile": "heat"},
    }
    horizon = {"start": "2019-01-01T00:00", "steps": 6}
    system = System.model_validate({"system": "cellar", "horizon": horizon, "components": parts})
    series = {"heat": np.array([1.0, 3, 2, 4, 1, 3])}
    # The reference design itself: its relaxation is solved before the clock runs.
    run = Dispatcher(system, series, SolverSettings(time_limit_seconds=1e-9)).dispatch()
    assert run.status is Status.FAILED
    assert run.solution.message.startswith("time limit reached with no dispatch")


def test_a_dispatch_that_a_limit_ends_among_its_binaries_is_feasible_or_failed_but_never_wrong():
    steps = 400
    rng = np.random.default_rng(3)
    parts = {
        "grid": {
            "type": "grid",
            "import_price_eur_per_kwh": {"profile": "buy"},
            "export_price_eur_per_kwh": {"profile": "sell"},
        },
        "battery": {
            "type": "battery",
            "capacity_kwh": 9,
            "power_kw": 2,
            "charge_efficiency_fraction": 0.9,
            "self_discharge_fraction_per_hour": 0.01,
        },
        "load": {"type": "power_demand", "profile": "load"},
    }
    horizon = {"start": "2019-01-01T00:00", "steps": steps}
    system = System.model_validate({"system": "house", "horizon": horizon, "components": parts})
    buy = rng.uniform(-0.2, 0.3, steps)
    series = {"buy": buy, "sell": buy + rng.uniform(-0.1, 0.2, steps), "load": rng.uniform(0, 3, steps)}
    exact = SolverSettings(mip_gap_fraction=0.0, time_limit_seconds=0.15)
    run = Dispatcher(system, series, exact).dispatch()
    if run.status is Status.FAILED:
        assert run.solution.values == {}
    else:
        assert run.checks is not None
        assert run.checks.passed
    if run.status is Status.FEASIBLE:
        assert run.solution.gap_fraction > 0


def test_an_infeasible_dispatch_is_not_tried_again():
    system, series = house(import_limit_kw=0.1, export_limit_kw=0)
    run = Dispatcher(system, series).dispatch()
    assert run.status is Status.INFEASIBLE
    assert len(run.solution.attempts) == 1


def test_an_unbounded_program_is_told_as_such_and_not_as_an_answer():
    outcome = PersistentHighs().solve(program([-1, 0], [[1, -1]], 0, 0, np.inf), time_limit_seconds=5)
    assert outcome.status is Status.FAILED
    assert outcome.unbounded
    assert outcome.x is None
    answer = milp.solve(
        PersistentHighs(), program([-1, 0], [[1, -1]], 0, 0, np.inf), (), milp.Clock(5), mip_gap_fraction=0
    )
    assert answer.message == milp.UNBOUNDED
    assert answer.conclusive


def test_what_the_simplex_cannot_finish_is_tried_cold_and_then_by_interior_point():
    system, series = house(48)
    whole = Dispatcher(system, series)
    expected = whole.dispatch().solution.objective_eur
    hampered = Dispatcher(system, series)
    hampered.warm_up()
    hampered.engine.highs._highs.setOptionValue("simplex_iteration_limit", 0)
    run = hampered.dispatch({"battery.capacity_kwh": 5.0, "battery.power_kw": 1.9})
    assert run.solution.attempts == ("warm", "cold", "interior point")
    other = whole.dispatch({"battery.capacity_kwh": 5.0, "battery.power_kw": 1.9})
    assert other.solution.objective_eur != expected
    assert run.status is Status.OPTIMAL
    assert run.solution.objective_eur == pytest.approx(other.solution.objective_eur, rel=1e-7)


def test_an_infeasible_reference_leaves_designs_to_be_solved_cold():
    system, series = house(import_limit_kw=0.1)
    one = Dispatcher(system, series)
    one.warm_up()
    assert one.dispatch().status is Status.INFEASIBLE
    run = one.dispatch({"grid.import_limit_kw": 9.0})
    assert run.status is Status.OPTIMAL
    assert run.solution.attempts == ("cold",)


def test_a_point_is_needed_for_every_status_that_claims_one():
    for (model_status, has_point), status in STATUS.items():
        assert status.has_solution == has_point, model_status
    assert (highspy.HighsModelStatus.kTimeLimit, False) not in STATUS


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [
        (100, 99, 0.01),
        (-100, -101, 0.01),
        (5, 5, 0),
        (0, 0, 0),
        (1, 2, 0),
        (np.inf, 3, np.inf),
        (3, -np.inf, np.inf),
    ],
)
def test_the_gap_is_relative_to_the_objective(objective, bound, gap):
    assert milp.relative_gap(objective, bound) == pytest.approx(gap)


def outcome(*, hit_limit):
    status = Status.FEASIBLE if hit_limit else Status.OPTIMAL
    return Outcome(status, "", hit_limit, None, 0.0, 0.0, seconds=0.1, iterations=3)


def test_a_clock_tells_whether_a_limit_had_a_say():
    clock = Clock(60.0)
    clock.count(outcome(hit_limit=False))
    assert clock.in_time
    clock.count(outcome(hit_limit=True))
    assert not clock.in_time
    assert not Clock(0.0).in_time


def test_what_was_cut_in_a_part_was_cut_in_the_whole():
    whole, part, spent = Clock(60.0), Clock(5.0), Clock(0.0)
    whole.add(part)
    assert whole.in_time
    whole.add(spent)
    assert not whole.in_time
