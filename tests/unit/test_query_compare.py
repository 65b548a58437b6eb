"""Studies side by side, on fronts whose coverage and volume can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from schema.errors import InputError
from schema.store import queries
from schema.store.records import Evaluation, Front, NewStudy
from schema.store.store import Store
from tasks.comparing import compared, coverage

COST_CO2 = {"total_cost": "minimise", "total_co2": "minimise"}
STUDIES = {
    "good": (COST_CO2, [(1, 4), (2, 2), (4, 1)]),
    "worse": (COST_CO2, [(1, 5), (3, 3), (5, 1)]),
    "empty": (COST_CO2, []),
    "more": ({"total_cost": "minimise", "renewable_fraction": "maximise"}, [(1, 0.2), (3, 0.8)]),
    "less": ({"total_cost": "minimise", "renewable_fraction": "maximise"}, [(3, 0.2)]),
    "turned": ({"total_cost": "maximise"}, [(1,)]),
    "water": ({"water_m3": "minimise"}, [(1,)]),
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("results")) as store:
        for study_id, (objectives, front) in STUDIES.items():
            store.create_study(NewStudy(study_id, "genetic_algorithm", objectives=objectives))
            store.record(
                [
                    Evaluation(
                        *(study_id, number, {"a.b": 1.0}, "success", "x", 1, "milp", 1),
                        objectives=dict(zip(objectives, map(float, values), strict=True)),
                        fitness=float(values[0]),
                    )
                    for number, values in enumerate(front)
                ]
            )
            store.record([Evaluation(study_id, 9, {"a.b": 1.0}, "failed", "x", 1, "milp", 1)])
            store.record_final_front(study_id, Front([f"{study_id}-{n:07d}" for n in range(len(front))]))
        yield store.connection


def asked(connection, *study_ids):
    return {row["study_id"]: row for row in compared(queries.side_by_side(connection, list(study_ids)))}


def test_coverage_is_the_share_that_is_nowhere_better():
    A, B = np.array([[1.0, 4], [2, 2], [4, 1]]), np.array([[1.0, 5], [3, 3], [5, 1]])
    assert coverage(A, B) == 1.0
    assert coverage(B, A) == 0.0
    assert coverage(A, A) == 1.0
    assert coverage(A[:1], B) == pytest.approx(1 / 3)
    assert coverage(A[:0], B) == 0.0
    assert coverage(A, B[:0]) is None


def test_hypervolumes_are_up_to_one_point_beyond_the_worst_of_all(connection):
    rows = asked(connection, "good", "worse")
    # The worst of both is (5, 5), the range 4 and 4: the point is (5.4, 5.4).
    assert rows["good"]["reference_point"] == pytest.approx({"total_cost": 5.4, "total_co2": 5.4})
    # good: 1 wide and 1.4 high, then 2 by 3.4, then 1.4 by 4.4
    assert rows["good"]["hypervolume"] == pytest.approx(1 * 1.4 + 2 * 3.4 + 1.4 * 4.4)
    assert rows["worse"]["hypervolume"] == pytest.approx(2 * 0.4 + 2 * 2.4 + 0.4 * 4.4)
    assert rows["good"]["covers"] == {"worse": 1.0}
    assert rows["worse"]["covers"] == {"good": 0.0}


def test_counts_and_best_values_stand_beside(connection):
    row = asked(connection, "worse", "good")["worse"]
    assert (row["evaluations"], row["solved"], row["front_size"]) == (4, 3, 3)
    assert row["objectives"] == {"total_cost": 1.0, "total_co2": 1.0}


def test_what_is_maximised_is_told_in_its_own_units(connection):
    rows = asked(connection, "more", "less")
    assert rows["more"]["objectives"] == {"total_cost": 1.0, "renewable_fraction": 0.8}
    assert rows["more"]["covers"] == {"less": 1.0}
    assert rows["less"]["covers"] == {"more": 0.0}
    assert rows["more"]["reference_point"] == pytest.approx({"total_cost": 3.2, "renewable_fraction": 0.14})


def test_a_study_without_a_front_covers_nothing_and_has_no_volume(connection):
    rows = asked(connection, "good", "empty", "worse")
    assert (rows["empty"]["hypervolume"], rows["empty"]["front_size"]) == (None, 0)
    assert rows["empty"]["covers"] == {"good": 0.0, "worse": 0.0}
    assert rows["good"]["covers"] == {"empty": None, "worse": 1.0}


def test_only_common_objectives_count(connection):
    rows = asked(connection, "good", "more")
    assert rows["good"]["objectives"] == {"total_cost": 1.0}
    assert rows["good"]["hypervolume"] is None


def test_studies_that_cannot_be_compared_are_told(connection):
    with pytest.raises(InputError, match="no objective in common"):
        asked(connection, "good", "water")
    with pytest.raises(InputError, match="disagree on which way total_cost is better"):
        asked(connection, "good", "turned")
    with pytest.raises(InputError, match="did you mean good"):
        asked(connection, "good", "goood")
