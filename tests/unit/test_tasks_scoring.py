"""How an answer is judged: objectives to minimise, broken constraints raw and scaled, no made-up numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from schema.store.records import KPI_COLUMNS
from schema.study import Bound, GeneticStudy
from tasks.evaluate import Design, Result
from tasks.scoring import evaluation_of, minimised, scaled_violations, score, scored_from_row, violation

KPIS = dict.fromkeys(KPI_COLUMNS, 1.0) | {
    "total_cost": 1200.0,
    "renewable_fraction": 0.5,
    "self_sufficiency_rate": 0.3,
    "net_grid_usage_kwh": -50.0,
}


def study(**changes):
    return GeneticStudy.model_validate(
        {
            "study": "s",
            "type": "genetic_algorithm",
            "system": "house.yaml",
            "objectives": {"total_cost": "minimise", "renewable_fraction": "maximise"},
            "constraints": {
                "self_sufficiency_rate": {"min": 0.4},
                "net_grid_usage_kwh": {"max": -100, "min": -1000},
                "total_co2": {"max": 0},
            },
            "variables": {"pv.capacity_kw": {"min": 0, "max": 10}},
        }
        | changes
    )


def result(status="success", **kpis):
    return Result(
        Design(3, {"pv.capacity_kw": 2.5}),
        status,
        "words",
        datetime(2020, 1, 1, tzinfo=UTC),
        kpis=KPIS | kpis if status == "success" else {},
        seconds=0.2,
        solver_seconds=0.1,
        details={"gap_fraction": 0.0},
    )


def recorded(status="success", **kpis):
    s, r = study(), result(status, **kpis)
    return evaluation_of(s, "house", 24, 1, r, score(s, r))


def test_a_maximised_objective_is_negated_for_the_search_and_recorded_as_it_is():
    scored = score(study(), result())
    assert minimised(study(), scored.objectives) == [1200.0, -0.5]
    assert recorded().objectives == {"total_cost": 1200.0, "renewable_fraction": 0.5}


def test_the_fitness_is_the_first_objective_negated_where_it_is_maximised():
    assert recorded().fitness == 1200.0
    turned = study(objectives={"renewable_fraction": "maximise", "total_cost": "minimise"})
    r = result()
    assert evaluation_of(turned, "house", 24, 1, r, score(turned, r)).fitness == -0.5


def test_broken_constraints_are_recorded_raw_and_the_kept_ones_are_not_named():
    scored = score(study(), result(total_co2=7.0))
    assert scored.violations == pytest.approx(
        {"self_sufficiency_rate": 0.1, "net_grid_usage_kwh": 50.0, "total_co2": 7.0}
    )
    assert scored.solved
    assert not scored.satisfying
    assert score(study(), result(total_co2=0.0)).violations.keys() == {
        "self_sufficiency_rate",
        "net_grid_usage_kwh",
    }


def test_the_search_sees_violations_relative_to_their_bound_and_zero_where_there_are_none():
    scored = score(study(), result(total_co2=7.0))
    # 0.1 of 0.4; 50 of 1000, the larger bound; 7 of 1, as its bound is 0
    assert scaled_violations(study(), scored) == pytest.approx([0.25, 0.05, 7.0])
    kept = score(study(), result(self_sufficiency_rate=0.4, net_grid_usage_kwh=-100, total_co2=-5))
    assert scaled_violations(study(), kept) == [0.0, 0.0, 0.0]
    assert kept.satisfying


@pytest.mark.parametrize(
    ("value", "amount"), [(0.1, 0.2), (0.3, 0.0), (0.5, 0.0), (0.8, 0.0), (1.0, 0.2), (-0.7, 1.0)]
)
def test_a_bound_is_broken_by_the_way_to_its_nearer_side(value, amount):
    assert violation(Bound(min=0.3, max=0.8), value) == pytest.approx(amount)


@pytest.mark.parametrize("status", ["failed", "infeasible"])
def test_a_design_without_a_solution_is_infinitely_bad_for_the_search_and_has_no_numbers_in_the_record(
    status,
):
    scored = score(study(), result(status))
    assert minimised(study(), scored.objectives) == [math.inf, math.inf]
    assert scaled_violations(study(), scored) == [math.inf] * 3
    assert not scored.satisfying
    evaluation = recorded(status)
    assert evaluation.status == status
    assert evaluation.fitness is None
    assert evaluation.objectives == {}
    assert evaluation.constraint_violations == {}
    assert all(value is None for value in evaluation.kpis.columns().values())
    assert evaluation.metadata["message"] == "words"


def test_breaking_a_constraint_is_still_a_success_with_a_fitness():
    evaluation = recorded()
    assert evaluation.status == "success"
    assert evaluation.fitness == 1200.0
    assert evaluation.constraint_violations
    assert not evaluation.is_candidate


@pytest.mark.parametrize("status", ["success", "failed", "infeasible"])
def test_what_was_recorded_reads_back_as_it_was_scored(status):
    scored = score(study(), result(status))
    row = {
        "evaluation_number": 3,
        "parameters": {"pv.capacity_kw": 2.5},
        "simulation_status": status,
        "objectives": dict(scored.objectives),
        "constraint_violations": dict(scored.violations),
    }
    assert scored_from_row(row) == scored
