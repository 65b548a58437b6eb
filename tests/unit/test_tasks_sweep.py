"""Grids and zips, shares of the variance worked out by hand, interaction tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from schema.loading import load_study
from tasks.bases import Base
from tasks.evaluate import Design
from tasks.scoring import Scored
from tasks.sweep import analyses, designs_of, interaction_table, variance_shares

SYSTEM = """\
system: house
horizon: {start: 2019-01-01T00:00, steps: 2}
profiles: {load: 1.0, cheap: 0.1, dear: 0.5}
components:
  grid: {type: grid, import_price_eur_per_kwh: 0.3}
  battery: {type: battery, capacity_kwh: 4, power_kw: 2}
  lights: {type: power_demand, profile: load}
"""


@pytest.fixture
def loaded(tmp_path):
    def load(sweep, **more):
        (tmp_path / "house.yaml").write_text(SYSTEM)
        text = f"study: s\ntype: parametric\nsystem: house.yaml\nsweep: {sweep}\n"
        text += "".join(f"{name}: {value}\n" for name, value in more.items())
        (tmp_path / "study.yaml").write_text(text)
        return load_study(tmp_path / "study.yaml")

    return load


def tried(found, base=None):
    return [tuple(d.values()) for d in designs_of(found.study, found, Base(base or {}))]


def test_of_a_grid_the_last_parameter_changes_fastest(loaded):
    found = loaded("{battery.capacity_kwh: [1, 2], battery.power_kw: {start: 0, stop: 1, count: 3}}")
    assert tried(found) == [(1, 0), (1, 0.5), (1, 1), (2, 0), (2, 0.5), (2, 1)]
    assert list(designs_of(found.study, found, Base({"lights.scale": 2}))[0]) == [
        "lights.scale",
        "battery.capacity_kwh",
        "battery.power_kw",
    ]


def test_zipped_values_go_together(loaded):
    found = loaded("{battery.capacity_kwh: [1, 2], solver.method: [milp, milp]}", combine="zip")
    assert tried(found) == [(1, "milp"), (2, "milp")]


def test_a_factor_multiplies_the_number_of_the_design_and_stands_alone_on_a_profile(loaded):
    sweep = "{battery.capacity_kwh: {scale: [0.5, 2]}, lights.profile: {scale: [3]}}"
    assert tried(loaded(sweep)) == [(2, 3), (8, 3)]
    design = {"battery.capacity_kwh": 10.0}
    assert [row[0] for row in tried(loaded(sweep, design="{battery.capacity_kwh: 10}"), design)] == [5, 20]


# -- influence: Y over two parameters with two levels each, rows (0, 0), (0, 1), (1, 0), (1, 1)

LEVELS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def test_the_variance_of_a_grid_is_split_without_rest():
    """Means 1 and 4 by the first, 2 and 3 by the second, 2.5 in all; variance (2.25 + 0.25 + 1) = 3.5."""
    shares = variance_shares(LEVELS, np.array([-0.5, 2.5, 4.5, 3.5]))
    assert shares.first == pytest.approx([2.25 / 3.5, 0.25 / 3.5])
    assert shares.pairs == {frozenset((0, 1)): pytest.approx(1 / 3.5)}
    assert shares.total == pytest.approx([3.25 / 3.5, 1.25 / 3.5])


def test_without_interaction_first_and_total_are_the_same():
    shares = variance_shares(LEVELS, np.array([0.0, 1.0, 3.0, 4.0]))
    assert shares.first == pytest.approx([0.9, 0.1])
    assert shares.total == pytest.approx([0.9, 0.1])
    assert shares.pairs[frozenset((0, 1))] == pytest.approx(0)


def test_a_product_of_signs_is_all_interaction():
    shares = variance_shares(LEVELS, np.array([1.0, -1.0, -1.0, 1.0]))
    assert shares.first == pytest.approx([0, 0])
    assert shares.total == pytest.approx([1, 1])
    assert shares.pairs[frozenset((0, 1))] == pytest.approx(1)


@given(
    Y=arrays(float, (3, 2, 2), elements=st.floats(-100, 100).map(lambda y: round(y, 3))).filter(
        lambda Y: np.ptp(Y) > 0.1
    )
)
def test_over_a_whole_grid_shares_add_up_and_totals_are_what_the_others_leave(Y):
    """A parameter's total is its own, its pairs' and the triple's share; the triple's is what is left."""
    levels = np.stack(np.meshgrid(*map(np.arange, Y.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    shares = variance_shares(levels, Y.ravel())
    triple = 1 - sum(shares.first) - sum(shares.pairs.values())
    assert -1e-9 < triple <= 1 + 1e-9
    assert min(*shares.first, *shares.pairs.values()) > -1e-9
    for j in range(3):
        own = sum(share for pair, share in shares.pairs.items() if j in pair)
        assert shares.total[j] == pytest.approx(shares.first[j] + own + triple, abs=1e-9)


def test_what_does_not_vary_has_no_shares():
    assert variance_shares(LEVELS, np.full(4, 7.0)) is None
    assert variance_shares(LEVELS, np.full(4, np.nan)) is None


def answered(found, values):
    """Answers to all designs; None for one that is infeasible."""
    designs = [Design(i, v) for i, v in enumerate(designs_of(found.study, found, Base({})))]
    return [
        Scored(design, "infeasible")
        if y is None
        else Scored(design, "success", {"total_cost": y, "total_co2": 1.0})
        for design, y in zip(designs, values, strict=True)
    ]


def test_influences_are_recorded_by_output_and_rank(loaded):
    found = loaded("{battery.capacity_kwh: [1, 2], grid.import_price_eur_per_kwh: [cheap, dear]}")
    cost, co2 = analyses(found.study, answered(found, [0.0, 3.0, 1.0, 4.0]))
    assert cost.uncertainty is None
    battery, price = cost.sensitivities
    assert (battery.parameter_name, battery.importance_rank, price.importance_rank) == (
        "battery.capacity_kwh",
        2,
        1,
    )
    assert (battery.sobol_first_order, price.sobol_first_order) == pytest.approx((0.1, 0.9))
    assert battery.correlation_coefficient == pytest.approx(0.1**0.5)
    assert price.correlation_coefficient is None  # names have no order
    assert price.metadata["levels"] == [
        {"value": "cheap", "evaluations": 2, "mean": 0.5, "min": 0.0, "max": 1.0},
        {"value": "dear", "evaluations": 2, "mean": 3.5, "min": 3.0, "max": 4.0},
    ]
    assert price.metadata["interactions"] == {"battery.capacity_kwh": pytest.approx(0)}
    assert {s.importance_rank for s in co2.sensitivities} == {None}  # it is the same everywhere


def test_designs_without_an_answer_are_left_out_and_that_is_told(loaded):
    found = loaded("{battery.capacity_kwh: [1, 2, 3]}")
    (battery,) = analyses(found.study, answered(found, [1.0, None, 3.0]))[0].sensitivities
    assert battery.metadata["complete"] is False
    assert battery.metadata["used"] == 2
    assert battery.metadata["levels"][1] == {"value": 2, "evaluations": 0}
    assert battery.sobol_first_order == pytest.approx(1)


def test_zipped_parameters_have_correlations_and_no_shares(loaded):
    found = loaded("{battery.capacity_kwh: [1, 2, 3], battery.power_kw: [3, 1, 2]}", combine="zip")
    capacity, power = analyses(found.study, answered(found, [1.0, 2.0, 3.0]))[0].sensitivities
    assert capacity.sobol_first_order is power.sobol_first_order is None
    assert (capacity.rank_correlation, power.rank_correlation) == pytest.approx((1, -0.5))
    assert (capacity.importance_rank, power.importance_rank) == (1, 2)


def test_an_interaction_table_has_the_mean_of_every_cell():
    rows = [
        {
            "parameters": {"a.x": x, "b.y": y, "c.z": z},
            "objectives": {"total_cost": 100 * x + 10 * y + z} if (x, y, z) != (1, 1, 1) else {},
            "simulation_status": "success" if (x, y, z) != (1, 1, 1) else "failed",
        }
        for x in (0, 1)
        for y in (0, 1)
        for z in (1, 3)
    ]
    table = interaction_table(rows, "total_cost", "a.x", "b.y")
    assert [(r["value_a"], r["value_b"], r["mean_value"], r["evaluations"]) for r in table] == [
        (0, 0, 2, 2),
        (0, 1, 12, 2),
        (1, 0, 102, 2),
        (1, 1, 113, 1),
    ]
