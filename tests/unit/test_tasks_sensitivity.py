"""Indices against functions whose indices are known; gaps; ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from schema.distributions import Uniform
from schema.studies import Sampling
from tasks.sampling import unit_design, values_at
from tasks.sensitivity import (
    Effect,
    correlations,
    distributed_rows,
    effects,
    is_constant,
    ranked,
    widest_interval,
)
from tasks.uncertainty import spread

# Ishigami and Homma 1990, a = 7, b = 0.1
MEAN, VARIANCE = 3.5, 13.844588
FIRST, TOTAL = [0.313905, 0.442411, 0.0], [0.557589, 0.442411, 0.243684]


def ishigami(X):
    return np.sin(X[:, 0]) + 7 * np.sin(X[:, 1]) ** 2 + 0.1 * X[:, 2] ** 4 * np.sin(X[:, 0])


def sampled(sampling, low=-math.pi, high=math.pi, parameters=3):
    unit = unit_design(sampling, sampling.samples, parameters)
    entry = Uniform(distribution="uniform", min=low, max=high)
    return unit, values_at({f"a.x{j}": entry for j in range(parameters)}, unit)


def misses(found):
    """Indices whose interval does not hold the known value."""
    return [
        (j, name)
        for j, effect in enumerate(found)
        for name, known, value, half in (
            ("first", FIRST[j], effect.first, effect.first_confidence),
            ("total", TOTAL[j], effect.total, effect.total_confidence),
        )
        if abs(value - known) > half
    ]


def test_ishigami_lies_within_the_intervals():
    sampling = Sampling(samples=1024, seed=1)
    unit, X = sampled(sampling)
    found = effects(sampling, unit, X, ishigami(X))
    assert misses(found) == []
    assert [effect.rank for effect in found] == [1, 2, 3]
    assert max(e.total_confidence for e in found) < 0.12
    rows = distributed_rows(sampling, len(X), 3)
    told = spread(ishigami(X)[rows], high_is_adverse=True, seed=1)
    assert told.intervals["mean_value"][0] < MEAN < told.intervals["mean_value"][1]
    low, high = told.intervals["std_dev"]
    assert low < math.sqrt(VARIANCE) < high


@pytest.mark.slow
def test_ishigami_lies_within_the_intervals_about_as_often_as_they_promise():
    """95 % of 600 indices, or more: a Sobol sequence errs less than the bootstrap takes it to."""
    missed = 0
    for seed in range(100):
        sampling = Sampling(samples=512, seed=seed)
        unit, X = sampled(sampling)
        missed += len(misses(effects(sampling, unit, X, ishigami(X))))
    assert missed <= 0.07 * 600


def test_an_additive_function_has_no_interactions():
    """Y = Σ a_j x_j: S_j = ST_j = a_j² / Σ a²."""
    sampling = Sampling(samples=512, seed=2)
    unit, X = sampled(sampling, 0, 1)
    a = np.array([1.0, 2.0, 4.0])
    found = effects(sampling, unit, X, X @ a)
    for effect, share in zip(found, a**2 / (a**2).sum(), strict=True):
        assert effect.first == pytest.approx(share, abs=effect.first_confidence)
        assert effect.total == pytest.approx(share, abs=effect.total_confidence)
        assert effect.pearson == pytest.approx(math.sqrt(share), abs=0.03)
    assert [effect.rank for effect in found] == [3, 2, 1]


def test_fast_finds_the_same_indices_and_claims_no_intervals():
    sampling = Sampling(method="fast", samples=2001, seed=1)
    unit, X = sampled(sampling)
    found = effects(sampling, unit, X, ishigami(X))
    assert [effect.first for effect in found] == pytest.approx(FIRST, abs=0.03)
    assert [effect.total for effect in found] == pytest.approx(TOTAL, abs=0.03)
    assert {effect.first_confidence for effect in found} == {None}


def test_morris_elementary_effects_of_a_line_are_its_slopes():
    sampling = Sampling(method="morris", samples=12, seed=1)
    unit, X = sampled(sampling, 0, 10)
    found = effects(sampling, unit, X, X @ np.array([1.0, -2.0, 0.0]))
    # Over the whole range of 10, not for each unit.
    assert [effect.mu_star for effect in found] == pytest.approx([10, 20, 0], abs=1e-9)
    assert [effect.sigma for effect in found] == pytest.approx([0, 0, 0], abs=1e-9)
    assert [effect.rank for effect in found] == [2, 1, 3]
    assert {effect.used for effect in found} == {12}
    assert {effect.pearson for effect in found} == {None}  # its grid follows no distribution


def test_morris_agrees_with_salib_on_the_whole_problem():
    from SALib.analyze import morris

    from tasks.sampling import problem_of

    sampling = Sampling(method="morris", samples=40, seed=7)
    unit, X = sampled(sampling)
    Y = ishigami(X)
    whole = morris.analyze(problem_of(3), unit, Y, num_levels=4, seed=1)
    found = effects(sampling, unit, X, Y)
    assert [effect.mu_star for effect in found] == pytest.approx(list(whole["mu_star"]))
    assert [effect.sigma for effect in found] == pytest.approx(list(whole["sigma"]))


# -- samples without an answer


def test_a_gap_costs_only_the_blocks_that_it_touches():
    """Rows of a block: A, AB_0, AB_1, AB_2, B."""
    sampling = Sampling(samples=64, seed=1)
    unit, X = sampled(sampling)
    for row, used in ((0, [63, 63, 63]), (4, [63, 63, 63]), (2, [64, 63, 64])):
        Y = ishigami(X)
        Y[row] = np.nan
        assert [effect.used for effect in effects(sampling, unit, X, Y)] == used


def test_gaps_leave_the_indices_within_their_intervals():
    """SALib alone would answer 0 for all of them."""
    sampling = Sampling(samples=2048, seed=1)
    unit, X = sampled(sampling)
    Y = ishigami(X)
    Y[np.random.default_rng(1).random(len(Y)) < 0.1] = np.nan
    found = effects(sampling, unit, X, Y)
    assert misses(found) == []
    assert all(0.65 * 2048 < effect.used < 0.8 * 2048 for effect in found)


def test_a_gap_costs_a_trajectory_its_two_steps_and_a_curve_its_spectrum():
    sampling = Sampling(method="morris", samples=10, seed=1)
    unit, X = sampled(sampling)
    Y = ishigami(X)
    Y[1] = np.nan  # the second point of the first trajectory: its first and second step
    assert sorted(effect.used for effect in effects(sampling, unit, X, Y)) == [9, 9, 10]
    sampling = Sampling(method="fast", samples=101, seed=1)
    unit, X = sampled(sampling)
    Y = ishigami(X)
    Y[150] = np.nan  # on the second curve
    found = effects(sampling, unit, X, Y)
    assert [effect.first is None for effect in found] == [False, True, False]


def test_indices_that_cannot_be_told_are_not_told():
    sampling = Sampling(samples=16, seed=1)
    unit, X = sampled(sampling)
    constant = effects(sampling, unit, X, np.full(len(X), 1e6) + 1e-6 * X[:, 0])
    assert {(e.first, e.total, e.pearson, e.rank) for e in constant} == {(None, None, None, None)}
    nothing = effects(sampling, unit, X, np.full(len(X), np.nan))
    assert {(e.first, e.pearson, e.used) for e in nothing} == {(None, None, 0)}
    assert widest_interval(nothing) is None


def test_correlations_are_those_of_the_textbook():
    x = np.array([1.0, 2.0, 3.0, 4.0, 9.0])
    assert correlations(x, np.array([2.0, 4.0, 6.0, 8.0, np.nan])) == pytest.approx((1, 1))
    pearson, spearman = correlations(x[:4], np.array([1.0, 8.0, 27.0, 64.0]))
    assert pearson == pytest.approx(0.9513, abs=1e-4)
    assert spearman == pytest.approx(1)
    assert correlations(x, np.ones(5)) == (None, None)


def test_ranks_follow_the_total_index_then_morris_then_the_rank_correlation():
    assert [e.rank for e in ranked([Effect(total=0.1, spearman=0.9), Effect(total=0.5), Effect()])] == [
        2,
        1,
        None,
    ]
    # An index that a gap has cost is not set against correlations.
    assert [e.rank for e in ranked([Effect(total=0.1, spearman=0.1), Effect(spearman=0.9)])] == [1, None]
    assert [e.rank for e in ranked([Effect(mu_star=3.0), Effect(mu_star=5.0)])] == [2, 1]
    assert [e.rank for e in ranked([Effect(spearman=0.2), Effect(spearman=-0.7)])] == [2, 1]


def test_the_widest_interval_is_the_width_not_its_half():
    assert widest_interval([Effect(first_confidence=0.02, total_confidence=0.05)]) == 0.1


def test_what_differs_by_rounding_is_constant():
    assert is_constant(np.array([100.0, 100.0 + 1e-9]))
    assert not is_constant(np.array([100.0, 100.1]))
