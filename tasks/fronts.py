"""Fronts of designs and what they tell. Objectives F are (n, m) arrays to be minimised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_COMPARED_AT_ONCE = 4_000_000


def domination_counts(F: Array) -> NDArray[np.int64]:
    """How many rows dominate each row: are nowhere worse and somewhere better."""
    counts = np.zeros(len(F), dtype=np.int64)
    step = max(1, _COMPARED_AT_ONCE // max(len(F), 1))
    for start in range(0, len(F), step):
        rows = F[start : start + step]
        nowhere_worse = np.ones((len(rows), len(F)), dtype=bool)
        for k in range(F.shape[1]):
            nowhere_worse &= F[:, k] <= rows[:, k, None]
        counts[start : start + step] = nowhere_worse.sum(axis=1)
    # Of those that are nowhere worse, a row's equals, itself among them, are nowhere better.
    _, which, equals = np.unique(F, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(counts - equals[which.reshape(-1)])


def non_dominated(F: Array) -> NDArray[np.intp]:
    """Indices of the rows that no row dominates; equal rows stand beside each other."""
    if F.shape[1] != 2 or not len(F):
        return np.flatnonzero(domination_counts(F) == 0)
    # By the first objective, a row stays if its second is the least of its equals and below all before.
    _, which = np.unique(F[:, 0], return_inverse=True)
    least = np.full(which.max() + 1, np.inf)
    np.minimum.at(least, which, F[:, 1])
    before = np.concatenate([[np.inf], np.minimum.accumulate(least)[:-1]])
    return np.flatnonzero((F[:, 1] == least[which]) & (F[:, 1] < before[which]))


def reference_point(F: Array) -> Array:
    """The worst of each objective plus 10 % of its range (of its size, where all are equal)."""
    worst, spread = F.max(axis=0), np.ptp(F, axis=0)
    margin = np.where(spread > 0, spread, np.maximum(np.abs(worst), 1.0))
    return np.asarray(worst + 0.1 * margin)


def hypervolume(F: Array, reference: Array) -> float:
    """Volume that F dominates up to the reference point; Zitzler and Thiele 1998."""
    from pymoo.indicators.hv import HV

    inside = F[(reference >= F).all(axis=1)]
    return float(HV(ref_point=reference)(inside)) if len(inside) else 0.0


def knee(F: Array) -> int:
    """Index of the row farthest below the chord between the extremes, each objective scaled to its range.

    With two objectives that is the largest distance to the line; with more, to the plane through the points
    that are best in one objective each. Das 1999, doi:10.1007/BF01195985.
    """
    spread = np.ptp(F, axis=0)
    scaled = (F - F.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    extremes = scaled[scaled.argmin(axis=0)]
    normal = np.linalg.lstsq(extremes, np.ones(len(extremes)), rcond=None)[0]
    size = float(np.linalg.norm(normal))
    return int((scaled @ normal / size).argmin()) if size > 0 else 0
