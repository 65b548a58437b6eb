"""Kinds of design on a front, on points whose groups can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.kinds import kinds_of, scaled

COST_CO2 = {"total_cost": "minimise", "total_co2": "minimise"}


def design(pv, battery, cost, co2, **more):
    return {
        "parameters": {"pv.capacity_kw": pv, "battery.capacity_kwh": battery, **more},
        "objectives": {"total_cost": cost, "total_co2": co2},
    }


SMALL = [design(0.0, 0.0, 100.0 + i, 50.0 - i / 10) for i in range(3)]
LARGE = [design(10.0, 20.0, 200.0 + i, 10.0 - i / 10) for i in range(2)]


def test_two_heaps_are_two_kinds_told_by_their_medians_and_ranges():
    first, second = kinds_of([*LARGE, *SMALL], COST_CO2, most=2)
    assert (first.name, first.members) == ("A", (2, 3, 4))
    assert (second.name, second.members) == ("B", (0, 1))
    cost = first.spreads["total_cost"]
    assert (cost.median, cost.least, cost.most) == (101.0, 100.0, 102.0)
    assert first.example == 3
    assert second.spreads["pv.capacity_kw"].median == 10.0


def test_a_maximised_first_objective_has_its_highest_kind_first():
    first, _ = kinds_of([*SMALL, *LARGE], {"total_cost": "maximise", "total_co2": "minimise"}, most=2)
    assert first.members == (3, 4)


def test_every_design_is_of_one_kind_and_the_same_front_has_the_same_kinds():
    rng = np.random.default_rng(7)
    front = [design(*row) for row in rng.random((500, 4)).tolist()]
    found = kinds_of(front, COST_CO2)
    assert len(found) == 10
    assert sorted(i for kind in found for i in kind.members) == list(range(500))
    assert all(kind.example in kind.members for kind in found)
    assert kinds_of(front, COST_CO2) == found


def test_there_are_no_more_kinds_than_different_designs():
    assert len(kinds_of(SMALL[:1] * 5, COST_CO2)) == 1
    assert len(kinds_of([*SMALL[:1] * 5, *LARGE[:1]], COST_CO2)) == 2
    assert kinds_of([], COST_CO2) == []
    assert kinds_of(SMALL, {}) == []


def test_what_is_text_counts_as_alike_or_not_and_what_never_changes_as_nothing():
    front = [design(0.0, 0.0, 1.0, 1.0, **{"solver.method": word}) for word in ("milp", "rule_based", "milp")]
    assert scaled(front) == pytest.approx(np.array([[1, 0], [0, 1], [1, 0]]) / np.sqrt(2))
    kinds = kinds_of(front, COST_CO2)
    assert [kind.choices["solver.method"] for kind in kinds] == [("milp",), ("rule_based",)]


def test_what_only_some_designs_have_tells_no_kinds_apart():
    front = [design(0.0, 0.0, 1.0, 1.0), design(0.0, 0.0, 1.0, 1.0, **{"tank.capacity_kwh": 3.0})]
    assert "tank.capacity_kwh" not in kinds_of(front, COST_CO2)[0].spreads
