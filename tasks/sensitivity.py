"""What each uncertain number does to an output: correlations, Sobol's indices, Morris' elementary effects.

Y       an output, (rows,), NaN where a sample has none
S1      share of the variance that goes with a number alone                       [-]
ST      share that goes with it together with its interactions                    [-]
μ*      mean size of the elementary effects over the whole range of a number      [unit of Y]
σ       their standard deviation: interactions, or that the output is curved      [unit of Y]

A sample without an answer is left out of those indices that touch it, and of no others: for the j-th number the
block A_i, AB_ij, B_i, or the step of a trajectory. It is never filled in. (SALib 1.6 answers S1 = ST = 0 where one
output is not finite.) So each index is worked out by SALib from its own rows, as a problem of one number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from schema.studies import Sampling
from tasks.sampling import problem_of

Array = NDArray[np.float64]
_RESAMPLES = 200
_DRAWN_AT_ONCE = 8_000_000
_FEWEST = 8
"""Blocks or effects below which an index says nothing."""
_SAME = 1e-9
"""Outputs that spread by less than this share of their size are all the same: nothing is there to explain."""
HARMONICS = 4
"""M of FAST."""


@dataclass(frozen=True)
class Effect:
    """What one number does to one output; None where it was not asked or cannot be told.

    Attributes:
        pearson: linear correlation.
        spearman: correlation of the ranks.
        first: S1, and the half-width of its 95 % interval.
        total: ST, and the half-width of its 95 % interval.
        mu_star: μ*, and the half-width of its 95 % interval.
        sigma: σ.
        used: blocks, curve points or effects behind the indices.
        rank: 1 for the number that matters most.
    """

    pearson: float | None = None
    spearman: float | None = None
    first: float | None = None
    first_confidence: float | None = None
    total: float | None = None
    total_confidence: float | None = None
    mu_star: float | None = None
    mu_star_confidence: float | None = None
    sigma: float | None = None
    used: int = 0
    rank: int | None = None


def distributed_rows(sampling: Sampling, rows: int, parameters: int) -> NDArray[np.intp]:
    """The rows whose values follow the distributions: A and B of Sobol's design, none of Morris' grid."""
    if sampling.method == "morris":
        return np.empty(0, dtype=np.intp)
    if sampling.method == "sobol":
        return np.flatnonzero(np.isin(np.arange(rows) % (parameters + 2), (0, parameters + 1)))
    return np.arange(rows)


def effects(sampling: Sampling, unit: Array, values: Array, Y: Array) -> list[Effect]:
    """The effect of every number, in their order.

    Args:
        sampling: how the design was made.
        unit: the design in the unit cube, (rows, D).
        values: what the numbers were, (rows, D).
        Y: the output, (rows,), NaN where a sample has no answer.
    """
    rows = distributed_rows(sampling, len(Y), unit.shape[1])
    indices = {"sobol": _sobol, "morris": _morris, "fast": _fast}.get(sampling.method)
    found = []
    for j in range(unit.shape[1]):
        effect = Effect() if indices is None else indices(sampling, unit, Y, j)
        pearson, spearman = correlations(values[rows, j], Y[rows])
        found.append(replace(effect, pearson=pearson, spearman=spearman))
    return ranked(found)


def correlations(x: Array, y: Array) -> tuple[float | None, float | None]:
    """Pearson's and Spearman's correlation of the samples that have an answer; None where either is constant."""
    kept = np.isfinite(y)
    x, y = x[kept], y[kept]
    if len(y) < 3 or is_constant(x) or is_constant(y):
        return None, None
    pearson = np.corrcoef(x, y)[0, 1]
    spearman = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
    return float(pearson), float(spearman)


def is_constant(y: Array) -> bool:
    """Whether all are the same, but for rounding."""
    return bool(len(y) == 0 or np.ptp(y) <= _SAME * max(1.0, float(np.abs(y).max())))


def ranked(found: Sequence[Effect]) -> list[Effect]:
    """With the importance rank: by ST where there is any, else by μ*, else by the size of the rank correlation.

    What the others are ranked by and an effect has not, leaves it without a rank.
    """
    for measure in (_total, _mu_star, _rank_correlation):
        sizes = [measure(effect) for effect in found]
        if any(size is not None for size in sizes):
            break
    told = {j: size for j, size in enumerate(sizes) if size is not None}
    ranks = {j: rank for rank, j in enumerate(sorted(told, key=lambda j: -told[j]), 1)}
    return [replace(effect, rank=ranks.get(j)) for j, effect in enumerate(found)]


def _total(effect: Effect) -> float | None:
    return effect.total


def _mu_star(effect: Effect) -> float | None:
    return effect.mu_star


def _rank_correlation(effect: Effect) -> float | None:
    return None if effect.spearman is None else abs(effect.spearman)


def widest_interval(found: Sequence[Effect]) -> float | None:
    """Width of the widest interval of S1 and ST [-]; None where there is none."""
    halves = [half for e in found for half in (e.first_confidence, e.total_confidence) if half is not None]
    return 2 * max(halves) if halves else None


def _sobol(sampling: Sampling, unit: Array, Y: Array, j: int) -> Effect:
    from SALib.analyze import sobol

    step = unit.shape[1] + 2
    block = np.column_stack([Y[0::step], Y[1 + j :: step], Y[step - 1 :: step]])  # A_i, AB_ij, B_i
    block = block[np.isfinite(block).all(axis=1)]
    if len(block) < _FEWEST or is_constant(block[:, [0, 2]].ravel()):
        return Effect(used=len(block))
    resamples = max(40, min(_RESAMPLES, _DRAWN_AT_ONCE // len(block)))
    # SALib takes a seed of 0 for none.
    found = sobol.analyze(
        problem_of(1), block.ravel(), calc_second_order=False, num_resamples=resamples, seed=sampling.seed + 1
    )
    return Effect(
        first=float(found["S1"][0]),
        first_confidence=float(found["S1_conf"][0]),
        total=float(found["ST"][0]),
        total_confidence=float(found["ST_conf"][0]),
        used=len(block),
    )


def _morris(sampling: Sampling, unit: Array, Y: Array, j: int) -> Effect:
    from SALib.analyze import morris

    parameters = unit.shape[1]
    # The steps of all trajectories along the j-th number; the one from a trajectory to the next is none.
    before = np.flatnonzero(
        (np.diff(unit[:, j]) != 0) & (np.arange(len(unit) - 1) % (parameters + 1) < parameters)
    )
    ends = np.column_stack([Y[before], Y[before + 1]])
    whole = np.isfinite(ends).all(axis=1)
    before, ends = before[whole], ends[whole]
    if len(before) < 2:
        return Effect(used=len(before))
    X = np.column_stack([unit[before, j], unit[before + 1, j]]).reshape(-1, 1)
    found = morris.analyze(
        problem_of(1),
        X,
        ends.ravel(),
        num_resamples=_RESAMPLES,
        num_levels=sampling.levels,
        seed=sampling.seed,
    )
    return Effect(
        mu_star=float(found["mu_star"][0]),
        mu_star_confidence=float(found["mu_star_conf"][0]),
        sigma=float(found["sigma"][0]),
        used=len(before),
    )


def _fast(_sampling: Sampling, unit: Array, Y: Array, j: int) -> Effect:
    """From the j-th curve; no interval, as SALib calls its own for FAST unreliable. A gap leaves no spectrum."""
    from SALib.analyze import fast

    points = len(unit) // unit.shape[1]
    curve = Y[j * points : (j + 1) * points]
    if not np.isfinite(curve).all() or is_constant(curve):
        return Effect(used=int(np.isfinite(curve).sum()))
    omega = math.floor((points - 1) / (2 * HARMONICS))
    first, total = fast.compute_orders(curve, points, HARMONICS, omega)
    return Effect(first=float(first), total=float(total), used=points)
