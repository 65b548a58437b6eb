"""What holds for every set of designs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tasks.fronts import domination_counts, hypervolume, knee, non_dominated, reference_point

# Few distinct values, so that ties and doubles are frequent.
COARSE = st.integers(-6, 6).map(float)
FINE = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
SOME = settings(max_examples=100, deadline=None)


@st.composite
def objectives(draw, least=1):
    rows, columns = draw(st.integers(least, 30)), draw(st.integers(1, 3))
    return draw(arrays(float, (rows, columns), elements=draw(st.sampled_from([COARSE, FINE]))))


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


@SOME
@given(F=objectives())
def test_the_front_is_exactly_what_nothing_dominates(F):
    counts = [sum(dominates(other, row) for other in F) for row in F]
    assert domination_counts(F).tolist() == counts
    assert non_dominated(F).tolist() == [i for i, count in enumerate(counts) if count == 0]


@SOME
@given(F=objectives())
def test_there_is_always_a_front_and_whatever_is_not_on_it_is_dominated_by_it(F):
    front = F[non_dominated(F)]
    assert len(front)
    for row in np.delete(F, non_dominated(F), axis=0):
        assert any(dominates(member, row) for member in front)


@SOME
@given(F=objectives(), seed=st.integers(0, 100))
def test_the_order_of_designs_decides_nothing(F, seed):
    order = np.random.default_rng(seed).permutation(len(F))
    assert sorted(order[non_dominated(F[order])]) == non_dominated(F).tolist()
    assert domination_counts(F[order]).tolist() == domination_counts(F)[order].tolist()


@SOME
@given(F=objectives(least=2), cut=st.integers(1, 29))
def test_a_front_kept_up_part_by_part_is_the_front_of_all(F, cut):
    cut = min(cut, len(F) - 1)
    kept = non_dominated(F[:cut])
    candidates = np.concatenate([kept, np.arange(cut, len(F))])
    assert sorted(candidates[non_dominated(F[candidates])]) == non_dominated(F).tolist()


@SOME
@given(F=objectives(least=2), cut=st.integers(1, 29))
def test_the_hypervolume_never_falls_when_designs_are_added(F, cut):
    reference = reference_point(F[: min(cut, len(F) - 1)])
    before, after = hypervolume(F[: min(cut, len(F) - 1)], reference), hypervolume(F, reference)
    assert after >= before * (1 - 1e-12)


@SOME
@given(F=objectives())
def test_dominated_designs_add_no_hypervolume(F):
    reference = reference_point(F)
    whole, front = hypervolume(F, reference), hypervolume(F[non_dominated(F)], reference)
    assert abs(whole - front) <= 1e-9 * max(whole, 1.0)


@SOME
@given(F=objectives())
def test_every_design_lies_within_the_reference_point(F):
    assert (reference_point(F) > F).all()


@SOME
@given(F=objectives())
def test_the_knee_is_one_of_the_designs(F):
    assert 0 <= knee(F[non_dominated(F)]) < len(non_dominated(F))
