"""Which algorithm searches, when it stops, what prolongs it, and where it starts from."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from schema.store.records import Front, Generation
from schema.study import GeneticStudy
from tasks.contents import differences, prolongs
from tasks.genetic import GeneticSearch
from tasks.search_space import SearchSpace
from tasks.stopping import Stopping

KPIS = [
    "total_cost",
    "total_co2",
    "total_demand_kwh",
    "net_grid_usage_kwh",
    "total_generation_kwh",
    "self_consumption_rate",
]
VARIABLES = {
    "pv.capacity_kw": {"min": 0, "max": 20},
    "battery.capacity_kwh": {"min": 0, "max": 7, "integer": True},
    "heat_pump.capacity_kw": {"choices": [14, 6, 11, 8]},
    "tank.capacity_kwh": {"min": 5, "max": 5},
}


def study(objectives=2, **algorithm):
    return GeneticStudy.model_validate(
        {
            "study": "s",
            "type": "genetic_algorithm",
            "system": "house.yaml",
            "objectives": dict.fromkeys(KPIS[:objectives], "minimise"),
            "variables": VARIABLES,
            "algorithm": {"population_size": 10, "max_generations": 8} | algorithm,
        }
    )


# -- which algorithm


@pytest.mark.parametrize(
    ("objectives", "search", "asked", "taken"),
    [
        (1, "GA", 50, 50),
        (2, "NSGA-II", 50, 50),
        (3, "NSGA-II", 50, 50),
        # C(4 + p - 1, p): 4, 10, 20, 35, 56, 84
        (4, "NSGA-III", 50, 56),
        (4, "NSGA-III", 40, 35),
        (4, "NSGA-III", 35, 35),
        (4, "NSGA-III", 4, 4),
        (5, "NSGA-III", 100, 126),
        (5, "NSGA-III", 97, 70),
        (6, "NSGA-III", 50, 56),
    ],
)
def test_the_number_of_objectives_decides_the_algorithm_and_its_generations(objectives, search, asked, taken):
    the_study = study(objectives, population_size=asked)
    assert (the_study.search, the_study.population_size) == (search, taken)
    assert len(GeneticSearch(the_study).ask()) == taken
    assert the_study.planned == taken * 8


# -- when it stops


def generation(number, volume, *, evaluations=10, seconds=60.0, best=None):
    return Generation(
        study_id="s",
        generation_number=number,
        best_fitness=best,
        generation_time_seconds=seconds,
        evaluations_in_generation=evaluations,
        front=Front([], volume),
    )


def ended(the_study, volumes, **told):
    """The generation that ends the study, and by which limit; None where none does."""
    stopping = Stopping(the_study)
    for number, volume in enumerate(volumes, 1):
        reason = stopping.tell(generation(number, volume, **told))
        if reason:
            return number, reason
    return None


def test_a_study_ends_with_its_last_generation():
    assert ended(study(), range(1, 20)) == (8, "max_generations")


@pytest.mark.parametrize(("most", "generations"), [(10, 1), (39, 3), (40, 4), (41, 4)])
def test_a_generation_that_would_go_beyond_the_evaluations_is_not_begun(most, generations):
    the_study = study(max_evaluations=most)
    assert ended(the_study, range(1, 20)) == (generations, "max_evaluations")
    assert the_study.planned == Stopping(the_study).most_generations * 10 == generations * 10


def test_hours_are_those_of_all_generations_together():
    assert ended(study(max_hours=0.05), range(1, 20)) == (3, "max_hours")  # 180 s of 60 s each
    assert ended(study(max_hours=0.05), range(1, 20), seconds=179.0) == (2, "max_hours")


def test_the_gain_over_a_number_of_generations_decides_on_a_standstill():
    patient = study(stagnation={"generations": 2, "tolerance_fraction": 0.01})
    assert ended(patient, [100, 102, 102.5, 102.9]) == (4, "stagnation")  # 0.9 <= 1.029, 2.5 was not
    assert ended(patient, [100, 102, 102.5, 103.1]) is None  # 1.1 > 1.031
    assert ended(patient, [100, 100]) is None  # two generations are one gain


def test_before_there_is_any_answer_nothing_stands_still():
    patient = study(stagnation={"generations": 2})
    assert ended(patient, [None, None, None, 5.0, 5.0]) is None
    assert ended(patient, [None, None, None, 5.0, 5.0, 5.0]) == (6, "stagnation")


def test_with_one_objective_the_best_fitness_decides():
    stopping = Stopping(study(1, stagnation={"generations": 1, "tolerance_fraction": 0.1}))
    told = [stopping.tell(generation(i, 7.0, best=best)) for i, best in enumerate([-8, -10, -10.5], 1)]
    assert told == [None, None, "stagnation"]


@pytest.mark.parametrize(
    ("objectives", "algorithm", "says"),
    [
        (2, {"max_evaluations": 9}, r"max_evaluations \(9\) is below one generation of 10"),
        (4, {"population_size": 8, "max_evaluations": 9}, "one generation of 10"),
        (2, {"start_from": "s"}, "names this study itself"),
        (6, {"stagnation": {"generations": 2}}, "more than 5 objectives"),
        (2, {"stagnation": {"tolerance_fraction": 0.1}}, "generations"),
        (2, {"max_hours": 0}, "max_hours"),
    ],
)
def test_limits_that_cannot_be_are_refused(objectives, algorithm, says):
    with pytest.raises(ValidationError, match=says):
        study(objectives, **algorithm)


# -- what prolongs it


def content(**algorithm):
    return study(**algorithm).model_dump(mode="json")


STILL = {"generations": 5, "tolerance_fraction": 0.01}


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({}, {"max_generations": 9}),
        ({"max_evaluations": 20}, {"max_evaluations": 30}),
        ({"max_evaluations": 20}, {}),
        ({"max_hours": 1}, {"max_hours": 2, "max_generations": 100}),
        ({"stagnation": STILL}, {}),
        ({"stagnation": STILL}, {"stagnation": STILL | {"generations": 6}}),
        ({"stagnation": STILL}, {"stagnation": STILL | {"tolerance_fraction": 0}}),
    ],
)
def test_wider_limits_prolong_a_study_and_tighter_ones_do_not(before, now):
    old, new = content(**before), content(**now)
    assert prolongs(old, new)
    assert not prolongs(new, old)
    assert differences(old, new)


@pytest.mark.parametrize(
    "now",
    [
        {"seed": 2, "max_generations": 9},
        {"population_size": 12},
        {"max_generations": 9, "max_hours": 1},
        {"start_from": "other", "max_generations": 9},
    ],
)
def test_whatever_else_differs_is_another_study(now):
    assert not prolongs(content(), content(**now))


def test_another_system_or_variable_is_another_study_however_long():
    longer = content(max_generations=9)
    assert not prolongs(content(), longer | {"system_hash": "other"})
    assert not prolongs(content(), longer | {"variables": {}})
    assert not prolongs({"type": "monte_carlo"}, {"type": "monte_carlo"})


# -- where it starts from


def test_values_are_moved_to_the_nearest_that_are_possible():
    space = SearchSpace(study().variables)
    stated = {"pv.capacity_kw": 25, "battery.capacity_kwh": 3.4, "heat_pump.capacity_kw": 9, "wind.kw": 3}
    assert space.nearest(stated) == {
        "pv.capacity_kw": 20,
        "battery.capacity_kwh": 3,
        "heat_pump.capacity_kw": 8,
    }


def test_the_first_generation_holds_the_designs_that_it_starts_from():
    start = [
        {"pv.capacity_kw": 3.25, "battery.capacity_kwh": 7, "heat_pump.capacity_kw": 14},
        {"pv.capacity_kw": 11.5, "tank.capacity_kwh": 5},
    ]
    first = GeneticSearch(study(), start).ask()
    plain = GeneticSearch(study()).ask()
    assert first[0] == {**start[0], "tank.capacity_kwh": 5}
    assert first[1] == {**plain[1], "pv.capacity_kw": 11.5}
    assert first[2:] == plain[2:]


def test_designs_beyond_a_generation_are_left_out():
    start = [{"pv.capacity_kw": float(value)} for value in np.linspace(0, 20, 15)]
    first = GeneticSearch(study(), start).ask()
    assert [values["pv.capacity_kw"] for values in first] == [
        values["pv.capacity_kw"] for values in start[:10]
    ]
