"""How an output spreads: moments, percentiles, value at risk; and where samples without an answer lie.

y       the output's values of those samples that follow the distributions and have an answer, (n,)

(U1)  VaR  = the 95 % quantile of y towards its adverse side: the 95th percentile of what should be low, the 5th of
             what should be high
(U2)  CVaR = mean of the y at VaR and beyond it
(U3)  intervals: 95 % of the figures of resamples of y (percentile bootstrap). They take the samples for
      independent; those of Sobol's and Latin hypercube designs fill the space more evenly, so they are rather too
      wide than too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
PERCENTILES = (5, 25, 50, 75, 95)
_RESAMPLES = 500
_DRAWN = 20_000_000
"""Numbers for all resamples together, so that many samples do not take minutes; 100 resamples in any case."""
_DRAWN_AT_ONCE = 4_000_000
_FEWEST = 2
_SURE = 0.01


@dataclass(frozen=True)
class Spread:
    """The figures of an output, by their column's name, and their 95 % intervals.

    Attributes:
        figures: name → value, in the output's unit.
        intervals: name → lower and upper end.
        samples: how many are behind them.
    """

    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    samples: int


def spread(y: Array, *, high_is_adverse: bool, seed: int) -> Spread | None:
    """The spread of the samples that have an answer; None where there are fewer than two.

    Args:
        y: values, (n,), NaN where a sample has no answer.
        high_is_adverse: which tail VaR and CVaR are of.
        seed: of the resamples.
    """
    y = y[np.isfinite(y)]
    if len(y) < _FEWEST:
        return None
    figures = {name: float(value[0]) for name, value in _figures(y[None, :], high_is_adverse).items()}
    rng = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // len(y))
    resamples = min(_RESAMPLES, max(100, _DRAWN // len(y)))
    drawn = []
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        drawn.append(_figures(y[rng.integers(len(y), size=(count, len(y)))], high_is_adverse))
    intervals = {}
    for name in figures:
        low, high = np.quantile(np.concatenate([part[name] for part in drawn]), (0.025, 0.975))  # (U3)
        intervals[name] = (float(low), float(high))
    return Spread(figures, intervals, len(y))


def _figures(samples: Array, high_is_adverse: bool) -> dict[str, Array]:
    """Figures of several sets of samples, (sets, n)."""
    percentiles = np.percentile(samples, PERCENTILES, axis=1)
    var = percentiles[-1] if high_is_adverse else percentiles[0]  # (U1)
    beyond = samples >= var[:, None] if high_is_adverse else samples <= var[:, None]
    cvar = np.where(beyond, samples, 0.0).sum(axis=1) / beyond.sum(axis=1)  # (U2)
    return {
        "mean_value": samples.mean(axis=1),
        "median_value": percentiles[2],
        "std_dev": samples.std(axis=1, ddof=1),
        **{f"percentile_{p}": values for p, values in zip(PERCENTILES, percentiles, strict=True)},
        "var_95": var,
        "cvar_95": cvar,
    }


@dataclass(frozen=True)
class Cluster:
    """A number of which the samples without an answer take other values than those with one.

    Attributes:
        parameter: its path.
        unsolved: the middle 90 % of its values without an answer.
        solved: the middle 90 % of its values with one.
    """

    parameter: str
    unsolved: tuple[float, float]
    solved: tuple[float, float]


def clusters(names: Sequence[str], values: Array, solved: NDArray[np.bool_]) -> list[Cluster]:
    """Where in parameter space samples have no answer, the clearest first.

    A number is told where the two sets differ by more than chance would have it: Kolmogorov and Smirnov's test at
    1 % over all numbers together.

    Args:
        names: the numbers' paths, (D,).
        values: what they were, (rows, D).
        solved: which samples have an answer, (rows,).
    """
    if solved.all() or not solved.any():
        return []
    found = []
    for j, name in enumerate(names):
        without, with_answer = values[~solved, j], values[solved, j]
        chance = float(stats.ks_2samp(without, with_answer).pvalue)
        if chance < _SURE / len(names):
            found.append((chance, Cluster(name, _middle(without), _middle(with_answer))))
    return [cluster for _, cluster in sorted(found, key=lambda pair: pair[0])]


def _middle(values: Array) -> tuple[float, float]:
    low, high = np.percentile(values, (5, 95))
    return float(low), float(high)
