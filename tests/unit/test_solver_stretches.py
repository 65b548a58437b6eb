"""Where a horizon is parted."""

from __future__ import annotations

import numpy as np

from solvers.stretches import calm_parts


def test_parts_meet_as_far_as_can_be_from_marked_steps():
    # Marked at 3, 20 and 37: the calmest borders are those halfway between them.
    assert calm_parts(np.array([3, 20, 37]), 40, 8, 20) == [(0, 12), (12, 29), (29, 40)]


def test_without_a_difference_parts_are_of_middle_length():
    assert calm_parts(np.array([], dtype=int), 48, 12, 20) == [(0, 16), (16, 32), (32, 48)]
    assert calm_parts(np.arange(48), 48, 12, 20) == [(0, 16), (16, 32), (32, 48)]


def test_a_short_horizon_is_one_part_and_no_part_is_longer_than_the_longest():
    assert calm_parts(np.array([5]), 24, 12, 24) == [(0, 24)]
    marked = np.flatnonzero(np.random.default_rng(0).random(1000) < 0.2)
    lengths = [stop - start for start, stop in calm_parts(marked, 1000, 12, 24)]
    assert sum(lengths) == 1000
    assert max(lengths) <= 24
    assert min(lengths[:-1]) >= 12
