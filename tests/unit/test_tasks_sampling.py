"""Designs in the unit cube, and what they become by the distributions' quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from schema.distributions import Distribution, Uncertain
from schema.studies import Sampling
from schema.study import SolverSettings
from schema.system import System
from tasks.sampling import factors_of, quantiles, unit_design, values_at
from tasks.sensitivity import distributed_rows

DISTRIBUTION = TypeAdapter(Distribution)
UNCERTAIN = TypeAdapter(Uncertain)
METHODS = ["sobol", "latin_hypercube", "morris", "fast", "random"]


def distribution(**stated):
    return DISTRIBUTION.validate_python(stated)


def q(u, **stated):
    return quantiles(distribution(**stated), np.array(u, dtype=float)).tolist()


def test_quantiles_are_those_that_one_works_out_by_hand():
    assert q([0, 0.25, 1], distribution="uniform", min=2, max=6) == [2, 3, 6]
    assert q([0.5], distribution="normal", mean=3, std=2) == [3]
    assert q([stats.norm.cdf(1)], distribution="normal", mean=3, std=2) == [pytest.approx(5)]
    # The density rises to 2/3 at 1 and falls to 0 at 3: a third of it lies below 1.
    assert q([0, 1 / 3, 1], distribution="triangular", min=0, mode=1, max=3) == pytest.approx([0, 1, 3])
    # Symmetric about its mean, so a half lies below, and all of it within its bounds.
    assert q([0, 0.5, 1], distribution="truncated_normal", mean=1, std=5, min=0, max=2) == pytest.approx(
        [0, 1, 2]
    )
    assert q(
        [0, 0.19, 0.21, 0.69, 0.71, 1],
        distribution="discrete",
        values=[5, 7, 1],
        probabilities=[0.2, 0.5, 0.3],
    ) == [5, 5, 7, 7, 1, 1]
    assert q([0.49, 0.51], distribution="discrete", values=[0, 1]) == [0, 1]


@pytest.mark.parametrize(
    ("stated", "mean", "std"),
    [
        ({"distribution": "lognormal", "mean": 2.0, "std": 0.7}, 2.0, 0.7),
        ({"distribution": "normal", "mean": -1.0, "std": 0.3}, -1.0, 0.3),
        ({"distribution": "uniform", "min": 1.0, "max": 4.0}, 2.5, 3 / 12**0.5),
        ({"distribution": "triangular", "min": 0.0, "mode": 0.0, "max": 3.0}, 1.0, (9 / 18) ** 0.5),
        ({"distribution": "discrete", "values": [0.0, 10.0], "probabilities": [0.9, 0.1]}, 1.0, 3.0),
    ],
)
def test_samples_have_the_mean_and_spread_that_were_stated(stated, mean, std):
    u = (np.arange(100_000) + 0.5) / 100_000
    values = quantiles(distribution(**stated), u)
    assert values.mean() == pytest.approx(mean, rel=1e-3)
    assert values.std() == pytest.approx(std, rel=1e-2)


@given(u=st.floats(1e-9, 1 - 1e-9), low=st.floats(-5, 5), width=st.floats(0.1, 10), share=st.floats(0, 1))
def test_every_quantile_is_the_inverse_of_its_distribution(u, low, width, share):
    high, inside = low + width, low + share * width
    inside = min(inside, high)
    (normal,) = q([u], distribution="normal", mean=low, std=width)
    assert stats.norm.cdf(normal, low, width) == pytest.approx(u, rel=1e-6)
    (cut,) = q([u], distribution="truncated_normal", mean=inside, std=width, min=low, max=high)
    assert low <= cut <= high
    (triangle,) = q([u], distribution="triangular", min=low, mode=inside, max=high)
    assert low <= triangle <= high
    assert stats.triang.cdf(triangle, (inside - low) / width, low, width) == pytest.approx(u, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_design_has_the_rows_it_announces_and_its_seed_decides_it(method):
    sampling = Sampling(method=method, samples=80, seed=3)
    unit = unit_design(sampling, 80, 3)
    assert unit.shape == (sampling.rows(80, 3), 3)
    assert ((unit >= 0) & (unit <= 1)).all()
    assert (unit_design(sampling, 80, 3) == unit).all()
    assert (unit_design(sampling.with_changes(seed=4), 80, 3) != unit).any()


def test_every_row_of_a_sobol_design_is_accounted_for():
    """A and B follow the distributions; each of the others is its A but for one number, which is its B's."""
    D, N = 4, 16
    unit = unit_design(Sampling(seed=5), N, D)
    a, b = unit[0 :: D + 2], unit[D + 1 :: D + 2]
    for j in range(D):
        ab = unit[1 + j :: D + 2]
        assert (ab[:, j] == b[:, j]).all()
        assert (np.delete(ab, j, axis=1) == np.delete(a, j, axis=1)).all()
    rows = distributed_rows(Sampling(seed=5), len(unit), D)
    assert (unit[rows] == np.stack([a, b], axis=1).reshape(-1, D)).all()
    assert len(rows) == 2 * N


