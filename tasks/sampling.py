"""Which values uncertain numbers take: designs of experiments by SALib and scipy.

All designs are made in the unit cube, (rows, D), and carried to the distributions by their quantiles.

u       a number of the cube                  [-], 0 to 1
q       quantile: the value below which a share u of the distribution lies

Sobol   Saltelli's design without second order: A_i, AB_i1 ... AB_iD, B_i for every i. AB_ij is A_i with the j-th
        number of B_i. With one seed, the first N of 2N such blocks are those of N.
        Saltelli et al. 2010, doi:10.1016/j.cpc.2009.09.018
Morris  trajectories of D + 1 points on a grid of levels, each step along one number. Morris 1991,
        doi:10.1080/00401706.1991.10484804
FAST    a search curve of N points for each number. Saltelli et al. 1999, doi:10.1080/00401706.1999.10485594
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from schema.base import Value
from schema.distributions import (
    Discrete,
    Distribution,
    Lognormal,
    Normal,
    ScaledBy,
    Triangular,
    TruncatedNormal,
    Uncertain,
    distribution_of,
)
from schema.paths import owners
from schema.profiles import ProfileRef
from schema.studies import Sampling
from schema.study import SolverSettings
from schema.system import System

Array = NDArray[np.float64]
_EDGE = 0.005
"""Grids and curves reach 0 and 1, where normal distributions are infinite: half a per cent is left out there."""
UNBOUNDED = (Normal, Lognormal)


def problem_of(parameters: int) -> dict[str, Any]:
    """The unit cube as SALib describes it."""
    return {
        "num_vars": parameters,
        "names": [f"x{j}" for j in range(parameters)],
        "bounds": [[0.0, 1.0]] * parameters,
    }


def unit_design(sampling: Sampling, samples: int, parameters: int) -> Array:
    """A design in the unit cube, (rows, D), with `Sampling.rows` rows."""
    problem, seed = problem_of(parameters), sampling.seed
    if sampling.method == "sobol":
        from SALib.sample import sobol

        with warnings.catch_warnings():
            # scipy remarks that other numbers than powers of two balance less well; the number is the user's.
            warnings.filterwarnings("ignore", "The balance properties of Sobol")
            return np.asarray(sobol.sample(problem, samples, calc_second_order=False, seed=seed))
    if sampling.method == "morris":
        from SALib.sample import morris

        return np.asarray(morris.sample(problem, samples, num_levels=sampling.levels, seed=seed))
    if sampling.method == "fast":
        from SALib.sample import fast_sampler

        return np.asarray(fast_sampler.sample(problem, samples, seed=seed))
    if sampling.method == "latin_hypercube":
        return np.asarray(stats.qmc.LatinHypercube(parameters, rng=seed).random(samples))
    return np.random.default_rng(seed).random((samples, parameters))


def quantiles(distribution: Distribution, u: Array) -> Array:
    """q(u), elementwise; finite for u within 0 and 1, but at the open ends of the unbounded distributions."""
    if isinstance(distribution, Normal):
        return np.asarray(stats.norm.ppf(u, distribution.mean, distribution.std))
    if isinstance(distribution, TruncatedNormal):
        mean, std = distribution.mean, distribution.std
        low, high = (distribution.min - mean) / std, (distribution.max - mean) / std
        return np.asarray(stats.truncnorm.ppf(u, low, high, mean, std))
    if isinstance(distribution, Lognormal):
        return np.asarray(np.exp(stats.norm.ppf(u, distribution.log_mean, distribution.log_std)))
    if isinstance(distribution, Discrete):
        values = np.array(distribution.values)
        shares = distribution.probabilities or [1 / len(values)] * len(values)
        # Up to rounding the shares end at 1: the last value takes what is left.
        return np.asarray(values[np.searchsorted(np.cumsum(shares)[:-1], u, side="right")])
    width = distribution.max - distribution.min
    if isinstance(distribution, Triangular):
        mode = (distribution.mode - distribution.min) / width
        return np.asarray(stats.triang.ppf(u, mode, distribution.min, width))
    return np.asarray(distribution.min + width * u)


def values_at(uncertain: Mapping[str, Uncertain], unit: Array) -> Array:
    """What the uncertain numbers, or the factors on them, are at points of the unit cube; both (rows, D)."""
    columns = []
    for u, entry in zip(unit.T, uncertain.values(), strict=True):
        distribution = distribution_of(entry)
        if isinstance(distribution, UNBOUNDED):
            at_ends = (u <= 0) | (u >= 1)
            u = np.where(at_ends, np.clip(u, _EDGE, 1 - _EDGE), u)  # noqa: PLW2901 - the same, made finite
        columns.append(quantiles(distribution, u))
    return np.column_stack(columns)


def factors_of(
    uncertain: Mapping[str, Uncertain], design: Mapping[str, Value], system: System, solver: SolverSettings
) -> list[float]:
    """By what each sampled value is multiplied to become what stands at its path, (D,).

    A factor on a number is multiplied by that number, in the design or else in the system. One on a profile is
    itself what stands at the path, as `System.with_values` multiplies the profile by it.
    """
    return [
        standing_number(path, design, system, solver) if isinstance(entry, ScaledBy) else 1.0
        for path, entry in uncertain.items()
    ]


def standing_number(path: str, design: Mapping[str, Value], system: System, solver: SolverSettings) -> float:
    """The number at a path in a design, or else in the system; 1 where a profile stands there."""
    owner, _, attribute = path.partition(".")
    standing = design.get(path, getattr(owners(system, solver)[owner], attribute))
    return 1.0 if isinstance(standing, ProfileRef) else float(standing)
