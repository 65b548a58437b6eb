"""Pictures of analyses name what they show, with units, and the most important first."""

from __future__ import annotations

import numpy as np
import pytest

from tasks import render
from tasks.render_analyses import distributions, sensitivities, sweep

OUTPUTS = {"total_cost": "minimise", "self_sufficiency_rate": "maximise"}
NOTHING = dict.fromkeys(
    (
        *("sobol_first_order", "sobol_first_order_confidence", "sobol_total", "sobol_total_confidence"),
        *("mu_star", "mu_star_confidence", "sigma", "rank_correlation", "correlation_coefficient"),
    )
)


def effect(output, name, rank, **figures):
    return {
        "objective_name": output,
        "parameter_name": name,
        "parameter_index": rank - 1,
        "importance_rank": rank,
        **NOTHING,
        **figures,
    }


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def widths(axes):
    return [patch.get_width() for patch in axes.patches]


def test_a_distribution_shows_mean_and_adverse_tail_of_each_output():
    values = {"total_cost": np.arange(101.0), "self_sufficiency_rate": np.linspace(0, 1, 101)}
    rows = [
        {
            "objective_name": name,
            "mean_value": v.mean(),
            "percentile_5": v[5],
            "percentile_95": v[95],
            "cvar_95": v[97] if side == "high" else v[2],
            "metadata_json": {"adverse": side},
        }
        for (name, v), side in zip(values.items(), ("high", "low"), strict=True)
    ]
    figure = distributions(rows, values, title="house: how sure")
    told = texts(figure)
    assert [axes.get_xlabel() for axes in figure.axes] == ["total cost [€]", "self-sufficiency rate [share]"]
    assert "mean of the highest 5 % (CVaR)" in told
    assert "mean of the lowest 5 % (CVaR)" in told
    assert "101 samples" in told
    heights = [patch.get_height() for patch in figure.axes[0].patches if patch.get_height() < 1]
    assert sum(heights) == pytest.approx(1)


def test_total_stands_beside_first_order_with_its_intervals():
    rows = [
        effect(
            "total_cost",
            "grid.price",
            1,
            sobol_total=0.7,
            sobol_total_confidence=0.1,
            sobol_first_order=0.6,
            sobol_first_order_confidence=0.05,
        ),
        effect(
            "total_cost",
            "pv.size",
            2,
            sobol_total=0.4,
            sobol_total_confidence=0.1,
            sobol_first_order=0.3,
            sobol_first_order_confidence=0.05,
        ),
    ]
    (axes,) = sensitivities(rows, OUTPUTS, title="t").axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["grid.price", "pv.size"]
    assert axes.yaxis_inverted()  # the most important above
    assert widths(axes) == [0.7, 0.4, 0.6, 0.3]
    assert axes.get_xlabel() == "share of the variance of total cost"
    assert len(axes.containers) == 4  # two sets of bars, two of intervals


def test_morris_and_correlations_have_pictures_of_their_own():
    (axes,) = sensitivities(
        [effect("total_cost", "a.x", 1, mu_star=12.0, mu_star_confidence=1.0)], OUTPUTS, title="t"
    ).axes
    assert (axes.get_xlabel(), widths(axes)) == ("mean elementary effect on total cost [€]", [12.0])
    (axes,) = sensitivities([effect("total_cost", "a.x", 1, rank_correlation=-0.5)], OUTPUTS, title="t").axes
    assert (axes.get_xlabel(), widths(axes)) == ("rank correlation with total cost", [-0.5])


def test_a_sweep_has_a_row_for_each_output_and_a_column_for_each_parameter(tmp_path):
    numbers = [
        {"value": v, "evaluations": 2, "mean": 10 * v, "min": 9 * v, "max": 11 * v} for v in (2.0, 0.0, 1.0)
    ]
    names = [
        {"value": "price", "evaluations": 2, "mean": 5, "min": 4, "max": 6},
        {"value": "flat", "evaluations": 0},
    ]
    rows = [
        effect(output, name, rank, metadata_json={"levels": levels})
        for output in OUTPUTS
        for name, rank, levels in (("pv.capacity_kw", 1, numbers), ("grid.price", 2, names))
    ]
    figure = sweep(rows, OUTPUTS, title="house: swept")
    assert len(figure.axes) == 4
    first = figure.axes[0]
    assert first.get_ylabel() == "total cost [€]"
    assert first.lines[0].get_xydata().tolist() == [[0, 0], [1, 10], [2, 20]]
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == ["pv.capacity_kw", "grid.price"]
    assert [text.get_text() for text in figure.axes[3].get_xticklabels()] == ["price"]  # flat had no answer
    for name in ("sweep.png", "sweep.svg"):
        render.save(figure, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5_000


def test_nothing_to_draw_is_an_error_of_the_caller():
    for draw in (
        lambda: distributions([], {}, title="t"),
        lambda: sensitivities([], OUTPUTS, title="t"),
        lambda: sweep([], OUTPUTS, title="t"),
    ):
        with pytest.raises(ValueError, match="no output"):
            draw()