@pytest.mark.parametrize("samples", [2, 64, 100])
def test_doubling_a_sobol_design_keeps_what_was_run(samples):
    sampling = Sampling(seed=9)
    once, twice = unit_design(sampling, samples, 3), unit_design(sampling, 2 * samples, 3)
    assert (twice[: len(once)] == once).all()
    assert len(np.unique(twice, axis=0)) == len(twice)


def test_grids_and_curves_leave_out_the_ends_at_which_a_normal_distribution_is_infinite():
    uncertain = {
        "a.x": UNCERTAIN.validate_python({"scale": {"distribution": "normal", "mean": 1, "std": 0.1}}),
        "a.y": UNCERTAIN.validate_python({"distribution": "lognormal", "mean": 1, "std": 0.1}),
        "a.z": UNCERTAIN.validate_python({"distribution": "uniform", "min": 1, "max": 2}),
    }
    unit = unit_design(Sampling(method="morris", samples=10), 10, 3)
    assert {0.0, 1.0} < set(unit[:, 0].tolist())
    values = values_at(uncertain, unit)
    assert np.isfinite(values).all()
    assert values[:, 0].min() == pytest.approx(1 - 2.5758 * 0.1, abs=1e-4)
    assert (values[:, 1] > 0).all()
    assert (values[:, 2].min(), values[:, 2].max()) == (1, 2)


def test_a_factor_multiplies_the_number_of_the_design_and_a_profile_itself():
    system = System.model_validate(
        {
            "system": "s",
            "horizon": {"start": "2019-01-01T00:00", "steps": 2},
            "profiles": {"load": 1.0},
            "components": {
                "grid": {"type": "grid", "import_price_eur_per_kwh": 0.3},
                "battery": {"type": "battery", "capacity_kwh": 4, "power_kw": 2},
                "lights": {"type": "power_demand", "profile": {"profile": "load", "scale": 3}},
            },
        }
    )
    scale = UNCERTAIN.validate_python({"scale": {"distribution": "uniform", "min": 0, "max": 2}})
    number = UNCERTAIN.validate_python({"distribution": "uniform", "min": 0, "max": 2})
    uncertain = {
        "battery.capacity_kwh": scale,
        "battery.power_kw": scale,
        "lights.profile": scale,
        "economics.discount_rate": scale,
        "solver.mip_gap_fraction": scale,
        "grid.import_price_eur_per_kwh": number,
    }
    design = {"battery.capacity_kwh": 10.0}
    assert factors_of(uncertain, design, system, SolverSettings()) == [10.0, 2.0, 1.0, 0.05, 1e-4, 1.0]
    # What then stands at the profile's path multiplies what the file states.
    assert system.with_values({"lights.profile": 0.5}).components["lights"].profile.scale == 1.5
