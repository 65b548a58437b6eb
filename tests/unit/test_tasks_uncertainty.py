"""Moments, percentiles, value at risk and its tail; intervals; where samples without an answer lie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tasks.uncertainty import clusters, spread


def test_the_figures_are_those_of_a_hundred_and_one_numbers():
    y = np.arange(101.0)
    told = spread(np.random.default_rng(1).permutation(y), high_is_adverse=True, seed=1)
    assert told.samples == 101
    assert told.figures == pytest.approx(
        {
            "mean_value": 50,
            "median_value": 50,
            "std_dev": np.std(y, ddof=1),
            "percentile_5": 5,
            "percentile_25": 25,
            "percentile_50": 50,
            "percentile_75": 75,
            "percentile_95": 95,
            "var_95": 95,
            "cvar_95": 97.5,  # of 95 to 100
        }
    )


def test_what_should_be_high_is_at_risk_below():
    told = spread(np.arange(101.0), high_is_adverse=False, seed=1)
    assert told.figures["var_95"] == 5
    assert told.figures["cvar_95"] == 2.5


def test_samples_without_an_answer_are_left_out_and_one_alone_tells_nothing():
    told = spread(np.array([1.0, np.nan, 3.0, np.nan]), high_is_adverse=True, seed=1)
    assert (told.samples, told.figures["mean_value"]) == (2, 2)
    assert spread(np.array([1.0, np.nan]), high_is_adverse=True, seed=1) is None


def test_intervals_hold_the_figure_and_shrink_with_the_samples():
    rng = np.random.default_rng(3)
    few, many = (spread(rng.normal(10, 2, n), high_is_adverse=True, seed=1) for n in (100, 10_000))
    for told in (few, many):
        for name, (low, high) in told.intervals.items():
            assert low <= told.figures[name] <= high
    widths = [np.diff(told.intervals["mean_value"])[0] for told in (few, many)]
    assert widths[1] == pytest.approx(2 * 1.96 * 2 / 100, rel=0.15)
    assert widths[0] == pytest.approx(10 * widths[1], rel=0.3)


def test_the_seed_decides_the_intervals_however_many_are_drawn_at_once():
    y = np.random.default_rng(1).normal(size=20_000)
    one, other = (spread(y, high_is_adverse=True, seed=s) for s in (1, 2))
    assert spread(y, high_is_adverse=True, seed=1) == one
    assert one.intervals != other.intervals
    assert one.figures == other.figures


def test_the_tail_of_a_normal_distribution_is_that_of_the_textbook():
    y = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    told = spread(y, high_is_adverse=True, seed=1)
    assert told.figures["var_95"] == pytest.approx(1.6449, abs=1e-3)
    assert told.figures["cvar_95"] == pytest.approx(2.0627, abs=1e-3)


def test_samples_without_an_answer_are_told_by_where_they_lie():
    rng = np.random.default_rng(1)
    values = rng.random((1000, 3)) * [1, 10, 100]
    solved = values[:, 1] > 2
    (cluster,) = clusters(["a.x", "b.y", "c.z"], values, solved)
    assert cluster.parameter == "b.y"
    assert cluster.unsolved[1] < 2 < cluster.solved[0]
    assert clusters(["a.x", "b.y", "c.z"], values, rng.random(1000) > 0.1) == []
    assert clusters(["a.x", "b.y", "c.z"], values, np.ones(1000, dtype=bool)) == []
    assert clusters(["a.x", "b.y", "c.z"], values, np.zeros(1000, dtype=bool)) == []
