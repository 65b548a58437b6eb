"""Fronts by hand: who dominates whom, how much a front spans, and where its knee is."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tasks.fronts import domination_counts, hypervolume, knee, non_dominated, reference_point

# cost and CO2 of five designs; the fourth is worse than the second in both, the fifth than all but the third
F = np.array([[1.0, 9.0], [3.0, 4.0], [8.0, 1.0], [4.0, 5.0], [7.0, 9.5]])


def test_a_design_is_dominated_by_those_that_are_nowhere_worse_and_somewhere_better():
    assert domination_counts(F).tolist() == [0, 0, 0, 1, 3]
    assert non_dominated(F).tolist() == [0, 1, 2]


def test_counting_who_dominates_whom_takes_memory_for_the_designs_and_not_for_their_pairs():
    F = np.random.default_rng(1).random((12_000, 2))
    tracemalloc.start()
    try:
        counts = domination_counts(F)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (counts == 0).sum() == len(non_dominated(F))
    assert most < 20e6  # all pairs at once would be 144 MB


def test_equal_designs_do_not_dominate_each_other():
    twins = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 3.0]])
    assert domination_counts(twins).tolist() == [0, 0, 2]
    assert non_dominated(twins).tolist() == [0, 1]


def test_with_one_objective_only_the_best_stay():
    assert non_dominated(np.array([[3.0], [1.0], [2.0], [1.0]])).tolist() == [1, 3]


def test_of_three_objectives_one_good_one_is_enough_to_stay():
    three = np.array([[1.0, 5.0, 5.0], [5.0, 1.0, 5.0], [5.0, 5.0, 1.0], [5.0, 5.0, 5.0]])
    assert non_dominated(three).tolist() == [0, 1, 2]
    assert domination_counts(three).tolist() == [0, 0, 0, 3]


def test_nothing_has_no_front():
    nothing = np.empty((0, 2))
    assert non_dominated(nothing).size == 0
    assert domination_counts(nothing).size == 0
    assert hypervolume(nothing, np.array([1.0, 1.0])) == 0.0


def test_the_hypervolume_of_a_staircase_is_the_sum_of_its_rectangles():
    # from (10, 10): 7 x 6 for the second, 2 x 1 more for the first, 2 x 3 more for the third
    assert hypervolume(F[:3], np.array([10.0, 10.0])) == pytest.approx(7 * 6 + 2 * 1 + 2 * 3)


def test_a_box_in_three_objectives_has_its_volume():
    assert hypervolume(np.array([[1.0, 2.0, 3.0]]), np.array([2.0, 4.0, 6.0])) == pytest.approx(1 * 2 * 3)


def test_with_one_objective_the_hypervolume_is_the_way_to_the_reference():
    assert hypervolume(np.array([[3.0], [2.0]]), np.array([10.0])) == pytest.approx(8.0)


def test_designs_beyond_the_reference_point_add_nothing():
    reference = np.array([5.0, 5.0])
    assert hypervolume(np.array([[3.0, 4.0], [1.0, 9.0]]), reference) == pytest.approx(2.0)
    assert hypervolume(np.array([[9.0, 9.0]]), reference) == 0.0


def test_zdt1_and_zdt2_have_the_hypervolume_that_their_formulas_give():
    f1 = np.linspace(0.0, 1.0, 20_001)
    reference = np.array([1.1, 1.1])
    zdt1 = np.column_stack([f1, 1 - np.sqrt(f1)])
    zdt2 = np.column_stack([f1, 1 - f1**2])
    assert hypervolume(zdt1, reference) == pytest.approx(0.876667, abs=1e-4)
    assert hypervolume(zdt2, reference) == pytest.approx(0.543333, abs=1e-4)


def test_the_reference_point_lies_a_tenth_of_the_range_beyond_the_worst():
    assert reference_point(np.array([[0.0, 10.0], [10.0, 30.0]])).tolist() == [11.0, 32.0]


def test_a_single_design_still_spans_a_volume():
    for alone in ([5.0, 0.0], [-200.0, 1e-9]):
        F = np.array([alone])
        assert hypervolume(F, reference_point(F)) > 0


def test_the_knee_is_where_giving_up_a_little_of_one_no_longer_gains_much_of_the_other():
    front = np.array([[0.0, 100.0], [1.0, 20.0], [5.0, 10.0], [10.0, 0.0]])
    assert knee(front) == 1


def test_a_bulge_to_the_worse_side_is_no_knee_however_far_from_the_chord():
    # (9, 9) lies 8 sideways beyond the chord, (4, 5) a little on its better side.
    assert knee(np.array([[0.0, 10.0], [4.0, 5.0], [9.0, 9.0], [10.0, 0.0]])) == 1


def test_the_knee_does_not_depend_on_units():
    front = np.array([[0.0, 100.0], [1.0, 20.0], [5.0, 10.0], [10.0, 0.0]])
    assert knee(front * [1000.0, 1e-6] + [5.0, -3.0]) == 1


def test_the_knee_of_a_dent_in_three_objectives_is_the_dent():
    corners = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    assert knee(np.vstack([corners, [[0.2, 0.2, 0.2]], [[0.6, 0.6, 0.6]]])) == 3


def test_a_front_of_one_or_of_equals_has_its_first_as_its_knee():
    assert knee(np.array([[3.0, 4.0]])) == 0
    assert knee(np.array([[3.0, 4.0], [3.0, 4.0]])) == 0
